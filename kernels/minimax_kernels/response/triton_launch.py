"""The responses by Triton: how the kernels of triton_kernels.py are launched. Nothing waits for the device."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.reduce.triton_kernels import spread_kernel
from minimax_kernels.reduce.triton_launch import ONE_HOT_TASKS, WARPS, counter, one_launch, prepared
from minimax_kernels.response.triton_kernels import mirror_kernel, smooth_max_kernel, step_kernel
from minimax_kernels.samples import widened
from minimax_kernels.triton_tools import cdiv, device_of, float_bits, power_of_two

ALONE = 8192  # samples whose weights the last program writes


def smooth_max(losses: Tensor, smoothing: float, prior: Tensor | None) -> tuple[Tensor, Tensor]:
    """Value and weights along the last dimension."""
    losses = losses.contiguous()
    length = losses.shape[-1]
    n_rows = losses.numel() // length
    weights = losses.new_empty(losses.shape, dtype=widened(losses.dtype))
    value = weights.new_empty(losses.shape[:-1])
    if n_rows:
        block = power_of_two(length, most=4096)
        rows = 4096 // block if n_rows > 1 else 1
        rows = min(rows, power_of_two(n_rows))
        with device_of(losses):
            smooth_max_kernel[(cdiv(n_rows, rows),)](
                losses, prior, value, weights, float_bits(smoothing or 1.0), n_rows, length, ROWS=rows, BLOCK=block,
                PRIOR=prior is not None, SMOOTH=smoothing > 0.0, num_warps=8 if rows * block >= 2048 else 4,
            )  # fmt: skip
    return value, weights


def mirror_step(
    log_weights: Tensor,
    losses: Tensor,
    step_size: float,
    prior: Tensor | None,
    forgetting: float,
    floor: float,
    present: Tensor | None,
) -> Tensor:
    """The new log-weights along the last dimension."""
    present = torch.ones_like(log_weights, dtype=torch.bool) if present is None else present
    log_weights, losses, present = log_weights.contiguous(), losses.contiguous(), present.contiguous()
    out, length = torch.empty_like(log_weights), log_weights.shape[-1]
    if n_rows := log_weights.numel() // length:
        numbers = (float_bits(x or 0.5) for x in (step_size, forgetting, floor))  # 0 is left out by a constant
        with device_of(log_weights):
            mirror_kernel[(n_rows,)](
                log_weights, losses, prior, present, out, *numbers, length, BLOCK=power_of_two(length, most=1024), PRIOR=prior is not None,
                FORGET=forgetting > 0.0, MOVE=step_size > 0.0, FLOOR=floor > 0.0, num_warps=4,
            )  # fmt: skip
    return out


def task_step(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, smoothing: float, prior: Tensor | None, response: str
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Value, means, counts, weights, sample weights, for up to ONE_HOT_TASKS tasks."""
    losses, ids = prepared(losses, ids, n_tasks, ignore_index)
    samples = losses.new_empty(losses.shape, dtype=widened(losses.dtype))
    means, weights, table = (samples.new_empty(n_tasks) for _ in range(3))
    value, counts = samples.new_empty(()), losses.new_empty(n_tasks, dtype=torch.int64)
    grid, n, span, width, height = one_launch(losses, n_tasks)
    partials = losses.new_empty(grid * 3 * height, dtype=torch.float64)
    with device_of(losses):
        step_kernel[(grid,)](
            losses, ids, prior, partials, counter(losses.device), value, means, counts, weights, table, samples, float_bits(smoothing or 1.0),
            n, span, n_tasks, ignore_index, BK=height, BN=width, PRIOR=prior is not None, SOFTMAX=response == "softmax",
            SMOOTH=smoothing > 0.0, ALL=n <= ALONE, num_warps=WARPS,
        )  # fmt: skip
        if n > ALONE:
            spread_kernel[(cdiv(n, 1024),)](table, ids, samples, n, n_tasks, ignore_index, BN=1024, num_warps=4)
    return value, means, counts, weights, samples


__all__ = ["ONE_HOT_TASKS", "mirror_step", "smooth_max", "task_step"]
