"""The data behind losses of the form f_k(x) = sum_{i in task k} c_i phi(a_i'x, b_i), and the linear algebra that they need.

The rows of all tasks are stacked into one matrix A (M x n), one task after the other, so that z = A x is one product. The c_i sum
to one within each task. The arithmetic is in :mod:`minimax_opt.tasks.host_rows` and :mod:`minimax_opt.tasks.torch_rows`, and for
sparse rows in :mod:`minimax_opt.tasks.sparse_rows` and :mod:`minimax_opt.tasks.torch_sparse_rows`.

Narrow data. A may be float32 where the arithmetic is float64 (the dtype of b): each panel of rows is widened when it is used, in the
cache, so that results are those of float64 on the same numbers and the memory is that of float32. Measured on a CPU, a product then
takes as long as in float64. Data of up to ``WIDEN_ENTRIES`` numbers are widened once and for all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from minimax_opt.arrays import Array, Host, Space, is_dense, to_host

SAMPLED, CRUDE = 64, 4.0  # rows that are looked at; how much larger than needed an allowance for rounding may be
GRAM_BYTES = 1e9  # Gram matrices are kept only if they fit in this
DENSE_BYTES = 1e9  # K x n and n x n matrices are made only up to this size, unless they are the data
WIDEN_ENTRIES = 1 << 21  # float32 data up to here are converted to float64, larger data panel by panel


class RowData(ABC):
    """Rows a_i, targets b_i and coefficients c_i, grouped by task.

    Parameters
    ----------
    A : array, shape (M, n)
        The rows, the tasks one after the other; of the dtype of b, or narrower.
    b : array, shape (M,)
        Its dtype is that of the arithmetic.
    sizes : array of int, shape (K,)
        Rows of each task, all >= 1.
    scale : array, shape (M,), or None
        c_i, summing to one within each task, in float64; None for 1/n_k.
    """

    space: Space
    block_entries = 1 << 16  # rows are scaled in blocks of about this many: they stay in the cache, and never double the memory
    panel_entries = 1 << 16  # and widened in panels of about this many

    def __init__(self, A: Any, b: Array, sizes: Array, scale: Array | None = None) -> None:
        self.A, self.b, self.scale = A, b, scale
        self.sizes = np.asarray(sizes, dtype=np.int64)
        self.offsets = np.concatenate([[0], np.cumsum(self.sizes)])
        self.n_tasks, self.n_rows, self.n_variables = len(self.sizes), int(A.shape[0]), int(A.shape[1])
        self._grams_bytes = 8.0 * self.n_tasks * self.n_variables**2
        self.equal = bool(np.all(self.sizes == self.sizes[0]))
        self.narrow = A.dtype != b.dtype

    @abstractmethod
    def times(self, x: Array) -> Array:
        """A x, shape (M,); for x of shape (n, C), shape (M, C)."""

    @abstractmethod
    def scaled(self, rows: Any, factors: Array) -> Array:
        """The rows that `rows` picks (a slice or a mask), each times its factor: a new dense array, shape (len(factors), n)."""

    @abstractmethod
    def _wide(self, rows: slice) -> Array:
        """The rows as a dense array of the dtype of the arithmetic; a view where that is possible."""

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

    def subset(self, indices: Host) -> RowData:
        """The rows of the tasks `indices` (shape (S,)), with their coefficients."""
        sizes = self.sizes[indices]
        ends = np.cumsum(sizes)
        rows = np.arange(ends[-1]) + np.repeat(self.offsets[indices] - (ends - sizes), sizes)
        scale = None if self.scale is None else self.scale[rows]
        return type(self)(self.A[rows], self.b[rows], sizes, scale)

    def double(self) -> RowData:
        """The rows with arithmetic in float64; the data themselves are copied only where they are few."""
        A = self.A.double() if self.n_rows * self.n_variables <= WIDEN_ENTRIES else self.A
        return type(self)(A, self.b.double(), self.sizes, self.scale)

    def offers(self, n_rows: int) -> bool:
        """Whether matrices of shape (n_rows, n) are made of these data: of dense data always, of sparse data up to ``DENSE_BYTES``."""
        return is_dense(self.A) or 8.0 * n_rows * self.n_variables <= DENSE_BYTES

    def grams_pay(self) -> bool:
        """Whether keeping a Gram matrix for each task costs less than forming every weighted sum of them from the rows."""
        return self.n_rows >= 4 * self.n_tasks and self._grams_bytes < GRAM_BYTES

    def sample(self, generator: np.random.Generator, batch_size: int) -> RowData:
        """`batch_size` rows of each task, drawn with replacement with probabilities c_i."""
        shape, first = (self.n_tasks, batch_size), self.offsets[:-1, None]
        if self.scale is None:
            return self.take(first + generator.integers(0, self.sizes[0] if self.equal else self.sizes[:, None], size=shape))
        level = self._cumulative[first] + generator.random(shape)  # the c_i of a task sum to one
        index = np.searchsorted(self._cumulative, level, side="right") - 1
        return self.take(np.clip(index, first, first + self.sizes[:, None] - 1))

    def longest_row(self, weights: Array) -> float:
        """max_i |a_i| over the rows of tasks with positive weight."""
        return float((self._lengths_of_rows * (self.row_weights(self.space.asarray(weights > 0)) > 0)).max())

    @cached_property
    def _lengths_of_rows(self) -> Array:
        xp: Any = torch if self.space.kind == "torch" else np
        blocks = map(self._wide, self._blocks(0, self.n_rows))
        squares: Array = xp.concatenate([xp.einsum("ij,ij->i", block, block) for block in blocks])
        return squares**0.5

    def predictor_sizes(self, x: Array) -> Array:
        """A bound on |A| |x| in every row: |a_i| |x|, whose first factor is kept, unless a few rows show it to be crude (columns in other units)."""
        if not is_dense(self.A):
            return self.absolute_times(x)
        lengths, few = self._lengths_of_rows, slice(0, min(SAMPLED, self.n_rows))
        bound: Array = (lengths if x.ndim == 1 else lengths[:, None]) * (x * x).sum(0) ** 0.5
        exact = abs(self._wide(few)) @ abs(x)
        return bound if float(bound[few].sum()) <= CRUDE * float(exact.sum()) else self.absolute_times(x)

    def absolute_times(self, x: Array) -> Array:
        """|A| |x|, shape (M,): the computed A x errs by at most :attr:`longest_sum` unit roundings of that."""
        xp: Any = torch if self.space.kind == "torch" else np
        size: Array = xp.concatenate([abs(self._wide(rows)) @ abs(x) for rows in self._blocks(0, self.n_rows)])
        return size

    @property
    def longest_sum(self) -> int:
        """The largest number of terms in any a_i'x."""
        return self.n_variables

    @cached_property
    def largest_entries(self) -> Host:
        """max_i |a_ij| of every column, shape (n,)."""
        largest = np.zeros(self.n_variables)
        for rows in self._blocks(0, self.n_rows):
            block = abs(self._wide(rows))
            np.maximum(largest, to_host(block.max(0) if isinstance(block, np.ndarray) else block.amax(0)), out=largest)
        return largest

    def unused_variables(self) -> Host | None:
        """The unit vectors of the empty columns of sparse rows, shape (n, n_unused); None where there are none, and for dense rows."""
        if is_dense(self.A):  # whose columns of zeros are rare, and not worth a look at all the data
            return None
        empty = np.flatnonzero(self.largest_entries == 0)
        vectors = np.zeros((self.n_variables, len(empty)))
        vectors[empty, np.arange(len(empty))] = 1.0
        return vectors if len(empty) else None

    @cached_property
    def _cumulative(self) -> Host:
        return np.concatenate([[0.0], np.cumsum(to_host(self.scale))])

    def _spans(self) -> Iterator[tuple[int, int]]:
        """First row, and one past the last, of each task."""
        return pairwise(self.offsets.tolist())

    def _panels(self, start: int, stop: int) -> Iterator[slice]:
        """Slices that cover the rows start:stop: one, unless the data are narrow."""
        length = max(self.panel_entries // self.n_variables, 1) if self.narrow else stop - start
        for first in range(start, stop, length):
            yield slice(first, min(first + length, stop))

    def _blocks(self, start: int, stop: int) -> Iterator[slice]:
        """Slices that cover the rows start:stop, small enough to be copied and long enough for a fast product."""
        length = max(self.block_entries // self.n_variables, self.n_variables)
        for first in range(start, stop, length):
            yield slice(first, min(first + length, stop))
