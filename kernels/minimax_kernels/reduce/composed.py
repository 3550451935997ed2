"""The reductions composed of torch's own operations: for any device, and for torch.func and forward-mode AD."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.autograd import forward_ad

from minimax_kernels.arguments import check_range
from minimax_kernels.reduce.results import TaskReduction
from minimax_kernels.samples import widened

HIGH, LOW = 2.0**30, 2.0**31  # see exact.py


def reduce(losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, checked: bool = False) -> TaskReduction:
    """As :func:`minimax_kernels.task_reduce`, on vectors; `checked` asks for valid ids where that costs no waiting."""
    slots = _slots(ids, n_tasks, ignore_index, checked)
    x = losses.to(widened(losses.dtype))
    sums = torch.zeros(n_tasks + 1, dtype=torch.float64, device=x.device).scatter_add(0, slots, x.double())[:n_tasks]
    counts = torch.zeros(n_tasks + 1, dtype=torch.int64, device=x.device).scatter_add(0, slots, torch.ones_like(slots))[:n_tasks]
    lowest = torch.full((n_tasks + 1,), -math.inf, dtype=x.dtype, device=x.device)
    largest = lowest.scatter_reduce(0, slots, primal(x), "amax")[:n_tasks]
    return TaskReduction(sums.clone(), counts.clone(), *means_and_max(sums, counts, largest))


def means_and_max(sums: Tensor, counts: Tensor, largest: Tensor) -> tuple[Tensor, Tensor]:
    """The last two results, from the float64 sums."""
    means = (sums / counts.clamp(min=1)).to(largest.dtype)
    return means, torch.where(primal(sums).isnan(), math.nan, largest)


def spread(values: Tensor, ids: Tensor, ignore_index: int, backend: str = "torch", checked: bool = False) -> Tensor:
    """As :func:`minimax_kernels.task_spread`, on vectors."""
    slots = _slots(ids, values.shape[0], ignore_index, checked)
    return torch.cat([values, values.new_zeros(1)]).index_select(0, slots)


def reduce_exact(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, bound: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """As :func:`minimax_kernels.task_reduce_exact`, on vectors. Sums of whole numbers have no order."""
    slots = _slots(ids, n_tasks, ignore_index, checked=True)
    dtype = widened(losses.dtype)
    x = losses.double()
    if bound is None:
        sizes = torch.where((slots < n_tasks) & x.isfinite(), x.abs(), 0.0)
        bound = torch.cat([sizes, sizes.new_zeros(1)]).amax()
    unit = unit_for(bound)
    finite = x.abs() <= unit * HIGH
    kept = torch.where(finite, x, 0.0)
    high = (kept / unit).round()
    low = ((kept - high * unit) / unit * LOW).round()
    ones = torch.ones_like(finite)
    rows = torch.stack([high.long(), low.long(), ones.long(), (~finite & ~(x < 0)).long(), (~finite & ~(x > 0)).long()])
    totals = torch.zeros(5, n_tasks + 1, dtype=torch.int64, device=x.device).index_add_(1, slots, rows)
    lowest = torch.full((n_tasks + 1,), -math.inf, dtype=dtype, device=x.device)
    largest = lowest.scatter_reduce(0, slots, torch.where(x.isnan(), -math.inf, losses.to(dtype)), "amax")
    return totals[:, :n_tasks].contiguous(), largest[:n_tasks].clone(), unit


def unit_for(bound: Tensor) -> Tensor:
    """2^(e-30) with the least e, from -900 to 1024, such that the bound is below 2^e; by its bits, hence exact."""
    exponent = ((bound.double().contiguous().view(torch.int64) >> 52) & 2047) - 1022
    return ((exponent.clamp(-900, 1024) - 30 + 1023) << 52).view(torch.float64)


def _slots(ids: Tensor, n_tasks: int, ignore_index: int, checked: bool) -> Tensor:
    """The ids, with `n_tasks` for what is left out."""
    if checked:
        if ids.device.type == "cpu" and ids.numel() and not 0 <= ignore_index < n_tasks:
            least, largest = ids.aminmax()  # the common case takes one pass, the rest ten
            if least >= 0 and largest < n_tasks:
                return ids.long()
        check_range("task_ids", ids, n_tasks, ignore_index, "n_tasks")
    inside = (ids >= 0) & (ids < n_tasks) & (ids != ignore_index)
    return torch.where(inside, ids, n_tasks).long()


def primal(x: Tensor) -> Tensor:
    """Without derivatives of either mode."""
    if forward_ad._current_level >= 0:
        x = forward_ad.unpack_dual(x).primal  # type: ignore[no-untyped-call]
    return x.detach()


__all__ = ["HIGH", "LOW", "means_and_max", "primal", "reduce", "reduce_exact", "spread", "unit_for"]
