"""A Kullback-Leibler ball round the prior."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minimax_opt import checks
from minimax_opt.ambiguity import host
from minimax_opt.ambiguity.base import AmbiguitySet, Geometry
from minimax_opt.ambiguity.constraints import HostConstraints, KLConstraint
from minimax_opt.ambiguity.roots import attach_root, increasing_root
from minimax_opt.ambiguity.simplex import respond_on_simplex
from minimax_opt.arrays import Host


@dataclass(frozen=True)
class KLBall(AmbiguitySet):
    r"""Weights with :math:`\sum_k w_k \log(w_k / q_k) \le radius`.

    The response is :math:`w \propto q_k \exp(t g_k)`. Without smoothing, g = f and t is such that the constraint is tight.
    With smoothing s and anchor a, :math:`g = f + s \log(a / q)` and t is that number or 1/s, whichever is smaller: with
    :math:`t = 1/(s + \eta)` this is :math:`a^{s/(s+\eta)} q^{\eta/(s+\eta)} \exp(f/(s+\eta))`, and eta is the multiplier of the
    constraint. There is no such formula in the Euclidean geometry.

    Parameters
    ----------
    radius : float
        At least 0. 0 is the prior; -log(min q) or more, also inf, is the whole simplex.
    prior, floor
        As for :class:`Simplex`.

    Notes
    -----
    The entropic divergence radius is attained; the Euclidean one is a bound by Pinsker's inequality, radius / 2.

    References
    ----------
    Ben-Tal et al., "Robust solutions of optimization problems affected by uncertain probabilities", Management Science 59 (2013).

    Examples
    --------
    >>> import numpy as np
    >>> weights = KLBall(0.1).respond(np.array([1.0, 4.0, 2.0, 2.0]))
    >>> weights.round(3)
    array([0.14 , 0.447, 0.206, 0.206])
    >>> KLBall(0.1).contains(weights)
    True
    """

    radius: float
    prior: Sequence[float] | None = None
    floor: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (checks.is_number(self.radius) and self.radius >= 0.0):
            raise ValueError(f"`radius` must be a float >= 0 (inf is allowed), got {self.radius!r}.")

    @property
    def _least_support(self) -> float:
        return math.exp(-self.radius)

    def check_pair(self, smoothing: float, geometry: Geometry) -> None:
        """Raise ValueError where this set has no exact response in this geometry."""
        super().check_pair(smoothing, geometry)
        if geometry == "euclidean" and smoothing > 0.0:
            raise ValueError(
                "KLBall with geometry='euclidean' and smoothing > 0 has no exact response. "
                "Use geometry='entropic', or ChiSquareBall."
            )

    def _respond_in_base(
        self, losses: Tensor, prior: Tensor, least: float, smoothing: float, geometry: Geometry, anchor: Tensor
    ) -> Tensor:
        if self.radius == 0.0:
            return prior.expand_as(losses)
        if least > 0.0 and self.radius >= -math.log(least):
            return respond_on_simplex(losses, prior, smoothing, geometry, anchor)
        if smoothing > 0.0:
            losses = losses + smoothing * (anchor.log() - prior.log())
        return _tilt(losses, prior, self.radius, smoothing)

    def _base_divergence_radius(self, prior: Host, geometry: Geometry) -> float:
        return self.radius if geometry == "entropic" else self.radius / 2.0

    def describe(self) -> str:
        """The set in one line."""
        return f"KL ball, radius {self.radius:g}{self.describe_options()}"

    def constraints(self, n_tasks: int) -> HostConstraints:
        """The base set and the floor as data for NumPy solvers."""
        prior = self.prior_weights(n_tasks)
        return HostConstraints(prior, self.floor, ball=KLConstraint(prior, self.radius))

    def _base_host_weights(self, losses: Host, prior: Host) -> Host:
        return host.kl_weights(losses, prior, self.radius)


def _tilt(losses: Tensor, prior: Tensor, radius: float, smoothing: float) -> Tensor:
    """softmax(log q + t losses) with the largest t <= 1/smoothing for which its divergence from q is at most `radius`."""
    info = torch.finfo(losses.dtype)
    present = losses > -math.inf
    g, scale = _standardized(losses, present)
    mass = torch.where(present.all(-1, keepdim=True), 1.0, torch.where(present, prior, 0.0).sum(-1, keepdim=True))
    inside = torch.where(present, prior / mass, 0.0)  # the prior, given that no task of loss -inf is drawn
    slack = (radius + mass.log()).clamp(min=info.tiny)
    base_logits = inside.log()

    def tilted(t: Tensor) -> Tensor:
        return torch.softmax(base_logits + t * g, dim=-1)

    def divergence(t: Tensor) -> Tensor:
        # sum_k q_k (r L - r + 1) with r = w / q and L = log r: rounding errors of L cancel to first order where r is near 1.
        log_ratio = t * g - torch.logsumexp(base_logits + t * g, -1, keepdim=True)
        return torch.where(present, inside * (log_ratio.exp() * log_ratio - log_ratio.expm1()), 0.0).sum(-1, keepdim=True)

    def variance(t: Tensor) -> Tensor:  # of t g under w: g alone may be too small to be squared
        w, x = tilted(t), (t * g).clamp(min=-800.0)  # below, w is 0 anyway
        return (w * (x - (w * x).sum(-1, keepdim=True)).square()).sum(-1, keepdim=True)

    def log_equation(x: Tensor) -> tuple[Tensor, Tensor]:
        t = x.exp()
        value = divergence(t)
        return value.log() - slack.log(), variance(t) / value

    with torch.no_grad():
        # From t = far on, all but the largest losses have weight 0 in this dtype.
        gap = torch.where(g < 0, -g, math.inf).amin(-1, keepdim=True)
        far = (-2.0 * math.log(info.tiny) / gap).clamp(max=info.max)
        limit = far if smoothing == 0.0 else torch.minimum(far, scale / smoothing)
        active = divergence(limit) > slack
        # KL(t) <= t^2 / 8 for losses of range 1 (Hoeffding), so that the root is at least sqrt(8 slack).
        lower = (slack.sqrt() * 2.8).clamp(max=limit).log()
        spread = (inside * (g - (inside * g).sum(-1, keepdim=True)).square()).sum(-1, keepdim=True)
        start = (slack * 2.0 / spread).log() / 2  # KL(t) is about t^2 variance / 2
        root = torch.where(active, increasing_root(log_equation, start, lower, limit.log()).exp(), 1.0)
        # A number as large as 1e300 is rounded as its logarithm is: one more step, relative to t.
        step = (slack - divergence(root)) / variance(root)
        root = torch.where(active & (step.abs() < 1e-6), root * (1 + step), root)
    if torch.is_grad_enabled() and g.requires_grad:
        slope = (variance(root) / root).detach()
        root = attach_root(root, divergence, torch.where(active & (slope > 0), slope, math.inf))
    return tilted(torch.where(active, root, limit))


def _standardized(losses: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """The present losses with maximum 0 and range 1 (0 if all are equal), 0 in place of the others; and the range."""
    top = torch.where(present, losses, -math.inf).detach().amax(-1, keepdim=True)
    g = torch.where(present, losses - torch.where(present.any(-1, keepdim=True), top, 0.0), 0.0)
    scale = -g.detach().amin(-1, keepdim=True)
    return g / torch.where(scale > 0, scale, 1.0), scale


__all__ = ["KLBall"]
