"""How the projections onto the simplex are launched."""

from __future__ import annotations

import torch
import triton.language as tl

from compilations import Compilation
from minimax_kernels.simplex import capped_kernel, triton_kernels

COMPUTE = {"bf16": tl.float32, "fp16": tl.float32, "fp32": tl.float32, "fp64": tl.float64}
VECTORS = ("vector loads", "vector stores")


def short(dtype, length, divisible=True):
    rows, block, warps = triton_kernels.tiling(length, 16384)
    return Compilation(
        f"project_short_rows {dtype} {length}",
        triton_kernels.project_short_rows,
        {"v": f"*{dtype}", "w": f"*{dtype}", "rows": "i32", "length": "i32:16" if divisible else "i32", "scale": "fp64"},
        {"ROWS": rows, "BLOCK": block, "COMPUTE": COMPUTE[dtype]},
        num_warps=warps,
        expects=VECTORS if divisible else (),
    )


def long(dtype):
    return Compilation(
        f"project_long_row {dtype}",
        triton_kernels.project_long_row,
        {"v": f"*{dtype}", "w": f"*{dtype}", "length": "i32:16", "scale": "fp64"},
        {
            "SLACK": triton_kernels.slack(torch.float64 if dtype == "fp64" else torch.float32),
            "BLOCK": triton_kernels.LONG_BLOCK,
            "COMPUTE": COMPUTE[dtype],
        },
        num_warps=triton_kernels.LONG_WARPS,
        expects=VECTORS,
    )


def tangent(dtype, length):
    rows, block, warps = triton_kernels.tiling(length, triton_kernels.LONG_BLOCK)
    return Compilation(
        f"tangent_rows {dtype} {length}",
        triton_kernels.tangent_rows,
        {"w": f"*{dtype}", "g": f"*{dtype}", "out": f"*{dtype}", "rows": "i32", "length": "i32:16"},
        {"ROWS": rows, "BLOCK": block, "COMPUTE": COMPUTE[dtype]},
        num_warps=warps,
        expects=VECTORS,
    )


def capped(dtype, length):
    constants, warps = capped_kernel.configuration(torch.float64 if dtype == "fp64" else torch.float32, length)
    return Compilation(
        f"project_capped_row {dtype} {length}",
        capped_kernel.project_capped_row,
        {"v": f"*{dtype}", "caps": f"*{dtype}", "w": f"*{dtype}", "length": "i32:16", "cap_stride": "i32:16", "scale": "fp64"},
        constants,
        num_warps=warps,
        expects=VECTORS if length >= 1024 else (),
    )


COMPILATIONS = [
    *(short(dtype, length) for dtype in ("fp32", "bf16", "fp64") for length in (128, 1024)),
    *(short(dtype, length) for dtype, length in (("fp32", 16384), ("bf16", 16384), ("fp64", 8192))),
    short("fp32", 7, divisible=False),
    *(long(dtype) for dtype in ("fp32", "bf16", "fp64")),
    *(tangent(dtype, length) for dtype in ("fp32", "bf16", "fp64") for length in (128, 100_000)),
    *(capped(dtype, length) for dtype in ("fp32", "fp64") for length in (16, 1024, 4096, 100_000)),
    capped("fp32", 8192),
]
