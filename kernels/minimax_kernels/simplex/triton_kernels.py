"""Projection onto the simplex on a GPU, and its derivative: rows up to `RESIDENT` in registers, longer ones through memory.

Newton's method climbs to tau from `scale` under the largest entry and is there when the number of entries above it stays the same: about 3 to 14
steps, at most log4(K^2 / eps). tau is kept as high + low, exactly as it comes out: were it rounded, the entries within its last digit would
be lost, and with many of them the sum. All arithmetic is in float32, in float64 for float64. Only comparisons that are false for nan decide
what is 0, so that nan spreads to its whole row. One program computes a row, in an order that depends on the shape alone.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minimax_kernels.simplex.capped_kernel import project_capped_simplex
from minimax_kernels.triton_tools import cdiv, device_of, power_of_two

RESIDENT = 1 << 16  # bytes, in the dtype of the arithmetic, of a row that the registers of a program hold
TILE = 2048  # entries that short rows fill up together
LONG_BLOCK, LONG_WARPS = 4096, 8


@triton.jit
def _finite(top):
    """The largest entry of a row if it is finite, else nan, which makes the whole row nan."""
    return tl.where((top > -float("inf")) & (top < float("inf")), top, float("nan"))


@triton.jit
def project_short_rows(v, w, rows, length, scale: tl.float64, ROWS: tl.constexpr, BLOCK: tl.constexpr, COMPUTE: tl.constexpr):
    """Project `ROWS` rows that fit into registers: w = (v - tau)+. Grid: rows / ROWS. Reads v once, writes w once."""
    row = tl.minimum(
        tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS), rows - 1
    )  # the last more than once: the same result
    column = tl.arange(0, BLOCK)
    at = row[:, None] * length + column[None, :]
    here = column[None, :] < length
    x = tl.load(v + at, mask=here, other=-float("inf")).to(COMPUTE)
    x = x - _finite(tl.max(x, axis=1))[:, None]
    total = tl.zeros([ROWS], tl.float64) + scale
    goal = total.to(COMPUTE)
    high = -goal
    low = (goal - total).to(COMPUTE)
    previous = tl.full([ROWS], -1, tl.int32)
    moving = tl.full([ROWS], 1, tl.int32)
    while tl.max(moving, axis=0) > 0:
        t = (x - high[:, None]) - low[:, None]
        size = tl.sum(tl.where(t <= 0, 0, 1), axis=1)
        move = (tl.sum(tl.where(t <= 0, 0.0, t), axis=1) - goal) / size.to(COMPUTE)
        settled = size == previous
        apply = (moving > 0) & (settled | ((move <= 0) == 0))
        climb = low + move
        step = high + climb
        low = tl.where(apply, climb - (step - high), low)
        high = tl.where(apply, step, high)
        moving = tl.where((move > 0) & (size != previous), moving, 0)
        previous = size
    t = (x - high[:, None]) - low[:, None]
    tl.store(w + at, tl.where(t <= 0, 0.0, t), mask=here)


@triton.jit
def project_long_row(v, w, length, scale: tl.float64, SLACK: tl.constexpr, BLOCK: tl.constexpr, COMPUTE: tl.constexpr):
    """Project one row: w = (v - tau)+. Grid: rows. Reads v three times, writes w once.

    The second pass moves what may be in the support to the start of w: the entries above a lower bound of tau, the threshold of the simplex for
    the entries moved so far (of any subset it is at most tau), less `SLACK` for rounding. Newton's method runs on them.
    """
    row = tl.program_id(0).to(tl.int64) * length
    column = tl.arange(0, BLOCK)
    tops = tl.full([BLOCK], -float("inf"), COMPUTE)
    start = 0
    while start < length:
        at = tl.multiple_of(start, BLOCK) + column
        tops = tl.maximum(tops, tl.load(v + row + at, mask=at < length, other=-float("inf")).to(COMPUTE))
        start += BLOCK
    top = _finite(tl.max(tops, axis=0))
    exact = tl.sum(tl.zeros([1], tl.float64) + scale, axis=0)
    goal = exact.to(COMPUTE)
    bound = -goal * (1 + SLACK)
    mass = exact * 0.0
    kept = 0
    wrong = 0
    start = 0
    while start < length:
        at = tl.multiple_of(start, BLOCK) + column
        entry = tl.load(v + row + at, mask=at < length, other=-float("inf"))
        x = entry.to(COMPUTE) - top
        wrong = tl.maximum(wrong, tl.max((x != x).to(tl.int32), axis=0))
        keep = x > bound
        count = tl.sum(keep.to(tl.int32), axis=0)
        if count > 0:
            tl.store(w + row + kept + tl.cumsum(keep.to(tl.int32), axis=0) - 1, entry, mask=keep)
            mass += tl.sum(tl.where(keep, x + goal, 0.0), axis=0).to(tl.float64)
            kept += count
            threshold = (mass - exact) / kept - exact
            bound = tl.maximum(bound, (threshold - SLACK * exact).to(COMPUTE))
        start += BLOCK
    tl.debug_barrier()  # other threads read what was written
    high = bound
    low = goal * 0.0
    previous = -1
    moving = 1 - wrong
    while moving > 0:
        sums = tl.zeros([BLOCK], COMPUTE)
        counts = tl.zeros([BLOCK], tl.int32)
        start = 0
        while start < kept:
            at = tl.multiple_of(start, BLOCK) + column
            x = tl.load(w + row + at, mask=at < kept, other=-float("inf")).to(COMPUTE) - top
            t = (x - high) - low
            sums += tl.where(t <= 0, 0.0, t)
            counts += tl.where(t <= 0, 0, 1)
            start += BLOCK
        size = tl.sum(counts, axis=0)
        move = (tl.sum(sums, axis=0) - goal) / size.to(COMPUTE)
        apply = (move > 0) | (size == previous)
        climb = low + move
        step = high + climb
        low = tl.where(apply, climb - (step - high), low)
        high = tl.where(apply, step, high)
        moving = tl.where((move > 0) & (size != previous), 1, 0)
        previous = size
    low = tl.where(wrong > 0, float("nan"), low)
    tl.debug_barrier()  # all have read the start of w
    start = 0
    while start < length:
        at = tl.multiple_of(start, BLOCK) + column
        x = tl.load(v + row + at, mask=at < length, other=-float("inf")).to(COMPUTE) - top
        t = (x - high) - low
        tl.store(w + row + at, tl.where(t <= 0, 0.0, t), mask=at < length)
        start += BLOCK


@triton.jit
def tangent_rows(w, g, out, rows, length, ROWS: tl.constexpr, BLOCK: tl.constexpr, COMPUTE: tl.constexpr):
    """Take the mean over w > 0 off g there, and give 0 elsewhere. Grid: rows / ROWS. Reads w and g twice, from cache the second time."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, BLOCK)
    total = tl.zeros([ROWS, BLOCK], COMPUTE)
    size = tl.zeros([ROWS, BLOCK], tl.int32)
    start = 0
    while start < length:
        at = row[:, None] * length + (tl.multiple_of(start, BLOCK) + column)[None, :]
        here = (row[:, None] < rows) & ((tl.multiple_of(start, BLOCK) + column)[None, :] < length)
        inside = tl.load(w + at, mask=here, other=0.0).to(COMPUTE) > 0
        total += tl.where(inside, tl.load(g + at, mask=here, other=0.0).to(COMPUTE), 0.0)
        size += inside.to(tl.int32)
        start += BLOCK
    mean = tl.sum(total, axis=1) / tl.maximum(tl.sum(size, axis=1), 1).to(COMPUTE)
    start = 0
    while start < length:
        at = row[:, None] * length + (tl.multiple_of(start, BLOCK) + column)[None, :]
        here = (row[:, None] < rows) & ((tl.multiple_of(start, BLOCK) + column)[None, :] < length)
        inside = tl.load(w + at, mask=here, other=0.0).to(COMPUTE) > 0
        tl.store(out + at, tl.where(inside, tl.load(g + at, mask=here, other=0.0).to(COMPUTE) - mean[:, None], 0.0), mask=here)
        start += BLOCK


def project_simplex(v: Tensor, scale: float) -> Tensor:
    """The projection of each row of `v`, which is contiguous."""
    w = torch.empty_like(v)
    length = v.shape[-1]
    rows = v.numel() // length
    if rows == 0:
        return w
    compute = compute_dtype(v)
    with device_of(v):
        if length > resident(v.dtype):
            constants = {"SLACK": slack(v.dtype), "BLOCK": LONG_BLOCK, "COMPUTE": compute}
            project_long_row[(rows,)](v, w, length, scale, **constants, num_warps=LONG_WARPS)
        else:
            tile, block, warps = tiling(length, resident(v.dtype))
            grid = (cdiv(rows, tile),)
            project_short_rows[grid](v, w, rows, length, scale, ROWS=tile, BLOCK=block, COMPUTE=compute, num_warps=warps)
    return w


def simplex_tangent(w: Tensor, g: Tensor) -> Tensor:
    """The Jacobian of the projection at its result `w`, times `g`; both contiguous."""
    out = torch.empty_like(g)
    length = w.shape[-1]
    rows = w.numel() // length
    if rows == 0:
        return out
    tile, block, warps = tiling(length, LONG_BLOCK)
    with device_of(w):
        grid = (cdiv(rows, tile),)
        tangent_rows[grid](w, g, out, rows, length, ROWS=tile, BLOCK=block, COMPUTE=compute_dtype(w), num_warps=warps)
    return out


def compute_dtype(v: Tensor) -> tl.dtype:
    """The dtype of the arithmetic for `v`."""
    return tl.float64 if v.dtype == torch.float64 else tl.float32


def resident(dtype: torch.dtype) -> int:
    """The longest row that stays in registers."""
    return RESIDENT // (8 if dtype == torch.float64 else 4)


def slack(dtype: torch.dtype) -> float:
    """What rounding may do to a lower bound of tau, relative to the scale."""
    return 64 * torch.finfo(torch.float64 if dtype == torch.float64 else torch.float32).eps


def tiling(length: int, most: int) -> tuple[int, int, int]:
    """Rows and columns of a program's tile, and its warps."""
    block = power_of_two(length, most=most)
    rows = max(TILE // block, 1)
    return rows, block, min(max(rows * block // 1024, 4), 16)


__all__ = ["project_capped_simplex", "project_simplex", "simplex_tangent"]
