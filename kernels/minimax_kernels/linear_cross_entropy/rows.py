"""Row operations on a tile of logits (rows, V), in place, in plain torch; triton_kernels.py has the same two for CUDA.

With z the logits after the bias and the softcap s, y the label, e the label smoothing and c the factor of the z-loss, a row's loss and
its derivative with respect to the logits before the softcap are

    loss = lse - (1 - e) z_y - e mean(z) + c lse^2,    lse = log sum_v exp z_v
    G_v = [(1 + 2 c lse) exp(z_v - lse) - (1 - e) 1(v = y) - e / V] (1 - (z_v / s)^2)

The weight that the row has in the objective is in neither: chunks.py says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

CACHED = 1 << 17  # numbers that a core's second-level cache holds from one operation to the next


class Options(NamedTuple):
    """What the loss is made of; a softcap of 0 is none."""

    label_smoothing: float = 0.0
    z_loss: float = 0.0
    softcap: float = 0.0


def losses(
    tile: Tensor, bias: Tensor | None, labels: Tensor, losses: Tensor, lse: Tensor, options: Options, gradient: bool
) -> None:
    """Write `losses` and `lse` of the rows; the tile becomes G if `gradient`, else it is scratch. A label below 0: loss 0, G 0."""
    smoothing, z_loss, softcap = options
    label, picked = _picked(tile, bias, labels, lse.dtype, softcap)
    peak, total, average = (torch.empty_like(lse)[:, None] for _ in range(3))
    for part, *of_rows in _blocks(tile, peak, total, average):
        z = part.to(lse.dtype)
        slope = _cap(z, bias, softcap)
        if smoothing:
            torch.mean(z, 1, keepdim=True, out=of_rows[2])
        torch.amax(z, 1, keepdim=True, out=of_rows[0])
        torch.sum(z.sub_(of_rows[0]).exp_(), 1, keepdim=True, out=of_rows[1])
        if gradient:
            factor = of_rows[1].reciprocal()
            if z_loss:
                factor *= 1.0 + 2.0 * z_loss * (of_rows[0] + of_rows[1].log())
            _spread(part, z.mul_(factor), slope, smoothing)
    known = peak + total.log()
    value = total.log() + (peak - (1.0 - smoothing) * picked) + z_loss * known**2
    if smoothing:
        value -= smoothing * average
    losses.copy_(torch.where(labels >= 0, value.squeeze(1), 0.0))
    lse.copy_(known.squeeze(1))
    if gradient:
        _set_target(tile, labels, label, picked, known, options)


def gradients(tile: Tensor, bias: Tensor | None, labels: Tensor, lse: Tensor, options: Options) -> None:
    """The tile becomes G; the rows' `lse` is known. A label below 0: G 0."""
    smoothing, z_loss, softcap = options
    label, picked = _picked(tile, bias, labels, lse.dtype, softcap)
    for part, known in _blocks(tile, lse[:, None]):
        z = part.to(lse.dtype)
        slope = _cap(z, bias, softcap)
        z.sub_(known).exp_()
        if z_loss:
            z.mul_(1.0 + 2.0 * z_loss * known)
        _spread(part, z, slope, smoothing)
    _set_target(tile, labels, label, picked, lse[:, None], options)


def _picked(tile: Tensor, bias: Tensor | None, labels: Tensor, dtype: torch.dtype, softcap: float) -> tuple[Tensor, Tensor]:
    """The labels as columns of the tile, and the logits there."""
    label = labels.clamp(min=0)[:, None]
    picked = tile.gather(1, label).to(dtype)
    _cap(picked, None if bias is None else bias[label], softcap)
    return label, picked


def _cap(z: Tensor, bias: Tensor | None, softcap: float) -> Tensor | None:
    """Add the bias and apply the softcap, in place; the softcap's derivative."""
    if bias is not None:
        z.add_(bias)
    if not softcap:
        return None
    z.div_(softcap).tanh_()
    slope = 1.0 - z.square()
    z.mul_(softcap)
    return slope


def _spread(part: Tensor, z: Tensor, slope: Tensor | None, smoothing: float) -> None:
    """From the softmax to G but for the target's column, in place."""
    if smoothing:
        z.sub_(smoothing / z.shape[1])
    if slope is not None:
        z.mul_(slope)
    if z.dtype != part.dtype:  # else it is the same memory
        part.copy_(z)


def _set_target(tile: Tensor, labels: Tensor, label: Tensor, picked: Tensor, lse: Tensor, options: Options) -> None:
    """Write G in the target's column, all of it before the rounding to the dtype of the tile: near 0 when the model is right."""
    smoothing, z_loss, softcap = options
    g = (1.0 + 2.0 * z_loss * lse) * (picked - lse).exp() - (1.0 - smoothing) - smoothing / tile.shape[1]
    if softcap:
        g *= 1.0 - (picked / softcap).square()
    tile.scatter_(1, label, g.to(tile.dtype))
    if labels.device.type != "cpu":  # on a CPU the rows without a label were left out before
        tile.masked_fill_((labels < 0)[:, None], 0.0)


def _blocks(tile: Tensor, *of_rows: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Few rows at a time, so that what one operation computes is still in the cache in the next."""
    step = max((CACHED if tile.device.type == "cpu" else 64 * CACHED) // max(tile.shape[1], 1), 1)
    return zip(*(torch.split(tensor, step) for tensor in (tile, *of_rows)), strict=True)


__all__ = ["Options", "gradients", "losses"]
