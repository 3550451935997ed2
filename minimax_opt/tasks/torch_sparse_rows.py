"""Sparse rows in torch, wherever they live, and their linear algebra.

Products are gathers followed by sums over segments, free of atomics: the same input gives the same bits, which the libraries behind
torch's own sparse products do not promise on CUDA. Hessians come from dense blocks of rows on CUDA, from scipy's sparse product on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from minimax_opt.arrays import Array, Host, to_host
from minimax_opt.tasks.row_data import GRAM_BYTES
from minimax_opt.tasks.torch_rows import TorchRows


@dataclass(frozen=True)
class CompressedRows:
    """A sparse matrix A, row by row.

    Attributes
    ----------
    data : Tensor, shape (nnz,)
    columns : Tensor of int32, shape (nnz,)
        Strictly increasing within a row.
    lengths : Tensor of int64, shape (M,)
        Entries of each row.
    n_columns : int
    """

    data: torch.Tensor
    columns: torch.Tensor
    lengths: torch.Tensor
    n_columns: int

    ndim = 2

    @property
    def shape(self) -> tuple[int, int]:
        """(M, n)."""
        return len(self.lengths), self.n_columns

    @property
    def dtype(self) -> torch.dtype:
        """That of the entries."""
        return self.data.dtype

    @property
    def device(self) -> torch.device:
        """That of the entries."""
        return self.data.device

    def double(self) -> CompressedRows:
        """The same matrix in float64."""
        return replace(self, data=self.data.double())

    def __matmul__(self, x: torch.Tensor) -> torch.Tensor:
        """A x, shape (M,); for x of shape (n, C), shape (M, C)."""
        gathered = x.index_select(0, self.columns)
        return segment_sums(self.data.reshape(-1, *[1] * (x.ndim - 1)) * gathered, self.lengths)

    def __rmatmul__(self, v: torch.Tensor) -> torch.Tensor:
        """v'A, shape (n,)."""
        return self.transposed @ v

    @cached_property
    def transposed(self) -> CompressedRows:
        """A', made when first asked for, and kept."""
        order = self.columns.argsort(stable=True)
        lengths = torch.bincount(self.columns, minlength=self.n_columns)
        return CompressedRows(self.data[order], self.rows.to(torch.int32)[order], lengths, len(self.lengths))

    @property
    def rows(self) -> torch.Tensor:
        """The row of each entry, shape (nnz,)."""
        return torch.arange(len(self.lengths), device=self.device).repeat_interleave(self.lengths)

    @cached_property
    def starts(self) -> torch.Tensor:
        """First entry of each row, and one past the last entry of all, shape (M + 1,)."""
        return torch.cat([self.lengths.new_zeros(1), self.lengths.cumsum(0)])

    def __getitem__(self, index: Any) -> CompressedRows:
        """The rows that `index` picks: a slice of consecutive rows, a mask, or a vector of row numbers."""
        picked = torch.arange(len(self.lengths), device=self.device)[index]
        lengths, first = self.lengths[picked], self.starts[picked]
        ends = lengths.cumsum(0)
        entries = torch.arange(int(lengths.sum()), device=self.device) + (first - ends + lengths).repeat_interleave(lengths)
        return CompressedRows(self.data[entries], self.columns[entries], lengths, self.n_columns)


class TorchSparseRows(TorchRows):
    """Sparse rows in torch; arithmetic in the dtype of b."""

    A: CompressedRows

    def scaled(self, rows: Any, factors: torch.Tensor) -> Array:
        return dense(self.A[rows]) * factors[:, None]

    def _wide(self, rows: slice) -> torch.Tensor:
        return dense(self.A[rows])

    def combine(self, values: torch.Tensor, weights: torch.Tensor) -> Array:
        return self.A.transposed @ values

    def jacobian(self, values: torch.Tensor) -> Array:
        by_column = self.A.transposed  # its entries in the order of their column, within a column in that of their task
        terms = by_column.data * (values * self._coefficients).index_select(0, by_column.columns)
        return segment_sums(terms, self._cells).reshape(self.n_variables, self.n_tasks).T

    @cached_property
    def _cells(self) -> torch.Tensor:
        """The number of entries in each column of each task, shape (n K,)."""
        by_column = self.A.transposed
        task = torch.arange(self.n_tasks, device=self.A.device).repeat_interleave(self._lengths)
        cell = by_column.rows * self.n_tasks + task[by_column.columns]
        return torch.bincount(cell, minlength=self.n_variables * self.n_tasks)

    def _gram(self, start: int, stop: int, root: torch.Tensor) -> Array:
        if self.A.device.type != "cpu":
            return super()._gram(start, stop, root)
        from scipy.sparse import csr_array

        from minimax_opt.tasks.sparse_rows import scaled_gram

        rows = self.A if (start, stop) == (0, self.n_rows) else self.A[start:stop]
        host = csr_array((rows.data.numpy(), rows.columns.numpy(), rows.starts.numpy()), shape=rows.shape)
        return torch.from_numpy(scaled_gram(host, root[start:stop].numpy()))

    def grams(self) -> Array:
        root = self._coefficients.sqrt()
        return torch.stack([self._gram(start, stop, root) for start, stop in self._spans()])

    def grams_pay(self) -> bool:
        entries = len(self.A.data)
        return entries**2 > 100.0 * self.n_rows * self.n_tasks * self.n_variables**2 and self._grams_bytes < GRAM_BYTES

    def double(self) -> TorchSparseRows:
        return TorchSparseRows(self.A.double(), self.b.double(), self.sizes, self.scale)

    @cached_property
    def _lengths_of_rows(self) -> Array:
        return segment_sums(self.A.data.square(), self.A.lengths).sqrt()

    def absolute_times(self, x: torch.Tensor) -> Array:
        return replace(self.A, data=self.A.data.abs()) @ x.abs()

    @cached_property
    def longest_sum(self) -> int:
        return int(self.A.lengths.max())

    @cached_property
    def largest_entries(self) -> Host:
        by_column = self.A.transposed
        sizes = by_column.data.abs()
        return to_host(torch.segment_reduce(sizes, "max", lengths=by_column.lengths, axis=0, unsafe=True, initial=0.0))

    def take(self, index: Array) -> TorchSparseRows:
        flat = torch.as_tensor(index.ravel(), device=self.b.device)
        return TorchSparseRows(self.A[flat], self.b[flat], np.full(len(index), index.shape[1]))


def segment_sums(values: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Sums over consecutive segments of the given lengths, some of which may be zero."""
    return torch.segment_reduce(values, "sum", lengths=lengths, axis=0, unsafe=True)


def dense(A: CompressedRows) -> torch.Tensor:
    """A as a dense tensor."""
    array = A.data.new_zeros(A.shape)
    array[A.rows, A.columns] = A.data
    return array


def scaled(A: CompressedRows, factors: torch.Tensor) -> CompressedRows:
    """diag(factors) A, sparse; the indices are shared with A."""
    return replace(A, data=A.data * factors.repeat_interleave(A.lengths))


def canonical(A: torch.Tensor, what: str) -> CompressedRows:
    """`A`, of any sparse layout, as :class:`CompressedRows`; duplicates of a COO tensor add up, a compressed one may have none."""
    if A.ndim != 2 or (A.layout == torch.sparse_coo and A.dense_dim()):
        raise ValueError(f"{what} must be a matrix (2-D) with scalar entries, got shape {tuple(A.shape)}.")
    if A.dtype not in (torch.float32, torch.float64):
        if A.is_complex() or A.dtype.is_floating_point:
            raise TypeError(f"{what} must be float32 or float64, got {A.dtype}.")
        A = A.double()
    _check_indices(A, what)
    if A.layout == torch.sparse_csr:
        return CompressedRows(A.values(), A.col_indices().to(torch.int32), A.crow_indices().diff().long(), A.shape[1])
    entries = A.to_sparse(layout=torch.sparse_coo).coalesce()
    rows, columns = entries.indices()
    lengths = torch.bincount(rows, minlength=A.shape[0])
    return CompressedRows(entries.values(), columns.to(torch.int32), lengths, A.shape[1])


def _check_indices(A: torch.Tensor, what: str) -> None:
    """Raise where the indices break torch's rules: within the shape and, in a compressed layout, strictly increasing."""
    try:
        if A.layout == torch.sparse_coo:
            torch.sparse_coo_tensor(A._indices(), A._values(), A.shape, check_invariants=True)
            return
        by_row = A.layout in (torch.sparse_csr, torch.sparse_bsr)
        compressed, plain = (A.crow_indices(), A.col_indices()) if by_row else (A.ccol_indices(), A.row_indices())
        torch.sparse_compressed_tensor(compressed, plain, A.values(), A.shape, layout=A.layout, check_invariants=True)
    except RuntimeError as error:
        raise ValueError(
            f"{what} must be a valid sparse tensor: {error}; a COO tensor may be unsorted and hold duplicates."
        ) from error


def stack(parts: Sequence[CompressedRows]) -> CompressedRows:
    """One matrix from the tasks', end to end."""
    if len(parts) == 1:
        return parts[0]
    data, columns, lengths = (torch.cat([getattr(part, name) for part in parts]) for name in ("data", "columns", "lengths"))
    return CompressedRows(data, columns, lengths, parts[0].n_columns)


__all__ = ["CompressedRows", "TorchSparseRows", "canonical", "dense", "scaled", "stack"]
