r"""Lower bounds on the optimal value: the one judge that solvers, tests and benchmarks share.

For every w in W and every y, V(f(y)) + r(y) >= F_w(y) = <w, f(y)> + r(y), so any lower bound on min_y F_w(y) is one on the optimal
value. With g = grad F_w(x), H = Hess F_w(x), all evaluated at the x at hand, :func:`certify` knows four:

strong convexity   F_w(x) - |g|^2 / (2 mu)                 F_w mu-strongly convex; with a domain, the minimum of the quadratic over it
domain             F_w(x) + min_{y in X} <g, y - x>        X bounded
curvature          F_w(x) - omega(nu, kappa)               nu^2 = g'H^{-1}g; exact for quadratics (kappa = 0: omega = nu^2 / 2)
sharpness          F_w(x) - |g| R                          every minimiser is proven to lie within R of x, by the directions in which
                                                           the worst case grows linearly (affine tasks, vertex solutions)

Curvature. Let every third derivative satisfy |D^3 F_w[h,h,h]| <= kappa |h|_H D^2 F_w[h,h] (logistic tasks: kappa = max_i |a_i|_{H^{-1}}
over the rows; quadratics: 0). Then phi(t) = F_w(x + t h) has phi'' (t) >= phi''(0) exp(-kappa |h|_H t), hence with delta = |h|_H
F_w(x + h) >= F_w(x) - nu delta + (exp(-kappa delta) + kappa delta - 1) / kappa^2, and for c = nu kappa < 1 the minimum over delta is
F_w(x) - omega, omega = (c + (1 - c) ln(1 - c)) / kappa^2 -> nu^2 / 2 as kappa -> 0. (The generalised self-concordance of
Bach, Electronic Journal of Statistics 4, 2010, made affine invariant.)

Sharpness. The radii are proven in :mod:`minimax_opt.level_set`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import lapack, qr

from minimax_opt.arrays import Array, norm, to_host
from minimax_opt.level_set import level_set_radius
from minimax_opt.regularizers import Ridge

if TYPE_CHECKING:
    from minimax_opt.problem import Point


@dataclass(frozen=True)
class Certificate:
    """A proven lower bound on the optimal value, or the reason why there is none.

    Attributes
    ----------
    lower_bound : float
        nan where no bound is known.
    kind : {"strong convexity", "domain", "curvature", "sharpness", "none"}
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
    "domain": "bounded domain: the optimal value is at least the minimum over the domain of the linearisation of F_w at x",
    "curvature": "curvature: the optimal value is at least F_w(x) less a multiple of its squared Newton decrement",
    "sharpness": "sharpness: every minimiser lies within a proven distance R of x, so the optimal value is at least F_w(x) - R |grad F_w(x)|",
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
    best, allowance = NO_BOUND, rounding(point, weights)
    for kind, bound in BOUNDS.items():
        value = bound(point, weights) - allowance
        if np.isfinite(value) and not value <= best.lower_bound:
            best = Certificate(value, kind, REASONS[kind])
        if best.lower_bound >= target:
            break
    return best


def rounding(point: Point, weights: Array) -> float:
    """What F_w(x) may be wrong by: a few units in the last place of the terms that were summed to it."""
    return 4 * point.problem.eps * (float(weights @ point.inner.magnitudes) + abs(point.penalty))


def magnitude(point: Point) -> float:
    """The largest term in any loss."""
    return float(abs(point.inner.magnitudes).max()) + abs(point.penalty)


def strong_convexity_bound(point: Point, weights: Array) -> float:
    """Min over the domain of F_w(x) + <g, y - x> + mu/2 |y - x|^2; -inf without strong convexity."""
    mu = point.problem.strong_convexity
    if mu <= 0:
        return -np.inf
    if point.problem.simple is None:
        return point.weighted_value(weights) - norm(point.gradient(weights)) ** 2 / (2 * mu)
    return _parabola_over_domain(point, weights, mu)


def _parabola_over_domain(point: Point, weights: Array, mu: float) -> float:
    gradient = point.gradient(weights)
    near = point.problem.prox(point.x - gradient / mu, 1.0 / mu)
    step, h = near - point.x, 0.0 if point.problem.simple is None else point.problem.simple.value(near)
    return point.smooth_value(weights) + h + float(gradient @ step) + mu / 2 * norm(step) ** 2


def domain_bound(point: Point, weights: Array) -> float:
    """Min over the domain of F_w(x) + <g, y - x>; -inf where it is unbounded."""
    domain = point.problem.domain
    if domain is None or not domain.bounded or point.problem.l1 is not None:
        return -np.inf
    gradient = point.gradient(weights)
    return point.weighted_value(weights) + float(gradient @ (domain.minimize_linear(gradient) - point.x))


def curvature_bound(point: Point, weights: Array) -> float:
    """F_w(x) - omega(nu, kappa); -inf where the Hessian is unknown or singular, or nu kappa >= 1.

    In Jacobi scaling, which makes badly scaled columns cost nothing, H has a rounding error of a few n units, and g one of a few units
    of sqrt(n F), F the scale of the losses (|g_j| <= sqrt(H_jj) |v| with |v|^2 about F, by Cauchy). Both are allowed for.
    """
    problem = point.problem
    if (
        problem.l1 is not None
        or not problem.tasks.has_hessian
        or (problem.tasks.curvature == "affine" and problem.regularizer is None)
    ):
        return -np.inf
    gradient = to_host(point.gradient(weights))
    hessian = point.hessian(weights)
    scale = np.sqrt(np.maximum(np.diag(hessian), np.finfo(float).tiny))
    factor, info = lapack.dpotrf(hessian / np.outer(scale, scale), lower=True, clean=True)
    smallest = (
        float(lapack.dpocon(factor, 1.0, uplo="L")[0]) if info == 0 else 0.0
    )  # 1/|H^-1|, of the order of the least eigenvalue
    eps = problem.eps
    noise = 8 * len(scale) * eps
    if smallest <= 4 * noise:
        return _singular_curvature_bound(point, weights)
    half, _ = lapack.dtrtrs(factor, gradient / scale, lower=True)
    kappa = point.inner.self_concordance(weights, scale[:, None] * factor) / np.sqrt(1 - noise / smallest)
    nu = float(np.linalg.norm(half)) + 4 * eps * np.sqrt(len(scale) * magnitude(point) / smallest)
    bound = point.weighted_value(weights) - decrement(nu / float(np.sqrt(1 - noise / smallest)), kappa)
    if problem.domain is not None and kappa == 0.0:  # F_w is strongly convex with the least eigenvalue of H, which never changes
        spectrum = np.linalg.eigvalsh(hessian)
        mu = float(spectrum[0] - noise * spectrum[-1])
        return max(bound, _parabola_over_domain(point, weights, mu)) if mu > 0 else bound
    return bound


def _singular_curvature_bound(point: Point, weights: Array) -> float:
    """The same bound where H has no reliable Cholesky factor: H = B'B, g = B'v, so nu = |Q'v| for any Q whose columns span B's range."""
    root, regularizer = point.inner.square_root(weights), point.problem.regularizer
    if root is None or not (regularizer is None or isinstance(regularizer, Ridge)):
        return -np.inf
    rows, v, ratios = (to_host(part) for part in root)
    if not len(rows):  # phi' and phi'' have underflowed in every row
        return point.weighted_value(weights)
    if isinstance(regularizer, Ridge):
        strength = np.sqrt(np.diag(regularizer.hessian(point.problem.n_variables)))
        rows, v = np.vstack([rows, np.diag(strength)]), np.concatenate([v, strength * to_host(point.x)])
    scale = np.linalg.norm(rows, axis=0)
    basis, triangle = qr(rows / np.where(scale > 0, scale, 1.0), mode="economic", check_finite=False)
    rotation, triangle, _ = qr(
        triangle, mode="economic", pivoting=True, check_finite=False
    )  # of the small factor: pivots are slow
    sizes, noise = np.abs(triangle.diagonal()), 8 * np.sqrt(len(triangle)) * point.problem.eps
    basis = basis @ rotation[:, sizes > noise * sizes[0]]  # the others are duplicates, no directions of B's range
    leverage = np.linalg.norm(basis[: len(ratios)], axis=1)
    nu = float(np.linalg.norm(basis.T @ v)) + 4 * point.problem.eps * np.sqrt(basis.shape[1] * magnitude(point))
    return point.weighted_value(weights) - decrement(nu, float(np.max(ratios * leverage, initial=0.0)))


def decrement(nu: float, kappa: float) -> float:
    """omega(nu, kappa) = (c + (1 - c) ln(1 - c)) / kappa^2 with c = nu kappa; nu^2/2 for kappa = 0, inf for c >= 1."""
    c = nu * kappa
    if c < 1e-4:  # series: c^2/2 + c^3/6 + ..., free of cancellation; the remainder is below c^4/8
        return nu**2 * (0.5 + c / 6 + c**2 / 8)
    if not c < 1:
        return np.inf
    return float((c + (1 - c) * np.log1p(-c)) / kappa**2)


def sharpness_bound(point: Point, weights: Array) -> float:
    """F_w(x) - |g| R with a proven R; -inf where none is found."""
    problem = point.problem
    if problem.simple is not None or not problem.tasks.has_jacobian:
        return -np.inf
    if not abs(point.gradient(weights)).max() > 0:  # not the norm, whose squares may underflow
        return point.weighted_value(weights)  # x minimises F_w, wherever the others are
    scale = np.linalg.norm(to_host(point.jacobian()), axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    radius = level_set_radius(point, to_host(weights), scale)
    slope = norm(to_host(point.gradient(weights)) / scale)
    return point.weighted_value(weights) - radius * slope if np.isfinite(radius) else -np.inf


BOUNDS = {
    "strong convexity": strong_convexity_bound,
    "domain": domain_bound,
    "curvature": curvature_bound,
    "sharpness": sharpness_bound,
}
