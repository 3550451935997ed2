"""Rows of data in NumPy, float64 or float32, and their linear algebra in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt import lapack
from minimax_opt.arrays import HOST, Array, Host
from minimax_opt.tasks.row_data import RowData

FEW = 1 << 13  # numbers in the rows, up to which none is skipped
MAX_RUNS = 64  # of rows with weight, beyond which skipping the others does not pay


class HostRows(RowData):
    """Rows in NumPy; arithmetic in float64."""

    space = HOST

    def __init__(self, A: Host, b: Host, sizes: Array, scale: Host | None = None) -> None:
        super().__init__(A, b, sizes, scale)
        self._starts = self.offsets[:-1]
        self._task_ids = np.repeat(np.arange(self.n_tasks), self.sizes)
        self._inverse_sizes = 1.0 / self.sizes
        self._coefficients = self._inverse_sizes[self._task_ids] if scale is None else scale

    def times(self, x: Host) -> Array:
        if not self.narrow:
            return self.A @ x
        product = np.empty((self.n_rows, *x.shape[1:]))
        for rows in self._panels(0, self.n_rows):
            np.dot(self._wide(rows), x, out=product[rows])
        return product

    def scaled(self, rows: Any, factors: Host) -> Array:
        return self.A[rows] * factors[:, None]

    def _wide(self, rows: slice) -> Host:
        """The rows as a float64 array: a view, unless the data are narrow."""
        return np.asarray(self.A[rows], dtype=np.float64)

    def mean(self, values: Host) -> Array:
        if self.scale is not None:
            return self._sums(values * self.scale)
        return self._sums(values) * self._inverse_sizes

    def _sums(self, values: Host) -> Array:
        if self.equal:
            return np.add.reduce(values.reshape(self.n_tasks, -1), axis=1)
        return np.add.reduceat(values, self._starts)

    def row_weights(self, weights: Host) -> Array:
        return self._coefficients * weights[self._task_ids]

    def combine(self, values: Host, weights: Host) -> Array:
        products = [values[rows] @ self._wide(rows) for run in self._runs(weights) for rows in self._panels(*run)]
        return products[0] if len(products) == 1 else np.add.reduce(products)

    def jacobian(self, values: Host) -> Array:
        values = values * self._coefficients
        if self.narrow:
            return self._narrow_jacobian(values)
        if self.equal:
            shape = (self.n_tasks, -1, self.n_variables)
            return np.matmul(values.reshape(self.n_tasks, 1, -1), self.A.reshape(shape))[:, 0]
        if self.n_tasks > 16 and self.n_rows * self.n_variables < 5000 * self.n_tasks:  # where a Python loop costs more
            from scipy.sparse import csr_array

            block_diagonal = csr_array((values, np.arange(self.n_rows), self.offsets), shape=(self.n_tasks, self.n_rows))
            return block_diagonal @ self.A
        rows = np.empty((self.n_tasks, self.n_variables))
        for k, (start, stop) in enumerate(self._spans()):
            np.dot(values[start:stop], self.A[start:stop], out=rows[k])
        return rows

    def _narrow_jacobian(self, values: Host) -> Host:
        """The same, panel by panel; a panel may hold a part of a task, or several tasks."""
        jacobian = np.zeros((self.n_tasks, self.n_variables))
        for rows in self._panels(0, self.n_rows):
            first, last = self._task_ids[rows.start], self._task_ids[rows.stop - 1]
            if first == last:
                jacobian[first] += values[rows] @ self._wide(rows)
            else:
                starts = np.maximum(self._starts[first : last + 1] - rows.start, 0)
                jacobian[first : last + 1] += np.add.reduceat(self.scaled(rows, values[rows]), starts)
        return jacobian

    def gram(self, values: Host, weights: Host) -> Array:
        return self._gram(self._runs(weights), np.sqrt(values))

    def _gram(self, runs: list[tuple[int, int]], root: Host) -> Array:
        """B'B, B = diag(root) A, of the rows in `runs`."""
        blocks = [rows for run in runs for rows in self._blocks(*run)]
        scaled = np.empty((max(rows.stop - rows.start for rows in blocks), self.n_variables))
        lower = np.zeros((self.n_variables,) * 2, order="F")
        for rows in blocks:
            block = scaled[: rows.stop - rows.start]
            np.multiply(self._wide(rows), root[rows, None], out=block)
            lower = lapack.dsyrk(1.0, block.T, beta=1.0, c=lower, lower=True, overwrite_c=True)
        gram: Host = lower + lower.T
        gram.flat[:: self.n_variables + 1] *= 0.5
        return gram

    def grams(self) -> Array:
        if self.narrow:
            root = np.sqrt(self._coefficients)
            return np.stack([self._gram([span], root) for span in self._spans()])
        if self.scale is None and self.equal:
            rows = self.A.reshape(self.n_tasks, -1, self.n_variables)
            grams = np.matmul(rows.transpose(0, 2, 1), rows)
            grams *= self._inverse_sizes[0]
            return grams
        grams = np.empty((self.n_tasks, self.n_variables, self.n_variables))
        for k, (start, stop) in enumerate(self._spans()):
            rows = self.A[start:stop]
            if self.scale is not None:
                rows = rows * np.sqrt(self.scale[start:stop])[:, None]
            np.matmul(rows.T, rows, out=grams[k])
        if self.scale is None:
            grams *= self._inverse_sizes[:, None, None]
        return grams

    def leverage(self, factor: Host, weights: Host) -> float:
        largest, keep = 0.0, self.row_weights(weights) > 0
        for run in self._runs(weights):
            for rows in self._blocks(*run):
                whitened = lapack.dtrsm(1.0, factor, self._wide(rows).T, lower=True)
                largest = max(largest, float((np.einsum("ij,ij->j", whitened, whitened) * keep[rows]).max()))
        return float(np.sqrt(largest))

    def take(self, index: Host) -> HostRows:
        flat = index.ravel()
        return HostRows(self.A[flat], self.b[flat], np.full(len(index), index.shape[1]))

    def _runs(self, weights: Host) -> list[tuple[int, int]]:
        """Row ranges that cover all tasks of nonzero weight; all rows where these are few, or those tasks too scattered for skipping to pay."""
        few = self.n_rows * self.n_variables <= FEW
        if few or np.count_nonzero(weights) in (0, self.n_tasks):
            return [(0, self.n_rows)]
        edges = np.zeros(self.n_tasks + 2, dtype=bool)  # a task of no weight at both ends
        edges[1:-1] = weights != 0
        bounds = self.offsets[np.flatnonzero(edges[1:] != edges[:-1])].tolist()  # where a run begins, where it ends, ...
        return list(zip(bounds[::2], bounds[1::2], strict=True)) if len(bounds) <= 2 * MAX_RUNS else [(0, self.n_rows)]
