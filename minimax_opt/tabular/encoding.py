"""The matrix of a table: a column of ones, then the encoded columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.tabular.choose import Choice, listed
from minimax_opt.tabular.columns import MISSING, CategoryColumn, Column, NumberColumn, fit_category, fit_number
from minimax_opt.tabular.extras import TableError


@dataclass(frozen=True)
class Encoding:
    """Table -> matrix, learned from training rows.

    Attributes
    ----------
    columns : tuple of Column
    """

    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each column of the matrix; the first is the intercept."""
        return ("intercept", *(name for column in self.columns for name in column.names))

    def encode(self, frame: Any) -> tuple[Host, list[str]]:
        """The (N, n) matrix of a table, and what is to be said about its rows.

        Raises
        ------
        TableError
            If a column is missing, or text where training had numbers.
        """
        absent = [column.name for column in self.columns if column.name not in frame.columns]
        if absent:
            names = listed(map(str, frame.columns), 20)
            raise TableError(f"The table lacks columns that the model was trained on: {listed(absent)}. It has: {names}.")
        matrix, told, at = np.ones((len(frame), len(self.names))), [], 1
        for column in self.columns:
            block, sentences = column.encode(frame[column.name])
            matrix[:, at : at + block.shape[1]] = block
            at += block.shape[1]
            told += sentences
        return matrix, told


def fit_encoding(frame: Any, choice: Choice, order: Sequence[str], max_levels: int) -> tuple[Encoding, list[tuple[str, str]]]:
    """Learn the encoding of the chosen columns, and say what was done: (label, sentence) each.

    Parameters
    ----------
    frame : pandas.DataFrame
        The training rows.
    choice : Choice
    order : sequence of str
        The columns of the table, whose order the encoding keeps.
    max_levels : int
        Categories of a column beyond this many, the rarest, share one column.
    """
    columns: list[Column] = []
    left_out = list(choice.left_out)
    for name in [name for name in order if name in {*choice.numbers, *choice.categories}]:
        fitted = fit_number(name, frame[name]) if name in choice.numbers else fit_category(name, frame[name], max_levels)
        if fitted is None:
            left_out.append(f"{name} (constant)")
        else:
            columns.append(fitted)
    return Encoding(tuple(columns)), _notes(frame, columns, left_out)


def _notes(frame: Any, columns: Sequence[Column], left_out: Sequence[str]) -> list[tuple[str, str]]:
    numbers = [column for column in columns if isinstance(column, NumberColumn)]
    categories = [column for column in columns if isinstance(column, CategoryColumn)]
    filled = [f"{c.name} ({_absent(frame[c.name]):,} rows, median {c.fill:g})" for c in numbers if c.indicator]
    notes = [
        ("numbers", f"{listed(column.name for column in numbers)}: standardised" if numbers else ""),
        ("categories", listed(map(_levels, categories))),
        ("missing numbers", f"{listed(filled)}: filled with the median, a column each says where" if filled else ""),
        ("left out", listed(left_out)),
    ]
    if not columns:
        notes.append(("note", "no feature is left: both models are a constant"))
    return [(label, text) for label, text in notes if text]


def _levels(column: CategoryColumn) -> str:
    named = 1 + len(column.levels)
    other = ", the rare ones together" if column.other else ""
    missing = ", missing is one" if None in (column.baseline, *column.levels) else ""
    return (
        f"{column.name} ({named} categories{other}{missing}; baseline {MISSING if column.baseline is None else column.baseline})"
    )


def _absent(series: Any) -> int:
    values = series.to_numpy(dtype=np.float64, na_value=np.nan) if series.dtype != object else series.isna().to_numpy()
    return int((~np.isfinite(values)).sum() if values.dtype == np.float64 else values.sum())
