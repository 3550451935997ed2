"""Launches of the kernels of cross-entropy: shapes, strides, grids."""

from __future__ import annotations

from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from minimax_kernels import triton_tools
from minimax_kernels.cross_entropy import triton_kernels
from minimax_kernels.samples import widened

SHORT = 1024  # rows up to this length share a program
TILE = 4096  # entries at a time of a long row: with 8 warps two 16-byte loads a thread of a 2-byte dtype


def forward(
    logits: Tensor, target: Tensor, task_ids: Tensor, n_tasks: int, ignore_index: int, label_smoothing: float, softcap: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Loss, largest entry, log sum exp of the rest and task of each row."""
    n, v = logits.shape
    losses, largest, log_sums = (logits.new_empty(n, dtype=widened(logits.dtype)) for _ in range(3))
    tasks = target.new_empty(n, dtype=torch.int64)
    outputs = (losses, largest, log_sums, tasks)
    arguments = (logits, target, task_ids, *outputs, logits.stride(0))
    with triton_tools.device_of(logits):
        if v > SHORT:
            triton_kernels.long_forward[(n,)](
                *arguments, n_tasks, ignore_index, v, label_smoothing, softcap, **long_shape(logits.dtype), num_warps=8
            )
        elif n:
            shape = short_shape(v, logits.dtype)
            grid = (triton_tools.cdiv(n, shape["ROWS"]),)
            triton_kernels.short_forward[grid](
                *arguments, n, v, n_tasks, ignore_index, label_smoothing, softcap, **shape, num_warps=4
            )
    return outputs


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
    """Write the derivative into `grad`, which may be `logits`."""
    n, v = logits.shape
    strides = (grad.stride(0), logits.stride(0))
    arguments = (grad, grad_losses, grad_log_sums, logits, target, tasks, largest, log_sums, *strides)
    with triton_tools.device_of(logits):
        if v > SHORT:
            alike = strides[0] == strides[1]
            triton_kernels.long_backward[(n,)](
                *arguments, v, label_smoothing, softcap, alike, **long_shape(logits.dtype), num_warps=8
            )
        elif n:
            shape = short_shape(v, logits.dtype)
            grid = (triton_tools.cdiv(n, shape["ROWS"]),)
            triton_kernels.short_backward[grid](*arguments, n, v, label_smoothing, softcap, **shape, num_warps=4)


def long_shape(dtype: torch.dtype) -> dict[str, Any]:
    """LANES lanes of PIECE entries, 16 bytes each."""
    piece = 16 // dtype.itemsize
    return {"LANES": TILE // piece, "PIECE": piece, "WIDE": wide(dtype)}


def short_shape(n_classes: int, dtype: torch.dtype) -> dict[str, Any]:
    """As many rows as fill 2048 entries."""
    block = triton_tools.power_of_two(n_classes)
    return {"ROWS": 2048 // block, "BLOCK": block, "WIDE": wide(dtype)}


def wide(dtype: torch.dtype) -> tl.dtype:
    """The dtype of the arithmetic."""
    return tl.float64 if dtype == torch.float64 else tl.float32


__all__ = ["backward", "forward", "long_shape", "short_shape"]
