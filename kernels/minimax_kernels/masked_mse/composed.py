"""Losses of patches in plain torch: any device, any transform, any order of derivative. What is not used is replaced, never computed with."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.samples import widened

EPSILON = 1e-6  # added to the variance of a target, as in masked autoencoders


def patch_losses(pred: Tensor, target: Tensor, tasks: Tensor, kind: str, beta: float, normalize: bool) -> Tensor:
    """The loss of each patch of `pred` and `target` (N, P); 0 where it is left out."""
    d = _difference(pred, target, tasks >= 0, normalize)
    losses = per_entry(d, kind, beta).mean(-1)
    return torch.where(tasks >= 0, losses, 0.0)


def gradient(grad_losses: Tensor, pred: Tensor, target: Tensor, tasks: Tensor, kind: str, beta: float, normalize: bool) -> Tensor:
    """The derivative of `patch_losses` with respect to `pred` times what comes from above, as a differentiable function."""
    live = tasks >= 0
    d = _difference(pred, target, live, normalize)
    w = torch.where(live, grad_losses, 0.0) / pred.shape[-1]
    return (w.unsqueeze(-1) * slope(d, kind, beta)).to(pred.dtype)


def per_entry(d: Tensor, kind: str, beta: float) -> Tensor:
    """The loss of each entry, from the differences."""
    if kind == "l2":
        return d.square()
    if kind == "l1":
        return d.abs()
    return torch.where(d.abs() < beta, d.square() * (0.5 / beta), d.abs() - 0.5 * beta)


def slope(d: Tensor, kind: str, beta: float) -> Tensor:
    """Its derivative; 0 at the kink of the absolute value."""
    if kind == "l2":
        return 2.0 * d
    if kind == "l1":
        return d.sign()
    return (d / beta).clamp(-1.0, 1.0)


def normalized(target: Tensor) -> Tensor:
    """Each patch with its mean subtracted, over its (unbiased) standard deviation."""
    centred = target - target.mean(-1, keepdim=True)
    variance = centred.square().sum(-1, keepdim=True) / (target.shape[-1] - 1)
    return centred / (variance + EPSILON).sqrt()


def _difference(pred: Tensor, target: Tensor, live: Tensor, normalize: bool) -> Tensor:
    """The differences pred - target in the dtype of the arithmetic; of zeros where a patch is not live, whatever stands there."""
    x, t = (torch.where(live.unsqueeze(-1), side, 0.0).to(widened(pred.dtype)) for side in (pred, target))
    return x - (normalized(t) if normalize else t)


__all__ = ["EPSILON", "gradient", "normalized", "patch_losses", "per_entry", "slope"]
