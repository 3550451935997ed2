"""Losses of patches on a CPU: blocks of patches that stay in the cache, by ops that write where they are told."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.blocks import Rows, blocks_of, buffer_for
from minimax_kernels.masked_mse.composed import normalized, per_entry
from minimax_kernels.samples import widened


def forward(pred: Tensor, target: Tensor, tasks: Tensor, kind: str, beta: float, normalize: bool) -> Tensor:
    """As `composed.patch_losses`, without derivative."""
    wide, kept = widened(pred.dtype), tasks >= 0
    losses, buffer = pred.new_zeros(len(pred), dtype=wide), buffer_for(pred, wide)
    for rows in blocks_of(kept, pred.shape[-1]):
        d = _difference(pred, target, rows, normalize, buffer)
        losses[rows] = torch.linalg.vecdot(d, d) / d.shape[-1] if kind == "l2" else per_entry(d, kind, beta).mean(-1)
    losses[~kept] = 0.0
    return losses


def backward(grad_losses: Tensor, pred: Tensor, target: Tensor, tasks: Tensor, kind: str, beta: float, normalize: bool) -> Tensor:
    """As `composed.gradient`."""
    wide, live = widened(pred.dtype), (tasks >= 0) & (grad_losses != 0.0)
    grad = torch.empty_like(pred, memory_format=torch.contiguous_format)
    w = (grad_losses * ((2.0 if kind == "l2" else 1.0) / pred.shape[-1])).unsqueeze(-1)
    buffer = buffer_for(pred, wide)
    for rows in blocks_of(live, pred.shape[-1]):
        direct = isinstance(rows, slice) and grad.dtype == wide
        d = _difference(pred, target, rows, normalize, grad[rows] if direct else buffer)
        if kind == "l1":
            d.sign_()
        elif kind == "smooth_l1":
            d.div_(beta).clamp_(-1.0, 1.0)
        d.mul_(w[rows])
        if not direct:
            grad[rows] = d.to(grad.dtype)
    grad[~live] = 0.0
    return grad


def _difference(pred: Tensor, target: Tensor, rows: Rows, normalize: bool, out: Tensor) -> Tensor:
    """The differences pred - target in a block, written to the first rows of `out`."""
    x, t = pred[rows].to(out.dtype), target[rows].to(out.dtype)
    return torch.sub(x, normalized(t) if normalize else t, out=out[: len(x)])


__all__ = ["backward", "forward"]
