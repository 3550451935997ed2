"""The reductions in Triton. Nothing waits for the device, and no sum of floating numbers depends on the order in which programs run.

| kernel | programs | adds up in | reads and writes |
|---|---|---|---|
| `reduce_kernel`, up to 64 tasks | two a multiprocessor, each a contiguous span | float64 | losses and ids once |
| `largest_kernel` | one for 4096 samples | (integer maximum) | losses and ids once |
| `exact_kernel` | one for a tile up to 64 tasks, else for 1024 samples | int64 | losses and ids once |
| `round_kernel` | one for 1024 tasks | float64 | the totals |
| `spread_kernel` | one for 1024 samples | - | ids once, samples once |
"""

from __future__ import annotations

import triton
import triton.language as tl

HIGH, LOW = tl.constexpr(2.0**30), tl.constexpr(2.0**31)  # see exact.py
NEAREST = tl.constexpr(1.5 * 2.0**52)  # to add and subtract it rounds to the nearest whole number, ties to even


# ---- a program's own sums, and the merge by the program that arrives last ----


@triton.jit
def _add_tile(
    total, count, top, losses, ids, start, end, n_tasks, ignored, BK: tl.constexpr, BN: tl.constexpr, MASKED: tl.constexpr
):
    """The tile of tasks by samples, one column more for each of its lanes. Without a mask the loads are of 16 bytes a thread."""
    at = start + tl.arange(0, BN)
    if MASKED:
        loss = tl.load(losses + at, mask=at < end, other=0.0)
        task = tl.load(ids + at, mask=at < end, other=-1)
    else:
        loss, task = tl.load(losses + at), tl.load(ids + at)
    task = tl.where((task == ignored) | (task >= n_tasks), -1, task)
    hit = task[None, :] == tl.arange(0, BK)[:, None]
    wide = loss.to(top.dtype)[None, :]
    total += tl.where(hit, wide.to(tl.float64), 0.0)
    count += hit.to(tl.int32)
    return total, count, tl.maximum(top, tl.where(hit, wide, -float("inf")))


@triton.jit
def span_partials(losses, ids, begin, end, n_tasks, ignored, BK: tl.constexpr, BN: tl.constexpr):
    """Sums (float64), counts and maxima of the samples from `begin` to `end`, each of shape (BK,); nan does not show in the maxima."""
    total = tl.zeros((BK, BN), tl.float64)
    count = tl.zeros((BK, BN), tl.int32)
    WIDE: tl.constexpr = tl.float64 if losses.dtype.element_ty == tl.float64 else tl.float32
    top = tl.full((BK, BN), -float("inf"), WIDE)
    whole = begin + tl.maximum(end - begin, 0) // BN * BN
    start = begin
    while start < whole:  # a range would need whole numbers of Python, which the emulator of Triton 3.6 does not make
        total, count, top = _add_tile(total, count, top, losses, ids, start, end, n_tasks, ignored, BK, BN, False)
        start += BN
    if start < end:
        total, count, top = _add_tile(total, count, top, losses, ids, start, end, n_tasks, ignored, BK, BN, True)
    return tl.sum(total, 1), tl.sum(count.to(tl.float64), 1), tl.max(top, 1)


@triton.jit
def store_partials(partials, program, total, count, top, BK: tl.constexpr):
    """Three rows of float64 for each program: counts are exact up to 2^53."""
    row = partials + program * (3 * BK) + tl.arange(0, BK)
    tl.store(row, total)
    tl.store(row + BK, count.to(tl.float64))
    tl.store(row + 2 * BK, top.to(tl.float64))


@triton.jit
def arrives_last(counter, programs):
    """Whether all other programs have stored their partials, visibly to this one.

    The barrier puts the stores of all threads before the release of the one that counts, and its acquire before the loads of all.
    """
    tl.debug_barrier()
    before = tl.atomic_add(counter, 1, sem="acq_rel", scope="gpu")
    tl.debug_barrier()
    return before == programs - 1


@triton.jit
def merged(partials, programs, BK: tl.constexpr, BP: tl.constexpr):
    """Sums, counts and maxima (nan where the sum is) over all programs, in float64, in the order of the programs.

    The loads bypass the cache of this multiprocessor, which knows nothing of the others' stores.
    """
    total = tl.zeros((BK, BP), tl.float64)
    count = tl.zeros((BK, BP), tl.float64)
    top = tl.full((BK, BP), -float("inf"), tl.float64)
    first = programs * 0
    while first < programs:
        program = first + tl.arange(0, BP)[None, :]
        at = partials + program * (3 * BK) + tl.arange(0, BK)[:, None]
        there = (program < programs) & (tl.arange(0, BK)[:, None] >= 0)
        total += tl.load(at, mask=there, other=0.0, cache_modifier=".cg")
        count += tl.load(at + BK, mask=there, other=0.0, cache_modifier=".cg")
        top = tl.maximum(top, tl.load(at + 2 * BK, mask=there, other=-float("inf"), cache_modifier=".cg"))
        first += BP
    sums = tl.sum(total, 1)
    return sums, tl.sum(count, 1), tl.where(sums == sums, tl.max(top, 1), sums)


# ---- kernels ----


@triton.jit
def reduce_kernel(
    losses, ids, partials, counter, sums, counts, means, maxima, n, span, n_tasks, ignored, BK: tl.constexpr, BN: tl.constexpr
):
    """Each program reduces its span; the one that arrives last adds up what all have written, in their order."""
    program, programs = tl.program_id(0), tl.num_programs(0)
    begin = program.to(tl.int64) * span
    total, count, top = span_partials(losses, ids, begin, tl.minimum(begin + span, n), n_tasks, ignored, BK, BN)
    store_partials(partials, program, total, count, top, BK)
    if arrives_last(counter, programs):
        sum_all, count_all, top_all = merged(partials, programs, BK, BN // 2)
        task = tl.arange(0, BK)
        real = task < n_tasks
        tl.store(sums + task, sum_all, mask=real)
        tl.store(counts + task, count_all.to(tl.int64), mask=real)
        tl.store(means + task, (sum_all / tl.maximum(count_all, 1.0)).to(means.dtype.element_ty), mask=real)
        tl.store(maxima + task, top_all.to(maxima.dtype.element_ty), mask=real)
        tl.store(counter, 0)


@triton.jit
def largest_kernel(losses, ids, bits, n, n_tasks, ignored, BN: tl.constexpr):
    """The largest finite abs(loss), as the bits of a float64: they are ordered as the numbers are."""
    at = tl.program_id(0).to(tl.int64) * BN + tl.arange(0, BN)
    inside = at < n
    task = tl.load(ids + at, mask=inside, other=-1)
    loss = tl.load(losses + at, mask=inside, other=0.0).to(tl.float64)
    size = tl.abs(loss)
    counts = inside & (task >= 0) & (task < n_tasks) & (task != ignored) & (size < float("inf"))
    tl.atomic_max(bits, tl.max(tl.where(counts, size, 0.0), 0).to(tl.int64, bitcast=True), sem="relaxed")


@triton.jit
def _ordered(x):
    """A float64 as an int64 of the same order, and back."""
    bits = x.to(tl.int64, bitcast=True)
    return tl.where(bits < 0, bits ^ 0x7FFFFFFFFFFFFFFF, bits)


@triton.jit
def _parts(loss, unit):
    """High and low part, and whether the loss is within the bound."""
    finite = tl.abs(loss) <= unit * HIGH
    kept = tl.where(finite, loss, 0.0)
    high = (kept / unit + NEAREST) - NEAREST
    low = ((kept - high * unit) / unit * LOW + NEAREST) - NEAREST
    return high.to(tl.int64), low.to(tl.int64), finite


@triton.jit
def exact_kernel(
    losses, ids, bound, totals, keys, unit, n, n_tasks, ignored, BK: tl.constexpr, BN: tl.constexpr, ONE_HOT: tl.constexpr
):
    """Whole numbers of BN samples: added to the totals by sample, or first by task within the program. `keys` holds maxima, ordered."""
    at = tl.program_id(0).to(tl.int64) * BN + tl.arange(0, BN)
    exponent = ((tl.load(bound).to(tl.int64, bitcast=True) >> 52) & 2047) - 1022
    one = ((tl.minimum(tl.maximum(exponent, -900), 1024) + 993) << 52).to(tl.float64, bitcast=True)
    tl.store(unit, one)
    inside = at < n
    task = tl.load(ids + at, mask=inside, other=-1).to(tl.int64)
    loss = tl.load(losses + at, mask=inside, other=0.0).to(tl.float64)
    valid = (task >= 0) & (task < n_tasks) & (task != ignored)
    high, low, finite = _parts(loss, one)
    plus, minus = valid & (finite == 0) & ((loss < 0) == 0), valid & (finite == 0) & ((loss > 0) == 0)
    if ONE_HOT:
        row = tl.arange(0, BK)
        hit = (task[None, :] == row[:, None]) & valid[None, :]
        some = tl.sum(hit.to(tl.int64), 1)
        real = (row < n_tasks) & (some > 0)
        tl.atomic_add(totals + row, tl.sum(tl.where(hit, high[None, :], 0), 1), mask=real, sem="relaxed")
        tl.atomic_add(totals + n_tasks + row, tl.sum(tl.where(hit, low[None, :], 0), 1), mask=real, sem="relaxed")
        tl.atomic_add(totals + 2 * n_tasks + row, some, mask=real, sem="relaxed")
        top = tl.max(tl.where(hit, tl.where(loss == loss, loss, -float("inf"))[None, :], -float("inf")), 1)
        tl.atomic_max(keys + row, _ordered(top), mask=real, sem="relaxed")
    else:
        tl.atomic_add(totals + task, high, mask=valid, sem="relaxed")
        tl.atomic_add(totals + n_tasks + task, low, mask=valid, sem="relaxed")
        tl.atomic_add(totals + 2 * n_tasks + task, tl.full((BN,), 1, tl.int64), mask=valid, sem="relaxed")
        tl.atomic_max(keys + task, _ordered(loss), mask=valid & (loss == loss), sem="relaxed")
    once = tl.full((BN,), 1, tl.int64)
    tl.atomic_add(totals + 3 * n_tasks + task, once, mask=plus, sem="relaxed")
    tl.atomic_add(totals + 4 * n_tasks + task, once, mask=minus, sem="relaxed")


@triton.jit
def round_kernel(totals, keys, unit, sums, counts, means, maxima, n_tasks, BK: tl.constexpr):
    """Sums, counts, means and maxima from the whole numbers; see `rounded` in exact.py."""
    task = tl.program_id(0).to(tl.int64) * BK + tl.arange(0, BK)
    real = task < n_tasks
    one = tl.load(unit)
    high, low = tl.load(totals + task, mask=real, other=0), tl.load(totals + n_tasks + task, mask=real, other=0)
    count = tl.load(totals + 2 * n_tasks + task, mask=real, other=0)
    positive = tl.load(totals + 3 * n_tasks + task, mask=real, other=0)
    negative = tl.load(totals + 4 * n_tasks + task, mask=real, other=0)
    total = high.to(tl.float64) * one + low.to(tl.float64) * (one / LOW)
    total = tl.where(positive > 0, float("inf"), tl.where(negative > 0, -float("inf"), total))
    total = tl.where((positive > 0) & (negative > 0), float("nan"), total)
    top = _ordered(tl.load(keys + task, mask=real, other=0).to(tl.float64, bitcast=True)).to(tl.float64, bitcast=True)
    tl.store(sums + task, total, mask=real)
    tl.store(counts + task, count, mask=real)
    tl.store(means + task, (total / tl.maximum(count, 1).to(tl.float64)).to(means.dtype.element_ty), mask=real)
    tl.store(maxima + task, tl.where(total == total, top, total).to(maxima.dtype.element_ty), mask=real)


@triton.jit
def spread_kernel(values, ids, out, n, n_tasks, ignored, BN: tl.constexpr):
    """out_i = values[ids_i], 0 where the sample is ignored."""
    at = tl.program_id(0).to(tl.int64) * BN + tl.arange(0, BN)
    task = tl.load(ids + at, mask=at < n, other=-1)
    valid = (task >= 0) & (task < n_tasks) & (task != ignored)
    tl.store(out + at, tl.load(values + task, mask=valid, other=0.0), mask=at < n)
