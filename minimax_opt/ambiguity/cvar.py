"""Conditional value at risk over tasks: the mean of the worst tail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minimax_opt.ambiguity import host
from minimax_opt.ambiguity.base import AmbiguitySet, Geometry
from minimax_opt.ambiguity.simplex import respond_on_simplex
from minimax_opt.arrays import Host
from minimax_opt.ops import project_capped_simplex


@dataclass(frozen=True)
class CVaR(AmbiguitySet):
    r"""Weights with :math:`w \le q / tail\_fraction`: the worst case is the mean loss of the worst tail, of prior mass tail_fraction.

    Entropic: :math:`w_k = \min(q_k / tail\_fraction,\; c \, a_k \exp(f_k / smoothing))` with the anchor a and c such that the sum is 1.
    Euclidean: the projection of a + f / smoothing onto the capped simplex.

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
    >>> CVaR(0.5).worst_case(np.array([1.0, 4.0, 2.0, 2.0]))
    3.0
    """

    tail_fraction: float
    prior: Sequence[float] | None = None
    floor: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.tail_fraction <= 1.0:
            raise ValueError(f"`tail_fraction` must be a float in (0, 1], got {self.tail_fraction!r}. 1 is the mean over tasks.")

    @property
    def least_support(self) -> float:
        return self.tail_fraction

    def base_respond(self, losses: Tensor, prior: Tensor, smoothing: float, geometry: Geometry, anchor: Tensor) -> Tensor:
        least = 1.0 / losses.shape[-1] if self.prior is None else min(self.prior)
        if self.tail_fraction <= least:  # no cap is below 1
            return respond_on_simplex(losses, prior, smoothing, geometry, anchor)
        caps = prior / self.tail_fraction
        if smoothing == 0.0:
            return _fill(losses, caps)
        if geometry == "entropic":
            return _capped_softmax(losses / smoothing + anchor.log(), caps)
        finite = torch.where(losses > -math.inf, losses, 0.0).detach()
        spread = finite.amax(-1, keepdim=True) - finite.amin(-1, keepdim=True)
        # Smoothing far below the rounding of the losses acts as 0 does: only keep the quotient from overflowing.
        divisor = (spread / (0.1 * torch.finfo(losses.dtype).max)).clamp(min=smoothing)
        return project_capped_simplex(anchor + losses / divisor, caps)

    def base_divergence_radius(self, prior: Host, geometry: Geometry) -> float:
        if geometry == "entropic":
            return math.log(1.0 / self.tail_fraction)
        cap = min(1.0, float(prior.max()) / self.tail_fraction)  # |w|^2 <= max w, and <w, q> >= q_min
        return max(cap - 2.0 * float(prior.min()) + float(prior @ prior), 0.0) / 2.0

    def describe(self) -> str:
        return f"CVaR, tail fraction {self.tail_fraction:g}{self.describe_options()}"

    def constraints(self, n_tasks: int) -> host.HostConstraints:
        prior = self.prior_weights(n_tasks)
        return host.HostConstraints(prior, self.floor, cap=prior / self.tail_fraction)

    def base_host_weights(self, losses: Host, prior: Host) -> Host:
        return host.cvar_weights(losses, prior, self.tail_fraction)


def _fill(losses: Tensor, caps: Tensor) -> Tensor:
    """Caps from the largest loss down until the mass is 1; the tasks tied at the last loss share the rest in proportion to their caps."""
    ordered, order = losses.detach().sort(dim=-1, descending=True)
    full = 1.0 - 8.0 * torch.finfo(losses.dtype).eps
    enough = caps.expand_as(losses).gather(-1, order).cumsum(-1) >= full
    last = ordered.gather(-1, enough.int().argmax(-1, keepdim=True))
    certain, tied = torch.where(losses > last, caps, 0.0), torch.where(losses == last, caps, 0.0)
    rest = (1.0 - certain.sum(-1, keepdim=True)).clamp(min=0.0)
    return certain + rest * (tied / tied.sum(-1, keepdim=True))


def _capped_softmax(logits: Tensor, caps: Tensor) -> Tensor:
    """min(caps, c exp(logits)) with sum 1.

    The first tasks in the order of logits - log caps are at their caps. After j of them, the others share the rest r_j of the mass
    by a softmax; j is the least number for which the next task then stays below its cap.
    """
    caps = caps.expand_as(logits)
    with torch.no_grad():
        excess = logits - caps.log()
        order = excess.argsort(dim=-1, descending=True)
        rest = 1.0 - torch.nn.functional.pad(caps.gather(-1, order).cumsum(-1)[..., :-1], (1, 0))
        others = logits.gather(-1, order).flip(-1).logcumsumexp(-1).flip(-1)
        ordered = excess.gather(-1, order)
        below = (rest.clamp(min=0.0).log() + ordered <= others) | (ordered == -math.inf)
        first_free = below.int().argmax(-1, keepdim=True)
        ranks = torch.empty_like(order).scatter_(-1, order, torch.arange(order.shape[-1], device=order.device).expand_as(order))
        # Without any below (rounding, where the caps fill the whole mass) the last task takes the rest.
        first_free = torch.where(below.any(-1, keepdim=True), first_free, order.shape[-1] - 1)
        free = ranks >= first_free
    certain = torch.where(free, 0.0, caps)
    rest = (1.0 - certain.sum(-1, keepdim=True)).clamp(min=0.0)
    shares = torch.softmax(torch.where(free, logits, -math.inf), dim=-1)
    return certain + torch.where(free, rest * shares, 0.0)


__all__ = ["CVaR"]
