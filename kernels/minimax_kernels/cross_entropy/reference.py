"""What `task_cross_entropy` computes, in float64 and as written in its docstring: the truth of tests and benchmarks."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.results import TaskLosses


def task_cross_entropy(
    logits: Tensor,
    target: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    *,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    softcap: float | None = None,
) -> TaskLosses:
    """All samples in use at once, then one task at a time; ids out of range count as ignored."""
    ids = task_ids.expand(target.shape)
    used = (target != ignore_index) & (target >= 0) & (target < logits.shape[-1])
    used &= (ids != ignore_index) & (ids >= 0) & (ids < n_tasks)
    z, y, ids = logits[used].double(), target[used].long(), ids[used]
    if softcap is not None:
        z = softcap * torch.tanh(z / softcap)
    lse = torch.logsumexp(z, -1)
    losses = lse - (1.0 - label_smoothing) * z.gather(-1, y.unsqueeze(-1)).squeeze(-1) + z_loss * lse**2
    if label_smoothing > 0.0:
        losses = losses - label_smoothing * z.mean(-1)
    means = [losses[ids == k].mean() if (ids == k).any() else losses.new_zeros(()) for k in range(n_tasks)]
    counts = torch.stack([(ids == k).sum() for k in range(n_tasks)])
    return TaskLosses(torch.stack(means), counts, losses.new_zeros(used.shape).masked_scatter(used, losses))


__all__ = ["task_cross_entropy"]
