"""What the interior point iterates on: a primal-dual point, and a change of it."""

from __future__ import annotations

from dataclasses import dataclass

from minimax_opt.arrays import Host
from minimax_opt.problem import Point


@dataclass
class Iterate:
    """One primal-dual point.

    Attributes
    ----------
    point : Point
        x, evaluated.
    slack, multiplier : ndarray, shape (n_pairs,)
        (u, z, v) and (s, y, eta), then the multipliers and the slacks of the domain's rows; all > 0.
    level : float
        t.
    """

    point: Point
    slack: Host
    multiplier: Host
    level: float


@dataclass
class Right:
    """Right-hand sides once all but x, u, t, eta are eliminated.

    Attributes
    ----------
    push : ndarray, shape (n_pairs,)
        What the multipliers change by where the slacks stay.
    rows : ndarray, shape (K,)
        du = D (rows + C dx).
    level, eta : float
        The changes of t and eta for dx = 0.
    ball : float
        The residual of the ball.
    domain : ndarray, shape (m,), or None
        The same as `rows` for the rows of the domain.
    """

    push: Host
    rows: Host
    level: float
    eta: float
    ball: float
    domain: Host | None


@dataclass
class Step:
    """A change of all unknowns of an :class:`Iterate`, and what it was computed from."""

    x: Host
    slack: Host
    multiplier: Host
    level: float
    right: Right


def longest(values: Host, change: Host) -> float:
    """The largest a <= 1e10 with values + a change >= 0, for values > 0."""
    ratio = change / values
    steepest = float(ratio[ratio.argmin()])
    return -1.0 / steepest if steepest < -1e-10 else 1e10
