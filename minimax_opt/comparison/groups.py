"""Rows in groups: one matrix and one target a task, with where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt.arrays import Host


@dataclass(frozen=True, kw_only=True)
class GroupedRows:
    """K tasks, one a group of rows.

    Attributes
    ----------
    names : tuple of str
        Name of each task, length K.
    matrices, targets : tuple of arrays
        ``matrices[k]`` of shape (N_k, n) with a first column of ones, ``targets[k]`` of shape (N_k,).
    features : tuple of str
        Name of each column, length n.
    noun : tuple of str
        What a task is, singular and plural.
    rows_read : int
        Rows in the file; ``rows_read - n_rows`` were dropped.
    dropped : str
        Which rows were dropped.
    """

    names: tuple[str, ...]
    matrices: tuple[Host, ...]
    targets: tuple[Host, ...]
    features: tuple[str, ...]
    noun: tuple[str, str]
    rows_read: int
    dropped: str = "none"

    @property
    def rows(self) -> tuple[int, ...]:
        """Number of rows N_k of each task."""
        return tuple(len(b) for b in self.targets)

    @property
    def n_rows(self) -> int:
        """Number of rows of all tasks together."""
        return sum(self.rows)

    @property
    def shares(self) -> Host:
        """N_k / N: the weights under which the mean of the task losses is the mean over all rows."""
        return np.array(self.rows, dtype=np.float64) / self.n_rows

    def provenance(self) -> dict[str, Any]:
        """Where the rows come from, for the report: ``source`` at least."""
        raise NotImplementedError
