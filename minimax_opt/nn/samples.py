"""Losses with their tasks, brought into one form: what `MinimaxLoss` and its functional twins start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from minimax_kernels.arguments import check_floating, check_ids, check_range

TaskLosses = Tensor | Mapping[str, Tensor]
TaskCounts = Tensor | Mapping[str, Tensor | float]


class Samples(NamedTuple):
    """Losses in float32 at least; the task of each, with n_tasks for those that are left out; their mass, None for 1 each."""

    losses: Tensor
    slots: Tensor
    mass: Tensor | None
    n_tasks: int


def wide_dtype(device: torch.device) -> torch.dtype:
    """What vectors over tasks are computed in: float64, where the device has it."""
    return torch.float32 if device.type == "mps" else torch.float64


def from_samples(
    losses: Tensor, task_ids: Tensor, n_tasks: int, sample_weights: Tensor | None = None, ignore_index: int = -100
) -> Samples:
    """One loss and one task id a sample."""
    check_floating("sample_losses", losses)
    slots, mass = place(task_ids, n_tasks, sample_weights, ignore_index, losses)
    return Samples(losses if losses.dtype == torch.float64 else losses.float(), slots, mass, n_tasks)


def place(
    task_ids: Tensor, n_tasks: int, sample_weights: Tensor | None, ignore_index: int, like: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """Slots and mass of samples, of the shape of `like`, or else of ids and weights together.

    Left out are samples of id `ignore_index` and of weight 0. Other ids out of range raise on a CPU and are left out elsewhere.
    """
    if sample_weights is not None and not isinstance(sample_weights, Tensor):
        raise TypeError(f"`sample_weights` must be a tensor, got {type(sample_weights).__name__}.")
    if like is None:
        like = (
            task_ids if sample_weights is None else task_ids.expand(torch.broadcast_shapes(task_ids.shape, sample_weights.shape))  # type: ignore[no-untyped-call]
        )
    ids = check_ids("task_ids", task_ids, like.shape, like.device)
    check_range("task_ids", ids, n_tasks, ignore_index, "n_tasks")
    valid = (ids >= 0) & (ids < n_tasks)
    if 0 <= ignore_index < n_tasks:
        valid = valid & (ids != ignore_index)
    if sample_weights is None:
        return torch.where(valid, ids, n_tasks).long(), None
    try:
        mass = sample_weights.detach().expand(like.shape)
    except RuntimeError as error:
        raise ValueError(
            f"`sample_weights` must have shape {tuple(like.shape)} or one that expands to it, got {tuple(sample_weights.shape)}."
        ) from error
    valid = valid & (mass != 0)
    return torch.where(valid, ids, n_tasks).long(), torch.where(valid, mass, 0).to(wide_dtype(mass.device))


def from_task_means(losses: Tensor, counts: Tensor) -> Samples:
    """One mean loss a task, over `counts` samples; the losses of tasks without samples play no part."""
    n_tasks = counts.shape[0]
    slots = torch.where(counts > 0, torch.arange(n_tasks, device=losses.device), n_tasks)
    return Samples(losses if losses.dtype == torch.float64 else losses.float(), slots, counts, n_tasks)


def as_task_losses(losses: TaskLosses, names: Sequence[str], named: bool) -> Tensor:
    """Losses of all tasks, shape (K,); 0 for the names that are missing."""
    if isinstance(losses, Mapping):
        _check_names("task_losses", losses, names, named)
        zero = next(iter(losses.values())).new_zeros(())
        return torch.stack([losses.get(name, zero) for name in names])
    check_floating("task_losses", losses)
    if losses.shape != (len(names),):
        raise ValueError(
            f"`task_losses` must have shape ({len(names)},), got {tuple(losses.shape)}. For one loss a sample, pass `task_ids` as well."
        )
    return losses


def as_task_counts(
    counts: TaskCounts | None, losses: TaskLosses | None, names: Sequence[str], named: bool, device: torch.device
) -> Tensor:
    """Counts of all tasks, shape (K,); without `counts`, 1 for the tasks that have a loss."""
    wide = wide_dtype(device)
    if counts is None:
        if not isinstance(losses, Mapping):
            return torch.ones(len(names), dtype=wide, device=device)
        counts = dict.fromkeys(losses, 1.0)
    if isinstance(counts, Mapping):
        _check_names("task_counts", counts, names, named)
        numbers = [counts.get(name, 0.0) for name in names]
        return torch.stack([torch.as_tensor(n, dtype=wide).detach().to(device, non_blocking=True) for n in numbers])
    if not isinstance(counts, Tensor) or counts.shape != (len(names),):
        found = tuple(counts.shape) if isinstance(counts, Tensor) else type(counts).__name__
        raise ValueError(f"`task_counts` must be a tensor of shape ({len(names)},) or a dict by task name, got {found}.")
    return counts.detach().to(device, wide, non_blocking=True)


def _check_names(argument: str, given: Mapping[str, object], names: Sequence[str], named: bool) -> None:
    if not named:
        raise ValueError(f"`{argument}` is a dict, so that `task_names` must be given when the loss is built.")
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(f"`{argument}` holds {unknown[0]!r}, which is none of the tasks {', '.join(names)}.")
    if not given:
        raise ValueError(
            f"`{argument}` is empty. Pass at least one task: one without samples has a loss that is connected to the model, and the count 0."
        )


__all__ = [
    "Samples",
    "TaskCounts",
    "TaskLosses",
    "as_task_counts",
    "as_task_losses",
    "from_samples",
    "from_task_means",
    "place",
    "wide_dtype",
]
