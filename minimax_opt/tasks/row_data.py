"""The data behind losses of the form f_k(x) = sum_{i in task k} c_i phi(a_i'x, b_i), and the linear algebra that they need.

The rows of all tasks are stacked into one matrix A (M x n), the tasks one after the other, so that z = A x is one product. The c_i sum
to one within each task. :class:`HostRows` does the arithmetic in NumPy, :class:`TorchRows` in torch where the data live.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import torch
from scipy.linalg import blas

from minimax_opt.arrays import HOST, Array, Host, Space, to_host

GRAM_BYTES = 1e9  # Gram matrices are kept only if they fit in this
CHUNK_ENTRIES = (
    1 << 20
)  # rows are scaled in blocks of about this many entries: they stay in the cache, and never double the memory


class RowData(ABC):
    """Rows a_i, targets b_i and coefficients c_i, grouped by task.

    Parameters
    ----------
    A : array, shape (M, n)
        The rows, the tasks one after the other.
    b : array, shape (M,)
    sizes : array of int, shape (K,)
        Rows of each task, all >= 1.
    scale : array, shape (M,), or None
        c_i, summing to one within each task; None for 1/n_k.
    """

    space: Space

    def __init__(self, A: Array, b: Array, sizes: Host, scale: Array | None = None) -> None:
        self.A, self.b, self.scale = A, b, scale
        self.sizes = np.asarray(sizes, dtype=np.int64)
        self.offsets = np.concatenate([[0], np.cumsum(self.sizes)])
        self.n_tasks, self.n_variables, self.n_rows = len(self.sizes), A.shape[1], A.shape[0]
        self.equal = bool((self.sizes == self.sizes[0]).all())

    @abstractmethod
    def mean(self, values: Array) -> Array:
        """sum_{i in k} c_i values_i, shape (K,)."""

    @abstractmethod
    def row_weights(self, weights: Array) -> Array:
        """c_i w_{k(i)}, shape (M,)."""

    @abstractmethod
    def combine(self, values: Array, weights: Array) -> Array:
        """A'values, shape (n,), where values vanish in tasks of zero weight."""

    @abstractmethod
    def jacobian(self, values: Array) -> Array:
        """sum_{i in k} c_i values_i a_i as rows, shape (K, n)."""

    @abstractmethod
    def gram(self, values: Array, weights: Array) -> Array:
        """A' diag(values) A for values >= 0 that vanish in tasks of zero weight, shape (n, n)."""

    @abstractmethod
    def grams(self) -> Array:
        """A_k' diag(c) A_k of every task, shape (K, n, n)."""

    @abstractmethod
    def leverage(self, factor: Host, weights: Array) -> float:
        """max_i |C^{-1} a_i| over the rows of tasks with positive weight, for the lower triangular `factor` C."""

    @abstractmethod
    def take(self, index: Host) -> RowData:
        """The rows `index` (shape (K, B), row k from task k), with c_i = 1/B."""

    def grams_pay(self) -> bool:
        """Whether keeping a Gram matrix for each task costs less than forming every weighted sum of them from the rows."""
        return self.n_rows >= 4 * self.n_tasks and 8.0 * self.n_tasks * self.n_variables**2 < GRAM_BYTES

    def sample(self, generator: np.random.Generator, batch_size: int) -> RowData:
        """`batch_size` rows of each task, drawn with replacement with probabilities c_i."""
        shape, first = (self.n_tasks, batch_size), self.offsets[:-1, None]
        if self.scale is None:
            return self.take(first + generator.integers(0, self.sizes[:, None], size=shape))
        cumulative = np.concatenate([[0.0], np.cumsum(to_host(self.scale))])
        low, high = cumulative[self.offsets[:-1], None], cumulative[self.offsets[1:], None]
        index = np.searchsorted(cumulative, low + (high - low) * generator.random(shape), side="right") - 1
        return self.take(np.clip(index, first, first + self.sizes[:, None] - 1))

    def _blocks(self, start: int, stop: int) -> Iterator[slice]:
        """Consecutive slices of the rows start:stop that are small enough to be copied, and long enough for the product to be fast."""
        length = max(CHUNK_ENTRIES // max(self.n_variables, 1), 4 * self.n_variables, 1)
        for first in range(start, stop, length):
            yield slice(first, min(first + length, stop))


class HostRows(RowData):
    """Rows in NumPy float64."""

    space = HOST

    def __init__(self, A: Host, b: Host, sizes: Host, scale: Host | None = None) -> None:
        super().__init__(A, b, sizes, scale)
        self._starts = self.offsets[:-1]
        self._task_ids = np.repeat(np.arange(self.n_tasks), self.sizes)
        self._inverse_sizes = 1.0 / self.sizes
        self._coefficients = self._inverse_sizes[self._task_ids] if scale is None else scale

    def mean(self, values: Host) -> Host:
        if self.scale is not None:
            return self._sums(values * self.scale)
        return self._sums(values) * self._inverse_sizes

    def _sums(self, values: Host) -> Host:
        if self.equal:
            return np.add.reduce(values.reshape(self.n_tasks, -1), axis=1)
        return np.add.reduceat(values, self._starts)

    def row_weights(self, weights: Host) -> Host:
        return self._coefficients * weights[self._task_ids]

    def combine(self, values: Host, weights: Host) -> Host:
        products = [values[start:stop] @ self.A[start:stop] for start, stop in self._runs(weights)]
        return products[0] if len(products) == 1 else np.add.reduce(products)

    def jacobian(self, values: Host) -> Host:
        values = values * self._coefficients
        if self.equal:
            shape = (self.n_tasks, -1, self.n_variables)
            return np.matmul(values.reshape(self.n_tasks, 1, -1), self.A.reshape(shape))[:, 0]
        if self.n_rows * self.n_variables < 400 * self.n_tasks:  # below that a Python loop costs more than the temporary
            return np.add.reduceat(self.A * values[:, None], self._starts, axis=0)
        rows = np.empty((self.n_tasks, self.n_variables))
        for k, (start, stop) in enumerate(self._spans()):
            np.dot(values[start:stop], self.A[start:stop], out=rows[k])
        return rows

    def gram(self, values: Host, weights: Host) -> Host:
        root = np.sqrt(values)[:, None]
        total: Host | None = None
        for run in self._runs(weights):
            for rows in self._blocks(*run):
                scaled = self.A[rows] * root[rows]
                part = scaled.T @ scaled  # NumPy sees B'B and calls syrk: half the work
                total = part if total is None else np.add(total, part, out=total)
        return total

    def grams(self) -> Host:
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
        largest = 0.0
        for run in self._runs(weights):
            for rows in self._blocks(*run):
                whitened = blas.dtrsm(1.0, factor, self.A[rows].T, lower=True)
                largest = max(largest, float(np.einsum("ij,ij->j", whitened, whitened).max()))
        return float(np.sqrt(largest))

    def take(self, index: Host) -> HostRows:
        flat = index.ravel()
        return HostRows(self.A[flat], self.b[flat], np.full(len(index), index.shape[1]))

    def _spans(self) -> Iterator[tuple[int, int]]:
        bounds = self.offsets.tolist()
        return zip(bounds[:-1], bounds[1:], strict=True)

    def _runs(self, weights: Host) -> list[tuple[int, int]]:
        """Row ranges that cover all tasks of nonzero weight; everything where those tasks are too scattered for skipping to pay."""
        active = np.flatnonzero(weights)
        if len(active) == self.n_tasks or len(active) == 0:
            return [(0, self.n_rows)]
        breaks = np.flatnonzero(np.diff(active) > 1)
        if len(breaks) >= 64:
            return [(0, self.n_rows)]
        first, last = np.append(active[0], active[breaks + 1]), np.append(active[breaks], active[-1])
        return list(zip(self.offsets[first].tolist(), self.offsets[last + 1].tolist(), strict=True))


class TorchRows(RowData):
    """Rows in torch, on whatever device they came."""

    def __init__(self, A: torch.Tensor, b: torch.Tensor, sizes: Host, scale: torch.Tensor | None = None) -> None:
        super().__init__(A, b, sizes, scale)
        self.space = Space("torch", A.dtype, A.device)
        self._lengths = torch.as_tensor(self.sizes, device=A.device)
        self._coefficients = 1.0 / self._lengths.to(A.dtype).repeat_interleave(self._lengths) if scale is None else scale

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        return self._sums(values * self._coefficients)

    def _sums(self, values: torch.Tensor) -> torch.Tensor:
        if self.equal:
            return values.reshape(self.n_tasks, -1, *values.shape[1:]).sum(1)
        return torch.segment_reduce(
            values, "sum", lengths=self._lengths, axis=0, unsafe=True
        )  # no atomics: the same bits each time

    def row_weights(self, weights: torch.Tensor) -> torch.Tensor:
        if self.equal:
            return (self._coefficients.reshape(self.n_tasks, -1) * weights[:, None]).reshape(-1)
        return self._coefficients * weights.repeat_interleave(self._lengths, output_size=self.n_rows)

    def combine(self, values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        return values @ self.A

    def jacobian(self, values: torch.Tensor) -> torch.Tensor:
        values = values * self._coefficients
        if self.equal:
            rows = self.A.reshape(self.n_tasks, -1, self.n_variables)
            return torch.bmm(values.reshape(self.n_tasks, 1, -1), rows)[:, 0]
        if self.n_rows * self.n_variables < 4000 * self.n_tasks:
            return self._sums(self.A * values[:, None])
        sizes = self.sizes.tolist()
        return torch.stack([v @ rows for v, rows in zip(values.split(sizes), self.A.split(sizes), strict=True)])

    def gram(self, values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        root, total = values.sqrt()[:, None], self.space.zeros(self.n_variables, self.n_variables)
        for rows in self._blocks(0, self.n_rows):
            scaled = self.A[rows] * root[rows]
            total.addmm_(scaled.T, scaled)
        return total

    def grams(self) -> torch.Tensor:
        scaled = self.A * self._coefficients.sqrt()[:, None]
        if self.equal:
            rows = scaled.reshape(self.n_tasks, -1, self.n_variables)
            return torch.bmm(rows.transpose(1, 2), rows)
        return torch.stack([rows.T @ rows for rows in scaled.split(self.sizes.tolist())])

    def leverage(self, factor: Host, weights: torch.Tensor) -> float:
        triangle = torch.as_tensor(factor, dtype=torch.float64, device=self.A.device)
        keep = self.row_weights((weights > 0).to(self.A.dtype)) > 0
        largest = torch.zeros((), dtype=torch.float64, device=self.A.device)
        for rows in self._blocks(0, self.n_rows):
            whitened = torch.linalg.solve_triangular(triangle, self.A[rows].T.double(), upper=False)
            largest = torch.maximum(largest, (whitened.square().sum(0) * keep[rows]).max())
        return float(largest.sqrt())

    def take(self, index: Host) -> TorchRows:
        flat = torch.as_tensor(index.ravel(), device=self.A.device)
        return TorchRows(self.A[flat], self.b[flat], np.full(len(index), index.shape[1]))
