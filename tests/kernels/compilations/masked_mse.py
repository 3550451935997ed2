"""Masked regression at patches of 16 x 16 x 3, and at some that 16 does not divide."""

from __future__ import annotations

import torch

from compilations import Compilation
from minimax_kernels.masked_mse import triton_kernels as kernels
from minimax_kernels.masked_mse.triton_launch import launch_shape

NAMES = {torch.bfloat16: "bf16", torch.float32: "fp32"}


def both(dtype: torch.dtype, length: int, kind: str, normalize: bool) -> list[Compilation]:
    """Forward and backward."""
    name = NAMES[dtype]
    divided = ":16" if length % 16 == 0 else ""
    sides = {"pred": f"*{name}", "target": f"*{name}"}
    moments = {"means": "*fp32", "scales": "*fp32", "tasks": "*i64"}
    strides = {"n_rows": "i32", "pred_stride": f"i32{divided}", "target_stride": f"i32{divided}"}
    forward = {"mask": "*u8", "task_ids": "*i64", "losses": "*fp32", "n_tasks": "i32", "ignore_index": "i32"}
    backward = {"grad": f"*{name}", "grad_losses": "*fp32"}
    constants = {"KIND": kind, "BETA": 1.0, "NORMALIZE": normalize, **launch_shape(torch.empty(0, length, dtype=dtype))}
    loads, stores = (("vector loads",), ("vector loads", "vector stores")) if divided else ((), ())
    label = f"{name} {kind}, P = {length}{', normalized' if normalize else ''}"
    return [
        Compilation(f"{label}, forward", kernels.forward_kernel, {**sides, **moments, **strides, **forward}, constants, 4, loads),
        Compilation(
            f"{label}, backward", kernels.backward_kernel, {**sides, **moments, **strides, **backward}, constants, 4, stores
        ),
    ]


COMPILATIONS = [
    *both(torch.bfloat16, 768, "l2", True),
    *both(torch.float32, 768, "smooth_l1", True),
    *both(torch.float32, 75, "l1", False),
    *both(torch.bfloat16, 12288, "l2", True),
]
