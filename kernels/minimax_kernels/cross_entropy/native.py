"""Cross-entropy of rows of logits in C, native/ops/rows.c: each row is read once. float32 and float64, without softcap."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.backend import native_ops
from minimax_kernels.rows import over_rows


def forward(logits: Tensor, target: Tensor, tasks: Tensor, label_smoothing: float) -> tuple[Tensor, Tensor, Tensor]:
    """As `composed.row_losses`, without derivative."""
    losses, largest, log_sums = (logits.new_empty(logits.shape[0]) for _ in range(3))
    out = losses.data_ptr(), largest.data_ptr(), log_sums.data_ptr(), 0, 0
    labels = _labels(target, tasks)
    over_rows(native_ops().cross_entropy_losses, *logits.shape, *_problem(logits, labels, label_smoothing), 0.0, *out)
    return losses, largest, log_sums


def backward(
    grad: Tensor,
    grad_losses: Tensor,
    grad_log_sums: Tensor,
    logits: Tensor,
    target: Tensor,
    tasks: Tensor,
    largest: Tensor,
    log_sums: Tensor,
    label_smoothing: float,
) -> None:
    """Write w_i dl_i/dx + v_i d lse_i/dx into `grad` (N, V), which may be `logits`."""
    labels, factors = _labels(target, tasks), (grad_losses + grad_log_sums) * torch.exp(-log_sums)
    of_rows = (largest.contiguous(), factors.contiguous(), grad_losses)
    out = *(x.data_ptr() for x in of_rows), grad.data_ptr(), grad.stride(0)
    over_rows(native_ops().cross_entropy_gradients, *logits.shape, *_problem(logits, labels, label_smoothing), *out)


def _problem(logits: Tensor, labels: Tensor, label_smoothing: float) -> tuple[object, ...]:
    """What both functions in C begin with; `labels` has to live until they return."""
    wide = logits.dtype == torch.float64
    return wide, logits.data_ptr(), logits.stride(0), logits.shape[1], 0, labels.data_ptr(), label_smoothing


def _labels(target: Tensor, tasks: Tensor) -> Tensor:
    """The column of each row's target, int64; -1 where the row does not count."""
    return torch.where(tasks >= 0, target, -1).long().contiguous()


__all__ = ["backward", "forward"]
