"""Which columns are used, as what, and which are not, with the reason."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minimax_opt.tabular.extras import TableError, pandas
from minimax_opt.tabular.values import as_numbers, is_boolean, is_empty, is_number, shown

DATE = re.compile(
    r"\s*(\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})([ T]\d.*)?\s*|\s*\d{1,2}:\d{2}(:\d{2}.*)?\s*"
)
NUMBERED = re.compile(r"(.*[_\s.-])?(id|idx|index|nr|no|number|key)", re.IGNORECASE)


@dataclass
class Choice:
    """The columns of a table by their use.

    Attributes
    ----------
    numbers, categories : list of str
        In the order of the table.
    left_out : list of str
        A sentence for each column that is not used.
    """

    numbers: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def choose_columns(
    frame: Any, taken: Sequence[str], features: Sequence[str] = (), drop: Sequence[str] = (), categorical: Sequence[str] = ()
) -> Choice:
    """Sort the columns of a table by their use.

    Parameters
    ----------
    frame : pandas.DataFrame
    taken : sequence of str
        The target and the columns of the groups: no features, unless `features` names the latter.
    features : sequence of str
        Use these and no others; one that cannot be used is then an error.
    drop, categorical : sequence of str
        Columns to leave out, and columns to read as categories.

    Raises
    ------
    TableError
        For a name that the table does not have, a column that holds numbers and text, or where no column is left.
    """
    for option, names in (("features", features), ("drop", drop), ("categorical", categorical)):
        for name in names:
            require_column(frame, name, option)
    choice = Choice()
    for name in features or [name for name in frame.columns if name not in {*taken, *drop}]:
        if name in drop:
            raise TableError(f"`--features` and `--drop` both name {name!r}. Leave it out of one of them.")
        reason = None if name in categorical else _unusable(frame[name], name, named=name in features)
        if reason is None:
            number = is_number(frame[name]) and name not in categorical
            (choice.numbers if number else choice.categories).append(name)
        elif name in features:
            raise TableError(f"The feature {name!r} cannot be used: {reason}.")
        else:
            choice.left_out.append(f"{name} ({reason})")
    return choice


def require_column(frame: Any, name: str, option: str) -> None:
    """Raise a :class:`TableError` that suggests the nearest name where the table has no column `name`."""
    if name in frame.columns:
        return
    known = {str(column).lower(): column for column in frame.columns}
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"Did you mean {known[near[0]]!r}? " if near else ""
    names = ", ".join(map(str, frame.columns[:20])) + (", …" if len(frame.columns) > 20 else "")
    raise TableError(f"`--{option}`: the table has no column {name!r}. {hint}Its columns are: {names}.")


def _unusable(series: Any, name: str, named: bool) -> str | None:
    """Why a column cannot be a feature; None where it can."""
    types = pandas().api.types
    if is_empty(series):
        return "empty"
    if is_number(series):
        return None if named or is_boolean(series) or not _counts_rows(series, name) else "numbers its rows; --features takes it"
    if types.is_datetime64_any_dtype(series.dtype) or isinstance(series.dtype, pandas().PeriodDtype) or _are_dates(series):
        return "a date or time: add numbers made from it, such as the year or the days since a start"
    if types.is_timedelta64_dtype(series.dtype) or types.is_complex_dtype(series.dtype):
        return f"of type {series.dtype}: turn it into numbers"
    return _why_no_category(series, name)


def _why_no_category(series: Any, name: str) -> str | None:
    """Why a column of text is none of categories. Raises where most of it is numbers."""
    present = series.dropna()
    if any(isinstance(value, (list, dict, set, tuple, np.ndarray)) for value in present.head(100)):
        return "lists or other compound entries"
    if isinstance(series.dtype, pandas().CategoricalDtype):
        return None
    distinct = present.unique()
    refuse_broken_numbers(present, name, f"`--categorical {name}` or `--drop {name}`")
    if len(distinct) > 2 and len(distinct) > 0.5 * len(present):
        return f"text: {len(distinct):,} distinct values in {len(present):,} rows; --categorical takes it"
    return None


def refuse_broken_numbers(series: Any, name: str, otherwise: str) -> None:
    """Raise where most values of a column of text would be numbers but for a few words or a way of writing.

    Parameters
    ----------
    series : pandas.Series
    name : str
        What the column is called.
    otherwise : str
        The options that take the column as it is.
    """
    present = series.dropna().astype(str)
    text = present.drop_duplicates()
    odd = text[pandas().to_numeric(text, errors="coerce").isna()]
    if not len(odd):
        return
    few, commas = len(odd) <= 0.5 * len(text), odd.str.contains(",").any()
    if commas and _mostly_numbers((odd if few else text).str.replace(",", "")):
        raise TableError(
            f"`{name}` holds numbers written with commas, such as {shown(odd, 1)}. Pass `--thousands ,` or `--decimal ,`, "
            f"or {otherwise}."
        )
    if few:
        raise TableError(
            f"`{name}` holds numbers, but also text in {present.isin(odd).sum():,} rows: {shown(odd)}. If that means missing, pass "
            f"`--missing {odd.iloc[0]!r}`; else {otherwise}."
        )
    if _mostly_numbers(text.str.strip("%$€£ ").str.replace(",", "")):
        raise TableError(
            f"`{name}` holds numbers with signs, such as {shown(odd, 1)}. Take the signs off in the file, or pass {otherwise}."
        )


def _mostly_numbers(text: Any) -> bool:
    return bool(pandas().to_numeric(text, errors="coerce").notna().mean() > 0.5)


def _are_dates(series: Any) -> bool:
    """Whether nearly all entries of a text column look like dates or times."""
    sample = [str(value) for value in series.dropna().head(200)]
    return sum(DATE.fullmatch(text) is not None for text in sample) >= 0.9 * len(sample)


def _counts_rows(series: Any, name: str) -> bool:
    """Whether a column tells its rows apart and no more: 0, 1, 2, ... or 1, 2, 3, ..., or distinct whole numbers called id."""
    values = as_numbers(series, name)
    if len(values) < 3 or not np.isfinite(values).all() or not (values == np.round(values)).all():
        return False
    if values[0] in (0.0, 1.0) and bool((np.diff(values) == 1.0).all()):
        return True
    return NUMBERED.fullmatch(name) is not None and len(np.unique(values)) == len(values)


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Names for a sentence, the first few of them."""
    names = list(names)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")
