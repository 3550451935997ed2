"""What the reductions return, and what they share about their input."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from minimax_kernels.arguments import check_floating, check_ids, check_tasks

OFFERS = ("triton", "native", "torch")


class TaskReduction(NamedTuple):
    """The losses of each task, each of shape (n_tasks,)."""

    sums: Tensor
    """float64."""
    counts: Tensor
    """int64."""
    means: Tensor
    """float32, or float64 for losses in float64; 0 for a task without samples."""
    max: Tensor
    """As the means, without gradient; -inf for a task without samples."""


def flattened(sample_losses: Tensor, task_ids: Tensor, n_tasks: int) -> tuple[Tensor, Tensor]:
    """Both as vectors of one length, checked."""
    check_tasks(n_tasks)
    check_floating("sample_losses", sample_losses)
    ids = check_ids("task_ids", task_ids, sample_losses.shape, sample_losses.device)
    return (sample_losses, ids) if ids.ndim == 1 else (sample_losses.reshape(-1), ids.reshape(-1))


__all__ = ["OFFERS", "TaskReduction", "flattened"]
