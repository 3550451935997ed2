"""The reductions by Triton: how the kernels of triton_kernels.py are launched. Nothing waits for the device."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch
from torch import Tensor

from minimax_kernels.arguments import check_range
from minimax_kernels.reduce.triton_kernels import exact_kernel, largest_kernel, reduce_kernel, round_kernel, spread_kernel
from minimax_kernels.samples import widened
from minimax_kernels.triton_tools import cdiv, device_of, multiprocessors, power_of_two

ONE_HOT_TASKS = 64  # beyond, a tile of tasks by samples holds too few samples for the loads to hide their latency
TILE = 4096  # its elements: 16 a thread
WARPS = 8
LOWEST = -9218868437227405313  # -inf as the kernels order float64 numbers by int64


def reduce(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, order_invariant: bool, bound: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sums, counts, means, max: in one launch, or in whole numbers."""
    losses, ids = prepared(losses, ids, n_tasks, ignore_index)
    sums = losses.new_empty(n_tasks, dtype=torch.float64)
    counts = losses.new_empty(n_tasks, dtype=torch.int64)
    means = losses.new_empty(n_tasks, dtype=widened(losses.dtype))
    out = (sums, counts, means, torch.empty_like(means))
    with device_of(losses):
        if order_invariant or n_tasks > ONE_HOT_TASKS:
            totals, keys, unit = _whole_numbers(losses, ids, n_tasks, ignore_index, bound)
            round_kernel[(cdiv(n_tasks, 1024),)](totals, keys, unit, *out, n_tasks, BK=1024, num_warps=4)
        else:
            grid, n, span, width, height = one_launch(losses, n_tasks)
            partials = losses.new_empty(grid * 3 * height, dtype=torch.float64)
            reduce_kernel[(grid,)](
                losses,
                ids,
                partials,
                counter(losses.device),
                *out,
                n,
                span,
                n_tasks,
                ignore_index,
                BK=height,
                BN=width,
                num_warps=WARPS,
            )
    return out


def reduce_exact(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, bound: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Totals, max, unit."""
    losses, ids = prepared(losses, ids, n_tasks, ignore_index)
    with device_of(losses):
        totals, keys, unit = _whole_numbers(losses, ids, n_tasks, ignore_index, bound)
    bits = torch.where(keys < 0, keys ^ 0x7FFFFFFFFFFFFFFF, keys)
    return totals, bits.view(torch.float64).to(widened(losses.dtype)), unit


def _whole_numbers(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, bound: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    n = losses.shape[0]
    if bound is None:
        bits = losses.new_zeros((), dtype=torch.int64)
        largest_kernel[(max(cdiv(n, 4096), 1),)](losses, ids, bits, n, n_tasks, ignore_index, BN=4096, num_warps=WARPS)
        bound = bits.view(torch.float64)
    totals = losses.new_zeros((5, n_tasks), dtype=torch.int64)
    keys = losses.new_full((n_tasks,), LOWEST, dtype=torch.int64)
    unit = losses.new_empty((), dtype=torch.float64)
    one_hot = n_tasks <= ONE_HOT_TASKS
    height = power_of_two(n_tasks) if one_hot else 1
    width = TILE // height if one_hot else 1024
    exact_kernel[(max(cdiv(n, width), 1),)](
        losses, ids, bound, totals, keys, unit, n, n_tasks, ignore_index, BK=height, BN=width, ONE_HOT=one_hot, num_warps=WARPS
    )
    return totals, keys, unit


def spread(values: Tensor, ids: Tensor, ignore_index: int) -> Tensor:
    """To each sample the value of its task."""
    n_tasks, n = values.shape[0], ids.shape[0]
    values, ids = prepared(values, ids, n_tasks, ignore_index)
    out = values.new_empty(n)
    if n:
        with device_of(values):
            spread_kernel[(cdiv(n, 1024),)](values, ids, out, n, n_tasks, ignore_index, BN=1024, num_warps=4)
    return out


def prepared(losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Both contiguous; the ids checked where nothing waits for it, or when debugging."""
    check_range("task_ids", ids, n_tasks, ignore_index, "n_tasks")
    return losses.contiguous(), ids.contiguous()


def one_launch(losses: Tensor, n_tasks: int) -> tuple[int, int, int, int, int]:
    """Programs, samples, samples in a span, and the tile: samples by tasks. A function of the shape and the device alone."""
    n, height = losses.shape[0], power_of_two(n_tasks)
    width = min(TILE // height, 1024)
    tiles = max(cdiv(n, width), 1)
    span = cdiv(tiles, 2 * multiprocessors(losses.device)) * width
    return max(cdiv(n, span), 1), n, span, width, height


def counter(device: torch.device) -> Tensor:
    """A zero that the last program of a launch resets: one a stream, since launches on one stream follow each other.

    A graph that is being captured gets its own, which its replay sets to zero: it may be replayed on any stream.
    """
    if device.type != "cuda" or torch.cuda.is_current_stream_capturing():
        return torch.zeros(1, dtype=torch.int32, device=device)
    return _counter(torch.cuda.current_stream(device))


@cache
def _counter(stream: torch.cuda.Stream) -> Tensor:
    """Allocated by another thread: before it records graphs, torch.compile lends the thread at work a pool, and refuses what stays in it."""

    def zero() -> Tensor:
        with torch.cuda.stream(stream):
            return torch.zeros(1, dtype=torch.int32, device=stream.device)

    with ThreadPoolExecutor(1) as other:
        return other.submit(zero).result()


__all__ = ["ONE_HOT_TASKS", "TILE", "WARPS", "counter", "one_launch", "prepared", "reduce", "reduce_exact", "spread"]
