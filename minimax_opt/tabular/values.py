"""The entries of one column as numbers or as labels, whatever the data frame calls its type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.tabular.extras import TableError, pandas

Labels = np.ndarray[Any, np.dtype[np.object_]]


def is_boolean(series: Any) -> bool:
    """Whether the column holds only True, False and missing entries, at least one of the first two."""
    pd = pandas()
    if pd.api.types.is_bool_dtype(series.dtype):
        return bool(series.notna().any())
    if series.dtype != object:
        return False
    present = series.dropna()
    return len(present) > 0 and all(isinstance(value, (bool, np.bool_)) for value in present)


def is_number(series: Any) -> bool:
    """Whether the column is of real numbers; a column of booleans is."""
    types = pandas().api.types
    if isinstance(series.dtype, pandas().CategoricalDtype):
        return False
    return is_boolean(series) or (types.is_numeric_dtype(series.dtype) and not types.is_complex_dtype(series.dtype))


def is_empty(series: Any) -> bool:
    """Whether every entry is missing."""
    return not bool(series.notna().any())


def as_numbers(series: Any, name: str) -> Host:
    """float64, nan where an entry is missing. Raises :class:`TableError` where an entry is text."""
    if is_number(series):
        if series.dtype == object:  # booleans with missing entries
            return np.array([np.nan if absent else float(v) for v, absent in zip(series, series.isna(), strict=True)])
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan))
    numbers = pandas().to_numeric(series.astype(object), errors="coerce")
    odd = series[numbers.isna() & series.notna()]
    if len(odd):
        raise TableError(f"`{name}` must be numbers, but {len(odd):,} entries are not: {shown(odd)}.")
    return np.asarray(numbers, dtype=np.float64)


def as_labels(series: Any) -> Labels:
    """Text, None where an entry is missing. A whole number reads the same whether its column is of integers or of floats."""
    labels = np.full(len(series), None, dtype=object)
    try:
        codes, distinct = pandas().factorize(series)
    except TypeError:
        raise TableError(f"`{series.name}` holds lists or other compound entries, which name no group and no class.") from None
    names = np.array([label(value) for value in distinct], dtype=object)
    present = codes >= 0
    if len(names):
        labels[present] = names[codes[present]]
    return labels


def label(value: Any) -> str:
    """One entry as text: ``3.0`` and ``3`` are "3"."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def in_order(labels: Sequence[str]) -> list[str]:
    """Sorted, as numbers where all of them are.

    Examples
    --------
    >>> in_order(["10", "9", "b"]), in_order(["10", "9"])
    (['10', '9', 'b'], ['9', '10'])
    """
    try:
        return sorted(labels, key=float)
    except ValueError:
        return sorted(labels)


def shown(values: Any, limit: int = 3) -> str:
    """The first few distinct values, for a message."""
    distinct = list(dict.fromkeys(str(value) for value in values))
    text = ", ".join(repr(value if len(value) <= 30 else value[:30] + "…") for value in distinct[:limit])
    return text + (", …" if len(distinct) > limit else "")
