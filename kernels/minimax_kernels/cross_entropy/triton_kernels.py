"""Cross-entropy of rows of logits (N, V) on CUDA: a single read forward, a read and a write backward, whatever V is.

Rows of odd length start anywhere: from each row the long kernels take the part between two multiples of 16 bytes by vector loads, and what
is left at its two ends, less than 32 bytes, at once by another. Arithmetic is in float32, in float64 for float64. One program owns a row,
so that nothing is shared and nothing depends on the order in which programs run. Left-out rows and, backward, rows of weight 0 are not read.
"""

from __future__ import annotations

import triton
import triton.language as tl

from minimax_kernels import samples, triton_tools
from minimax_kernels.triton_kernels import soft_cap

LOG2_E = tl.constexpr(triton_tools.LOG2_E)
LEFT_OUT = tl.constexpr(samples.LEFT_OUT)


@triton.jit
def capped(x, SOFTCAP: tl.constexpr):
    """The logits, capped if there is a cap."""
    return soft_cap(x, SOFTCAP) if SOFTCAP > 0 else x


@triton.jit
def kept_task(target, task, n_classes, n_tasks, ignore_index):
    """The task of a row as int64, LEFT_OUT where its target or its task is ignored or out of range."""
    kept = (target != ignore_index) & (target >= 0) & (target < n_classes)
    kept = kept & (task != ignore_index) & (task >= 0) & (task < n_tasks)
    return tl.where(kept, task.to(tl.int64), LEFT_OUT)


@triton.jit
def finite(top):
    """`top`, or 0 where it is -inf: what may be subtracted from entries up to `top` without a nan."""
    return tl.where(top == float("-inf"), 0.0, top)


@triton.jit
def extent(row, stride, n_classes, PIECE: tl.constexpr):
    """Where the row starts, and the first and last multiple of PIECE within it, as offsets from the start of the logits."""
    start = row.to(tl.int64) * stride
    first = tl.cdiv(start, PIECE) * PIECE
    return start, first, (start + n_classes) // PIECE * PIECE


@triton.jit
def end_columns(start, first, last, n_classes, PIECE: tl.constexpr):
    """The columns before `first` and from `last`, in 2 PIECE lanes, and which lanes have one."""
    lane = tl.arange(0, 2 * PIECE)
    head = (first - start).to(tl.int32)
    columns = tl.where(lane < PIECE, lane, lane - PIECE + (last - start).to(tl.int32))
    return columns, columns < tl.where(lane < PIECE, head, n_classes)


@triton.jit
def long_forward(
    logits, targets, task_ids, losses, largest, log_sums, tasks, stride, n_tasks, ignore_index,
    N_CLASSES: tl.constexpr, SMOOTHING: tl.constexpr, SOFTCAP: tl.constexpr, LANES: tl.constexpr, PIECE: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Grid (N,). Each of LANES lanes keeps the maximum and the sum of its own entries; they meet once, at the end of the row.

    A lane adds PIECE entries (16 bytes) at a time: 1 + 1 / PIECE exponentials an entry instead of 2.
    """
    row = tl.program_id(0)
    target = tl.load(targets + row)
    task = kept_task(target, tl.load(task_ids + row), N_CLASSES, n_tasks, ignore_index)
    kept = task >= 0
    start, first, last = extent(row, stride, N_CLASSES, PIECE)
    fit = capped(tl.load(logits + start + target, mask=kept, other=0.0).to(WIDE), SOFTCAP)

    columns, inside = end_columns(start, first, last, N_CLASSES, PIECE)
    inside = inside & (columns < tl.where(kept, N_CLASSES, 0))
    ends = capped(tl.load(logits + start + columns, mask=inside, other=0.0).to(WIDE), SOFTCAP)
    excess = tl.sum(tl.where(inside, ends - fit, 0.0), axis=0)
    ends = tl.where(inside, ends, float("-inf"))

    pieces = tl.arange(0, LANES)[:, None] * PIECE + tl.arange(0, PIECE)[None, :]
    tops = tl.full([LANES], float("-inf"), WIDE)
    sums = tl.zeros([LANES], WIDE)
    excesses = tl.zeros([LANES], WIDE)
    length = (last - first).to(tl.int32)
    if kept:
        for offset in range(0, N_CLASSES, LANES * PIECE):
            present = offset + pieces < length
            z = capped(tl.load(logits + first + (offset + pieces), mask=present, other=0.0).to(WIDE), SOFTCAP)
            if SMOOTHING > 0:
                excesses += tl.sum(tl.where(present, z - fit, 0.0), axis=1)
            z = tl.where(present, z, float("-inf"))
            raised = tl.maximum(tops, tl.max(z, axis=1))
            base = finite(raised)
            sums = sums * tl.exp2((tops - base) * LOG2_E) + tl.sum(tl.exp2((z - base[:, None]) * LOG2_E), axis=1)
            tops = raised

    top = tl.maximum(tl.max(ends, axis=0), tl.max(tops, axis=0))
    base = finite(top)
    total = tl.sum(sums * tl.exp2((tops - base) * LOG2_E), axis=0)
    total += tl.sum(tl.exp2((ends - base) * LOG2_E), axis=0)
    log_sum = tl.log(tl.where(kept, total, 1.0))
    loss = log_sum - (fit - base)
    if SMOOTHING > 0:
        loss -= SMOOTHING * ((excess + tl.sum(excesses, axis=0)) / N_CLASSES)
    tl.store(losses + row, tl.where(kept, loss, 0.0))
    tl.store(largest + row, tl.where(kept, base, 0.0))
    tl.store(log_sums + row, log_sum)
    tl.store(tasks + row, task)


@triton.jit
def short_forward(
    logits, targets, task_ids, losses, largest, log_sums, tasks, stride, n_rows, n_classes, n_tasks, ignore_index,
    SMOOTHING: tl.constexpr, SOFTCAP: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Grid (ceil(N / ROWS),). ROWS whole rows in registers."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    there = row < n_rows
    target = tl.load(targets + row, mask=there, other=LEFT_OUT)
    task = tl.load(task_ids + row, mask=there, other=LEFT_OUT)
    task = kept_task(target, task, n_classes, n_tasks, ignore_index)
    kept = task >= 0
    columns = tl.arange(0, BLOCK)[None, :]
    inside = (columns < n_classes) & kept[:, None]
    z = capped(tl.load(logits + row[:, None] * stride + columns, mask=inside, other=0.0).to(WIDE), SOFTCAP)
    fit = tl.sum(tl.where(columns == target[:, None], z, 0.0), axis=1)
    excess = tl.sum(tl.where(inside, z - fit[:, None], 0.0), axis=1)
    z = tl.where(inside, z, float("-inf"))
    base = finite(tl.max(z, axis=1))
    total = tl.sum(tl.exp2((z - base[:, None]) * LOG2_E), axis=1)
    log_sum = tl.log(tl.where(kept, total, 1.0))
    loss = log_sum - (fit - base)
    if SMOOTHING > 0:
        loss -= SMOOTHING * (excess / n_classes)
    tl.store(losses + row, tl.where(kept, loss, 0.0), mask=there)
    tl.store(largest + row, tl.where(kept, base, 0.0), mask=there)
    tl.store(log_sums + row, log_sum, mask=there)
    tl.store(tasks + row, task, mask=there)


@triton.jit
def slopes(x, hit, w, scale, base, log_sum, n_classes, SMOOTHING: tl.constexpr, SOFTCAP: tl.constexpr):
    """The derivative scale p - w e at the logits x. The 1 at the target is subtracted before anything is rounded to the logits' dtype."""
    z = capped(x, SOFTCAP)
    slope = scale * tl.exp2(((z - base) - log_sum) * LOG2_E) - tl.where(hit, w * (1.0 - SMOOTHING), 0.0)
    if SMOOTHING > 0:
        slope -= w * SMOOTHING / n_classes
    if SOFTCAP > 0:
        tanh = z / SOFTCAP
        slope = slope * (1.0 - tanh * tanh)
    return slope


@triton.jit
def long_backward(
    grad, grad_losses, grad_log_sums, logits, targets, tasks, largest, log_sums, grad_stride, stride,
    N_CLASSES: tl.constexpr, SMOOTHING: tl.constexpr, SOFTCAP: tl.constexpr, ALIKE: tl.constexpr,
    LANES: tl.constexpr, PIECE: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Grid (N,). `grad` may be `logits`: each entry is read before it is written, by the thread that writes it, and never again.

    ALIKE: both have the same stride, hence the same offsets, which makes the stores vector stores.
    """
    row = tl.program_id(0)
    kept = tl.load(tasks + row) >= 0
    w = tl.where(kept, tl.load(grad_losses + row), 0.0)
    scale = tl.where(kept, w + tl.load(grad_log_sums + row), 0.0)
    live = (w != 0) | (scale != 0)
    base = tl.load(largest + row)
    log_sum = tl.load(log_sums + row)
    target = tl.load(targets + row).to(tl.int32)
    start, first, last = extent(row, stride, N_CLASSES, PIECE)
    into = start if ALIKE else row.to(tl.int64) * grad_stride

    columns, inside = end_columns(start, first, last, N_CLASSES, PIECE)
    end_read = inside & (columns < tl.where(live, N_CLASSES, 0))
    ends = tl.load(logits + start + columns, mask=end_read, other=float("-inf")).to(WIDE)
    end_slopes = slopes(ends, columns == target, w, scale, base, log_sum, N_CLASSES, SMOOTHING, SOFTCAP)
    tl.store(grad + into + columns, tl.where(end_read, end_slopes, 0.0).to(grad.dtype.element_ty), mask=inside)

    pieces = tl.arange(0, LANES)[:, None] * PIECE + tl.arange(0, PIECE)[None, :]
    body = first if ALIKE else into + (first - start)
    target -= (first - start).to(tl.int32)
    length = (last - first).to(tl.int32)
    reach = tl.where(live, length, 0)  # how far the row is read
    for offset in range(0, N_CLASSES, LANES * PIECE):
        column = offset + pieces
        present = column < length
        read = column < reach
        x = tl.load(logits + first + column, mask=read, other=float("-inf")).to(WIDE)
        slope = slopes(x, column == target, w, scale, base, log_sum, N_CLASSES, SMOOTHING, SOFTCAP)
        tl.store(grad + body + column, tl.where(read, slope, 0.0).to(grad.dtype.element_ty), mask=present)


@triton.jit
def short_backward(
    grad, grad_losses, grad_log_sums, logits, targets, tasks, largest, log_sums, grad_stride, stride, n_rows, n_classes,
    SMOOTHING: tl.constexpr, SOFTCAP: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Grid (ceil(N / ROWS),). `grad` may be `logits`."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    there = row < n_rows
    kept = tl.load(tasks + row, mask=there, other=LEFT_OUT) >= 0
    w = tl.load(grad_losses + row, mask=kept, other=0.0)
    scale = w + tl.load(grad_log_sums + row, mask=kept, other=0.0)
    live = ((w != 0) | (scale != 0))[:, None]
    base = tl.load(largest + row, mask=kept, other=0.0)[:, None]
    log_sum = tl.load(log_sums + row, mask=kept, other=0.0)[:, None]
    hit = tl.load(targets + row, mask=kept, other=LEFT_OUT)[:, None]
    columns = tl.arange(0, BLOCK)[None, :]
    inside = (columns < n_classes) & there[:, None]
    x = tl.load(logits + row[:, None] * stride + columns, mask=inside & live, other=float("-inf")).to(WIDE)
    slope = slopes(x, columns == hit, w[:, None], scale[:, None], base, log_sum, n_classes, SMOOTHING, SOFTCAP)
    tl.store(grad + row[:, None] * grad_stride + columns, tl.where(live, slope, 0.0).to(grad.dtype.element_ty), mask=inside)


__all__ = ["long_backward", "long_forward", "short_backward", "short_forward"]
