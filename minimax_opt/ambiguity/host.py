"""The sets for NumPy solvers on the host: their constraints, and unregularised responses in microseconds. No torch here.

The functions `*_weights(losses, prior, ...)` take float64 arrays of shape (K,), with losses of -inf only where a point of the set
has weight 0 on all of these, and return a maximiser of <w, losses>; ties share in proportion to the prior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from minimax_opt.arrays import Host

_ROUNDING = 8.0 * np.finfo(np.float64).eps


class BallConstraint(Protocol):
    """A smooth separable convex constraint value(w) <= radius."""

    @property
    def radius(self) -> float:
        """The right-hand side."""

    def value(self, w: Host) -> float:
        """The divergence of w, shape (K,), from the prior."""

    def gradient(self, w: Host) -> Host:
        """Its gradient, shape (K,)."""

    def curvature(self, w: Host) -> Host:
        """The diagonal of its Hessian, shape (K,)."""


@dataclass(frozen=True, eq=False)
class KLConstraint:
    r""":math:`\sum_k w_k \log(w_k / q_k) \le radius`; gradient and curvature need w > 0."""

    prior: Host
    radius: float

    def value(self, w: Host) -> float:
        ratio = w / self.prior
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.where(w > 0, w * np.log(ratio), 0.0).sum())

    def gradient(self, w: Host) -> Host:
        gradient: Host = np.log(w / self.prior) + 1.0
        return gradient

    def curvature(self, w: Host) -> Host:
        return 1.0 / w


@dataclass(frozen=True, eq=False)
class ChiSquareConstraint:
    r""":math:`\frac12 \sum_k (w_k - q_k)^2 / q_k \le radius`."""

    prior: Host
    radius: float

    def value(self, w: Host) -> float:
        step = w - self.prior
        return 0.5 * float(step @ (step / self.prior))

    def gradient(self, w: Host) -> Host:
        return w / self.prior - 1.0

    def curvature(self, w: Host) -> Host:
        return 1.0 / self.prior


@dataclass(frozen=True, eq=False)
class HostConstraints:
    """A base set {w >= 0, sum w = 1, w <= cap, ball.value(w) <= ball.radius} and the floor that is mixed in afterwards.

    Attributes
    ----------
    prior : ndarray, shape (K,)
    floor : float
    cap : ndarray, shape (K,), or None
    ball : BallConstraint or None
    """

    prior: Host
    floor: float = 0.0
    cap: Host | None = None
    ball: BallConstraint | None = None

    def violation(self, w: Host) -> float:
        """The largest amount by which `w` breaks a constraint of the base set; nan counts as inf."""
        amounts = [abs(float(w.sum()) - 1.0), -float(w.min())]
        if self.cap is not None:
            amounts.append(float((w - self.cap).max()))
        if self.ball is not None:
            amounts.append(self.ball.value(np.maximum(w, 0.0)) - self.ball.radius)
        worst = max(math.inf if math.isnan(a) else a for a in amounts)
        return max(worst, 0.0)


def simplex_weights(losses: Host, prior: Host) -> Host:
    """The prior on the tasks of largest loss."""
    tied = np.where(losses == losses.max(), prior, 0.0)
    weights: Host = tied / tied.sum()
    return weights


def cvar_weights(losses: Host, prior: Host, tail_fraction: float) -> Host:
    """Caps from the largest loss down until the mass is 1; the tasks tied at the last loss share the rest."""
    if tail_fraction <= prior.min():
        return simplex_weights(losses, prior)
    caps = prior / tail_fraction
    order = np.argsort(-losses)
    last = losses[order[int(np.argmax(np.cumsum(caps[order]) >= 1.0 - _ROUNDING))]]
    certain, tied = np.where(losses > last, caps, 0.0), np.where(losses == last, caps, 0.0)
    weights: Host = certain + max(1.0 - certain.sum(), 0.0) / tied.sum() * tied
    return weights


def kl_weights(losses: Host, prior: Host, radius: float) -> Host:
    """w ~ q exp(t f) with t such that the divergence is `radius`: safeguarded Newton steps on its logarithm over log t."""
    if radius == 0.0:
        return prior
    if radius >= -math.log(prior.min()):
        return simplex_weights(losses, prior)
    g, q, index = _standardized(losses, prior)
    slack = max(radius + math.log(q.sum()), 1e-300) if index is not None else radius
    q = q / q.sum()
    below = g[g < 0]
    far = min(1500.0 / -below.max(), 1e300) if below.size else 0.0
    weights, divergence, _ = _tilted(far, g, q)
    if divergence > slack:
        lower, upper = math.log(2.8 * math.sqrt(slack)), math.log(far)
        x, last = 0.5 * math.log(2.0 * slack / max(float(q @ (g - q @ g) ** 2), 1e-300)), upper - lower  # KL is about t^2 var / 2
        x = min(max(x, lower), upper)
        for _ in range(120):
            t = math.exp(x)
            weights, divergence, variance = _tilted(t, g, q)
            lower, upper = (lower, x) if divergence > slack else (x, upper)
            step = math.log(slack / divergence) * divergence / (t * t * variance) if divergence > 0 and variance > 0 else math.inf
            following = x + step if lower < x + step < upper and abs(step) <= 0.5 * abs(last) else 0.5 * (lower + upper)
            last, x = following - x, following
            if abs(last) <= 2e-16 * max(1.0, abs(x)):
                break
    return _embedded(weights, index, losses.shape[0])


def chi_square_weights(losses: Host, prior: Host, radius: float) -> Host:
    """w = q (1 + (f - mean) / d) on the tasks S of loss >= some level, with d such that the divergence is `radius`."""
    if radius == 0.0:
        return prior
    if 1.0 + 2.0 * radius >= 1.0 / prior.min():
        return simplex_weights(losses, prior)
    g, q, index = _standardized(losses, prior)
    ordered = np.sort(g)[::-1]
    low, high = 0, ordered.shape[0]
    while high - low > 1:
        middle = (low + high) // 2
        x = np.maximum(g - ordered[middle], 0.0)
        x /= x.max() or 1.0
        inside = float(x.max()) == 0.0 or q @ (x * x) >= (1.0 + 2.0 * radius) * (q @ x) ** 2
        low, high = (middle, high) if inside else (low, middle)
    support = np.where(g >= ordered[low], q, 0.0)
    mass = float(support.sum())
    deviation = np.where(support > 0, g - support @ g / mass, 0.0)
    largest = float(np.abs(deviation).max())
    weights = support / mass
    if largest > 0.0:
        deviation /= largest
        excess = max((1.0 + 2.0 * radius) * mass - 1.0, 0.0)
        weights = np.maximum(weights * (1.0 + deviation * math.sqrt(excess * mass / float(support @ deviation**2))), 0.0)
    return _embedded(weights, index, losses.shape[0])


def avoidable(losses: Host, prior: Host, least_support: float) -> Host:
    """`losses`, with 0 and -1 in place of finite and -inf where every point of the set has weight on a loss of -inf."""
    present = losses > -math.inf
    if present.all():
        return losses
    mass = float(prior[present].sum())
    if mass <= 0.0:
        return np.zeros_like(losses)
    return np.where(present, 0.0, -1.0) if mass < least_support - _ROUNDING else losses


def mixed(base: Host, prior: Host, floor: float) -> Host:
    """(1 - e) base + e q."""
    return base if floor == 0.0 else (1.0 - floor) * base + floor * prior


def charge(weights: Host, losses: Host) -> float:
    """<w, f> with 0 * -inf = 0, exact under a common offset."""
    top = float(losses.max())
    if top == -math.inf:
        return top
    shifted = losses - top
    value = float(weights @ shifted)
    return top + (value if math.isfinite(value) else float(weights[weights > 0] @ shifted[weights > 0]))


def _standardized(losses: Host, prior: Host) -> tuple[Host, Host, Host | None]:
    """The finite losses with maximum 0 and range 1, their prior, and where they are (None: everywhere)."""
    index = None
    if losses.min() == -math.inf:
        index = np.flatnonzero(losses > -math.inf)
        losses, prior = losses[index], prior[index]
    g = losses - losses.max()
    scale = -float(g.min())
    return (g / scale if scale > 0 else g), prior, index


def _embedded(weights: Host, index: Host | None, length: int) -> Host:
    if index is None:
        return weights
    full = np.zeros(length)
    full[index] = weights
    return full


def _tilted(t: float, g: Host, q: Host) -> tuple[Host, float, float]:
    """w ~ q exp(t g), KL(w || q) and the variance of g under w."""
    with np.errstate(under="ignore"):
        e = np.exp(t * g)
        total = float(q @ e)
        log_ratio = t * g - math.log(total)
        ratio = e / total
        weights = q * ratio
        mean = float(weights @ g)
        # rounding errors of log_ratio cancel to first order where it is near 0
        return weights, float(q @ (ratio * log_ratio - np.expm1(log_ratio))), float(weights @ (g - mean) ** 2)


__all__ = [
    "BallConstraint",
    "ChiSquareConstraint",
    "HostConstraints",
    "KLConstraint",
    "avoidable",
    "charge",
    "chi_square_weights",
    "cvar_weights",
    "kl_weights",
    "mixed",
    "simplex_weights",
]
