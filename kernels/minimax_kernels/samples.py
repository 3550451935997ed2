"""What the ops on samples share: which samples count and for which task, the dtype of losses, the means over tasks."""

from __future__ import annotations

import torch
from torch import Tensor

LEFT_OUT = -1  # the task of a sample that counts nowhere; unlike `ignore_index`, never a valid id


def widened(dtype: torch.dtype) -> torch.dtype:
    """The dtype of the arithmetic and of the losses: float32, or float64 for float64."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def tasks_of(kept: Tensor, task_ids: Tensor, n_tasks: int, ignore_index: int) -> Tensor:
    """The task of each sample (N,), int64; LEFT_OUT where it is not `kept`, or its task is ignored or out of range."""
    kept = kept & (task_ids != ignore_index) & (task_ids >= 0) & (task_ids < n_tasks)
    return torch.where(kept, task_ids, LEFT_OUT).long()


def task_means(sample_losses: Tensor, ids: Tensor, n_tasks: int) -> tuple[Tensor, Tensor]:
    """The mean loss of each task (K,), 0 where it is empty, and its count (K,). Ids out of range are left out. Sums are in float64.

    Indexed accumulation is serial on a CPU and sorts on CUDA, hence deterministic, unlike `index_add`.
    """
    slots = torch.where((ids >= 0) & (ids < n_tasks), ids, n_tasks)
    sums = sample_losses.new_zeros(n_tasks + 1, dtype=torch.float64)
    sums = sums.index_put((slots,), sample_losses.double(), accumulate=True)[:-1]
    counts = torch.zeros(n_tasks + 1, dtype=torch.int64, device=ids.device)
    counts = counts.index_put((slots,), torch.ones_like(slots), accumulate=True)[:-1]
    return (sums / counts.clamp(min=1)).to(sample_losses.dtype), counts


__all__ = ["LEFT_OUT", "task_means", "tasks_of", "widened"]
