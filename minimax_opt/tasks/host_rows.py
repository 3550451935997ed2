"""Rows of data in NumPy float64, and their linear algebra."""

from __future__ import annotations

import numpy as np
from scipy.linalg import blas
from scipy.sparse import csr_array

from minimax_opt.arrays import HOST, Array, Host
from minimax_opt.tasks.row_data import RowData


class HostRows(RowData):
    """Rows in NumPy float64."""

    space = HOST

    def __init__(self, A: Host, b: Host, sizes: Array, scale: Host | None = None) -> None:
        super().__init__(A, b, sizes, scale)
        self._starts = self.offsets[:-1]
        self._task_ids = np.repeat(np.arange(self.n_tasks), self.sizes)
        self._inverse_sizes = 1.0 / self.sizes
        self._coefficients = self._inverse_sizes[self._task_ids] if scale is None else scale

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
        products = [values[start:stop] @ self.A[start:stop] for start, stop in self._runs(weights)]
        return products[0] if len(products) == 1 else np.add.reduce(products)

    def jacobian(self, values: Host) -> Array:
        values = values * self._coefficients
        if self.equal:
            shape = (self.n_tasks, -1, self.n_variables)
            return np.matmul(values.reshape(self.n_tasks, 1, -1), self.A.reshape(shape))[:, 0]
        if self.n_tasks > 16 and self.n_rows * self.n_variables < 5000 * self.n_tasks:  # where a Python loop costs more
            block_diagonal = csr_array((values, np.arange(self.n_rows), self.offsets), shape=(self.n_tasks, self.n_rows))
            return block_diagonal @ self.A
        rows = np.empty((self.n_tasks, self.n_variables))
        for k, (start, stop) in enumerate(self._spans()):
            np.dot(values[start:stop], self.A[start:stop], out=rows[k])
        return rows

    def gram(self, values: Host, weights: Host) -> Array:
        root = np.sqrt(values)[:, None]
        total: Array = None
        for run in self._runs(weights):
            for rows in self._blocks(*run):
                scaled = self.A[rows] * root[rows]
                part = scaled.T @ scaled  # NumPy sees B'B and calls syrk: half the work
                total = part if total is None else np.add(total, part, out=total)
        return total

    def grams(self) -> Array:
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
                whitened = blas.dtrsm(1.0, factor, self.A[rows].T, lower=True)
                largest = max(largest, float((np.einsum("ij,ij->j", whitened, whitened) * keep[rows]).max()))
        return float(np.sqrt(largest))

    def take(self, index: Host) -> HostRows:
        flat = index.ravel()
        return HostRows(self.A[flat], self.b[flat], np.full(len(index), index.shape[1]))

    def _runs(self, weights: Host) -> list[tuple[int, int]]:
        """Row ranges that cover all tasks of nonzero weight; all rows where those tasks are too scattered for skipping to pay."""
        if np.count_nonzero(weights) in (0, self.n_tasks):
            return [(0, self.n_rows)]
        active = np.flatnonzero(weights)
        breaks = np.flatnonzero(np.diff(active) > 1)
        if len(breaks) >= 64:
            return [(0, self.n_rows)]
        first, last = np.append(active[0], active[breaks + 1]), np.append(active[breaks], active[-1])
        return list(zip(self.offsets[first].tolist(), self.offsets[last + 1].tolist(), strict=True))
