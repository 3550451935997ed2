"""Conditional value at risk over tasks: the mean of the worst tail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minimax_kernels.simplex.composed import last_true
from minimax_opt import checks
from minimax_opt.ambiguity import host
from minimax_opt.ambiguity.base import AmbiguitySet, Geometry
from minimax_opt.ambiguity.constraints import HostConstraints
from minimax_opt.ambiguity.simplex import respond_on_simplex
from minimax_opt.arrays import Host
from minimax_opt.ops import project_capped_simplex


@dataclass(frozen=True)
class CVaR(AmbiguitySet):
    r"""Weights with :math:`w \le q / tail\_fraction`: the worst case is the mean loss of the worst tail of that prior mass.

    Entropic: :math:`w_k = \min(q_k / tail\_fraction,\; c \, a_k \exp(f_k / smoothing))` with the anchor a and c such that the sum
    is 1. Euclidean: the projection of a + f / smoothing onto the capped simplex.

    Parameters
    ----------
    tail_fraction : float
        In (0, 1]. 1 is the mean under the prior; the least prior weight or less is the maximum.
    prior, floor
        As for :class:`Simplex`.

    Notes
    -----
    The divergence radius is a bound, log(1/tail_fraction) and its Euclidean counterpart: attained for a uniform prior where
    K tail_fraction is an integer.

    References
    ----------
    Rockafellar, Uryasev, "Optimization of conditional value-at-risk", Journal of Risk 2 (2000).

    Examples
    --------
    >>> import numpy as np
    >>> CVaR(0.5).respond(np.array([1.0, 4.0, 2.0, 2.0]))
    array([0.  , 0.5 , 0.25, 0.25])
    >>> float(CVaR(0.5).worst_case(np.array([1.0, 4.0, 2.0, 2.0])))
    3.0
    """

    tail_fraction: float
    prior: Sequence[float] | None = None
    floor: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (checks.is_number(self.tail_fraction) and 0.0 < self.tail_fraction <= 1.0):
            raise ValueError(f"`tail_fraction` must be a float in (0, 1], got {self.tail_fraction!r}. 1 is the mean over tasks.")

    @property
    def _least_support(self) -> float:
        return self.tail_fraction

    def _respond_in_base(
        self, losses: Tensor, prior: Tensor, least: float, smoothing: float, geometry: Geometry, anchor: Tensor
    ) -> Tensor:
        if self.tail_fraction <= least:  # no cap is below 1
            return respond_on_simplex(losses, prior, smoothing, geometry, anchor)
        caps = prior / self.tail_fraction
        if smoothing == 0.0:
            return _fill(losses, caps)
        scaled = _divided(losses, smoothing)
        if geometry == "entropic":
            return _capped_softmax(scaled + anchor.log() - caps.log(), caps)
        return project_capped_simplex(anchor + scaled, caps)

    def _base_divergence_radius(self, prior: Host, geometry: Geometry) -> float:
        if geometry == "entropic":
            return math.log(1.0 / self.tail_fraction)
        cap = min(1.0, float(prior.max()) / self.tail_fraction)  # |w|^2 <= max w, and <w, q> >= q_min
        return max(cap - 2.0 * float(prior.min()) + float(prior @ prior), 0.0) / 2.0

    def describe(self) -> str:
        """The set in one line."""
        return f"CVaR, tail fraction {self.tail_fraction:g}{self.describe_options()}"

    def constraints(self, n_tasks: int) -> HostConstraints:
        """The base set and the floor as data for NumPy solvers."""
        prior = self.prior_weights(n_tasks)
        return HostConstraints(prior, self.floor, cap=prior / self.tail_fraction)

    def _base_host_weights(self, losses: Host, prior: Host) -> Host:
        return host.cvar_weights(losses, prior, self.tail_fraction)


def _fill(losses: Tensor, caps: Tensor) -> Tensor:
    """Caps from the largest loss down until the mass is 1; tasks tied at the last loss share the rest in proportion to caps."""
    ordered, order = losses.detach().sort(dim=-1, descending=True)
    full = 1.0 - 8.0 * torch.finfo(losses.dtype).eps
    mass = caps.expand_as(losses).gather(-1, order).cumsum(-1)
    filled = (mass < full).sum(
        -1, keepdim=True
    )  # tasks before the mass is full; rounding may leave all caps together just short of it
    last = ordered.gather(-1, filled.clamp(max=losses.shape[-1] - 1))
    certain, tied = torch.where(losses > last, caps, 0.0), torch.where(losses == last, caps, 0.0)
    rest = (1.0 - certain.sum(-1, keepdim=True)).clamp(min=0.0)
    return certain + rest * (tied / tied.sum(-1, keepdim=True))


def _capped_softmax(logits: Tensor, caps: Tensor) -> Tensor:
    """Caps * min(1, c exp(logits)) with sum 1.

    The tasks of the largest logits are at their caps: as many as fit in when the others are c exp(logits) with the least of these
    just at its cap. The others share the rest by a softmax. Only differences of logits enter.
    """
    with torch.no_grad():
        ordered = logits.sort(dim=-1, descending=True).values
        level = last_true(
            ordered, lambda x: ((caps * (logits - x).clamp(max=0.0).exp()).sum(-1, keepdim=True) <= 1.0) & (x > -math.inf)
        )
        # Nothing is certain where not even the first cap fits in.
        fits = (caps * (logits - level).clamp(max=0.0).exp()).sum(-1, keepdim=True) <= 1.0
        free = (logits < level) | ~fits
        reference = torch.where(free, logits, -math.inf).amax(-1, keepdim=True)
        reference = torch.where(reference > -math.inf, reference, 0.0)
    rest = (1.0 - torch.where(free, 0.0, caps).sum(-1, keepdim=True)).clamp(min=0.0)
    shares = caps * torch.where(free, logits - reference, -math.inf).exp()
    total = shares.sum(-1, keepdim=True)
    return torch.where(free, shares * (rest / torch.where(total > 0, total, 1.0)), caps)


def _divided(losses: Tensor, smoothing: float) -> Tensor:
    """`losses` / `smoothing`, kept from overflowing: smoothing far below the rounding of the losses acts as its limit 0."""
    spread = -torch.where(losses > -math.inf, losses, 0.0).detach().amin(-1, keepdim=True)  # the largest loss is 0
    return losses / (spread / (0.1 * torch.finfo(losses.dtype).max)).clamp(min=smoothing)


__all__ = ["CVaR"]
