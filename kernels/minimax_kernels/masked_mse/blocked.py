"""Losses of patches on a CPU: the patches in use, block by block. The others are not read."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from minimax_kernels.masked_mse.composed import normalized, per_entry, slope
from minimax_kernels.samples import widened

BLOCK = 1 << 17  # entries in a block: the copies of both sides stay in the second-level cache of a core


def forward(pred: Tensor, target: Tensor, tasks: Tensor, kind: str, beta: float, normalize: bool) -> Tensor:
    """As `composed.patch_losses`, without derivative."""
    losses = pred.new_zeros(pred.shape[0], dtype=widened(pred.dtype))
    for rows, d in _blocks(pred, target, tasks >= 0, normalize):
        losses[rows] = torch.linalg.vecdot(d, d) / d.shape[-1] if kind == "l2" else per_entry(d, kind, beta).mean(-1)
    return losses


def backward(grad_losses: Tensor, pred: Tensor, target: Tensor, tasks: Tensor, kind: str, beta: float, normalize: bool) -> Tensor:
    """As `composed.gradient`. Patches of weight 0 are not read."""
    grad = torch.zeros_like(pred, memory_format=torch.contiguous_format)
    for rows, d in _blocks(pred, target, (tasks >= 0) & (grad_losses != 0.0), normalize):
        w = (grad_losses[rows] / d.shape[-1]).unsqueeze(-1)
        grad[rows] = slope(d, kind, beta).mul_(w).to(grad.dtype)
    return grad


def _blocks(pred: Tensor, target: Tensor, live: Tensor, normalize: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """The numbers of the live patches, in blocks, and pred - target there."""
    wide = widened(pred.dtype)
    for rows in torch.split(live.nonzero().squeeze(-1), max(BLOCK // pred.shape[-1], 1)):
        t = target[rows].to(wide)
        yield rows, pred[rows].to(wide).sub_(normalized(t) if normalize else t)


__all__ = ["backward", "forward"]
