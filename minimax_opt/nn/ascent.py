"""Weightings with memory: the response whose anchor is the previous weights, which is mirror ascent and projected ascent.

The state is what separates the weights from the prior (a logarithm of a ratio, a difference), 0 at first. Where tasks are absent, the step acts
on the distribution of the others given that one of them is drawn: it keeps their mass, and the weights of the absent ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from minimax_opt import checks
from minimax_opt.nn.weighting import Prior, Weighting, known_part, normalized
from minimax_opt.ops import project_simplex

LEAST_LOG = -1e30  # keeps dead weights finite in float32; exp() of far less is 0


class _Ascent(Weighting):
    step_size: float
    floor: float

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number("step_size", self.step_size, 0.0)
        if not (checks.is_number(self.floor) and 0.0 <= self.floor <= 1.0):
            raise ValueError(f"`floor` must be a float in [0, 1], got {self.floor!r}.")


@dataclass(frozen=True)
class MirrorAscentWeighting(_Ascent):
    r"""Exponentiated gradient ascent (group DRO): :math:`w \leftarrow w_k \exp(step\_size \cdot score_k)`, normalised.

    It is ``respond(scores, smoothing=1/step_size, anchor=previous weights)`` on the simplex, computed and kept as logarithms: a weight that has
    become as small as 1e-300 still moves.

    Parameters
    ----------
    step_size : float
        At least 0, in the unit of 1/score. step_size * steps * gap far above log K ends at one task.
    prior : {"uniform", "frequency"} or sequence
        The weights before the first step; see :class:`Weighting`.
    floor : float
        e in [0, 1]: every step ends with (1 - e) w + e prior, the fixed-share update of Herbster and Warmuth (1998).
    """

    step_size: float
    prior: Prior = "uniform"
    floor: float = 0.0

    def weights(self, scores: Tensor, prior: Tensor, state: Tensor) -> Tensor:
        anyone = (prior > 0).any(-1, keepdim=True)
        logits = torch.where(anyone, prior.log() + state, 0.0)  # without anyone all would be -inf, and the softmax nan
        return torch.where(anyone, torch.softmax(logits, dim=-1), 0.0)

    def advance(self, state: Tensor, scores: Tensor, prior: Tensor) -> Tensor:
        prior = torch.where(scores > -math.inf, known_part(scores, prior), 0.0)
        known = prior > 0
        log_prior = prior.log()
        logits = log_prior + state
        mass = torch.logsumexp(logits, dim=-1, keepdim=True)  # of the tasks that move, kept
        step = torch.where(known, self.step_size * scores, 0.0)
        moved = torch.log_softmax(logits + step, dim=-1)
        if self.floor > 0.0:
            rest = math.log1p(-self.floor) if self.floor < 1.0 else -math.inf
            moved = torch.logaddexp(moved + rest, normalized(prior).log() + math.log(self.floor))
        return torch.where(known, moved + mass - log_prior, state).clamp(min=LEAST_LOG)


@dataclass(frozen=True)
class ProjectedAscentWeighting(_Ascent):
    r"""Projected gradient ascent: :math:`w \leftarrow P(w + step\_size \cdot scores)`, P the Euclidean projection onto the simplex.

    Weights become exactly 0, and come back.

    Parameters
    ----------
    step_size, prior, floor
        As for :class:`MirrorAscentWeighting`.
    """

    step_size: float
    prior: Prior = "uniform"
    floor: float = 0.0

    def weights(self, scores: Tensor, prior: Tensor, state: Tensor) -> Tensor:
        return _conditional(prior, state)[0]

    def advance(self, state: Tensor, scores: Tensor, prior: Tensor) -> Tensor:
        prior = torch.where(scores > -math.inf, known_part(scores, prior), 0.0)
        known = prior > 0
        before, mass = _conditional(prior, state)
        moved = project_simplex(torch.where(known, before + self.step_size * scores, -math.inf))
        moved = (1.0 - self.floor) * moved + self.floor * normalized(prior)
        return torch.where(known, state + mass * (moved - before), state)


def _conditional(prior: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """The weights given that one of the tasks with a prior is drawn, and the mass of these tasks."""
    there = prior > 0
    point = torch.where(there, prior + state, 0.0)
    mass = point.sum(-1, keepdim=True).clamp(0.0, 1.0)
    point = torch.where(mass > 0, point / mass, normalized(prior))  # nothing is known of tasks that are 0 together
    projected = project_simplex(torch.where(there, point, -math.inf))  # within rounding, but for the prior "frequency"
    return torch.where(there, projected, 0.0), mass


__all__ = ["MirrorAscentWeighting", "ProjectedAscentWeighting"]
