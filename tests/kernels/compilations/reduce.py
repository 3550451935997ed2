"""The reductions: one launch for few tasks, whole numbers for many, and the way back."""

from __future__ import annotations

from minimax_kernels.reduce import triton_kernels as kernels
from minimax_kernels.reduce.triton_launch import ONE_HOT_TASKS, TILE, WARPS

from . import Compilation

SIZES = {"n": "i32", "n_tasks": "i32", "ignored": "i32"}


def one_launch(losses: str, ids: str, height: int) -> Compilation:
    wide = "*fp64" if losses == "*fp64" else "*fp32"
    pointers = {"losses": losses, "ids": ids, "partials": "*fp64", "counter": "*i32", "sums": "*fp64", "counts": "*i64"}
    return Compilation(
        f"reduce {losses} {ids} up to {height} tasks",
        kernels.reduce_kernel,
        {**pointers, "means": wide, "maxima": wide, **SIZES, "span": "i32:16"},
        {"BK": height, "BN": min(TILE // height, 1024)},
        WARPS,
        ("vector loads",) if height <= 4 else (),
    )


def exact(one_hot: bool) -> Compilation:
    pointers = {"losses": "*fp32", "ids": "*i64", "bound": "*fp64", "totals": "*i64", "keys": "*i64", "unit": "*fp64"}
    height = ONE_HOT_TASKS if one_hot else 1
    return Compilation(
        f"exact {'by program' if one_hot else 'by sample'}",
        kernels.exact_kernel,
        {**pointers, **SIZES},
        {"BK": height, "BN": TILE // height if one_hot else 1024, "ONE_HOT": one_hot},
        WARPS,
    )


COMPILATIONS = [
    *(one_launch(losses, "*i64", height) for losses in ("*fp32", "*fp64", "*bf16") for height in (1, 4, 8, 64)),
    one_launch("*fp32", "*i32", 8),
    exact(True),
    exact(False),
    Compilation(
        "largest",
        kernels.largest_kernel,
        {"losses": "*fp32", "ids": "*i64", "bits": "*i64", **SIZES},
        {"BN": 4096},
        WARPS,
    ),
    Compilation(
        "round",
        kernels.round_kernel,
        {
            "totals": "*i64",
            "keys": "*i64",
            "unit": "*fp64",
            "sums": "*fp64",
            "counts": "*i64",
            "means": "*fp32",
            "maxima": "*fp32",
            "n_tasks": "i32",
        },
        {"BK": 1024},
    ),
    Compilation("spread", kernels.spread_kernel, {"values": "*fp32", "ids": "*i64", "out": "*fp32", **SIZES}, {"BN": 1024}),
]
