"""What one step of training says about its tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class MinimaxStep(NamedTuple):
    """The step over all ranks and micro-batches; detached tensors, the same on every rank.

    Attributes
    ----------
    objective : Tensor, shape ()
        sum_k weights_k task_losses_k / scale_k over the tasks that are present: the mean over ranks of the returned losses, summed over
        micro-batches.
    task_losses : Tensor, shape (K,)
        Means over the samples of each task; for a task without samples, the last mean that the adversary knows (0 if it knows none).
    task_counts : Tensor, shape (K,)
        Samples, or their total weight; 0 for an absent task.
    weights : Tensor, shape (K,)
    effective_tasks : Tensor, shape ()
        1 / sum of the squared normalised weights: from 1, one task, to K, all alike.
    """

    objective: Tensor
    task_losses: Tensor
    task_counts: Tensor
    weights: Tensor
    effective_tasks: Tensor

    def metrics(self, task_names: Sequence[str], prefix: str = "") -> dict[str, Tensor]:
        """For a logger, by name: 0-d tensors, without host synchronisation."""
        present = torch.where(self.task_counts > 0, self.task_losses, -torch.inf)
        worst = torch.where(present.amax() > -torch.inf, present.amax(), 0.0)
        named = {"objective": self.objective, "worst_loss": worst, "effective_tasks": self.effective_tasks}
        for what, values in (("loss", self.task_losses), ("weight", self.weights), ("count", self.task_counts)):
            named |= {f"{what}/{name}": value for name, value in zip(task_names, values.unbind(), strict=True)}
        return {prefix + name: value for name, value in named.items()}

    def summary(self, task_names: Sequence[str], prefix: str = "") -> dict[str, float]:
        """:meth:`metrics` as floats, at the price of one synchronisation."""
        named = self.metrics(task_names, prefix)
        return dict(zip(named, torch.stack([value.double() for value in named.values()]).tolist(), strict=True))


def make_step(sums: Tensor, counts: Tensor, weights: Tensor, known: Tensor, scale: Tensor, dtype: torch.dtype) -> MinimaxStep:
    """From global sums and counts; `known` are the last means of the tasks."""
    present = counts > 0
    losses = sums / torch.where(present, counts, 1.0)
    objective = torch.where(present, weights * losses / scale, 0.0).sum()
    squares, total = weights.square().sum(), weights.sum()
    effective = torch.where(squares > 0, total.square() / torch.where(squares > 0, squares, 1.0), 0.0)
    reported = torch.where(present, losses, known)
    return MinimaxStep(objective.to(dtype), reported.to(dtype), counts, weights.to(dtype), effective.to(dtype))


__all__ = ["MinimaxStep", "make_step"]
