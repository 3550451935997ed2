"""Losses of patches (N, P) on CUDA: a single read forward; backward a read of what is in use and a write of everything.

A program owns ROWS patches; the loads of patches that are not in use are predicated off. Patches of more than BLOCK entries are read in
pieces, their targets once more for the mean and once more for the variance if they are to be normalised, from the cache. Arithmetic is in
float32, in float64 for float64. Nothing is shared between programs.
"""

from __future__ import annotations

import triton
import triton.language as tl

from minimax_kernels import samples
from minimax_kernels.masked_mse import composed

EPSILON = tl.constexpr(composed.EPSILON)
LEFT_OUT = tl.constexpr(samples.LEFT_OUT)


@triton.jit
def moments(target, rows, live, PATCH: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, WIDE: tl.constexpr):
    """Of each patch of the target its mean, and one over its standard deviation. `rows` are offsets of patches."""
    columns = tl.arange(0, BLOCK)[None, :]
    total = tl.zeros([ROWS, BLOCK], WIDE)
    for offset in range(0, PATCH, BLOCK):
        inside = live[:, None] & (offset + columns < PATCH)
        total += tl.load(target + rows[:, None] + (offset + columns), mask=inside, other=0.0).to(WIDE)
    mean = tl.sum(total, axis=1) / PATCH
    squares = tl.zeros([ROWS, BLOCK], WIDE)
    for offset in range(0, PATCH, BLOCK):
        inside = live[:, None] & (offset + columns < PATCH)
        t = tl.load(target + rows[:, None] + (offset + columns), mask=inside, other=0.0).to(WIDE)
        t = tl.where(inside, t - mean[:, None], 0.0)
        squares += t * t
    variance = tl.sum(squares, axis=1) / (PATCH - 1)
    return mean, 1.0 / tl.sqrt(variance + EPSILON)


@triton.jit
def forward_kernel(
    pred, target, mask, task_ids, losses, tasks, means, scales, n_rows, pred_stride, target_stride, n_tasks, ignore_index,
    KIND: tl.constexpr, BETA: tl.constexpr, NORMALIZE: tl.constexpr,
    PATCH: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Grid (ceil(N / ROWS),)."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    there = row < n_rows
    task = tl.load(task_ids + row, mask=there, other=LEFT_OUT)
    live = (tl.load(mask + row, mask=there, other=0) != 0) & (task != ignore_index) & (task >= 0) & (task < n_tasks)
    if NORMALIZE:
        mean, scale = moments(target, row * target_stride, live, PATCH, ROWS, BLOCK, WIDE)
        tl.store(means + row, tl.where(live, mean, 0.0), mask=there)
        tl.store(scales + row, tl.where(live, scale, 0.0), mask=there)
    columns = tl.arange(0, BLOCK)[None, :]
    total = tl.zeros([ROWS, BLOCK], WIDE)
    for offset in range(0, PATCH, BLOCK):
        inside = live[:, None] & (offset + columns < PATCH)
        x = tl.load(pred + (row * pred_stride)[:, None] + (offset + columns), mask=inside, other=0.0).to(WIDE)
        t = tl.load(target + (row * target_stride)[:, None] + (offset + columns), mask=inside, other=0.0).to(WIDE)
        if NORMALIZE:
            t = tl.where(inside, (t - mean[:, None]) * scale[:, None], 0.0)
        d = x - t
        if KIND == "l2":
            total += d * d
        elif KIND == "l1":
            total += tl.abs(d)
        else:
            size = tl.abs(d)
            total += tl.where(size < BETA, d * d * (0.5 / BETA), size - 0.5 * BETA)
    tl.store(losses + row, tl.where(live, tl.sum(total, axis=1) / PATCH, 0.0), mask=there)
    tl.store(tasks + row, tl.where(live, task.to(tl.int64), LEFT_OUT), mask=there)


@triton.jit
def backward_kernel(
    grad, grad_losses, pred, target, tasks, means, scales, n_rows, pred_stride, target_stride,
    KIND: tl.constexpr, BETA: tl.constexpr, NORMALIZE: tl.constexpr,
    PATCH: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Grid (ceil(N / ROWS),). Patches of weight 0 are not read."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    there = row < n_rows
    kept = tl.load(tasks + row, mask=there, other=LEFT_OUT) >= 0
    w = tl.load(grad_losses + row, mask=kept, other=0.0)
    live = w != 0
    w = w / PATCH
    if NORMALIZE:
        mean = tl.load(means + row, mask=live, other=0.0)
        scale = tl.load(scales + row, mask=live, other=0.0)
    columns = tl.arange(0, BLOCK)[None, :]
    for offset in range(0, PATCH, BLOCK):
        inside = there[:, None] & (offset + columns < PATCH)
        read = live[:, None] & (offset + columns < PATCH)
        x = tl.load(pred + (row * pred_stride)[:, None] + (offset + columns), mask=read, other=0.0).to(WIDE)
        t = tl.load(target + (row * target_stride)[:, None] + (offset + columns), mask=read, other=0.0).to(WIDE)
        if NORMALIZE:
            t = (t - mean[:, None]) * scale[:, None]
        d = x - t
        if KIND == "l2":
            slope = 2.0 * d
        elif KIND == "l1":
            slope = tl.where(d > 0, 1.0, tl.where(d < 0, -1.0, d))  # d, so that nan stays
        else:
            slope = tl.where(tl.abs(d) < BETA, d / BETA, tl.where(d > 0, 1.0, tl.where(d < 0, -1.0, d)))
        slope = tl.where(read, w[:, None] * slope, 0.0)
        tl.store(grad + (row * PATCH)[:, None] + (offset + columns), slope.to(grad.dtype.element_ty), mask=inside)


__all__ = ["backward_kernel", "forward_kernel"]
