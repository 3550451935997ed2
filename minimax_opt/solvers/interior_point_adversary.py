"""The ambiguity set in the interior point's terms: U = {u >= 0, sum u = 1, u <= cap, R(u) <= rho} and w = (1 - e) u + e q."""

from __future__ import annotations

import numpy as np

from minimax_opt.ambiguity.constraints import BallConstraint, HostConstraints
from minimax_opt.arrays import Host


class Adversary:
    """U without constraints that never bind, and the map from u to a point of W.

    Attributes
    ----------
    mix : float
        1 - e; 0 where U is the single point q, so that u does not matter.
    cap : ndarray, shape (K,), or None
    ball : BallConstraint or None
    n_pairs : int
        Number of complementary pairs: K, K more with caps, one more with a ball.
    last : int
        The place of the ball's pair, where there is one.
    """

    def __init__(self, constraints: HostConstraints) -> None:
        prior, cap, ball = constraints.prior, constraints.cap, constraints.ball
        fixed = len(prior) == 1 or (cap is not None and cap.sum() <= 1 + 1e-12) or (ball is not None and ball.radius <= 0)
        self.prior, self.n_tasks = prior, len(prior)
        self.mix = 0.0 if fixed else 1.0 - constraints.floor
        self.cap: Host | None = None if fixed or cap is None or cap.min() >= 1 else cap
        self.ball: BallConstraint | None = None if fixed else constraints.binding_ball
        self.offset = (1.0 - self.mix) * prior
        self.n_pairs = self.n_tasks * (1 + (self.cap is not None)) + (self.ball is not None)
        self.last = self.n_pairs - 1

    def mixed(self, u: Host) -> Host:
        """The weights (1 - e) u + e q."""
        return u if self.mix == 1.0 else self.mix * u + self.offset

    def unmixed(self, w: Host) -> Host:
        """The u of a point w of W; q where w does not depend on u."""
        return self.prior if self.mix == 0.0 else np.maximum(w - self.offset, 0.0) / self.mix

    def slack(self, u: Host) -> Host:
        """(u, cap - u, rho - R(u)), shape (n_pairs,)."""
        if self.cap is None and self.ball is None:
            return u
        parts = [u]
        if self.cap is not None:
            parts.append(self.cap - u)
        if self.ball is not None:
            parts.append(np.array([self.ball.radius - self.ball.value(u)]))
        return np.concatenate(parts)

    def member(self, u: Host) -> Host:
        """The point of W for a u >= 0 near U: normalised, then drawn towards the prior as far as caps and ball need."""
        u = u / u.sum()
        pull = 1.0
        if self.cap is not None:
            above = u > self.cap
            if above.any():
                pull = float(((self.cap - self.prior)[above] / (u - self.prior)[above]).min())
        if self.ball is not None and self.ball.value(u) > self.ball.radius:
            pull = min(pull, _pull_inside(self.ball, self.prior, u))
        return self.mixed(u if pull == 1.0 else self.prior + pull * (u - self.prior))


def _pull_inside(ball: BallConstraint, prior: Host, u: Host) -> float:
    """A p <= 1 with R(q + p (u - q)) <= rho, the largest to rounding for u near the ball: R is nearly quadratic along the ray."""
    pull, value = 1.0, ball.value(u)
    for _ in range(100):
        if value <= ball.radius:
            return pull
        pull *= (1.0 - 2e-15) * np.sqrt(ball.radius / value)
        value = ball.value(prior + pull * (u - prior))
    return 0.0
