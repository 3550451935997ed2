"""What a weighting is: from the tasks' scores to the adversary's weights.

A weighting is an immutable description; its methods are pure functions of tensors of shape
(K,), or batches of these, without host synchronisation. What the
adversary remembers is one tensor, `state`, which the caller keeps. Absent tasks, unknown scores and the prior reach it as one vector: the
*prior of the step*, >= 0, with 0 for the tasks that take no part.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from minimax_opt import checks

Prior = Literal["uniform", "frequency"] | Sequence[float]
Absent = Literal["share", "drop"]


class Weighting(ABC):
    r"""From scores to weights; subclasses are frozen dataclasses.

    Parameters
    ----------
    prior : {"uniform", "frequency"} or sequence of K positive numbers
        The weights where no loss speaks. "frequency" is the tasks' share of the samples of the step, which turns the prior's average of the
        task losses into the plain average over samples.

    Notes
    -----
    `weights` and `advance` take `scores`, where nan or +inf stands for "not known", and `prior`, the prior of the step from
    :meth:`step_prior`. A task that takes part and has no score yet has its prior weight.
    """

    prior: Prior

    def __post_init__(self) -> None:
        object.__setattr__(self, "prior", _checked_prior(self.prior))

    @abstractmethod
    def weights(self, scores: Tensor, prior: Tensor, state: Tensor) -> Tensor:
        """The weights, shape (..., K): sum 1, exactly 0 where `prior` is 0; all 0 if no task takes part."""

    def initial_state(self, n_tasks: int) -> Tensor:
        """What the adversary remembers before the first step, shape (K,)."""
        return torch.zeros(n_tasks)

    def advance(self, state: Tensor, scores: Tensor, prior: Tensor) -> Tensor:
        """The state after it has seen `scores`; that of tasks which take no part, or have no score, stays as it is."""
        return state

    def check(self, n_tasks: int) -> None:
        """Raise ValueError unless the prior has `n_tasks` weights."""
        if not isinstance(self.prior, str) and len(self.prior) != n_tasks:
            raise ValueError(f"`prior` of {type(self).__name__} has {len(self.prior)} weights, but there are {n_tasks} tasks.")

    def prior_tensor(self, n_tasks: int) -> Tensor:
        """The prior as far as it does not depend on the samples, shape (K,): uniform for "frequency"."""
        self.check(n_tasks)
        if isinstance(self.prior, str):
            return torch.full((n_tasks,), 1.0 / n_tasks)
        return torch.tensor(self.prior)

    def step_prior(self, prior: Tensor, counts: Tensor, absent: Absent = "share") -> Tensor:
        """The prior of a step whose tasks have `counts` samples (or mass), from what :meth:`prior_tensor` gave.

        With ``absent="share"``, tasks without samples take no part: their weight goes to the others. With ``"drop"`` they keep it, so that it
        is lost in this step. Under the prior "frequency" they have none.
        """
        if self.prior == "frequency":
            return normalized(counts)
        return torch.where(counts > 0, prior, 0.0) if absent == "share" else prior


def normalized(weights: Tensor) -> Tensor:
    """`weights` >= 0 divided by their sum; 0 where that is 0."""
    total = weights.sum(-1, keepdim=True)
    return weights / torch.where(total > 0, total, 1.0)


def known_part(scores: Tensor, prior: Tensor) -> Tensor:
    """The prior on the tasks that have a score, 0 elsewhere. -inf is a score: such a task wants no weight."""
    return torch.where(scores < math.inf, prior, 0.0)  # false for nan


def _checked_prior(prior: Prior) -> Prior:
    if isinstance(prior, str):
        checks.choice("`prior`", prior, ("uniform", "frequency"))
        return prior
    values = checks.vector("prior", prior)
    if values.size == 0 or not (values > 0).all():
        raise ValueError(
            f'`prior` must be "uniform", "frequency" or a sequence of finite numbers > 0, one a task, got {prior!r}. '
            "Leave out tasks of weight 0."
        )
    values = values / values.max()  # first, so that the sum cannot overflow
    return tuple((values / values.sum()).tolist())


__all__ = ["Absent", "Prior", "Weighting", "known_part", "normalized"]
