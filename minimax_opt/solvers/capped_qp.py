r"""The simplex QP with upper bounds: a concave quadratic over the weights that a CVaR allows.

max_w <c, w> - w'Mw/2   over   lower <= w <= upper, sum_k w_k = 1,     M positive semidefinite

The active set method of :mod:`minimax_opt.solvers.simplex_qp` with three places for a task: at its lower bound (zero, after a shift),
free, at its cap. At the optimum of a face the slopes h = c - Mw are equal on the free tasks; a task at zero with a larger slope enters,
and so does one at its cap with a smaller slope. Any ascent direction of the larger face then moves some entering task off its bound, so
that each round gains.

A vertex has no free task where caps add up to the total. Any level between the slopes at zero and those at the caps then serves;
where they overlap, tasks of both kinds enter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minimax_opt import native
from minimax_opt.arrays import Host
from minimax_opt.solvers.simplex_qp import NOISE, SMALLEST, Indices, QPSolution, face_optimum, solve_in_c

NEAR = 1e-14  # of a bound: on it
MANY = 50  # tasks, or a quarter of them, may enter at once whatever the face


class CappedQP(NamedTuple):
    """The data. A point is w of shape (K,) with the indices of its free tasks; each other task is at zero or exactly at its cap."""

    M: Host
    diagonal: Host
    c: Host
    upper: Host
    total: float

    def optimum(self, w: Host, free: Indices) -> Host:
        """The maximiser over the affine hull of a face, shape (F,): the tasks that are not `free` keep their weights in w."""
        fixed = w.copy()
        fixed[free] = 0.0
        gain = self.c.copy()
        gain[free] -= self.M[free] @ fixed
        return face_optimum(self.M, gain, self.diagonal, free, self.total - float(np.add.reduce(fixed)))

    def gain(self, w: Host, new: Host, free: Indices) -> float:
        """The objective at `new` less that at w, which differ on `free`, expanded at w: no cancellation."""
        rows, step = self.M[free], (new - w)[free]
        slopes = self.c[free] - rows @ w
        slopes -= slopes.mean()
        return float(slopes @ step - 0.5 * (step @ (rows[:, free] @ step)))


def solve_capped_qp(M: Host, c: Host, upper: Host, w0: Host | None = None, lower: Host | None = None) -> QPSolution:
    """Maximise <c, w> - w'Mw/2 over `lower` <= w <= `upper`, sum_k w_k = 1.

    Parameters
    ----------
    M : ndarray, shape (K, K)
        Symmetric positive semidefinite; may be singular (then w need not be unique).
    c : ndarray, shape (K,)
        Finite.
    upper : ndarray, shape (K,)
        Upper bounds with a sum >= 1.
    w0 : ndarray, shape (K,), optional
        Warm start: its face is the first where it lies in the set and has a weight at a bound.
    lower : ndarray, shape (K,), optional
        Lower bounds, 0 <= `lower` < `upper`, with a sum < 1.

    Returns
    -------
    QPSolution

    Examples
    --------
    A conditional value at risk: without curvature, the caps fill from the largest entry down.

    >>> import numpy as np
    >>> from minimax_opt.solvers.capped_qp import solve_capped_qp
    >>> solve_capped_qp(np.zeros((3, 3)), np.array([1.0, 3.0, 2.0]), np.full(3, 0.75)).weights
    array([0.  , 0.75, 0.25])
    """
    if native.library() is not None:
        return solve_in_c(M, c, w0, lower, upper)
    peak, total = float(c.max()), 1.0
    gain, start, room = c - peak, w0, upper
    if lower is not None:
        pull = M @ lower
        total, gain, room = 1.0 - float(lower.sum()), gain - pull, upper - lower
        start = None if w0 is None else w0 - lower
    v, slope, pivots = _climb(M, gain, room, start, total)
    value = peak + 0.5 * (float(gain @ v) + slope)
    if lower is None:
        return QPSolution(v, value, pivots)
    return QPSolution(lower + v, value + float((c - peak) @ lower) - 0.5 * float(lower @ pull), pivots)


def _climb(M: Host, c: Host, upper: Host, start: Host | None, total: float) -> tuple[Host, float, int]:
    """The optimum, from the face of `start` or from the best vertex: (w, <h, w>, number of face optima)."""
    qp = CappedQP(M, M.diagonal(), c, upper, total)
    w, free = _start(qp, start)
    pivots, limit, previous, careful = 0, 10 * len(c) + 50, b"", False
    while True:
        w, free, count = _settle(qp, w, free)
        pivots += count
        slopes = c - M @ w
        excess = _excess(qp, w, free, slopes)
        candidates = (excess > 0.0).nonzero()[0]
        stuck = w.tobytes() == previous
        if not len(candidates) or pivots > limit or (stuck and careful):
            return w, float(slopes @ w), pivots
        careful, previous = stuck or count > 3, w.tobytes()
        free = np.concatenate([free, _entrants(candidates, excess, w, free, careful)])


def _entrants(candidates: Indices, excess: Host, w: Host, free: Indices, careful: bool) -> Indices:
    """The candidates that enter: as many as are free; if `careful`, the first, or at a vertex the first of either kind."""
    if careful and len(free):
        return np.array([excess.argmax()])
    if careful:
        return np.array([np.where(w == 0.0, excess, -np.inf).argmax(), np.where(w > 0.0, excess, -np.inf).argmax()])
    most = max(len(free), min(len(w) // 4, MANY), 2)
    return candidates if len(candidates) <= most else candidates[np.argpartition(-excess[candidates], most - 1)[:most]]


def _start(qp: CappedQP, start: Host | None) -> tuple[Host, Indices]:
    """A point and its free tasks: `start` where it lies in the set and at some bound, else a vertex, the best for the slopes at the centre.

    A start within all bounds, such as a prior, says nothing about the face.
    """
    if start is not None:
        w = np.where(start > NEAR, np.where(start < qp.upper - NEAR, start, qp.upper), 0.0)
        free = ((w > 0.0) & (w < qp.upper)).nonzero()[0]
        if len(free) < len(w) and abs(float(np.add.reduce(w)) - qp.total) <= NEAR * len(w):
            return w, free
    centre = qp.upper * (qp.total / np.add.reduce(qp.upper))
    order = (qp.M @ centre - qp.c).argsort()
    filled = qp.upper[order].cumsum()
    last = int(filled.searchsorted(qp.total * (1.0 - NEAR)))  # the first with which the caps reach the total
    w = np.zeros(len(order))
    w[order[: last + 1]] = qp.upper[order[: last + 1]]
    over = float(filled[min(last, len(order) - 1)]) - qp.total
    if over <= NEAR * qp.total:
        return w, order[:0]
    w[order[last]] -= over
    return w, order[last : last + 1]


def _excess(qp: CappedQP, w: Host, free: Indices, slopes: Host) -> Host:
    """By how much the slope of each task asks it off its bound, less the noise; where it does not, anything <= 0."""
    capped = w > 0.0
    if len(free):
        inside = w[free]
        level = float(slopes[free] @ inside) / float(np.add.reduce(inside))
    elif capped.all():
        return np.zeros(len(w))
    else:
        level = 0.5 * float(slopes[~capped].max() + slopes[capped].min())
    excess: Host = slopes - level
    np.negative(excess, out=excess, where=capped)
    excess[free] = 0.0
    if excess[excess.argmax()] > 0.0:
        root = np.sqrt(np.maximum(qp.diagonal, 0.0))
        terms = root * float(root @ w) + np.abs(qp.c)
        excess -= NOISE * (terms + float(terms @ w) / qp.total)
    return excess


def _settle(qp: CappedQP, w: Host, free: Indices) -> tuple[Host, Indices, int]:
    """From w, uphill to the optimum of a face where all free weights are off their bounds: (w, free, face optima).

    Free weights at a bound are tasks that have just entered.
    """
    pivots, w = 0, w.copy()
    while len(free):
        whole, upper, v = qp.optimum(w, free), qp.upper[free], w[free]
        pivots += 1
        if whole.min() > 0.0 and (whole < upper).all():
            w[free] = whole
            return w, free, pivots
        jump, kept, count = _drop(qp, w, free, whole)
        pivots += count
        entrant = (v == 0.0) | (v == upper)
        moved = (jump[free] != v)[entrant].any() or not entrant.any()
        if kept is not None and moved and qp.gain(w, jump, free) > 0.0:
            return jump, kept, pivots
        out = (whole <= 0.0) | (
            whole >= upper
        )  # uphill for certain: towards the whole face's optimum, as far as the bounds allow
        limit, way = np.where(whole > 0.0, upper, 0.0), whole - v
        room = np.abs(limit - v)[out] / np.maximum(np.abs(way[out]), SMALLEST)
        v += room.min() * way
        out[out] = room == room.min()
        v[out] = limit[out]
        w[free], free = v, free[~out]
    return w, free, pivots


def _drop(qp: CappedQP, w: Host, free: Indices, best: Host) -> tuple[Host, Indices | None, int]:
    """All that leave go to their bounds at once, until none does: few rounds, and nearly always uphill. None where the others cannot add up."""
    w, pivots = w.copy(), 0
    while True:
        w[free] = np.where(best > 0.0, np.minimum(best, qp.upper[free]), 0.0)
        kept = free[(best > 0.0) & (best < qp.upper[free])]
        if len(kept) == len(free):
            return w, free, pivots
        free = kept
        rest = qp.total - float(np.add.reduce(w)) + float(np.add.reduce(w[free]))
        if not len(free):
            return w, free if abs(rest) <= NEAR else None, pivots
        if not 0.0 < rest < float(np.add.reduce(qp.upper[free])):
            return w, None, pivots
        best, pivots = qp.optimum(w, free), pivots + 1


__all__ = ["solve_capped_qp"]
