"""Compilations that the check must refuse, each for a reason of its own."""

from __future__ import annotations

import triton
import triton.language as tl
from compilations import Compilation
from compilations.example import product, scale


@triton.jit
def crowded(x, y, SIZE: tl.constexpr):
    """Keeps more numbers than there are registers: a warp has all of them, twice."""
    at = tl.arange(0, SIZE)
    first, second = tl.load(x + at), tl.load(x + SIZE + at)
    for _ in range(8):
        first, second = first * second + tl.sum(first), second * first - tl.max(second)
    tl.store(y + at, first + second)


@triton.jit
def wrong(x):
    """Uses a name that is not there."""
    tl.store(x, nowhere)  # noqa: F821


POINTERS = {"x": "*fp32", "y": "*fp32"}
COMPILATIONS = [
    Compilation("spills", crowded, POINTERS, {"SIZE": 4096}, num_warps=1),
    Compilation(
        "scalar loads", scale, {**POINTERS, "length": "i32", "factor": "fp32"}, {"BLOCK": 2048}, expects=("vector loads",)
    ),
    Compilation(
        "scalar pointer",
        scale,
        {**POINTERS, "x": "*fp32:1", "length": "i32:16", "factor": "fp32"},
        {"BLOCK": 2048},
        4,
        ("vector loads",),
    ),
    Compilation(
        "no tensor cores", scale, {**POINTERS, "length": "i32", "factor": "fp32"}, {"BLOCK": 2048}, expects=("tensor cores",)
    ),
    Compilation(
        "too much shared memory", product, {"x": "*bf16", "y": "*bf16", "z": "*fp32"}, {"INNER": 512, "SIZE": 128}, 8, (), 6
    ),
    Compilation("does not compile", wrong, {"x": "*fp32"}, {}),
]
