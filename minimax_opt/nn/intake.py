"""What the caller hands to a loss module, in either of its two forms, brought into one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from minimax_opt.nn.functional import counts_of
from minimax_opt.nn.samples import (
    Samples,
    TaskCounts,
    TaskLosses,
    as_task_counts,
    as_task_losses,
    from_samples,
    from_task_means,
    place,
    wide_dtype,
)


@dataclass(frozen=True)
class Intake:
    """Losses of samples with their ids, or mean losses of tasks with their counts.

    Parameters
    ----------
    task_names : tuple of str
    named : bool
        Whether the user gave them, so that dicts by name make sense.
    ignore_index : int
    by_frequency : bool
        Whether weights depend on counts.
    """

    task_names: tuple[str, ...]
    named: bool
    ignore_index: int
    by_frequency: bool

    def samples(
        self,
        losses: TaskLosses,
        task_ids: Tensor | None,
        sample_weights: Tensor | None,
        task_counts: TaskCounts | None,
        device: torch.device,
        several_ranks: bool,
    ) -> Samples:
        """The losses of one batch, on `device`."""
        if task_ids is None:
            if sample_weights is not None:
                raise TypeError("`sample_weights` needs `task_ids`; for mean losses by task pass `task_counts`.")
            counts = self._counts(task_counts, losses, device, several_ranks)
            samples = from_task_means(as_task_losses(losses, self.task_names, self.named), counts)
        elif task_counts is not None or not isinstance(losses, Tensor):
            raise TypeError("With `task_ids`, the losses are one tensor of a loss a sample, and there are no `task_counts`.")
        else:
            samples = from_samples(losses, task_ids, len(self.task_names), sample_weights, self.ignore_index)
        if samples.losses.device != device:
            raise ValueError(
                f"The losses are on {samples.losses.device}, but the loss module is on {device}. Move it by `.to(device)`."
            )
        return samples

    def announced(
        self,
        task_ids: Sequence[Tensor] | None,
        sample_weights: Sequence[Tensor | None] | None,
        task_counts: TaskCounts | Sequence[TaskCounts] | None,
        device: torch.device,
    ) -> tuple[Tensor, int | None]:
        """The counts of a step on this rank, and the number of its micro-batches where it is told."""
        if (task_ids is None) == (task_counts is None):
            raise TypeError("`begin_step` takes `task_ids`, a list of the ids of each micro-batch, or `task_counts`.")
        if task_ids is not None:
            parts = self._counted(task_ids, sample_weights)
        elif isinstance(task_counts, (Tensor, Mapping)):
            return self._counts(task_counts, None, device, False).clone(), None
        else:
            parts = [self._counts(counts, None, device, False) for counts in task_counts or ()]
        total = torch.zeros(len(self.task_names), dtype=wide_dtype(device), device=device)
        for part in parts:
            total = total + part.to(total, non_blocking=True)
        return total, len(parts)

    def _counted(self, task_ids: Sequence[Tensor], sample_weights: Sequence[Tensor | None] | None) -> list[Tensor]:
        weights = [None] * len(task_ids) if sample_weights is None else sample_weights
        lists: dict[str, Any] = {"task_ids": task_ids, "sample_weights": weights}
        for name, value in lists.items():
            if isinstance(value, Tensor) or len(value) != len(task_ids):
                raise TypeError(
                    f"`{name}` of `begin_step` must be a list of tensors, one a micro-batch, got {type(value).__name__}."
                )
        n = len(self.task_names)
        return [counts_of(*place(ids, n, mass, self.ignore_index), n) for ids, mass in zip(task_ids, weights, strict=True)]

    def _counts(self, counts: TaskCounts | None, losses: TaskLosses | None, device: torch.device, several_ranks: bool) -> Tensor:
        if counts is None and several_ranks:
            raise ValueError(
                "`task_counts` is required on more than one rank: a mean of the ranks' means is not the mean of a task."
            )
        if counts is None and self.by_frequency:
            raise ValueError('`task_counts` is required where weights go by frequency (`prior` = "frequency").')
        return as_task_counts(counts, losses, self.task_names, self.named, device)


__all__ = ["Intake"]
