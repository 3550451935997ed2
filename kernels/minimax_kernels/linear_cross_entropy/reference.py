"""The truth for tests and benchmarks: float64, plain torch, every logit in memory."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from minimax_kernels.results import TaskLosses


def task_linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    *,
    bias: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
) -> TaskLosses:
    """The same as the op, by torch's own cross entropy and a loop over the tasks; differentiable to any order."""
    logits = functional.linear(hidden.double(), weight.double(), None if bias is None else bias.double())
    if softcap is not None:
        logits = softcap * torch.tanh(logits / softcap)
    task_ids = task_ids.expand(target.shape)
    counted = (target != ignore_index) & (task_ids != ignore_index)
    label = torch.where(counted, target, 0)
    losses = functional.cross_entropy(
        logits.flatten(0, -2), label.flatten(), reduction="none", label_smoothing=label_smoothing
    ).reshape(target.shape)
    losses = torch.where(counted, losses + z_loss * logits.logsumexp(-1).square(), 0.0)
    members = [counted & (task_ids == task) for task in range(n_tasks)]
    counts = torch.stack([of_task.sum() for of_task in members])
    sums = torch.stack([torch.where(of_task, losses, 0.0).sum() for of_task in members])
    return TaskLosses(sums / counts.clamp(min=1), counts, losses)
