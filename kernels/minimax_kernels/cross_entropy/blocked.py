"""Cross-entropy of rows of logits on a CPU: blocks of rows that stay in the cache, by ops that write where they are told."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.blocks import Rows, blocks_of, buffer_for
from minimax_kernels.samples import widened


def forward(
    logits: Tensor, target: Tensor, tasks: Tensor, label_smoothing: float, softcap: float
) -> tuple[Tensor, Tensor, Tensor]:
    """As `composed.row_losses`, without derivative."""
    wide, kept = widened(logits.dtype), tasks >= 0
    losses, largest, log_sums = (logits.new_zeros(logits.shape[0], dtype=wide) for _ in range(3))
    column, buffer = _column(target, kept), buffer_for(logits, wide)
    for rows in blocks_of(kept, logits.shape[-1]):
        z = _capped(logits, rows, wide, softcap)
        top = z.amax(-1, keepdim=True)
        shifted = torch.sub(z, top, out=buffer[: len(z)])
        fit = shifted.gather(-1, column[rows]).squeeze(-1)
        if label_smoothing > 0.0:
            fit = (1.0 - label_smoothing) * fit + label_smoothing * shifted.mean(-1)
        log_sum = shifted.exp_().sum(-1).log_()
        losses[rows], largest[rows], log_sums[rows] = log_sum - fit, top.squeeze(-1), log_sum
    for result in (losses, largest, log_sums):
        result[~kept] = 0.0
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
    """Write w_i dl_i/dx + v_i d lse_i/dx into `grad` (N, V), which may be `logits`."""
    wide, kept = widened(logits.dtype), tasks >= 0
    live = kept & ((grad_losses != 0.0) | (grad_log_sums != 0.0))
    scales = ((grad_losses + grad_log_sums) * torch.exp(-log_sums)).unsqueeze(-1)
    column, tops, w = _column(target, kept), largest.unsqueeze(-1), grad_losses.unsqueeze(-1)
    buffer = buffer_for(logits, wide)
    for rows in blocks_of(live, logits.shape[-1]):
        z = _capped(logits, rows, wide, softcap)
        direct = isinstance(rows, slice) and grad.dtype == wide
        out = grad[rows] if direct else buffer[: len(z)]
        slope = 1.0 - (z / softcap).square() if softcap > 0.0 else None
        torch.sub(z, tops[rows], out=out).exp_().mul_(scales[rows])
        out.scatter_add_(-1, column[rows], (label_smoothing - 1.0) * w[rows])
        if label_smoothing > 0.0:
            out.sub_((label_smoothing / logits.shape[-1]) * w[rows])
        if slope is not None:
            out.mul_(slope)
        if not direct:
            grad[rows] = out.to(grad.dtype)
    grad[~live] = 0.0


def _capped(logits: Tensor, rows: Rows, dtype: torch.dtype, softcap: float) -> Tensor:
    """The entries z of a block: the logits, widened and capped."""
    x = logits[rows].to(dtype)
    return torch.tanh(x / softcap).mul_(softcap) if softcap > 0.0 else x


def _column(target: Tensor, kept: Tensor) -> Tensor:
    """The column of each row's target (N, 1); 0 where there is none."""
    return torch.where(kept, target, 0).long().unsqueeze(-1)


__all__ = ["backward", "forward"]
