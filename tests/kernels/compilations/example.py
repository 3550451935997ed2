"""Small kernels that show how a family states its compilations, and keep the check itself under test."""

from __future__ import annotations

import triton
import triton.language as tl

from compilations import Compilation


@triton.jit
def scale(x, y, length, factor, BLOCK: tl.constexpr):
    """y = factor x, in one pass."""
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    kept = at < length
    tl.store(y + at, tl.load(x + at, mask=kept).to(tl.float32) * factor, mask=kept)


@triton.jit
def product(x, y, z, INNER: tl.constexpr, SIZE: tl.constexpr):
    """z = x y for one tile of `SIZE` rows and columns, over `INNER` columns of x."""
    rows, columns = tl.arange(0, SIZE)[:, None], tl.arange(0, SIZE)[None, :]
    total = tl.zeros((SIZE, SIZE), tl.float32)
    for start in range(0, INNER, SIZE):
        left = tl.load(x + rows * INNER + start + columns)
        right = tl.load(y + (start + rows) * SIZE + columns)
        total += tl.dot(left, right)
    tl.store(z + rows * SIZE + columns, total)


COMPILATIONS = [
    Compilation(
        "scale",
        scale,
        {"x": "*bf16", "y": "*fp32", "length": "i32:16", "factor": "fp32"},
        {"BLOCK": 2048},
        expects=("vector loads", "vector stores"),
    ),
    Compilation(
        "product",
        product,
        {"x": "*bf16", "y": "*bf16", "z": "*fp32"},
        {"INNER": 256, "SIZE": 64},
        expects=("tensor cores", "vector loads"),
    ),
]
