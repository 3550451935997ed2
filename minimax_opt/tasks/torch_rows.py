"""Rows of data in torch, wherever they live, and their linear algebra. No float atomics: the same input gives the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from minimax_opt.arrays import Array, Host, Space
from minimax_opt.tasks.row_data import RowData


class TorchRows(RowData):
    """Rows in torch, on whatever device they came; arithmetic in the dtype of b."""

    def __init__(self, A: Any, b: torch.Tensor, sizes: Array, scale: torch.Tensor | None = None) -> None:
        super().__init__(A, b, sizes, scale)
        self.space = Space("torch", b.dtype, b.device)
        if b.device.type != "cpu":
            self.block_entries = self.panel_entries = 1 << 24  # starting a kernel costs more than a cache saves
        self._lengths = torch.as_tensor(self.sizes, device=b.device)
        self._coefficients = (
            1.0 / self._lengths.to(b.dtype).repeat_interleave(self._lengths) if scale is None else scale.to(b.dtype)
        )

    def times(self, x: torch.Tensor) -> Array:
        if not self.narrow:
            return self.A @ x
        return torch.cat([self._wide(rows) @ x for rows in self._panels(0, self.n_rows)])

    def scaled(self, rows: Any, factors: torch.Tensor) -> Array:
        return self.A[rows] * factors[:, None]

    def _wide(self, rows: slice) -> torch.Tensor:
        """The rows in the dtype of the arithmetic: a view, unless the data are narrow."""
        wide: torch.Tensor = self.A[rows].to(self.space.dtype)
        return wide

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
        if not self.narrow:
            return values @ self.A
        return torch.stack([values[rows] @ self._wide(rows) for rows in self._panels(0, self.n_rows)]).sum(0)

    def jacobian(self, values: torch.Tensor) -> Array:
        values = values * self._coefficients
        if self.narrow:
            return self._narrow_jacobian(values)
        if self.equal:
            rows = self.A.reshape(self.n_tasks, -1, self.n_variables)
            return torch.bmm(values.reshape(self.n_tasks, 1, -1), rows)[:, 0]
        if self.n_rows * self.n_variables < 4000 * self.n_tasks:
            return self._sums(self.A * values[:, None])
        return torch.stack([values[start:stop] @ self.A[start:stop] for start, stop in self._spans()])

    def _narrow_jacobian(self, values: torch.Tensor) -> Array:
        """The same, panel by panel; a panel may hold a part of a task, or several tasks."""
        jacobian = self.space.zeros(self.n_tasks, self.n_variables)
        for rows in self._panels(0, self.n_rows):
            first, last = np.searchsorted(self.offsets, [rows.start, rows.stop - 1], side="right") - 1
            if first == last:
                jacobian[first] += values[rows] @ self._wide(rows)
            else:
                lengths = torch.as_tensor(
                    np.diff(np.clip(self.offsets[first : last + 2], rows.start, rows.stop)), device=values.device
                )
                scaled = self.scaled(rows, values[rows])
                jacobian[first : last + 1] += torch.segment_reduce(scaled, "sum", lengths=lengths, axis=0, unsafe=True)
        return jacobian

    def gram(self, values: torch.Tensor, weights: torch.Tensor) -> Array:
        return self._gram(0, self.n_rows, values.sqrt())

    def _gram(self, start: int, stop: int, root: torch.Tensor) -> Array:
        """B'B, B = diag(root) A, of the rows start:stop."""
        total = self.space.zeros(self.n_variables, self.n_variables)
        for rows in self._blocks(start, stop):
            scaled = self.scaled(rows, root[rows])
            total.addmm_(scaled.T, scaled)
        return total

    def grams(self) -> Array:
        if self.scale is None and self.equal and not self.narrow:
            rows = self.A.reshape(self.n_tasks, -1, self.n_variables)
            return torch.bmm(rows.transpose(1, 2), rows) / rows.shape[1]
        root = self._coefficients.sqrt()
        return torch.stack([self._gram(start, stop, root) for start, stop in self._spans()])

    def leverage(self, factor: Host, weights: torch.Tensor) -> float:
        triangle = torch.as_tensor(factor, dtype=torch.float64, device=self.b.device)
        keep = self.row_weights((weights > 0).to(self.b.dtype)) > 0
        largest = torch.zeros((), dtype=torch.float64, device=self.b.device)
        for rows in self._blocks(0, self.n_rows):
            whitened = torch.linalg.solve_triangular(triangle, self._wide(rows).T.double(), upper=False)
            largest = torch.maximum(largest, (whitened.square().sum(0) * keep[rows]).max())
        return float(largest.sqrt())

    def take(self, index: Host) -> TorchRows:
        flat = torch.as_tensor(index.ravel(), device=self.b.device)
        return TorchRows(self.A[flat], self.b[flat], np.full(len(index), index.shape[1]))
