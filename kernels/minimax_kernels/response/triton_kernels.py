"""The responses in Triton.

- `smooth_max_kernel`: a program has ROWS rows, in pieces of BLOCK; `mirror_kernel`: one row. Three passes over rows of any length, two of them in
  cache. Both compute in the dtype of the result.
- `step_kernel`: one launch that reduces as `reduce_kernel` does; the program that arrives last responds in float64 and writes w_k / n_k, and up to
  8192 samples their weights. One block moves some 100 GB/s: at 1M samples that takes 120 microseconds, a second launch, `spread_kernel`, 3.
"""

from __future__ import annotations

import triton
import triton.language as tl

from minimax_kernels.reduce.triton_kernels import arrives_last, merged, span_partials, store_partials
from minimax_kernels.triton_kernels import number

PIECE = tl.constexpr(1024)  # samples that the last program weighs at a time


@triton.jit
def _counted(losses, prior, rows, at, n_rows, length, WIDE: tl.constexpr, PRIOR: tl.constexpr):
    """A piece of the losses, -inf where a task does not count, and of the prior."""
    inside = (rows < n_rows) & (at < length)
    q = tl.load(prior + at, mask=at < length, other=0.0).to(WIDE) if PRIOR else tl.where(at < length, 1.0, 0.0).to(WIDE)
    f = tl.load(losses + rows * length + at, mask=inside, other=-float("inf")).to(WIDE)
    return tl.where(q > 0, f, -float("inf")), q


@triton.jit
def _shares(f, q, base, nothing, s, SMOOTH: tl.constexpr):
    """What the weights are in proportion to; the prior, where nothing counts."""
    return q * tl.exp(tl.where(nothing, 0.0, f - base) / s) if SMOOTH else tl.where(nothing | (f == base), q, 0.0)


@triton.jit(do_not_specialize=["smoothing"])
def smooth_max_kernel(
    losses, prior, value, weights, smoothing, n_rows, length, ROWS: tl.constexpr, BLOCK: tl.constexpr, PRIOR: tl.constexpr,
    SMOOTH: tl.constexpr,
):  # fmt: skip
    """First the largest loss and the mass of the prior, then the sum of the shares, then the weights."""
    WIDE: tl.constexpr = weights.dtype.element_ty
    s = number(smoothing).to(WIDE)
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    rows, columns = row[:, None], tl.arange(0, BLOCK)[None, :]
    top, bad = tl.full((ROWS, BLOCK), -float("inf"), WIDE), tl.zeros((ROWS, BLOCK), WIDE)
    mass = tl.zeros((ROWS, BLOCK), WIDE)
    start = length * 0
    while start < length:
        f, q = _counted(losses, prior, rows, start + columns, n_rows, length, WIDE, PRIOR)
        top = tl.maximum(top, f)
        bad = tl.where((f == f) & (f < float("inf")), bad, float("nan"))
        mass += q
        start += BLOCK
    largest = tl.max(top, 1)[:, None]
    nothing = largest == -float("inf")
    base = tl.where(nothing, 0.0, largest)
    total = bad
    start = length * 0
    while start < length:
        f, q = _counted(losses, prior, rows, start + columns, n_rows, length, WIDE, PRIOR)
        total += _shares(f, q, base, nothing, s, SMOOTH)
        start += BLOCK
    sums = tl.sum(total, 1)[:, None]
    share = tl.log(sums / tl.sum(mass, 1)[:, None]) * s if SMOOTH else sums * 0.0
    result = tl.where(nothing, -float("inf"), base + share)
    tl.store(value + row[:, None], result, mask=rows < n_rows)
    start = length * 0
    while start < length:
        at = start + columns
        f, q = _counted(losses, prior, rows, at, n_rows, length, WIDE, PRIOR)
        tl.store(
            weights + rows * length + at, _shares(f, q, base, nothing, s, SMOOTH) / sums, mask=(rows < n_rows) & (at < length)
        )
        start += BLOCK


@triton.jit
def _move(
    log_weights, losses, prior, present, row, at, length, step, keep, back, PRIOR: tl.constexpr, FORGET: tl.constexpr,
    MOVE: tl.constexpr,
):  # fmt: skip
    """A piece of the log-weights, of those after the step (before they are normalised), of the log-prior, and which tasks are present."""
    inside = at < length
    w = tl.load(log_weights + row * length + at, mask=inside, other=-float("inf"))
    there = inside & (tl.load(present + row * length + at, mask=inside, other=0) != 0)
    q = tl.load(prior + at, mask=inside, other=0.0).to(w.dtype) if PRIOR else tl.where(inside, 1.0, 0.0).to(w.dtype)
    log_q = tl.where(q > 0, tl.log(tl.where(q > 0, q, 1.0)), -float("inf"))
    z = w
    if FORGET:
        z = back * log_q + tl.where(keep > 0, keep * tl.where(keep > 0, w, 0.0), 0.0)
    if MOVE:
        z += step * tl.load(losses + row * length + at, mask=there, other=0.0)
    return w, tl.where(there, z, -float("inf")), tl.where(there, log_q, -float("inf")), there


@triton.jit
def _log_sum(top, total):
    """The sum in logarithms, top + log(total), -inf for nothing."""
    return tl.where(total == 0, -float("inf"), top + tl.log(tl.where(total == 0, 1.0, total)))


@triton.jit
def _exp_from(x, top):
    """exp(x - top), 0 where x is -inf."""
    return tl.where(x == -float("inf"), 0.0, tl.exp(x - tl.where(top == -float("inf"), 0.0, top)))


@triton.jit(do_not_specialize=["step_size", "forgetting", "floored"])
def mirror_kernel(
    log_weights, losses, prior, present, out, step_size, forgetting, floored, length, BLOCK: tl.constexpr, PRIOR: tl.constexpr,
    FORGET: tl.constexpr, MOVE: tl.constexpr, FLOOR: tl.constexpr,
):  # fmt: skip
    """First the largest entries, then the four sums of exponentials, then the new log-weights."""
    row = tl.program_id(0).to(tl.int64)
    WIDE: tl.constexpr = out.dtype.element_ty
    step, back, floor = number(step_size).to(WIDE), number(forgetting).to(WIDE), number(floored).to(WIDE)
    keep = 1.0 - back
    columns, least = tl.arange(0, BLOCK), tl.full((BLOCK,), -float("inf"), WIDE)
    top_w, top_z, top_q, bad = least, least, least, tl.zeros((BLOCK,), WIDE)
    start = length * 0
    while start < length:
        w, z, q, there = _move(
            log_weights, losses, prior, present, row, start + columns, length, step, keep, back, PRIOR, FORGET, MOVE
        )
        top_w, top_z, top_q = tl.maximum(top_w, w), tl.maximum(top_z, z), tl.maximum(top_q, q)
        bad = tl.where((z == z) & (z < float("inf")), bad, float("nan"))
        start += BLOCK
    high_w, high_z, high_q = tl.max(top_w, 0), tl.max(top_z, 0), tl.max(top_q, 0)
    sum_w, sum_p, sum_z, sum_q = tl.zeros((BLOCK,), WIDE), tl.zeros((BLOCK,), WIDE), bad, tl.zeros((BLOCK,), WIDE)
    start = length * 0
    while start < length:
        w, z, q, there = _move(
            log_weights, losses, prior, present, row, start + columns, length, step, keep, back, PRIOR, FORGET, MOVE
        )
        held = _exp_from(w, high_w)
        sum_w += held
        sum_p += tl.where(there, held, 0.0)
        sum_z += _exp_from(z, high_z)
        sum_q += _exp_from(q, high_q)
        start += BLOCK
    all_w, mass = _log_sum(high_w, tl.sum(sum_w, 0)), _log_sum(high_w, tl.sum(sum_p, 0))
    all_z, all_q = _log_sum(high_z, tl.sum(sum_z, 0)), _log_sum(high_q, tl.sum(sum_q, 0))
    mass -= all_w
    start = length * 0
    while start < length:
        at = start + columns
        w, z, q, there = _move(log_weights, losses, prior, present, row, at, length, step, keep, back, PRIOR, FORGET, MOVE)
        held = w - all_w
        moved = tl.where(all_z == -float("inf"), held, tl.where(z == -float("inf"), z, z - all_z + mass))
        if FLOOR:
            share = tl.where(q == -float("inf"), q, q - all_q + mass) + tl.log(floor)
            less = moved + tl.log(1.0 - floor)
            more = tl.maximum(less, share)
            mixed = more + tl.log(_exp_from(less, more) + _exp_from(share, more))
            mixed = tl.where(more == -float("inf"), more, tl.where(moved == moved, mixed, moved))
            moved = tl.where(all_q == -float("inf"), moved, mixed)
        tl.store(out + row * length + at, tl.where(there, moved, held), mask=at < length)
        start += BLOCK


@triton.jit
def _softmax(f, top, q, s, SMOOTH: tl.constexpr):
    """Value and weights, as `composed.smooth_max` has them. `f` is -inf where a task does not count."""
    if SMOOTH:
        shares = q * tl.exp((f - top) / s)
        total = tl.sum(shares, 0)
        value = top + s * tl.log(total)
    else:
        shares = tl.where(f == top, q, 0.0)
        total = tl.sum(shares, 0)
        value = top
    return value, shares / total


@triton.jit
def _projection(f, top, q, s):
    """Value and weights: Newton's method on the threshold from below, with one more step once the support stays."""
    gap = f - top
    y = q + gap / s
    y = y - tl.max(y, 0)
    threshold = tl.sum(q * 0.0, 0) - 1.0
    before, more = tl.sum((y > 0).to(tl.int32), 0), tl.program_id(0) * 0 + 1
    while more >= 0:
        inside = y > threshold
        size = tl.sum(inside.to(tl.int32), 0)
        threshold += (tl.sum(tl.where(inside, y - threshold, 0.0), 0) - 1.0) / tl.maximum(size, 1).to(tl.float64)
        more -= ((size == before) | (size == 0)).to(tl.int32)
        before = size
    w = tl.maximum(y - threshold, 0.0)
    gain = tl.sum(tl.where(w > 0, w * tl.where(w > 0, gap, 0.0), 0.0), 0)
    return top + gain - s / 2 * tl.sum((w - q) * (w - q), 0), w


@triton.jit
def _respond(losses, count, q, s, SOFTMAX: tl.constexpr, SMOOTH: tl.constexpr):
    """Value and weights for the means; see task_step for what they are where nothing is present, or nothing is finite."""
    counts = (count > 0) & (q > 0) if SOFTMAX or not SMOOTH else count > 0
    f = tl.where(counts, losses, -float("inf"))
    finite = tl.sum((counts & ((f != f) | (f == float("inf")))).to(tl.int32), 0) == 0
    top = tl.max(f, 0)
    usable = finite & (top > -float("inf"))
    f, top = tl.where(usable, f, 0.0), tl.where(usable, top, 0.0)
    if SOFTMAX or not SMOOTH:
        value, weights = _softmax(f, top, q, s, SMOOTH)
    else:
        value, weights = _projection(f, top, q, s)
    value = tl.where(usable, value, tl.where(finite, 0.0, float("nan")))
    return value, tl.where(usable, weights, tl.where(finite, q, float("nan")))


@triton.jit
def _write_samples(ids, table, samples, n, n_tasks, ignored):
    """w_k / n_k to each sample, by one program, after its own stores to the table."""
    tl.debug_barrier()
    start = n * 0
    while start < n:
        at = start + tl.arange(0, PIECE)
        task = tl.load(ids + at, mask=at < n, other=-1)
        valid = (task >= 0) & (task < n_tasks) & (task != ignored)
        tl.store(samples + at, tl.load(table + task, mask=valid, other=0.0), mask=at < n)
        start += PIECE


@triton.jit(do_not_specialize=["smoothing"])
def step_kernel(
    losses, ids, prior, partials, counter, value, means, counts, weights, table, samples, smoothing, n, span, n_tasks, ignored,
    BK: tl.constexpr, BN: tl.constexpr, PRIOR: tl.constexpr, SOFTMAX: tl.constexpr, SMOOTH: tl.constexpr, ALL: tl.constexpr,
):  # fmt: skip
    """Each program reduces its span; the last responds in float64."""
    program, programs = tl.program_id(0), tl.num_programs(0)
    begin = program.to(tl.int64) * span
    total, count, top = span_partials(losses, ids, begin, tl.minimum(begin + span, n), n_tasks, ignored, BK, BN)
    store_partials(partials, program, total, count, top, BK)
    if arrives_last(counter, programs):
        sum_all, n_k, _ = merged(partials, programs, BK, BN // 2)
        task = tl.arange(0, BK)
        real = task < n_tasks
        q = tl.load(prior + task, mask=real, other=0.0).to(tl.float64) if PRIOR else tl.where(real, 1.0, 0.0).to(tl.float64)
        q = q / tl.sum(q, 0)
        mean = sum_all / tl.maximum(n_k, 1.0)
        result, w = _respond(mean, n_k, q, number(smoothing), SOFTMAX, SMOOTH)
        DTYPE: tl.constexpr = means.dtype.element_ty
        tl.store(value, result.to(DTYPE))
        tl.store(means + task, mean.to(DTYPE), mask=real)
        tl.store(counts + task, n_k.to(tl.int64), mask=real)
        tl.store(weights + task, w.to(DTYPE), mask=real)
        tl.store(table + task, tl.where(n_k > 0, w / tl.maximum(n_k, 1.0), 0.0).to(DTYPE), mask=real)
        tl.store(counter, 0)
        if ALL:
            _write_samples(ids, table, samples, n, n_tasks, ignored)
