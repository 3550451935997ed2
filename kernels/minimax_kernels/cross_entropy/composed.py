"""Cross-entropy of rows of logits in plain torch: any device, any transform, any order of derivative, but memory like the logits'."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.samples import tasks_of, widened


def tasks_of_rows(target: Tensor, task_ids: Tensor, n_classes: int, n_tasks: int, ignore_index: int) -> Tensor:
    """The task of each row (N,), int64; LEFT_OUT where its target or its task is ignored or out of range."""
    kept = (target != ignore_index) & (target >= 0) & (target < n_classes)
    return tasks_of(kept, task_ids, n_tasks, ignore_index)


def row_losses(logits: Tensor, target: Tensor, tasks: Tensor, label_smoothing: float, softcap: float) -> tuple[Tensor, ...]:
    """Loss, largest entry z_max and log sum exp(z - z_max) of each row of `logits` (N, V), all 0 where it is left out."""
    kept = tasks >= 0
    z = _capped(logits, kept, softcap)
    largest = z.detach().amax(-1)
    shifted = z - largest.unsqueeze(-1)
    log_sums = shifted.exp().sum(-1).log()
    fit = shifted.gather(-1, _index(target, kept)).squeeze(-1)
    if label_smoothing > 0.0:
        fit = (1.0 - label_smoothing) * fit + label_smoothing * shifted.mean(-1)
    zero = torch.zeros_like(largest)
    return torch.where(kept, log_sums - fit, zero), torch.where(kept, largest, zero), torch.where(kept, log_sums, zero)


def gradient(
    grad_losses: Tensor,
    grad_log_sums: Tensor,
    logits: Tensor,
    target: Tensor,
    tasks: Tensor,
    label_smoothing: float,
    softcap: float,
) -> Tensor:
    """The derivative of `row_losses` times what comes from above, as a differentiable function: w_i dl_i/dx + v_i d lse_i/dx."""
    kept = tasks >= 0
    zero = torch.zeros_like(grad_losses)
    w, v = torch.where(kept, grad_losses, zero), torch.where(kept, grad_log_sums, zero)
    z = _capped(logits, (w != 0.0) | (v != 0.0), softcap)
    grad = (w + v).unsqueeze(-1) * z.softmax(-1)
    grad = grad.scatter_add(-1, _index(target, kept), (label_smoothing - 1.0) * w.unsqueeze(-1))
    if label_smoothing > 0.0:
        grad = grad - (label_smoothing / logits.shape[-1]) * w.unsqueeze(-1)
    if softcap > 0.0:
        grad = grad * (1.0 - (z / softcap).square())
    return grad.to(logits.dtype)


def _capped(logits: Tensor, live: Tensor, softcap: float) -> Tensor:
    """z: the logits, capped; 0 in rows that are not live, whatever stands there."""
    x = torch.where(live.unsqueeze(-1), logits, 0.0).to(widened(logits.dtype))
    return softcap * torch.tanh(x / softcap) if softcap > 0.0 else x


def _index(target: Tensor, kept: Tensor) -> Tensor:
    """The column of each row's target (N, 1); 0 where there is none."""
    return torch.where(kept, target, 0).long().unsqueeze(-1)


__all__ = ["gradient", "row_losses", "tasks_of_rows"]
