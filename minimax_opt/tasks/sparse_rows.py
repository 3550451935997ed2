"""Sparse rows on the host: scipy's compressed sparse rows (CSR) and their linear algebra. Imported only where sparse data come in.

Nothing of the size of the data is made dense: only K x n gradients, n x n Hessians, and blocks of rows that fit the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array, sparray, spmatrix, vstack

from minimax_opt import lapack
from minimax_opt.arrays import Array, Host
from minimax_opt.tasks.host_rows import HostRows
from minimax_opt.tasks.row_data import GRAM_BYTES

PAIRS_PER_DENSE = 150  # operations of a dense product in the time of one of a sparse product
PRUNED_ROWS = 1024  # rows whose leverage is found at a time


class SparseRows(HostRows):
    """Rows in scipy's CSR format; arithmetic in float64."""

    def __init__(self, A: csr_array, b: Host, sizes: Array, scale: Host | None = None) -> None:
        super().__init__(A, b, sizes, scale)
        lengths = np.diff(A.indptr).astype(float)
        self._pairs = float(lengths @ lengths)  # multiplications of a Gram matrix

    def times(self, x: Host) -> Array:
        return self.A @ x

    def scaled(self, rows: Any, factors: Host) -> Array:
        return dense(self.A[rows]) * factors[:, None]

    def _wide(self, rows: slice) -> Host:
        return dense(self._view(rows.start, rows.stop))

    def _view(self, start: int, stop: int) -> csr_array:
        """The rows start:stop, without a copy of their entries."""
        if (start, stop) == (0, self.n_rows):
            return self.A
        ends = self.A.indptr[start : stop + 1]
        own = slice(ends[0], ends[-1])
        return csr_array((self.A.data[own], self.A.indices[own], ends - ends[0]), shape=(stop - start, self.n_variables))

    def combine(self, values: Host, weights: Host) -> Array:
        products = [values[start:stop] @ self._view(start, stop) for start, stop in self._runs(weights)]
        return products[0] if len(products) == 1 else np.add.reduce(products)

    def jacobian(self, values: Host) -> Array:
        indices = np.arange(self.n_rows, dtype=self.A.indices.dtype)
        by_task = csr_array((values * self._coefficients, indices, self.offsets), shape=(self.n_tasks, self.n_rows))
        return dense(by_task @ self.A)

    def _gram(self, runs: list[tuple[int, int]], root: Host) -> Array:
        if not self.grams_are_sparse_products:
            return super()._gram(runs, root)
        return np.add.reduce([scaled_gram(self._view(start, stop), root[start:stop]) for start, stop in runs])

    def grams(self) -> Array:
        root = np.sqrt(self._coefficients)
        grams = np.empty((self.n_tasks, self.n_variables, self.n_variables))
        for gram, span in zip(grams, self._spans(), strict=True):
            gram[:] = self._gram([span], root)
        return grams

    @property
    def grams_are_sparse_products(self) -> bool:
        """Whether that costs less than dense products of blocks of rows."""
        return PAIRS_PER_DENSE * self._pairs < float(self.n_rows) * self.n_variables**2

    def grams_pay(self) -> bool:
        sparse_work = min(PAIRS_PER_DENSE * self._pairs, float(self.n_rows) * self.n_variables**2)
        return 10.0 * self.n_tasks * self.n_variables**2 < sparse_work and self._grams_bytes < GRAM_BYTES

    def leverage(self, factor: Host, weights: Host) -> float:
        """Rows come in the order of the upper bound sum_j |a_ij| |C^{-1} e_j|, until that falls below the largest norm found."""
        columns = np.linalg.norm(lapack.dtrtri(factor, lower=True)[0], axis=0)
        bounds = (self._with_entries(abs(self.A.data)) @ columns) * (self.row_weights(weights) > 0)
        order, largest = np.argsort(-bounds, kind="stable"), 0.0
        for first in range(0, self.n_rows, PRUNED_ROWS):
            rows = order[first : first + PRUNED_ROWS]
            if bounds[rows[0]] <= largest:
                break
            whitened = lapack.dtrtrs(factor, dense(self.A[rows[bounds[rows] > 0]]).T, lower=True)[0]
            largest = max(largest, float(np.linalg.norm(whitened, axis=0).max()))
        return largest

    @cached_property
    def _lengths_of_rows(self) -> Array:
        return np.sqrt(self._with_entries(self.A.data**2) @ np.ones(self.n_variables))

    def absolute_times(self, x: Host) -> Array:
        return self._with_entries(abs(self.A.data)) @ abs(x)

    @cached_property
    def longest_sum(self) -> int:
        return int(np.diff(self.A.indptr).max(initial=0))

    def _with_entries(self, entries: Host) -> csr_array:
        """Other numbers in the same places, whose indices are shared."""
        return csr_array((entries, self.A.indices, self.A.indptr), shape=self.A.shape)

    @cached_property
    def largest_entries(self) -> Host:
        largest = np.zeros(self.n_variables)
        np.maximum.at(largest, self.A.indices, abs(self.A.data))
        return largest

    def take(self, index: Host) -> SparseRows:
        flat = index.ravel()
        return SparseRows(self.A[flat], self.b[flat], np.full(len(index), index.shape[1]))


def scaled_gram(A: csr_array, root: Host) -> Host:
    """A' diag(root^2) A as a dense matrix, by a product of sparse ones."""
    rows = scaled(A, root)
    return dense(rows.T @ rows)


def scaled(A: csr_array, factors: Host) -> csr_array:
    """diag(factors) A, sparse; the indices are shared with A."""
    return csr_array((A.data * np.repeat(factors, np.diff(A.indptr)), A.indices, A.indptr), shape=A.shape)


def dense(A: sparray) -> Host:
    """A as a dense array."""
    array: Host = A.toarray()
    return array


def canonical(A: sparray | spmatrix, what: str) -> csr_array:
    """`A` as CSR in float64 with sorted indices and without duplicates (they add up); the caller's arrays where they are that already."""
    if A.ndim != 2:
        raise ValueError(f"{what} must be a matrix (2-D), got shape {A.shape}.")
    if A.dtype.kind not in "fiub":
        raise TypeError(f"{what} must be an array of real numbers, got dtype {A.dtype}.")
    rows = csr_array(A)
    try:
        rows.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"{what} must be a valid sparse matrix: {error}; rebuild it, e.g. from its COO form.") from error
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    if rows.dtype == np.float64:
        return rows
    return csr_array((rows.data.astype(np.float64), rows.indices, rows.indptr), shape=rows.shape)


def stack(parts: Sequence[csr_array]) -> csr_array:
    """One matrix from the tasks', end to end."""
    return csr_array(vstack(parts, format="csr")) if len(parts) > 1 else parts[0]


__all__ = ["SparseRows", "canonical", "dense", "scaled", "scaled_gram", "stack"]
