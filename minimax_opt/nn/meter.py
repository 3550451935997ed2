"""Losses of tasks over a whole evaluation, whatever its batches are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributed import ProcessGroup

from minimax_kernels.arguments import IGNORED, check_tasks
from minimax_opt.nn.collective import Reduction
from minimax_opt.nn.functional import sums_of
from minimax_opt.nn.intake import Intake
from minimax_opt.nn.options import checked_names
from minimax_opt.nn.samples import TaskCounts, TaskLosses


class TaskEvaluation(NamedTuple):
    """Means over all samples that were seen, on all ranks.

    Attributes
    ----------
    task_losses : Tensor, shape (K,)
        float64; nan for a task without samples, which has no loss.
    task_counts : Tensor, shape (K,)
    worst_loss : Tensor, shape ()
        The largest of the task losses.
    average_loss : Tensor, shape ()
        The mean over samples.
    """

    task_losses: Tensor
    task_counts: Tensor
    worst_loss: Tensor
    average_loss: Tensor


class TaskMeter:
    """Adds up losses by task over batches; no host synchronisation, and no wait for other ranks before :meth:`result`.

    Parameters
    ----------
    n_tasks, task_names, ignore_index, process_group
        As for :class:`MinimaxLoss`.

    Examples
    --------
    >>> meter = TaskMeter(2, task_names=["noun", "verb"])
    >>> meter.update(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([0, 1, 1]))
    >>> meter.summary("eval_")
    {'eval_loss/noun': 1.0, 'eval_loss/verb': 4.0, 'eval_worst_loss': 4.0, 'eval_average_loss': 3.0}
    """

    def __init__(
        self,
        n_tasks: int,
        *,
        task_names: Sequence[str] | None = None,
        ignore_index: int = IGNORED,
        process_group: ProcessGroup | None = None,
    ) -> None:
        check_tasks(n_tasks)
        names = checked_names(task_names, n_tasks)
        self.task_names, self.process_group = names, process_group
        self._intake = Intake(names, task_names is not None, ignore_index, by_frequency=True)
        self._total: Tensor | None = None

    def update(
        self,
        losses: TaskLosses,
        task_ids: Tensor | None = None,
        sample_weights: Tensor | None = None,
        *,
        task_counts: TaskCounts | None = None,
    ) -> None:
        """Add a batch; the arguments are those of a call of :class:`MinimaxLoss`, with counts wherever losses are means."""
        some = losses if isinstance(losses, Tensor) else next(iter(losses.values()), torch.empty(0))
        both = torch.stack(
            tuple(sums_of(self._intake.samples(losses, task_ids, sample_weights, task_counts, some.device, False)))
        )
        self._total = both if self._total is None else self._total + both

    def result(self, device: torch.device | None = None) -> TaskEvaluation:
        """The evaluation so far. All ranks must call it; `device` is where a rank that saw no batch takes part."""
        total = self._total
        if total is None:
            total = torch.zeros(2, len(self.task_names), dtype=torch.float64, device=device)
        sums, counts = Reduction(total.clone(), self.process_group).wait().unbind()
        means = sums / counts
        worst = torch.where(counts > 0, means, -torch.inf).amax()
        return TaskEvaluation(means, counts, torch.where(worst > -torch.inf, worst, torch.nan), sums.sum() / counts.sum())

    def summary(self, prefix: str = "", device: torch.device | None = None) -> dict[str, float]:
        """:meth:`result` as floats by name, at the price of one synchronisation."""
        result = self.result(device)
        names = [f"{prefix}loss/{name}" for name in self.task_names] + [f"{prefix}worst_loss", f"{prefix}average_loss"]
        values = torch.cat([result.task_losses, result.worst_loss[None], result.average_loss[None]])
        return dict(zip(names, values.tolist(), strict=True))

    def reset(self) -> None:
        """Begin a new evaluation."""
        self._total = None


__all__ = ["TaskEvaluation", "TaskMeter"]
