"""The reductions in C, native/ops/task_reduce.c. Ids are checked on the way."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.arguments import check_range
from minimax_kernels.backend import native_ops
from minimax_kernels.samples import cast, widened_contiguous


def problem(losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int) -> tuple[int, ...]:
    """The first arguments of each function in C; both tensors are contiguous."""
    wide_ids = ids.dtype == torch.int64
    return losses.data_ptr(), ids.data_ptr(), ids.shape[0], n_tasks, ignore_index, losses.dtype == torch.float64, wide_ids


def reduce(losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sums, counts, means, max."""
    losses, ids = widened_contiguous(losses), ids.contiguous()
    sums, counts = losses.new_empty(n_tasks, dtype=torch.float64), losses.new_empty(n_tasks, dtype=torch.int64)
    means, largest = losses.new_empty(n_tasks), losses.new_empty(n_tasks)
    out = sums.data_ptr(), counts.data_ptr(), means.data_ptr(), largest.data_ptr()
    if not native_ops().task_reduce(*problem(losses, ids, n_tasks, ignore_index), *out):
        check_range("task_ids", ids, n_tasks, ignore_index, "n_tasks")
    return sums, counts, means, largest


def reduce_exact(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, bound: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Totals, max, unit."""
    losses, ids = widened_contiguous(losses), ids.contiguous()
    totals = losses.new_empty((5, n_tasks), dtype=torch.int64)
    largest, unit = losses.new_empty(n_tasks, dtype=torch.float64), losses.new_empty((), dtype=torch.float64)
    out = 0 if bound is None else bound.data_ptr(), totals.data_ptr(), largest.data_ptr(), unit.data_ptr()
    if not native_ops().task_reduce_exact(*problem(losses, ids, n_tasks, ignore_index), *out):
        check_range("task_ids", ids, n_tasks, ignore_index, "n_tasks")
    return totals, largest.to(losses.dtype), unit


def spread(values: Tensor, ids: Tensor, ignore_index: int) -> Tensor:
    """To each sample the value of its task."""
    table, ids = widened_contiguous(values), ids.contiguous()
    out = table.new_empty(ids.shape)
    if not native_ops().task_spread(*problem(table, ids, table.shape[0], ignore_index), out.data_ptr()):
        check_range("task_ids", ids, table.shape[0], ignore_index, "n_tasks")
    return cast(out, values.dtype)


__all__ = ["problem", "reduce", "reduce_exact", "spread"]
