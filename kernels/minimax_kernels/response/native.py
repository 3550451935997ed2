"""The responses in C, native/ops/response.c and task_step.c. Ids are checked on the way."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.arguments import check_range
from minimax_kernels.backend import native_ops
from minimax_kernels.reduce.native import problem
from minimax_kernels.response.composed import normalised
from minimax_kernels.samples import cast, widened_contiguous

Step = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def _shape(rows: Tensor) -> tuple[int, int, int, bool]:
    """Address, rows, columns, and whether the numbers are double."""
    return rows.data_ptr(), rows.numel() // rows.shape[-1], rows.shape[-1], rows.dtype == torch.float64


def smooth_max(losses: Tensor, smoothing: float, prior: Tensor | None) -> tuple[Tensor, Tensor]:
    """Value and weights along the last dimension."""
    f = widened_contiguous(losses)
    weights, value = torch.empty_like(f), f.new_empty(f.shape[:-1])
    q = None if prior is None else cast(prior, f.dtype).contiguous()
    options = 0 if q is None else q.data_ptr(), smoothing
    native_ops().smooth_max(*_shape(f), *options, value.data_ptr(), weights.data_ptr())
    return value, weights


def mirror_step(
    log_weights: Tensor,
    losses: Tensor,
    step_size: float,
    prior: Tensor | None,
    forgetting: float,
    floor: float,
    present: Tensor | None,
) -> Tensor:
    """The new log-weights along the last dimension."""
    held, f = log_weights.contiguous(), losses.contiguous()
    there = None if present is None else present.contiguous()
    log_q = normalised(prior, held).log() if forgetting > 0.0 or floor > 0.0 else None
    out = torch.empty_like(held)
    pointers = f.data_ptr(), 0 if log_q is None else log_q.data_ptr(), 0 if there is None else there.data_ptr()
    native_ops().mirror_step(*_shape(held), *pointers, step_size, forgetting, floor, out.data_ptr())
    return out


def task_step(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, smoothing: float, prior: Tensor | None, softmax: bool
) -> Step:
    """Value, task losses, counts, weights, sample weights."""
    losses, ids = widened_contiguous(losses), ids.contiguous()
    prior = None if prior is None else prior.double().contiguous()
    means, weights, value = losses.new_empty(n_tasks), losses.new_empty(n_tasks), losses.new_empty(())
    counts, samples = losses.new_empty(n_tasks, dtype=torch.int64), torch.empty_like(losses)
    options = 0 if prior is None else prior.data_ptr(), smoothing, not softmax
    out = value.data_ptr(), means.data_ptr(), counts.data_ptr(), weights.data_ptr(), samples.data_ptr()
    if not native_ops().task_step(*problem(losses, ids, n_tasks, ignore_index), *options, *out):
        check_range("task_ids", ids, n_tasks, ignore_index, "n_tasks")
    return value, means, counts, weights, samples


__all__ = ["mirror_step", "smooth_max", "task_step"]
