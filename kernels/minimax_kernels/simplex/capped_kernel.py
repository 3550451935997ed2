"""Projection onto the simplex with caps on a GPU: one program a row, held in registers up to `RESIDENT` bytes, read again for each step beyond.

The sum of min((v - tau)+, cap) is no convex function of tau. So first the pivot, the least entry that is not 0: steps of Newton's method inside
a bracket, and where they leave it, or else every fourth time, bisection of the floating-point numbers, of which there are 2^32 or 2^64. Then
w = min(v - pivot + lift, cap) on the entries from the pivot up, where the sum is concave in the lift: Newton's method climbs from 0.
Only differences of entries are added up. Arithmetic in float32, in float64 for float64.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from minimax_kernels.triton_tools import device_of, power_of_two

RESIDENT = 1 << 15  # bytes of a row, and as many of its caps, that the registers of a program hold
BLOCK = 4096


@triton.jit
def _level_of(x, cap, pivot, lift):
    """Sum min(x - pivot + lift, cap) over the entries from the pivot up; how many are below their caps, the least; the largest of the others."""
    inside = x >= pivot
    height = (x - pivot) + lift
    total = tl.sum(tl.where(inside, tl.where(height >= cap, cap, height), 0.0), axis=0)
    free = tl.sum((inside & (height < cap)).to(tl.int32), axis=0)
    least = tl.min(tl.where(inside, x, float("inf")), axis=0)
    return total, free, least, tl.max(tl.where(inside, -float("inf"), x), axis=0)


@triton.jit
def _level(v, caps, length, x, cap, pivot, lift, RESIDENT: tl.constexpr, BLOCK: tl.constexpr, COMPUTE: tl.constexpr):
    """`_level_of` the row: of `x` and `cap`, and of the blocks after them."""
    total, free, least, below = _level_of(x, cap, pivot, lift)
    if not RESIDENT:
        start = BLOCK
        while start < length:
            at = tl.multiple_of(start, BLOCK) + tl.arange(0, BLOCK)
            more = tl.load(v + at, mask=at < length, other=-float("inf")).to(COMPUTE)
            bound = tl.load(caps + at, mask=at < length, other=0.0).to(COMPUTE)
            more_total, more_free, more_least, more_below = _level_of(more, bound, pivot, lift)
            total += more_total
            free += more_free
            least = tl.minimum(least, more_least)
            below = tl.maximum(below, more_below)
            start += BLOCK
    return total, free, least, below


@triton.jit
def _place(x, WORD: tl.constexpr, LARGEST: tl.constexpr):
    """The place of a number among all floating-point numbers, 0 for both zeros."""
    bits = x.to(WORD, bitcast=True)
    return tl.where(bits >= 0, bits, (bits ^ LARGEST) + 1)


@triton.jit
def _number(place, LARGEST: tl.constexpr, COMPUTE: tl.constexpr):
    """The number at that place."""
    return tl.where(place >= 0, place, (place - 1) ^ LARGEST).to(COMPUTE, bitcast=True)


@triton.jit
def project_capped_row(
    v,
    caps,
    w,
    length,
    cap_stride,
    scale: tl.float64,
    LARGEST: tl.constexpr,
    WORD: tl.constexpr,
    COMPUTE: tl.constexpr,
    RESIDENT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Project one row: w = min((v - tau)+, cap). Grid: rows. Resident: reads v and caps once, writes w once."""
    row = tl.program_id(0).to(tl.int64)
    v += row * length
    w += row * length
    caps += row * cap_stride
    column = tl.arange(0, BLOCK)
    x = tl.load(v + column, mask=column < length, other=-float("inf")).to(COMPUTE)
    cap = tl.load(caps + column, mask=column < length, other=0.0).to(COMPUTE)
    goal = tl.sum(tl.zeros([1], tl.float64) + scale, axis=0).to(COMPUTE)
    zero = goal * 0.0

    top = tl.max(x, axis=0)
    wrong = tl.max((x != x).to(tl.int32), axis=0)
    if not RESIDENT:
        start = BLOCK
        while start < length:
            at = tl.multiple_of(start, BLOCK) + column
            more = tl.load(v + at, mask=at < length, other=-float("inf")).to(COMPUTE)
            top = tl.maximum(top, tl.max(more, axis=0))
            wrong = tl.maximum(wrong, tl.max((more != more).to(tl.int32), axis=0))
            start += BLOCK
    wrong = tl.where((top > -float("inf")) & (top < float("inf")), wrong, 1)
    top = tl.where(wrong > 0, 0.0, top)
    least_finite = _number(_place(zero - float("inf"), WORD, LARGEST) + 1, LARGEST, COMPUTE)
    _total, _free, bottom, _below = _level(v, caps, length, x, cap, least_finite, zero, RESIDENT, BLOCK, COMPUTE)
    _total, _free, pivot, below = _level(v, caps, length, x, cap, top, zero, RESIDENT, BLOCK, COMPUTE)

    low = _place(bottom, WORD, LARGEST) - 1  # the sum is too large here, or nothing is below
    high = _place(below, WORD, LARGEST)  # the largest that is left
    guess = top - goal
    step = 1
    while (high > low) & (wrong == 0):
        t = tl.minimum(guess, below)
        middle = (low >> 1) + (high >> 1) + ((low | high) & 1)  # rounded up
        t = tl.where((_place(t, WORD, LARGEST) > low) & (step % 4 != 0), t, _number(middle, LARGEST, COMPUTE))
        total, free, least, next_below = _level(v, caps, length, x, cap, t, zero, RESIDENT, BLOCK, COMPUTE)
        over = total - goal
        low = tl.where(over > 0, _place(t, WORD, LARGEST), low)
        pivot = tl.where(over > 0, pivot, least)
        below = tl.where(over > 0, below, next_below)
        high = _place(below, WORD, LARGEST)
        guess = tl.where(free > 0, t + over / tl.maximum(free, 1).to(COMPUTE), -float("inf"))
        step += 1

    lift = zero
    previous = -1
    moving = 1 - wrong
    while moving > 0:
        total, free, _least, _below = _level(v, caps, length, x, cap, pivot, lift, RESIDENT, BLOCK, COMPUTE)
        move = tl.where(free > 0, (goal - total) / tl.maximum(free, 1).to(COMPUTE), 0.0)
        lift = tl.where((move > 0) | (free == previous), lift + move, lift)
        moving = tl.where((move > 0) & (free != previous), 1, 0)
        previous = free

    start = 0
    while start < length:
        at = tl.multiple_of(start, BLOCK) + column
        entry = tl.load(v + at, mask=at < length, other=0.0).to(COMPUTE)
        bound = tl.load(caps + at, mask=at < length, other=0.0).to(COMPUTE)
        height = (entry - pivot) + lift
        result = tl.where(entry < pivot, 0.0, tl.where(height >= bound, bound, height))
        tl.store(w + at, tl.where(wrong > 0, float("nan"), result), mask=at < length)
        start += BLOCK


def project_capped_simplex(v: Tensor, caps: Tensor, cap_stride: int, scale: float) -> Tensor:
    """The projection of each row of `v`; the caps of the next row are `cap_stride` further on. All contiguous, float32 or float64."""
    w = torch.empty_like(v)
    length = v.shape[-1]
    rows = v.numel() // length
    if rows == 0:
        return w
    constants, warps = configuration(v.dtype, length)
    with device_of(v):
        project_capped_row[(rows,)](v, caps, w, length, cap_stride, scale, **constants, num_warps=warps)
    return w


def configuration(dtype: torch.dtype, length: int) -> tuple[dict[str, object], int]:
    """The constants of the kernel and its warps."""
    block = power_of_two(length) if length * dtype.itemsize <= RESIDENT else BLOCK
    word, largest, compute = (tl.int64, 2**63 - 1, tl.float64) if dtype == torch.float64 else (tl.int32, 2**31 - 1, tl.float32)
    constants = {"LARGEST": largest, "WORD": word, "COMPUTE": compute, "RESIDENT": length <= block, "BLOCK": block}
    return constants, min(max(block * dtype.itemsize // 2048, 1), 16)


__all__ = ["project_capped_simplex"]
