"""Launches of the kernels of masked regression: shapes, strides, grids."""

from __future__ import annotations

from typing import Any

import torch
import triton.language as tl
from torch import Tensor

from minimax_kernels import triton_tools
from minimax_kernels.masked_mse import triton_kernels
from minimax_kernels.samples import widened

TILE = 4096  # entries of a program at a time: 32 a thread


def forward(
    pred: Tensor,
    target: Tensor,
    mask: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    ignore_index: int,
    kind: str,
    beta: float,
    normalize: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Loss and task of each patch; mean and inverse deviation of its target, empty unless it is normalised."""
    n = len(pred)
    losses = pred.new_empty(n, dtype=widened(pred.dtype))
    means, scales = (losses.new_empty(n if normalize else 0) for _ in range(2))
    tasks = task_ids.new_empty(n, dtype=torch.int64)
    shape = launch_shape(pred)
    with triton_tools.device_of(pred):
        if n:
            triton_kernels.forward_kernel[(triton_tools.cdiv(n, shape["ROWS"]),)](
                *(pred, target, mask.view(torch.uint8), task_ids, losses, tasks, means, scales),
                *(n, pred.stride(0), target.stride(0), n_tasks, ignore_index, kind, beta, normalize),
                **shape,
                num_warps=4,
            )
    return losses, tasks, means, scales


def backward(
    grad_losses: Tensor,
    pred: Tensor,
    target: Tensor,
    tasks: Tensor,
    means: Tensor,
    scales: Tensor,
    kind: str,
    beta: float,
    normalize: bool,
) -> Tensor:
    """The gradient with respect to `pred`."""
    grad = torch.empty_like(pred, memory_format=torch.contiguous_format)
    shape = launch_shape(pred)
    with triton_tools.device_of(pred):
        if n := len(pred):
            triton_kernels.backward_kernel[(triton_tools.cdiv(n, shape["ROWS"]),)](
                *(
                    grad,
                    grad_losses,
                    pred,
                    target,
                    tasks,
                    means,
                    scales,
                    n,
                    pred.stride(0),
                    target.stride(0),
                    kind,
                    beta,
                    normalize,
                ),
                **shape,
                num_warps=4,
            )
    return grad


def launch_shape(pred: Tensor) -> dict[str, Any]:
    """Patches of up to TILE entries stand in a program as a whole, several where they are short."""
    block = triton_tools.power_of_two(pred.shape[-1], most=TILE)
    wide = tl.float64 if pred.dtype == torch.float64 else tl.float32
    return {"PATCH": pred.shape[-1], "ROWS": max(TILE // block, 1), "BLOCK": block, "WIDE": wide}


__all__ = ["backward", "forward", "launch_shape"]
