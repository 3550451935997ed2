"""The loss of the worst task for any training loop: it returns a scalar whose gradient is that of the minimax objective."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor
from torch.distributed import ProcessGroup

from minimax_kernels.arguments import IGNORED, check_tasks
from minimax_opt import checks
from minimax_opt.nn import options
from minimax_opt.nn.adversary import Adversary
from minimax_opt.nn.collective import Reduction, group_size
from minimax_opt.nn.functional import sums_of, weighted_sum
from minimax_opt.nn.guards import AccumulationGuard, refuse_recomputation
from minimax_opt.nn.intake import Intake
from minimax_opt.nn.open_step import OpenStep
from minimax_opt.nn.reports import StepReports
from minimax_opt.nn.samples import TaskCounts, TaskLosses
from minimax_opt.nn.step import MinimaxStep
from minimax_opt.nn.weighting import Absent, Weighting

Batch = TypeVar("Batch")


class MinimaxLoss(StepReports):
    r"""A training loss over tasks, weighted by an adversary: :math:`\sum_k w_k L_k / scale_k`, with w a constant of the gradient.

    L_k is the mean loss of task k over the whole step: all ranks, all micro-batches. The weights come from the scores
    :math:`(\bar L_k - reference_k) / scale_k + adjustment / \sqrt{size_k}` with the moving average :math:`\bar L`, the same on every rank.
    The adversary moves once a step, in training mode.

    Parameters
    ----------
    weighting : Weighting
        Such as ``SoftmaxWeighting(smoothing=0.1)``.
    n_tasks : int
    when : {"current", "lagged", "two-pass"}, optional
        The losses that the weights come from: of this step; of the steps before; of this step, by a first pass without gradient
        (:meth:`preview`; in a single call it is "current"). Default "current" for ``criterion(...)``, "lagged" for :meth:`begin_step`.
    ema : float, optional
        Decay of the moving average, in [0, 1); default 0.95 for "lagged", else 0. Debiased, task by task: it moves when its task is present.
    reference_losses : vector, dict or number, optional
        Subtracted from the losses before the adversary sees them: minimax over excess losses.
    scale : vector, dict or number, optional
        Units of the losses, > 0. They divide the losses, not only the scores.
    group_sizes, adjustment
        Samples of each task in the data set, and a factor: small groups get a bonus in the scores.
    absent : {"share", "drop"}
        The weight of tasks without samples in the step goes to the others, or is lost.
    process_group : ProcessGroup, optional
        The ranks whose gradients are averaged; default all.
    gradient_reduction : {"mean", "sum"}
        Whether that is an average (DDP, FSDP, the usual case) or a sum.
    task_names : sequence of str, optional
    ignore_index : int
        The task id of samples that are left out.

    Notes
    -----
    On D ranks the returned scalar is :math:`D \sum_i m_i \, w_{k(i)} / (scale_{k(i)} N_{k(i)}) \, l_i` with global counts N: its gradients,
    averaged over ranks and added over micro-batches, are exact. Do not divide it by the number of micro-batches.

    Call it outside of activation checkpointing. A task without samples keeps its state. Where
    a loss is nan or infinite, the returned scalar is so too, for a GradScaler to see, and the adversary stays as it is, on all ranks. In eval mode
    nothing moves and no rank waits for another: the loss is that of the rank's own batch.

    Examples
    --------
    >>> from minimax_opt.nn import SoftmaxWeighting
    >>> criterion = MinimaxLoss(SoftmaxWeighting(smoothing=0.1), n_tasks=3)
    >>> sample_losses = torch.tensor([1.0, 2.0, 2.5], requires_grad=True)
    >>> criterion(sample_losses, task_ids=torch.tensor([0, 2, 2])).backward()
    >>> criterion.weights, criterion.task_counts
    (tensor([3.7266e-06, 0.0000e+00, 1.0000e+00]), tensor([1., 0., 2.], dtype=torch.float64))
    """

    def __init__(
        self,
        weighting: Weighting,
        n_tasks: int,
        *,
        when: options.When | None = None,
        ema: float | None = None,
        reference_losses: Any = None,
        scale: Any = None,
        group_sizes: Any = None,
        adjustment: Any = 0.0,
        absent: Absent = "share",
        process_group: ProcessGroup | None = None,
        gradient_reduction: Literal["mean", "sum"] = "mean",
        task_names: Sequence[str] | None = None,
        ignore_index: int = IGNORED,
    ) -> None:
        super().__init__()
        check_tasks(n_tasks)
        if not isinstance(weighting, Weighting):
            raise TypeError(f"`weighting` must be a Weighting, such as SoftmaxWeighting(0.1), got {weighting!r}.")
        self.process_group = process_group
        self.when, self.ema = options.checked_when(when), options.checked_ema(ema)
        self._averaged = checks.choice("`gradient_reduction`", gradient_reduction, ("mean", "sum")) == "mean"
        checks.choice("`absent`", absent, ("share", "drop"))
        names = options.checked_names(task_names, n_tasks)
        self._intake = Intake(names, task_names is not None, ignore_index, by_frequency=weighting.prior == "frequency")
        self.adversary = Adversary(
            weighting,
            names,
            absent,
            reference=options.task_vector("reference_losses", reference_losses, names, 0.0),
            scale=options.task_vector("scale", scale, names, 1.0, positive=True),
            bonus=options.size_bonus(adjustment, group_sizes, names),
        )
        self._guard = AccumulationGuard()
        self._open: OpenStep | None = None
        self._last = None

    # ---- one call a step ----

    def forward(
        self,
        losses: TaskLosses,
        task_ids: Tensor | None = None,
        sample_weights: Tensor | None = None,
        *,
        task_counts: TaskCounts | None = None,
    ) -> Tensor:
        """The loss of a step of one batch.

        Parameters
        ----------
        losses : Tensor or dict
            With `task_ids`, one loss a sample or token; without, the mean losses of the tasks, shape (K,) or by name.
        task_ids : Tensor, optional
            int64 or int32, of the shape of `losses` or one that expands to it.
        sample_weights : Tensor, optional
            At least 0.
        task_counts : Tensor or dict, optional
            Samples behind each of the mean losses. Required on more than one rank, and wherever weights go by frequency.
        """
        adversary, ema = self.adversary, self._ema(self.when or "current")
        ranks = group_size(self.process_group) if self.training else 1
        samples = self._intake.samples(losses, task_ids, sample_weights, task_counts, adversary.device, ranks > 1)
        if self.training:
            if self._open is not None:
                raise RuntimeError("The loss was called between `begin_step` and `end_step`, where `micro_loss` is to be called.")
            refuse_recomputation()
        with torch.no_grad():
            both = torch.stack(tuple(sums_of(samples)))
            sums, counts = Reduction(both, self.process_group, alone=not self.training).wait().unbind()
            before = adversary.knowledge()
            after, valid = adversary.observe(before, sums, counts, ema)
            if self.when == "lagged":
                weights = adversary.weights(before, counts)
            else:
                weights = adversary.weights(after if self.training else after._replace(state=before.state), counts)
            coefficients = adversary.coefficients(weights, counts, ranks if self._averaged else 1)
            if self.training:
                adversary.commit(after, weights, valid)
                self._last = (sums, counts, weights, after.means, adversary.scale, samples.losses.dtype)
        loss = weighted_sum(samples, coefficients)
        if self.training and torch.is_grad_enabled():
            self._guard.watch(loss)
        return loss

    # ---- several micro-batches a step ----

    def begin_step(
        self,
        task_ids: Sequence[Tensor] | None = None,
        sample_weights: Sequence[Tensor | None] | None = None,
        *,
        task_counts: TaskCounts | Sequence[TaskCounts] | None = None,
    ) -> None:
        """Announce this rank's micro-batches, so that all counts are known before the first loss.

        Their number may differ between ranks. A rank without samples announces one micro-batch all the same, of ignored samples or none, so
        that its backward takes part in the reduction of the gradients.

        Parameters
        ----------
        task_ids, sample_weights : sequences of Tensors
            One a micro-batch, as `micro_loss` will get them, where ids have the shape of the losses (or of weights that have it). They may be on
            another device.
        task_counts : sequence of Tensors or dicts, or their total
            In place of `task_ids`, where `micro_loss` gets mean losses.
        """
        if self._open is not None:
            raise RuntimeError("`begin_step` was called before `end_step` for the last step. `cancel_step()` gives that up.")
        when = self.when or "lagged"
        counts, micro_batches = self._intake.announced(task_ids, sample_weights, task_counts, self.adversary.device)
        if when == "current" and (micro_batches or 1) > 1:
            raise ValueError(
                f'`when` = "current" needs the losses of the whole step before the first backward, but there are {micro_batches} micro-batches. '
                'Use "lagged", or "two-pass" with `preview`.'
            )
        micro_batches = 1 if when == "current" else micro_batches
        self._open = OpenStep(
            self.adversary, when, self._ema(when), counts, micro_batches, self.process_group, self._averaged, self.training
        )

    def preview(self, closure: Callable[[Batch], Any], micro_batches: Iterable[Batch]) -> None:
        """The first of two passes: `closure`, which calls `micro_loss`, for each micro-batch, without gradient.

        Random numbers (dropout) are the same in the pass that follows. Running statistics, as of batch normalisation, see both.
        """
        self._opened("preview").preview(closure, micro_batches)

    def micro_loss(
        self,
        losses: TaskLosses,
        task_ids: Tensor | None = None,
        sample_weights: Tensor | None = None,
        *,
        task_counts: TaskCounts | None = None,
    ) -> Tensor:
        """The part of the loss that one micro-batch brings; call its `backward` as it is. The arguments are those of a call of the loss."""
        step = self._opened("micro_loss")
        refuse_recomputation()
        several = self.training and group_size(self.process_group) > 1
        return step.loss(self._intake.samples(losses, task_ids, sample_weights, task_counts, self.adversary.device, several))

    def end_step(self) -> MinimaxStep:
        """Let the adversary move, once, and tell what the step was."""
        step = self._opened("end_step").finish()
        self._open = None
        self._last = step
        return step

    @property
    def micro_batches_left(self) -> int | None:
        """How many of the announced micro-batches are still to come; 0 without an open step, None where only their total was told."""
        return 0 if self._open is None else self._open.left

    def cancel_step(self) -> None:
        """Give up the step that is open, if any. The adversary does not move."""
        self._open = None

    def _ema(self, when: options.When) -> float:
        return self.ema if self.ema is not None else options.LAGGED_EMA if when == "lagged" else 0.0

    def _opened(self, caller: str) -> OpenStep:
        if self._open is None:
            raise RuntimeError(f"`{caller}` was called without `begin_step`, which announces the micro-batches of the step.")
        return self._open


__all__ = ["MinimaxLoss"]
