"""Rows of data in torch, wherever they live, and their linear algebra. No float atomics: the same input gives the same bits."""

from __future__ import annotations

import numpy as np
import torch

from minimax_opt.arrays import Array, Host, Space
from minimax_opt.tasks.row_data import RowData


class TorchRows(RowData):
    """Rows in torch, on whatever device they came."""

    def __init__(self, A: torch.Tensor, b: torch.Tensor, sizes: Array, scale: torch.Tensor | None = None) -> None:
        super().__init__(A, b, sizes, scale)
        self.space = Space("torch", A.dtype, A.device)
        self._lengths = torch.as_tensor(self.sizes, device=A.device)
        self._coefficients = 1.0 / self._lengths.to(A.dtype).repeat_interleave(self._lengths) if scale is None else scale

    def mean(self, values: torch.Tensor) -> Array:
        return self._sums(values * self._coefficients)

    def _sums(self, values: torch.Tensor) -> Array:
        if self.equal:
            return values.reshape(self.n_tasks, -1, *values.shape[1:]).sum(1)
        return torch.segment_reduce(values, "sum", lengths=self._lengths, axis=0, unsafe=True)

    def row_weights(self, weights: torch.Tensor) -> Array:
        if self.equal:
            return (self._coefficients.reshape(self.n_tasks, -1) * weights[:, None]).reshape(-1)
        return self._coefficients * weights.repeat_interleave(self._lengths, output_size=self.n_rows)

    def combine(self, values: torch.Tensor, weights: torch.Tensor) -> Array:
        return values @ self.A

    def jacobian(self, values: torch.Tensor) -> Array:
        values = values * self._coefficients
        if self.equal:
            rows = self.A.reshape(self.n_tasks, -1, self.n_variables)
            return torch.bmm(values.reshape(self.n_tasks, 1, -1), rows)[:, 0]
        if self.n_rows * self.n_variables < 4000 * self.n_tasks:
            return self._sums(self.A * values[:, None])
        return torch.stack([values[start:stop] @ self.A[start:stop] for start, stop in self._spans()])

    def gram(self, values: torch.Tensor, weights: torch.Tensor) -> Array:
        root, total = values.sqrt()[:, None], self.space.zeros(self.n_variables, self.n_variables)
        for rows in self._blocks(0, self.n_rows):
            scaled = self.A[rows] * root[rows]
            total.addmm_(scaled.T, scaled)
        return total

    def grams(self) -> Array:
        if self.scale is None and self.equal:
            rows = self.A.reshape(self.n_tasks, -1, self.n_variables)
            return torch.bmm(rows.transpose(1, 2), rows) / rows.shape[1]
        root = self._coefficients.sqrt()[:, None]
        return torch.stack([(rows := self.A[start:stop] * root[start:stop]).T @ rows for start, stop in self._spans()])

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
