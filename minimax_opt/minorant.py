r"""One vector s turns the part that is not smooth into a linear one, by Fenchel's inequality, and so every bound for smooth F_w into one with h.

For every s and y, h(y) >= <s, y> - h*(s). Hence for every w in W

    V(f(y)) + r(y) + h(y)  >=  F_w(y) + h(y)  >=  G(y) = F_w(y) + <s, y> - h*(s),

and G is as smooth and as curved as F_w: G(x) = F_w(x) + <s, x> - h*(s), grad G(x) = g + s, the same Hessian. Any lower bound of G is one of the
optimal value. It is as good as the one without h where -s comes close to g = grad F_w(x) while <s, x> - h*(s) comes close to h(x): both
at once are the optimality condition 0 in g + dh(x).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from minimax_opt import lapack
from minimax_opt.arrays import Array, Host, to_host
from minimax_opt.problem import Point
from minimax_opt.simple import Simple

NEWTON_STEPS = 10  # two or three are needed once the pieces of h that the minimiser lies on are known


@dataclass(frozen=True)
class Minorant:
    """G, smooth and convex, below the objective.

    Attributes
    ----------
    value : float
        G(x), less the rounding of the terms with s.
    gradient : ndarray, shape (n,)
        grad G(x) = g + s, on the host.
    rounding : ndarray, shape (n,), or float
        What the sum g + s may be wrong by.
    kinks : (ndarray, ndarray) or None
        Where h is not smooth at s, see :meth:`~minimax_opt.simple.Simple.kinks`; None where nobody asked.
    """

    value: float
    gradient: Host
    rounding: Host | float = 0.0
    kinks: tuple[Host, Host] | None = None


def minorant(point: Point, weights: Array, s: Array, y: Array) -> Minorant:
    """G for an s that is a subgradient of h at y, so that h*(s) = <s, y> - h(y).

    Parameters
    ----------
    point : Point
        x, evaluated.
    weights : array, shape (K,)
    s, y : array, shape (n,)
        In the problem's space.
    """
    problem, eps = point.problem, point.problem.eps
    assert problem.simple is not None  # narrows the type: there is an s only where there is an h
    gradient, step = point.gradient(weights), point.x - y
    rounding = 4 * eps * (float(abs(s) @ abs(step)) + problem.simple.value(y))
    value = point.smooth_value(weights) + float(s @ step) + problem.simple.value(y)
    return Minorant(value - rounding, to_host(gradient + s), eps * to_host(abs(gradient) + abs(s)))


def nearest_minorant(point: Point, weights: Array) -> Minorant | None:
    """G with the least |g_i + s_i| in every variable; F_w itself without an h, None for an h that is not separable."""
    h = point.problem.simple
    if h is None:
        return Minorant(point.smooth_value(weights), to_host(point.gradient(weights)))
    if not h.separable:
        return None
    s = h.subgradient(-point.gradient(weights))
    best = h.maximizer(s)
    if best is None:
        return None
    return replace(minorant(point, weights, s, best), kinks=h.on_host().kinks(to_host(s)))


def curved_minorants(point: Point, weights: Array, hessian: Host) -> Iterator[Minorant]:
    """G for the subgradients s that (nearly) minimise the quadratic model <g, y - x> + |y - x|_H^2 / 2 + h(y), for a positive definite H."""
    problem = point.problem
    h, space = problem.simple, problem.space
    if h is None:
        yield Minorant(point.smooth_value(weights), to_host(point.gradient(weights)))
        return
    if not h.separable:  # a step along the metric of the largest eigenvalue, where only the Euclidean prox is known
        curvature = float(np.abs(hessian).sum(1).max())
        shifted = point.x - point.gradient(weights) / curvature
        y = h.prox(shifted, 1 / curvature)
        yield minorant(point, weights, curvature * (shifted - y), y)
        return
    gradient, x = to_host(point.gradient(weights)), to_host(point.x)
    for y in model_iterates(hessian, gradient, x, h.on_host()):
        s = h.subgradient(-space.asarray(gradient + hessian @ (y - x)))
        best = h.maximizer(s)
        if best is not None:
            yield minorant(point, weights, s, best)


def model_iterates(hessian: Host, gradient: Host, x: Host, h: Simple) -> Iterator[Host]:
    """The iterates y of a semismooth Newton method on <g, y - x> + |y - x|_H^2 / 2 + h(y), for an H with a positive diagonal.

    A prox step in the metric diag H shows on which pieces of h the minimiser lies; there the model is quadratic on a subspace. Whether or
    not this converges, every slope g + H(y - x) that comes from it proves a bound.
    """
    metric = hessian.diagonal()
    unit = 1 / np.sqrt(metric)
    scaled = hessian * np.outer(unit, unit)
    c, lower, upper = h.pieces(x)
    slope, y, pieces = gradient, x, None
    for _ in range(NEWTON_STEPS):
        y = h.prox(y - slope / metric, 1 / metric)
        free = (lower < y) & (y < upper) & ((y != 0) | (c == 0))
        tilt = c * np.sign(y)
        if pieces is not None and np.array_equal(np.where(free, tilt, np.inf), pieces):
            return  # y is the minimiser
        pieces = np.where(free, tilt, np.inf)
        fixed = ~free
        target = -unit[free] * ((gradient + tilt)[free] + hessian[np.ix_(free, fixed)] @ (y - x)[fixed])
        step = lapack.dposv(scaled[np.ix_(free, free)], target)[1] if free.any() else target
        y = y.copy()
        y[free] = x[free] + unit[free] * step
        slope = gradient + hessian @ (y - x)
        yield y


__all__ = ["Minorant", "curved_minorants", "minorant", "model_iterates", "nearest_minorant"]
