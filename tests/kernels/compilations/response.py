"""The responses of the adversary, by themselves and in one launch with the reduction."""

from __future__ import annotations

from minimax_kernels.reduce.triton_launch import TILE, WARPS
from minimax_kernels.response import triton_kernels as kernels

from . import Compilation


def step(wide: str, height: int, softmax: bool, prior: bool, everything: bool, losses: str = "") -> Compilation:
    inputs = {"losses": losses or wide, "ids": "*i64", "prior": wide, "partials": "*fp64", "counter": "*i32"}
    outputs = {"value": wide, "means": wide, "counts": "*i64", "weights": wide, "table": wide, "samples": wide}
    sizes = {"smoothing": "i64", "n": "i32", "span": "i32:16", "n_tasks": "i32", "ignored": "i32"}
    constants = {
        "BK": height,
        "BN": min(TILE // height, 1024),
        "PRIOR": prior,
        "SOFTMAX": softmax,
        "SMOOTH": True,
        "ALL": everything,
    }
    return Compilation(
        f"step {losses or wide} up to {height} tasks, {'softmax' if softmax else 'projection'}",
        kernels.step_kernel,
        {**inputs, **outputs, **sizes},
        {**constants, **({} if prior else {"prior": None})},
        WARPS,
    )


def smooth_max(losses: str, wide: str, rows: int, block: int, bits: str = "i64") -> Compilation:
    return Compilation(
        f"smooth_max {losses} {rows} x {block}",
        kernels.smooth_max_kernel,
        {"losses": losses, "prior": wide, "value": wide, "weights": wide, "smoothing": bits, "n_rows": "i32", "length": "i32"},
        {"ROWS": rows, "BLOCK": block, "PRIOR": True, "SMOOTH": True},
        8,
    )


def mirror(wide: str) -> Compilation:
    pointers = {"log_weights": wide, "losses": wide, "prior": wide, "present": "*i1", "out": wide}
    return Compilation(
        f"mirror {wide}",
        kernels.mirror_kernel,
        {**pointers, "step_size": "i64", "forgetting": "i64", "floored": "i64", "length": "i32"},
        {"BLOCK": 1024, "PRIOR": True, "FORGET": True, "MOVE": True, "FLOOR": True},
    )


COMPILATIONS = [
    *(step("*fp32", height, softmax, True, True) for height in (1, 8, 16, 64) for softmax in (True, False)),
    step("*fp64", 64, False, True, False),
    step("*fp32", 16, True, False, True, losses="*bf16"),
    smooth_max("*fp32", "*fp32", 1, 4096),
    smooth_max("*bf16", "*fp32", 64, 64),
    smooth_max("*fp64", "*fp64", 1, 4096),
    smooth_max("*fp64", "*fp64", 1, 64, bits="i32"),  # as a smoothing below 1e-314 arrives
    mirror("*fp32"),
    mirror("*fp64"),
]
