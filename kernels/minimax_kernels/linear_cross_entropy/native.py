"""The row operations of rows.py in C, native/ops/rows.c: a row of the tile is in the cache from its first look to its derivative."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.backend import native_ops
from minimax_kernels.linear_cross_entropy import rows
from minimax_kernels.linear_cross_entropy.rows import Options
from minimax_kernels.rows import over_rows


def losses(
    tile: Tensor, bias: Tensor | None, labels: Tensor, losses: Tensor, lse: Tensor, options: Options, gradient: bool
) -> None:
    """As `rows.losses`."""
    if options.softcap:
        rows.losses(tile, bias, labels, losses, lse, options, gradient)
        return
    labels, log_sums = labels.contiguous(), torch.empty_like(lse)
    out = (tile.data_ptr(), tile.stride(0)) if gradient else (0, 0)
    of_rows = options.z_loss, losses.data_ptr(), lse.data_ptr(), log_sums.data_ptr()
    over_rows(native_ops().cross_entropy_losses, *tile.shape, *_problem(tile, bias, labels, options), *of_rows, *out)
    lse.add_(log_sums)


def gradients(tile: Tensor, bias: Tensor | None, labels: Tensor, lse: Tensor, options: Options) -> None:
    """As `rows.gradients`."""
    if options.softcap:
        rows.gradients(tile, bias, labels, lse, options)
        return
    labels, lse, weights = labels.contiguous(), lse.contiguous(), torch.ones_like(lse)
    factors = 1.0 + 2.0 * options.z_loss * lse
    out = lse.data_ptr(), factors.data_ptr(), weights.data_ptr(), tile.data_ptr(), tile.stride(0)
    over_rows(native_ops().cross_entropy_gradients, *tile.shape, *_problem(tile, bias, labels, options), *out)


def _problem(tile: Tensor, bias: Tensor | None, labels: Tensor, options: Options) -> tuple[object, ...]:
    """What both functions in C begin with; the tensors have to live until they return."""
    wide, added = tile.dtype == torch.float64, 0 if bias is None else bias.data_ptr()
    return wide, tile.data_ptr(), tile.stride(0), tile.shape[1], added, labels.data_ptr(), options.label_smoothing


__all__ = ["gradients", "losses"]
