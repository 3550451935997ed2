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
    """One sample and one task at a time; ids out of range count as ignored."""
    z = logits.double() if softcap is None else softcap * torch.tanh(logits.double() / softcap)
    task_ids, n_classes = task_ids.expand(target.shape), logits.shape[-1]
    losses = torch.zeros(target.shape, dtype=torch.float64, device=logits.device)
    by_task: list[list[Tensor]] = [[] for _ in range(n_tasks)]
    for i in map(tuple, torch.ones_like(target).nonzero().tolist()):
        y, k = int(target[i]), int(task_ids[i])
        if ignore_index in (y, k) or not (0 <= y < n_classes and 0 <= k < n_tasks):
            continue
        lse = torch.logsumexp(z[i], -1)
        loss = lse - (1 - label_smoothing) * z[i][y] + z_loss * lse**2
        if label_smoothing > 0:
            loss = loss - label_smoothing * z[i].mean()
        losses = losses.index_put(tuple(torch.tensor(j, device=losses.device) for j in i), loss)
        by_task[k].append(loss)
    zero = torch.zeros((), dtype=torch.float64, device=logits.device)
    means = torch.stack([torch.stack(of_task).mean() if of_task else zero for of_task in by_task])
    return TaskLosses(means, torch.tensor([len(of_task) for of_task in by_task], device=logits.device), losses)


__all__ = ["task_cross_entropy"]
