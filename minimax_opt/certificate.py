r"""Lower bounds on the optimal value: the one judge that solvers, tests and benchmarks share.

The objective is V(f(y)) + r(y) + h(y), h the weighted 1-norm plus the indicator of the domain (absent: zero). For every w in W, every y and
every s, with F_w = <w, f> + r and Fenchel's inequality for h,

    V(f(y)) + r(y) + h(y) >= F_w(y) + h(y) >= G(y) = F_w(y) + <s, y> - h*(s),

so any lower bound on min_y G(y) is one on the optimal value. Each of these evaluates F_w at the x at hand, g = grad F_w(x), and chooses
its s (:mod:`minimax_opt.minorant`):

strong convexity   G(x) - |g + s|^2 / (2 mu)   F_w mu-strongly convex; s from a proximal step, which makes this the minimum of
                                               F_w(x) + <g, y - x> + mu/2 |y - x|^2 + h(y)
linearisation      G(x)                        s = -g: the minimum of F_w(x) + <g, y - x> + h(y). A bounded domain, or |g_i| <= c_i
duality            see :mod:`minimax_opt.dual_bound`
curvature          G(x) - omega(nu, kappa)     nu = |g + s| in the metric H^{-1}: see :mod:`minimax_opt.curvature_bound`
                                               or, for many variables, :mod:`minimax_opt.krylov_bound`, from products with H alone
sharpness          G(x) - |g + s| R            every minimiser is proven to lie within R of x, by the directions in which the worst case or h
                                               grows linearly (affine tasks, vertex solutions): see :mod:`minimax_opt.level_set`
shift of weights   G(x) for other weights      w moved within W just as far as |g_i| <= c_i needs: for affine tasks with a 1-norm
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from minimax_opt.arrays import Array, Host, norm, to_host
from minimax_opt.curvature_bound import curvature_bound, parabola_bound
from minimax_opt.dual_bound import dual_bound
from minimax_opt.krylov_bound import krylov_bound
from minimax_opt.level_set import level_set_radius
from minimax_opt.level_set_inside import inner_weights
from minimax_opt.minorant import minorant, nearest_minorant

if TYPE_CHECKING:
    from minimax_opt.problem import Point


@dataclass(frozen=True)
class Certificate:
    """A proven lower bound on the optimal value, or the reason why there is none.

    Attributes
    ----------
    lower_bound : float
        nan where no bound is known.
    kind : {"strong convexity", "linearisation", "duality", "matrix-free curvature", "curvature", "sharpness", "shift of weights", "none"}
    reason : str
        The sentence that ``str()`` shows.
    """

    lower_bound: float
    kind: str
    reason: str

    def __str__(self) -> str:
        return self.reason


REASONS = {
    "strong convexity": "strong convexity: the optimal value is at least F_w(x) - |grad F_w(x)|^2 / (2 mu)",
    "linearisation": "linearisation: the optimal value is at least the minimum, over the domain, of the linearisation of F_w at x plus the 1-norm",
    "duality": "duality: the optimal value is at least the Fenchel dual value of the slopes that a Newton step from x predicts",
    "matrix-free curvature": "curvature: the optimal value is at least F_w(x) less a multiple of its squared Newton decrement, "
    "which products with the Hessian bound",
    "curvature": "curvature: the optimal value is at least F_w(x) less a multiple of its squared Newton decrement",
    "sharpness": "sharpness: every minimiser lies within a proven distance R of x, so the optimal value is at least F_w(x) - R |grad F_w(x)|",
    "shift of weights": "shift of weights: the optimal value is at least the minimum of a linearisation at x plus the 1-norm, for weights near w",
}
NOT_CONVEX = Certificate(
    float("nan"), "none", "none: convexity is neither known nor declared (pass `convex=True` if every loss is convex)"
)
INEXACT = Certificate(
    float("nan"), "none", "none: gradients by finite differences prove nothing (pass `jac` or a torch function)"
)
NO_BOUND = Certificate(
    float("nan"),
    "none",
    "none: nothing bounds the losses from below at this x (a bounded `domain`, a `regularizer` or `strong_convexity` would)",
)


def certify(point: Point, weights: Array, target: float = np.inf) -> Certificate:
    """The best lower bound that (x, w) proves.

    Parameters
    ----------
    point : Point
        x, evaluated.
    weights : array, shape (K,)
        A point w of the ambiguity set, to rounding.
    target : float
        A lower bound that would be good enough: dearer bounds are not tried once it is reached.

    Returns
    -------
    Certificate
    """
    problem = point.problem
    if not problem.convex:
        return NOT_CONVEX
    if not problem.tasks.exact_gradients:
        return INEXACT
    best, allowance = NO_BOUND, point.rounding(weights).value
    for kind, bound in BOUNDS.items():
        if kind == "sharpness" and best.kind in CURVATURE:  # which is rarely weaker, and never so dear
            continue
        aim = (target + allowance,) if kind in CURVATURE else ()
        value = bound(point, weights, *aim) - allowance
        if np.isfinite(value) and not value <= best.lower_bound:
            best = Certificate(value, kind, REASONS[kind])
        if best.lower_bound >= target:
            break
    return best


def strong_convexity_bound(point: Point, weights: Array) -> float:
    """Min over y of F_w(x) + <g, y - x> + mu/2 |y - x|^2 + h(y); -inf without strong convexity."""
    mu = point.problem.strong_convexity
    return parabola_bound(point, weights, mu) if mu > 0 else -np.inf


def linearisation_bound(point: Point, weights: Array) -> float:
    """Min over y of F_w(x) + <g, y - x> + h(y), the minorant with s = -g; -inf where it is unbounded, or may be but for rounding."""
    h = point.problem.simple
    if h is None:
        return -np.inf
    s = -point.gradient(weights)
    if not (h.bounded or h.maximizer((1 + 32 * point.problem.eps) * s) is not None):
        return -np.inf
    best = h.maximizer(s)
    return -np.inf if best is None else minorant(point, weights, s, best).value


def sharpness_bound(point: Point, weights: Array) -> float:
    """G(x) - |g + s| R with a proven R; -inf where none is found."""
    problem, best = point.problem, None
    if problem.has_jacobian and problem.square_fits:
        best = nearest_minorant(point, weights)
    if best is None:
        return -np.inf
    if problem.simple is None and not np.abs(best.gradient).max() > 0:  # not the norm, whose squares may underflow
        return best.value  # x minimises F_w, wherever the others are
    scale = np.linalg.norm(to_host(point.jacobian()), axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    radius = level_set_radius(point, to_host(weights), scale)
    slope = norm(best.gradient / scale) + norm(best.rounding / scale) + point.rounding(weights).length / float(np.min(scale))
    return best.value - radius * slope if np.isfinite(radius) else -np.inf


def shift_bound(point: Point, weights: Array) -> float:
    """The linearisation bound for weights moved towards the centre of W, just as far as makes h*(-g) finite; -inf where that does not help."""
    problem = point.problem
    h = problem.simple
    fits = problem.has_jacobian and problem.square_fits
    if h is None or h.bounded or not h.separable or not fits or problem.tasks.curvature != "affine":
        return -np.inf
    best, low_high = -np.inf, h.limits(point.x)
    for centre in inner_weights(point):
        share = _share_of(to_host(point.gradient(weights)), to_host(point.gradient(centre)), *map(to_host, low_high))
        if share is not None:
            best = max(best, linearisation_bound(point, (1 - share) * weights + share * centre))
    return best


def _share_of(g: Host, inner: Host, low: Host, high: Host) -> float | None:
    """The least t in [0, 1] with low <= -((1 - t) g + t inner) <= high, with room for rounding; None where there is none."""
    eps = 64 * np.finfo(float).eps
    margin = eps * (np.abs(g) + np.abs(inner))
    over = np.maximum(-g - high, low + g) + margin  # by how much each variable is outside, at t = 0
    over_inner = np.maximum(-inner - high, low + inner) + margin
    outside = over > 0
    if np.any(over_inner[outside] >= 0) or np.any(over_inner > 0):
        return None
    return float(np.max(over[outside] / (over[outside] - over_inner[outside]), initial=0.0))


CURVATURE = "matrix-free curvature", "curvature"  # which end early where the target is reached, or out of reach
BOUNDS = {
    "strong convexity": strong_convexity_bound,
    "linearisation": linearisation_bound,
    "duality": dual_bound,
    "matrix-free curvature": krylov_bound,
    "curvature": curvature_bound,
    "sharpness": sharpness_bound,
    "shift of weights": shift_bound,
}
