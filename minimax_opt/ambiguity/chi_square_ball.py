"""A chi-square ball round the prior."""

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
from minimax_opt.ambiguity.constraints import ChiSquareConstraint, HostConstraints
from minimax_opt.ambiguity.roots import attach_root, increasing_root
from minimax_opt.ambiguity.simplex import respond_on_simplex
from minimax_opt.arrays import Host
from minimax_opt.ops import project_simplex


@dataclass(frozen=True)
class ChiSquareBall(AmbiguitySet):
    r"""Weights with :math:`\frac12 \sum_k (w_k - q_k)^2 / q_k \le radius`.

    Without smoothing, :math:`w_k = q_k (f_k - \tau)_+ / d`: on the tasks of loss above tau it is the prior plus a multiple of
    the centred losses. Euclidean with smoothing s and anchor a: :math:`w_k = (s a_k + f_k - \tau)_+ / (s + \eta / q_k)`, with the
    multiplier eta of the constraint by a one-dimensional root; for a uniform prior there is a closed form. There is no such
    formula in the entropic geometry.

    Parameters
    ----------
    radius : float
        At least 0. 0 is the prior; (1/min q - 1)/2 or more, also inf, is the whole simplex.
    prior, floor
        As for :class:`Simplex`.

    Notes
    -----
    Divergence radius: the Euclidean one, radius times the largest prior weight, is attained for a uniform prior as long as
    the ball does not leave the simplex; the entropic one, log(1 + 2 radius), is a bound.

    References
    ----------
    Namkoong, Duchi, "Variance-based regularization with convex objectives", JMLR 20 (2019).

    Examples
    --------
    >>> import numpy as np
    >>> ChiSquareBall(0.1).respond(np.array([1.0, 4.0, 2.0, 2.0])).round(3)
    array([0.122, 0.43 , 0.224, 0.224])
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
        return 1.0 / (1.0 + 2.0 * self.radius)

    def check_pair(self, smoothing: float, geometry: Geometry) -> None:
        """Raise ValueError where this set has no exact response in this geometry."""
        super().check_pair(smoothing, geometry)
        if geometry == "entropic" and smoothing > 0.0:
            raise ValueError(
                "ChiSquareBall with geometry='entropic' and smoothing > 0 has no exact response. "
                "Use geometry='euclidean', or KLBall."
            )

    def _respond_in_base(
        self, losses: Tensor, prior: Tensor, least: float, smoothing: float, geometry: Geometry, anchor: Tensor
    ) -> Tensor:
        if self.radius == 0.0:
            return prior.expand_as(losses)
        if least > 0.0 and 1.0 + 2.0 * self.radius >= 1.0 / least:
            return respond_on_simplex(losses, prior, smoothing, geometry, anchor)
        if smoothing == 0.0:
            return _tight(losses, prior, self.radius)
        free = project_simplex(anchor + losses / smoothing)
        with torch.no_grad():
            active = ((free - prior).square() / prior).sum(-1, keepdim=True) > 2.0 * self.radius
        if (
            least == 1.0 / losses.shape[-1]
        ):  # a uniform prior: all s + eta/q_k are equal: what is tight is the same as without smoothing
            tight = _tight(losses + smoothing * anchor, prior, self.radius)
        else:
            tight = _tight_euclidean(losses, prior, self.radius, smoothing, anchor, active)
        return torch.where(active, tight, free)

    def _base_divergence_radius(self, prior: Host, geometry: Geometry) -> float:
        return math.log1p(2.0 * self.radius) if geometry == "entropic" else self.radius * float(prior.max())

    def describe(self) -> str:
        """The set in one line."""
        return f"chi-square ball, radius {self.radius:g}{self.describe_options()}"

    def constraints(self, n_tasks: int) -> HostConstraints:
        """The base set and the floor as data for NumPy solvers."""
        prior = self.prior_weights(n_tasks)
        return HostConstraints(prior, self.floor, ball=ChiSquareConstraint(prior, self.radius))

    def _base_host_weights(self, losses: Host, prior: Host) -> Host:
        return host.chi_square_weights(losses, prior, self.radius)


def _tight(losses: Tensor, prior: Tensor, radius: float) -> Tensor:
    r"""W ~ q (f - tau)_+ with :math:`\sum_k w_k^2 / q_k = 1 + 2 radius`, or the prior on the largest losses where that is inside.

    The left side increases with tau. Between two neighbouring losses the support S is fixed, and with the mass m, mean u and
    variance v of the losses on S under q the solution is :math:`w = (q/m) (1 + (f - u) \sqrt{((1 + 2 radius) m - 1) / v})`.
    """
    bound = 1.0 + 2.0 * radius
    with torch.no_grad():
        top = losses.amax(-1, keepdim=True)

        def outside(tau: Tensor) -> Tensor:
            x = (losses - tau).clamp(min=0.0) / torch.where(tau < top, top - tau, 1.0)
            first, second = (prior * x).sum(-1, keepdim=True), (prior * x.square()).sum(-1, keepdim=True)
            return (tau == top) | ((second >= bound * first.square()) & (tau > -math.inf))

        support = losses >= last_true(losses.sort(dim=-1, descending=True).values, outside)
        q = torch.where(support, prior, 0.0)
        mass = q.sum(-1, keepdim=True)
        # (1 + 2 radius) m - 1, without a rounding error of 1 - m
        excess = (2.0 * radius * mass - torch.where(support, 0.0, prior).sum(-1, keepdim=True)).clamp(min=0.0)
    inside = torch.where(support, losses, 0.0)
    deviation = torch.where(support, inside - (q * inside).sum(-1, keepdim=True) / mass, 0.0)
    largest = deviation.detach().abs().amax(-1, keepdim=True)
    deviation = deviation / torch.where(largest > 0, largest, 1.0)
    variance = (q * deviation.square()).sum(-1, keepdim=True) / mass
    slope = (excess / torch.where(largest > 0, variance, 1.0)).sqrt()
    return (q / mass * (1.0 + deviation * slope)).clamp(min=0.0)


def _tight_euclidean(losses: Tensor, prior: Tensor, radius: float, smoothing: float, anchor: Tensor, active: Tensor) -> Tensor:
    """W = (v - tau)_+ / (s + eta/q) with v = s a + f, sum 1 and the divergence `radius`, for the rows that are `active`."""
    present = losses > -math.inf
    finite = torch.where(present, losses, 0.0)
    unit = smoothing - finite.detach().amin(-1, keepdim=True)  # the losses have their maximum at 0
    s = smoothing / unit
    v = torch.where(present, finite / unit + s * anchor, -math.inf)
    mass = torch.where(present, prior, 0.0).sum(-1, keepdim=True)
    reachable = torch.where(present, prior / mass, 0.0)  # the point of least divergence, for eta = inf
    missing = torch.where(present.all(-1, keepdim=True), 0.0, (1.0 - mass) / (2.0 * mass))
    slack = (radius - missing).clamp(min=torch.finfo(losses.dtype).tiny)
    ordered = v.detach().sort(dim=-1, descending=True).values

    def weights(log_eta: Tensor) -> tuple[Tensor, Tensor]:
        c = prior / (s * prior + log_eta.exp())
        with torch.no_grad():
            start = last_true(
                ordered, lambda tau: ((c * (v - tau).clamp(min=0.0)).sum(-1, keepdim=True) <= 1.0) & (tau > -math.inf)
            )
            support = v >= start
        c = torch.where(support, c, 0.0)
        x = torch.where(support, v - start, 0.0)
        return (c * (x + (1.0 - (c * x).sum(-1, keepdim=True)) / c.sum(-1, keepdim=True))).clamp(min=0.0), c

    def divergence(log_eta: Tensor) -> Tensor:
        w, _ = weights(log_eta)
        return ((w - reachable).square() / prior).sum(-1, keepdim=True) / 2

    def log_equation(x: Tensor) -> tuple[Tensor, Tensor]:  # x = -log eta, since the divergence decreases with eta
        w, c = weights(-x)
        value = ((w - reachable).square() / prior).sum(-1, keepdim=True) / 2
        ratio = w / prior
        centred = ratio - (c * ratio).sum(-1, keepdim=True) / c.sum(-1, keepdim=True)
        change = (c * centred.square()).sum(-1, keepdim=True)
        return value.log() - slack.log(), (-x).exp() * change / value

    with torch.no_grad():
        # The maximiser is at least as good as `reachable`: eta * slack is at most the range of <w, v> - s |w|^2 / 2, below 2.5.
        lower = slack.log() - math.log(2.5)
        upper = torch.full_like(lower, -math.log(torch.finfo(losses.dtype).tiny))
        centred = torch.where(present, v, 0.0) - (reachable * torch.where(present, v, 0.0)).sum(-1, keepdim=True)
        start = (slack * 2.0 / (reachable * centred.square()).sum(-1, keepdim=True)).log() / 2  # right where eta is large
        x = increasing_root(log_equation, start, lower, upper)
        log_eta = torch.where(active, -x, 0.0)
        _, derivative = log_equation(-log_eta)
        slope = torch.where(active & (derivative > 0), -derivative * slack, -math.inf)
    if torch.is_grad_enabled() and v.requires_grad:
        log_eta = attach_root(log_eta, divergence, slope)
    return weights(log_eta)[0]


__all__ = ["ChiSquareBall"]
