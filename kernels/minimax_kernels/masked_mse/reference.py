"""What `task_masked_mse` computes, in float64 and as written in its docstring: the truth of tests and benchmarks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from minimax_kernels.results import TaskLosses


def task_masked_mse(
    pred: Tensor,
    target: Tensor,
    mask: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    *,
    kind: str = "l2",
    beta: float = 1.0,
    normalize_target: bool = False,
    ignore_index: int = -100,
) -> TaskLosses:
    """All patches in use at once, then one task at a time; ids out of range count as ignored."""
    ids = task_ids.expand(pred.shape[:-1])
    used = mask.expand(ids.shape) & (ids != ignore_index) & (ids >= 0) & (ids < n_tasks)
    x, t, ids = pred[used].double(), target[used].double(), ids[used]
    if normalize_target:
        t = t - t.mean(-1, keepdim=True)
        t = t / (t.square().sum(-1, keepdim=True) / (t.shape[-1] - 1) + 1e-6).sqrt()
    losses = {
        "l2": lambda: functional.mse_loss(x, t, reduction="none"),
        "l1": lambda: functional.l1_loss(x, t, reduction="none"),
        "smooth_l1": lambda: functional.smooth_l1_loss(x, t, reduction="none", beta=beta),
    }[kind]().mean(-1)
    means = [losses[ids == k].mean() if (ids == k).any() else losses.new_zeros(()) for k in range(n_tasks)]
    counts = torch.stack([(ids == k).sum() for k in range(n_tasks)])
    return TaskLosses(torch.stack(means), counts, losses.new_zeros(used.shape).masked_scatter(used, losses))


__all__ = ["task_masked_mse"]
