"""The sets as constraints, for solvers on the host: NumPy float64, no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from minimax_opt.arrays import Host

CANCELS = (
    0.01  # a smaller divergence is summed from nonnegative terms: sum_k w_k log(w_k / q_k) is wrong by about eps sqrt(divergence)
)
NEAR = 0.03  # below, (1 + s) log(1 + s) - s is summed from its series: the formula cancels
SERIES = np.array([(-1) ** k / (k * (k - 1)) for k in range(10, 1, -1)])  # of it over s^2, the highest power first


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
    r""":math:`\sum_k w_k \log(w_k / q_k) - w_k + q_k \le radius`; gradient and curvature need w > 0.

    The last two terms add up to 0 where the weights add up to 1. In floating point they do so to rounding only, which is more than
    all of a tiny radius: with them the sum is one of nonnegative terms, :math:`q_k ((1 + s) \log(1 + s) - s)`, s = (w_k - q_k) / q_k.
    """

    prior: Host
    radius: float

    def value(self, w: Host) -> float:
        """KL(w || q), with 0 log 0 = 0 and no cancellation."""
        charged, log_ratio = w, self.gradient(w)
        if not w[w.argmin()] > 0:
            charged, log_ratio = w[w > 0], log_ratio[w > 0]
        value = float(charged @ log_ratio) - float(np.add.reduce(w - self.prior))
        return value if value > CANCELS else self._nonnegative_terms(w)

    def _nonnegative_terms(self, w: Host) -> float:
        """The same for small divergences."""
        s = (w - self.prior) / self.prior
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(w > 0, w / self.prior * self.gradient(w), 0.0) - s
        return float(self.prior @ np.where(np.abs(s) < NEAR, s**2 * np.polyval(SERIES, s), terms))

    def gradient(self, w: Host) -> Host:
        """log(w / q)."""
        s = (w - self.prior) / self.prior  # exact to relative rounding near q, where w / q - 1 is not
        if s[s.argmin()] > -0.5:
            return np.log1p(s)
        with np.errstate(divide="ignore", invalid="ignore"):
            gradient: Host = np.where(s > -0.5, np.log1p(s), np.log(w / self.prior))
        return gradient

    def curvature(self, w: Host) -> Host:
        """1 / w."""
        return 1.0 / w


@dataclass(frozen=True, eq=False)
class ChiSquareConstraint:
    r""":math:`\frac12 \sum_k (w_k - q_k)^2 / q_k \le radius`."""

    prior: Host
    radius: float

    def value(self, w: Host) -> float:
        """Half the chi-square divergence of w from q."""
        step = w - self.prior
        return 0.5 * float(step @ (step / self.prior))

    def gradient(self, w: Host) -> Host:
        """W / q - 1."""
        return w / self.prior - 1.0

    def curvature(self, w: Host) -> Host:
        """1 / q."""
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

    @property
    def binding_ball(self) -> BallConstraint | None:
        """The ball, unless it holds every vertex of the simplex (the farthest is that of the least prior weight) and never binds."""
        if self.ball is None:
            return None
        vertex = np.zeros_like(self.prior)
        vertex[np.argmin(self.prior)] = 1.0
        return None if self.ball.value(vertex) <= self.ball.radius else self.ball

    def violation(self, w: Host) -> float:
        """The largest amount by which `w` breaks a constraint of the base set; nan counts as inf."""
        amounts = [abs(float(w.sum()) - 1.0), -float(w.min())]
        if self.cap is not None:
            amounts.append(float((w - self.cap).max()))
        if self.ball is not None:
            amounts.append(self.ball.value(np.maximum(w, 0.0)) - self.ball.radius)
        worst = max(math.inf if math.isnan(a) else a for a in amounts)
        return max(worst, 0.0)


__all__ = ["BallConstraint", "ChiSquareConstraint", "HostConstraints", "KLConstraint"]
