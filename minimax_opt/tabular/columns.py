"""How one column of a table becomes columns of numbers: standardised, or one for each category but the most frequent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.tabular.extras import TableError
from minimax_opt.tabular.values import as_labels, as_numbers

MISSING, OTHER = "(missing)", "(other)"


@dataclass(frozen=True)
class NumberColumn:
    """(v - mean) / scale, with the median for a missing v and, where the training rows miss some, a second column that says so.

    Attributes
    ----------
    name : str
    fill : float
        Median of the training rows.
    mean, scale : float
        Of the training rows, after filling. A scale of 0: the value never varies, and only its absence is told.
    indicator : bool
        Whether there is a column that is 1 where v is missing.
    """

    kind: ClassVar[str] = "number"
    name: str
    fill: float
    mean: float
    scale: float
    indicator: bool

    @property
    def names(self) -> list[str]:
        """Names of the columns that it becomes."""
        return [self.name] * (self.scale > 0) + [f"{self.name} = {MISSING}"] * self.indicator

    def encode(self, series: Any) -> tuple[Host, list[str]]:
        """The (N, len(names)) block, and what is to be said about these rows."""
        values = as_numbers(series, self.name)
        absent = ~np.isfinite(values)
        parts, told = [], []
        if self.scale:
            parts.append((np.where(absent, self.fill, values) - self.mean) / self.scale)
        if self.indicator:
            parts.append(absent.astype(np.float64))
        if absent.any() and not self.indicator:
            told.append(f"`{self.name}`: {absent.sum():,} missing or infinite, filled with the median {self.fill:g}")
        return np.column_stack(parts), told


@dataclass(frozen=True)
class CategoryColumn:
    """One column of 0 and 1 for each level; zeros stand for the baseline, the most frequent category of the training rows.

    Attributes
    ----------
    name : str
    baseline : str or None
        None: missing entries are the most frequent.
    levels : tuple of (str or None)
        The other categories, most frequent first; None is the missing entry.
    other : bool
        Whether a last column takes the training rows' rare categories, and every category that they did not have.
    """

    kind: ClassVar[str] = "category"
    name: str
    baseline: str | None
    levels: tuple[str | None, ...]
    other: bool = False

    @property
    def names(self) -> list[str]:
        """Names of the columns that it becomes."""
        told = [MISSING if level is None else level for level in self.levels]
        return [f"{self.name} = {level}" for level in told + [OTHER] * self.other]

    def encode(self, series: Any) -> tuple[Host, list[str]]:
        """The (N, len(names)) block, and what is to be said about these rows."""
        labels = as_labels(series)
        place = {level: number for number, level in enumerate(self.levels)} | {self.baseline: -1}
        unseen = len(self.levels) if self.other else -1
        at = np.array([place.get(label, unseen) for label in labels], dtype=int)
        block = np.zeros((len(labels), len(self.names)))
        rows = np.flatnonzero(at >= 0)
        block[rows, at[rows]] = 1.0
        return block, [] if self.other else self._told(labels)

    def _told(self, labels: Any) -> list[str]:
        known = {self.baseline, *self.levels}
        strange = [MISSING if label is None else repr(label) for label in labels if label not in known]
        if not strange:
            return []
        shown = ", ".join(list(dict.fromkeys(strange))[:5])
        baseline = MISSING if self.baseline is None else repr(self.baseline)
        return [f"`{self.name}`: {len(strange):,} rows with a category that training did not have ({shown}), taken as {baseline}"]


Column = NumberColumn | CategoryColumn


def fit_number(name: str, series: Any) -> NumberColumn | None:
    """The encoder of a numeric column; None where it is constant and whole."""
    values = as_numbers(series, name)
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None
    indicator, fill = len(finite) < len(values), float(np.median(finite))
    size = max(float(np.abs(finite).max()), np.finfo(float).tiny)
    scaled = np.where(np.isfinite(values), values, fill) / size  # so that squares cannot overflow
    mean, scale = float(scaled.mean()) * size, float(scaled.std()) * size
    constant = finite.min() == finite.max() or scale <= 1e-13 * size
    if constant and not indicator:
        return None
    return NumberColumn(name, fill, mean, 0.0 if constant else scale, indicator)


def fit_category(name: str, series: Any, max_levels: int) -> CategoryColumn | None:
    """The encoder of a column of categories, at most `max_levels` of them and then one for all others; None for a single one."""
    labels = as_labels(series)
    counts: dict[str | None, int] = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    if len(counts) < 2:
        return None
    ordered = sorted(counts, key=lambda label: (-counts[label], label is None, label or ""))
    return CategoryColumn(name, ordered[0], tuple(ordered[1:max_levels]), len(ordered) > max_levels)


def column_from(saved: dict[str, Any]) -> Column:
    """The encoder that :func:`column_to` saved. Raises :class:`TableError` for anything else."""
    saved = dict(saved)
    kind = saved.pop("kind", None)
    try:
        column: Column
        if kind == NumberColumn.kind:
            column = NumberColumn(**saved)
            numbers = (column.fill, column.mean, column.scale)
            sound = all(type(v) in (int, float) and np.isfinite(v) for v in numbers) and column.scale >= 0
            sound = sound and isinstance(column.indicator, bool)
        else:
            column = CategoryColumn(**saved | {"levels": tuple(saved.get("levels", ()))})
            sound = kind == CategoryColumn.kind and isinstance(column.other, bool)
            sound = sound and all(level is None or isinstance(level, str) for level in (column.baseline, *column.levels))
    except TypeError:
        sound = False
    if not sound or not isinstance(column.name, str):
        raise TableError(f"the column {str(saved)[:60]} is damaged")
    return column


def column_to(column: Column) -> dict[str, Any]:
    """The encoder as JSON can hold it."""
    saved = {"kind": column.kind} | dict(column.__dict__)
    return saved | {"levels": list(column.levels)} if isinstance(column, CategoryColumn) else saved
