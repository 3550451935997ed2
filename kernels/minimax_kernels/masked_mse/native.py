"""Losses of patches in C, native/ops/rows.c: each patch that counts is read once. float32 and float64."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.backend import native_ops
from minimax_kernels.masked_mse.composed import EPSILON
from minimax_kernels.rows import over_rows

KINDS = {"l2": 0, "l1": 1, "smooth_l1": 2}


def forward(pred: Tensor, target: Tensor, tasks: Tensor, kind: str, beta: float, normalize: bool) -> Tensor:
    """As `composed.patch_losses`, without derivative."""
    losses = pred.new_empty(len(pred))
    problem = _problem(pred, target, tasks, kind, beta, normalize)
    over_rows(native_ops().patch_losses, *pred.shape, *problem, losses.data_ptr())
    return losses


def backward(grad_losses: Tensor, pred: Tensor, target: Tensor, tasks: Tensor, kind: str, beta: float, normalize: bool) -> Tensor:
    """As `composed.gradient`."""
    grad = torch.empty_like(pred, memory_format=torch.contiguous_format)
    problem = _problem(pred, target, tasks, kind, beta, normalize)
    over_rows(native_ops().patch_gradients, *pred.shape, *problem, grad_losses.data_ptr(), grad.data_ptr())
    return grad


def _problem(pred: Tensor, target: Tensor, tasks: Tensor, kind: str, beta: float, normalize: bool) -> tuple[object, ...]:
    """What both functions in C begin with."""
    sides = pred.data_ptr(), pred.stride(0), target.data_ptr(), target.stride(0), pred.shape[1]
    return pred.dtype == torch.float64, *sides, tasks.data_ptr(), KINDS[kind], beta, normalize, EPSILON


__all__ = ["backward", "forward"]
