r"""The small quadratic program at the heart of the methods that keep the max intact: a concave quadratic over the simplex.

max_w <c, w> - w'Mw/2   over   w >= lower, sum_k w_k = 1,     M = G B^{-1} G' positive semidefinite

It is the dual of min_d max_k c_k + <g_k, d> + d'Bd/2: the K linearisations of the tasks in the metric B.

Method: a primal active set that climbs. At the optimum w of a face (the affine hull of a set S of tasks, w_S > 0) the slopes
h = c - Mw are equal on S. Tasks with a larger slope enter, at most as many as are in S; then w moves to the optimum of the larger
face, dropping tasks where it would leave the simplex. Because w_S > 0 before, any ascent direction of the larger face raises
some entering task, so that each round gains and no set S returns: finite, without a rule against cycling. Rounding is met by a
noise level of the slopes.

References: Wolfe, Finding the nearest point in a polytope, Mathematical Programming 11, 1976; Kiwiel, A method for solving
certain quadratic programming problems arising in nonsmooth optimization, IMA Journal of Numerical Analysis 6, 1986.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minimax_opt import lapack, native
from minimax_opt.arrays import Host

EPS = float(np.finfo(float).eps)
NOISE = 16 * EPS  # slopes that differ by less than this, relative to their terms, are equal
FEW = 8  # tasks
SMALLEST = float(np.finfo(float).tiny)
TINY = 1e-150  # curvature of a face on which M vanishes: a vertex of a linear program is left in one long step

Indices = np.ndarray[Any, np.dtype[np.intp]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]


class QPSolution(NamedTuple):
    """The optimum of a simplex QP.

    Attributes
    ----------
    weights : ndarray, shape (K,)
        w, in the set to rounding.
    value : float
        <c, w> - w'Mw/2.
    pivots : int
        Faces whose optimum was computed.
    """

    weights: Host
    value: float
    pivots: int


def solve_simplex_qp(M: Host, c: Host, w0: Host | None = None, lower: Host | None = None) -> QPSolution:
    """Maximise <c, w> - w'Mw/2 over the simplex, or over its points w >= `lower`.

    Parameters
    ----------
    M : ndarray, shape (K, K)
        Symmetric positive semidefinite; may be singular (then w need not be unique).
    c : ndarray, shape (K,)
        Finite.
    w0 : ndarray, shape (K,), optional
        Warm start: its support (the tasks above `lower`) starts the active set. Any nonnegative vector will do.
    lower : ndarray, shape (K,), optional
        Lower bounds >= 0 with a sum < 1.

    Returns
    -------
    QPSolution

    Examples
    --------
    The point of a segment nearest to the origin, as weights of its ends (1, 1) and (-1, 3):

    >>> import numpy as np
    >>> from minimax_opt.solvers.simplex_qp import solve_simplex_qp
    >>> G = np.array([[1.0, 1.0], [-1.0, 3.0]])
    >>> solve_simplex_qp(G @ G.T, np.zeros(2)).weights
    array([1., 0.])
    """
    if native.library() is not None:
        return solve_in_c(M, c, w0, lower, None)
    peak = float(c.max())
    total, gain, start = 1.0, c - peak, w0
    if lower is not None:
        pull = M @ lower
        total, gain = 1.0 - float(lower.sum()), gain - pull
        start = None if w0 is None else w0 - lower
    support, v, level, pivots = _climb(M, gain, start, total)
    value = peak + 0.5 * (float(gain[support] @ v) + level)
    if lower is None:
        w = np.zeros(len(c))
        w[support] = v
    else:
        w = np.array(lower)
        w[support] += v
        value += float((c - peak) @ lower) - 0.5 * float(lower @ pull)
    return QPSolution(w, value, pivots)


def solve_in_c(M: Host, c: Host, w0: Host | None, lower: Host | None, upper: Host | None) -> QPSolution:
    """The same by the module in C, with upper bounds or without; `native.library()` is there."""
    w = np.zeros(len(c)) if w0 is None else np.array(w0, dtype=np.float64)
    parts = (None if part is None else np.ascontiguousarray(part, dtype=np.float64) for part in (M, c, lower, upper))
    value, pivots = native.library().simplex_qp(*parts, w)
    return QPSolution(w, value, pivots)


def _climb(M: Host, c: Host, start: Host | None, total: float) -> tuple[Indices, Host, float, int]:
    """The active set method, from the best vertex or the support of `start`: (S, w_S > 0, <h, w>, number of face optima)."""
    diagonal = M.diagonal()
    entered, v = _start(c, diagonal, start, total)
    pivots, limit = 0, 10 * len(c) + 50
    previous = b""
    while True:
        support, v, count = _settle(M, c, diagonal, entered, v, total)
        pivots += count
        slopes = c - v @ M[support]
        level = float(slopes[support] @ v)
        slopes -= level / total
        slopes[support] = 0.0
        candidates = (slopes > 0.0).nonzero()[0]
        if len(candidates):
            candidates = _beyond_rounding(slopes, candidates, c, diagonal, support, v, total)
        face = support.tobytes()
        if not len(candidates) or pivots > limit or face == previous:
            return support, v, level, pivots
        previous, most = face, len(support) if count <= 3 else 1
        if len(candidates) > most:
            candidates = candidates[np.argpartition(-slopes[candidates], most - 1)[:most]]
        entered = np.concatenate([support, candidates])
        v = np.concatenate([v, np.zeros(len(candidates))])


def _beyond_rounding(
    slopes: Host, candidates: Indices, c: Host, diagonal: Host, support: Indices, v: Host, total: float
) -> Indices:
    """The candidates whose slope is above the noise; the slopes, less the noise."""
    own = np.sqrt(np.maximum(diagonal[support], 0.0))
    pull = float(own @ v)
    level = pull * pull - float(c[support] @ v)  # c <= 0
    noise = np.sqrt(np.maximum(diagonal[candidates], 0.0)) * pull - c[candidates]
    slopes[candidates] -= NOISE * (noise + level / total)
    return candidates[slopes[candidates] > 0.0]


def _start(c: Host, diagonal: Host, start: Host | None, total: float) -> tuple[Indices, Host]:
    """A face and a point w_S > 0 of it."""
    if start is not None:
        support = (start > 1e-14).nonzero()[0]
        if (
            0 < len(support) < max(len(c), FEW)
        ):  # that of a prior says nothing, and is slower to thin out than a vertex to climb from
            v = start[support]
            return support, v * (total / v.sum())
    return np.array([(c - 0.5 * total * diagonal).argmax()]), np.array([total])


def _settle(M: Host, c: Host, diagonal: Host, support: Indices, v: Host, total: float) -> tuple[Indices, Host, int]:
    """From v >= 0 on the face of `support`, uphill to the optimum of one of its faces where all weights are positive.

    Entries v = 0 are tasks that have just entered.
    """
    pivots = 0
    while True:
        best, pivots = face_optimum(M, c, diagonal, support, total), pivots + 1
        if best.min() > 0.0:
            return support, best, pivots
        whole, inside = best, best > 0.0
        leaving = (~inside).nonzero()[0]
        while True:  # all that want to leave at once: few rounds, and nearly always uphill
            kept = support[inside]
            best, pivots = face_optimum(M, c, diagonal, kept, total), pivots + 1
            if best.min() > 0.0:
                break
            inside[inside] = best > 0.0
        entrant = v == 0.0
        if (entrant[inside].any() or not entrant.any()) and _gain(M, c, support, v, inside, best, total) > 0.0:
            return kept, best, pivots
        way = v[leaving] - whole[leaving]  # uphill for certain: towards the whole face's optimum, as far as the simplex allows
        room = np.where(way > 0.0, v[leaving] / np.maximum(way, SMALLEST), 0.0)
        v = v + room.min() * (whole - v)
        stays = np.ones(len(v), dtype=bool)
        stays[leaving[room == room.min()]] = False
        support, v = support[stays], v[stays]


def face_optimum(M: Host, c: Host, diagonal: Host, support: Indices, total: float) -> Host:
    """The maximiser over the affine hull of a face, with the weight of one task r (that of least curvature) eliminated.

    Row and column r of the differences M_ij - M_ir - M_rj + M_rr vanish, and so does entry r of the solution.
    """
    size = len(support)
    if size == 1:
        return np.array([total])
    own = diagonal[support]
    r = own.argmin()
    reduced = M[support[:, None], support]
    cross = reduced[r].copy()
    reduced -= cross[:, None]
    cross -= cross[r]
    reduced -= cross
    gain = c[support]
    gain -= gain[r] + total * cross
    own += own[r]
    own *= 4 * EPS
    own += TINY
    while True:
        reduced.flat[:: size + 1] += own
        _, solution, info = lapack.dposv(reduced, gain, lower=True)
        if info == 0:
            break
        own *= 100.0
    weights: Host = solution
    weights[r] = total - (weights.sum() - weights[r])
    return weights


def _gain(M: Host, c: Host, support: Indices, v: Host, inside: Mask, best: Host, total: float) -> float:
    """The objective at `best` (on the face support[inside]) less that at v, expanded at v: no cancellation."""
    block = M[support[:, None], support]
    step = -v
    step[inside] += best
    slopes = c[support] - block @ v
    slopes -= (slopes @ v) / total
    return float(slopes @ step - 0.5 * (step @ (block @ step)))


__all__ = ["QPSolution", "face_optimum", "solve_in_c", "solve_simplex_qp"]
