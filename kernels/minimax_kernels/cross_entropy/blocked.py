"""Cross-entropy of rows of logits on a CPU: blocks of rows that stay in the cache, by ops that write where they are told."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from minimax_kernels.samples import widened

BLOCK = 1 << 19  # entries in a block, 2 MiB of float32: the second-level cache of a core


def forward(
    logits: Tensor, target: Tensor, tasks: Tensor, label_smoothing: float, softcap: float
) -> tuple[Tensor, Tensor, Tensor]:
    """As `composed.row_losses`, without derivative. Left-out rows are not read."""
    wide = widened(logits.dtype)
    losses, largest, log_sums = (logits.new_zeros(logits.shape[0], dtype=wide) for _ in range(3))
    buffer = _buffer(logits, wide)
    for rows, z in _blocks(logits, tasks >= 0, softcap):
        top = z.amax(-1, keepdim=True)
        shifted = torch.sub(z, top, out=buffer[: len(z)])
        fit = shifted.gather(-1, target[rows].long().unsqueeze(-1)).squeeze(-1)
        if label_smoothing > 0.0:
            fit = (1.0 - label_smoothing) * fit + label_smoothing * shifted.mean(-1)
        log_sum = shifted.exp_().sum(-1).log_()
        losses[rows], largest[rows], log_sums[rows] = log_sum - fit, top.squeeze(-1), log_sum
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
    softcap: float,
) -> None:
    """Write w_i dl_i/dx + v_i d lse_i/dx into `grad` (N, V), which may be `logits`. Rows of weight 0 are not read."""
    wide = widened(logits.dtype)
    live = (tasks >= 0) & ((grad_losses != 0.0) | (grad_log_sums != 0.0))
    scales = (grad_losses + grad_log_sums) * torch.exp(-log_sums)
    buffer = None if grad.dtype == wide and bool(live.all()) else _buffer(logits, wide)
    grad[~live] = 0.0
    for rows, z in _blocks(logits, live, softcap):
        w = grad_losses[rows].unsqueeze(-1)
        out = grad[rows] if buffer is None else buffer[: len(z)]
        slope = 1.0 - (z / softcap).square() if softcap > 0.0 else None
        torch.sub(z, largest[rows].unsqueeze(-1), out=out).exp_().mul_(scales[rows].unsqueeze(-1))
        out.scatter_add_(-1, target[rows].long().unsqueeze(-1), (label_smoothing - 1.0) * w)
        if label_smoothing > 0.0:
            out.sub_((label_smoothing / logits.shape[-1]) * w)
        if slope is not None:
            out.mul_(slope)
        if buffer is not None:
            grad[rows] = out.to(grad.dtype)


def _blocks(logits: Tensor, live: Tensor, softcap: float) -> Iterator[tuple[slice | Tensor, Tensor]]:
    """Blocks of the live rows, and z in them: the logits, widened and capped. A block of neighbours is a slice, without a copy."""
    for rows in torch.split(live.nonzero().squeeze(-1), max(BLOCK // logits.shape[-1], 1)):
        if not len(rows):
            return
        first, last = int(rows[0]), int(rows[-1])
        block: slice | Tensor = slice(first, last + 1) if last - first + 1 == len(rows) else rows
        x = logits[block].to(widened(logits.dtype))
        yield block, torch.tanh(x / softcap).mul_(softcap) if softcap > 0.0 else x


def _buffer(logits: Tensor, dtype: torch.dtype) -> Tensor:
    """Room for one block."""
    n, v = logits.shape
    return logits.new_empty(min(max(BLOCK // v, 1), n), v, dtype=dtype)


__all__ = ["backward", "forward"]
