"""From the columns that name groups to one label a row: values, quantile bins, intersections, small groups merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minimax_opt.tabular.choose import require_column
from minimax_opt.tabular.extras import TableError
from minimax_opt.tabular.values import Labels, as_labels, as_numbers, in_order, is_boolean, is_number, shown

SMALL = "(small groups)"
MANY_VALUES = 20  # distinct numbers with decimals that are still taken as groups


@dataclass(frozen=True)
class GroupColumn:
    """One column: its values, or, with edges e_0 < ... < e_m, the m bins [e_i, e_{i+1}), the last one closed.

    Attributes
    ----------
    name : str
    edges : tuple of float
        Empty for values. A number outside belongs to the first or last bin.
    """

    name: str
    edges: tuple[float, ...] = ()

    def labels(self, series: Any) -> Labels:
        """One label a row, None where the entry is missing."""
        if not self.edges:
            return as_labels(series)
        values = as_numbers(series, self.name)
        last = len(self.edges) - 2
        at = np.clip(np.searchsorted(self.edges, values, side="right") - 1, 0, last)
        pairs = zip(self.edges, self.edges[1:], strict=False)
        names = [f"[{low:g}, {high:g}{']' if i == last else ')'}" for i, (low, high) in enumerate(pairs)]
        labels = np.array(names, dtype=object)[at]
        labels[~np.isfinite(values)] = None
        return labels


@dataclass(frozen=True)
class Grouping:
    """One label a row, from one column or the intersections of several.

    Attributes
    ----------
    columns : tuple of GroupColumn
    named : bool
        Whether a label says its column too: "sex=f, region=north".
    groups : tuple of str
        The groups of training, in order.
    merged : tuple of str
        Labels whose rows were too few, and which are the one group "(small groups)".
    """

    columns: tuple[GroupColumn, ...]
    named: bool
    groups: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()

    def labels(self, frame: Any) -> Labels:
        """One label a row, None where an entry is missing. Raises :class:`TableError` for a missing column."""
        for column in self.columns:
            require_column(frame, column.name, "group")
        parts = [(column.name, column.labels(frame[column.name])) for column in self.columns]
        rows = zip(*(labels for _, labels in parts), strict=True)
        joined = [self._joined([name for name, _ in parts], row) for row in rows]
        return np.array([SMALL if label in self.merged else label for label in joined] + [None], dtype=object)[:-1]

    def _joined(self, names: Sequence[str], row: Sequence[str | None]) -> str | None:
        if any(label is None for label in row):
            return None
        return ", ".join(f"{name}={label}" if self.named else str(label) for name, label in zip(names, row, strict=True))


def parse_groups(frame: Any, specs: Sequence[str]) -> Grouping:
    """The grouping of ``COL`` or ``COL:BINS`` each, its bins of equal numbers of the rows.

    Raises
    ------
    TableError
        For an unknown column, bins of text, or numbers that need bins.
    """
    columns, numeric = [], False
    for spec in dict.fromkeys(specs):
        name, colon, bins = (spec, "", "") if spec in frame.columns else spec.rpartition(":")
        require_column(frame, name if colon else spec, "group")
        columns.append(_bins(frame[name], name, bins) if colon else _values(frame[spec], spec))
        numeric |= not colon and is_number(frame[spec])
    return Grouping(tuple(columns), named=len(columns) > 1 or numeric)


def fit_groups(grouping: Grouping, frame: Any, min_size: int) -> tuple[Grouping, list[tuple[str, str]]]:
    """Fix the groups of the training rows, those of fewer than `min_size` rows merged into one; and say so."""
    counts = Counter(grouping.labels(frame))
    small = [name for name, rows in counts.items() if rows < min_size]
    merged = tuple(in_order(small)) if len(small) > 1 else ()
    kept = in_order([name for name in counts if name not in merged])
    if len(kept) > 2 and len(kept) > 0.5 * len(frame):
        spec = " and ".join(f"`{column.name}`" for column in grouping.columns)
        raise TableError(
            f"{spec} would make {len(kept):,} groups of {len(frame):,} rows. Choose columns with fewer values, bins of a number "
            "(`--group COL:4`), or merge small groups (`--min-group-size`)."
        )
    grouping = replace(grouping, groups=(*kept, *([SMALL] if merged else [])), merged=merged)
    notes = [("groups", _sentence(grouping))]
    if merged:
        rows = sum(counts[name] for name in merged)
        notes.append(("merged", f"{len(merged)} groups of fewer than {min_size} rows, {rows:,} rows in all, are one: {SMALL}"))
    elif small:
        notes.append(("note", f"{small[0]} has fewer than {min_size} rows, and there is no other small group to merge it with"))
    if len(grouping.groups) == 1:
        notes.append(("note", "one group only: its worst case is its average, so both models are the same"))
    return grouping, notes


def rare_groups(rows: Sequence[int], names: Sequence[str], n_columns: int) -> list[tuple[str, str]]:
    """The warning about groups with fewer rows than the model has coefficients: their loss follows noise."""
    rare = [f"{name} ({size:,})" for name, size in zip(names, rows, strict=True) if size < n_columns]
    if not rare or len(rows) == 1:
        return []
    text = ", ".join(rare[:5]) + (f" and {len(rare) - 5} more" if len(rare) > 5 else "")
    advice = "The worst case may follow noise in them; --min-group-size merges small groups, --holdout shows what carries over"
    return [("warning", f"fewer rows than the {n_columns} coefficients: {text}. {advice}")]


def _sentence(grouping: Grouping) -> str:
    names = " × ".join(f"{c.name} in {len(c.edges) - 1} bins" if c.edges else c.name for c in grouping.columns)
    return f"{len(grouping.groups)} by {names}"


def _values(series: Any, name: str) -> GroupColumn:
    if is_number(series) and not is_boolean(series):
        values = as_numbers(series, name)
        distinct = np.unique(values[np.isfinite(values)])
        if len(distinct) > MANY_VALUES and not (distinct == np.round(distinct)).all():
            raise TableError(
                f"`--group {name}`: {len(distinct):,} distinct numbers make no groups. Bin them: `--group {name}:4` makes four "
                "groups of about equal size."
            )
    return GroupColumn(name)


def _bins(series: Any, name: str, bins: str) -> GroupColumn:
    if not bins.isdecimal() or not 2 <= int(bins) <= 1000:
        raise TableError(f"`--group {name}:{bins}`: the number of bins must be a whole number from 2 to 1000, got {bins!r}.")
    if not is_number(series):
        raise TableError(
            f"`--group {name}:{bins}`: only numbers have bins, but `{name}` holds text such as {shown(series.dropna())}."
        )
    values = as_numbers(series, name)
    values = values[np.isfinite(values)]
    edges = np.unique(np.quantile(values, np.linspace(0.0, 1.0, int(bins) + 1))) if len(values) else values
    if len(edges) < 2:
        raise TableError(f"`--group {name}:{bins}`: `{name}` has a single value, so there are no bins.")
    return GroupColumn(name, tuple(float(edge) for edge in edges))
