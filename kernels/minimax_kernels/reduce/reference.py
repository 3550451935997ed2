"""The truth for tests and benchmarks: one task after the other, in float64."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def task_reduce(sample_losses: Tensor, task_ids: Tensor, n_tasks: int, ignore_index: int = -100) -> tuple[Tensor, ...]:
    """Sums, counts, means, max; differentiable in sums and means."""
    losses = sample_losses.double()
    ids = task_ids.expand(losses.shape)
    of_task = [losses[(ids == k) & (ids != ignore_index)] for k in range(n_tasks)]
    sums = torch.stack([x.sum() for x in of_task])
    counts = torch.tensor([x.numel() for x in of_task])
    largest = [math.nan if x.sum().isnan() else float(x.max()) if x.numel() else -math.inf for x in of_task]
    return sums, counts, sums / counts.clamp(min=1), torch.tensor(largest, dtype=torch.float64)


def task_spread(values: Tensor, task_ids: Tensor, ignore_index: int = -100) -> Tensor:
    """To each sample the value of its task."""
    rows = [(values[i] if i != ignore_index else values.new_zeros(())) for i in task_ids.flatten().tolist()]
    return torch.stack(rows).reshape(task_ids.shape) if rows else values.new_zeros(task_ids.shape)


__all__ = ["task_reduce", "task_spread"]
