r"""The curvature bound: G less what a convex function with that gradient, that Hessian and those third derivatives can lose.

G is F_w, or a minorant of F_w + h with the same Hessian H (:mod:`minimax_opt.minorant`). Let every third derivative satisfy
|D^3 F_w[h,h,h]| <= kappa |h|_H D^2 F_w[h,h] (logistic tasks: kappa = max_i |a_i|_{H^{-1}} over the rows; quadratics: 0). Then
phi(t) = G(x + t h) has phi''(t) >= phi''(0) exp(-kappa |h|_H t), hence with delta = |h|_H and nu^2 = grad G(x)' H^{-1} grad G(x)

    G(x + h) >= G(x) - nu delta + (exp(-kappa delta) + kappa delta - 1) / kappa^2,

and for c = nu kappa < 1 the minimum over delta is G(x) - omega, omega = (c + (1 - c) ln(1 - c)) / kappa^2 -> nu^2 / 2 as kappa -> 0. (The
generalised self-concordance of Bach, Electronic Journal of Statistics 4, 2010, made affine invariant.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from minimax_opt import lapack
from minimax_opt.arrays import Array, Host, norm, to_host
from minimax_opt.minorant import Minorant, curved_minorants, minorant, model_iterates
from minimax_opt.problem import Point
from minimax_opt.regularizers import Ridge

NEGLIGIBLE = 0.1  # nu kappa up to which omega is within 4 % of nu^2/2, so that a rough kappa will do


def curvature_bound(point: Point, weights: Array, target: float = np.inf) -> float:
    """G(x) - omega(nu, kappa), the best over some G; -inf where the Hessian is unknown or singular, or nu kappa >= 1.

    An upper bound on kappa serves where it reaches `target`: the exact kappa takes a product with all rows.

    In Jacobi scaling, which makes badly scaled columns cost nothing, H has a rounding error of a few n units, and g one of a few units
    of sqrt(n F), F the scale of the losses (|g_j| <= sqrt(H_jj) |v| with |v|^2 about F, by Cauchy). Both are allowed for, and so is what
    the gradient has from rounding of the predictors (:meth:`~minimax_opt.tasks.base.Evaluation.rounding`).
    """
    problem = point.problem
    if not problem.has_hessian or (problem.tasks.curvature == "affine" and problem.regularizer is None):
        return -np.inf
    if not problem.tasks.self_concordant:
        return -np.inf
    hessian = point.hessian(weights)
    flat = _flat_directions(point)
    if flat is not None:
        hessian += (np.trace(hessian) / len(hessian)) * (flat @ flat.T)
    scale = np.sqrt(np.maximum(np.diag(hessian), np.finfo(float).tiny))
    factor, info = lapack.dpotrf(hessian / np.outer(scale, scale), lower=True, clean=True)
    smallest = (
        float(lapack.dpocon(factor, 1.0, uplo="L")[0]) if info == 0 else 0.0
    )  # 1/|H^-1|, of the order of the least eigenvalue
    eps = problem.eps
    noise = 8 * len(scale) * eps
    if smallest <= 4 * noise:
        return _singular_curvature_bound(point, weights, hessian)
    trust = float(np.sqrt(1 - noise / smallest))
    *roughs, exact = _self_concordances(point, weights, factor, scale)
    rounding = 4 * eps * np.sqrt(len(scale) * magnitude(point) / smallest) + point.rounding(weights).newton

    def below(g: Minorant) -> float:
        half, _ = lapack.dtrtrs(factor, g.gradient / scale, lower=True)
        nu = float(np.linalg.norm(half)) + rounding + float(np.linalg.norm(g.rounding / scale)) / np.sqrt(smallest)
        for rough in roughs:
            value = g.value - decrement(nu / trust, rough() / trust)
            if nu * rough() <= NEGLIGIBLE or value >= target:
                return value
        return g.value - decrement(nu / trust, exact() / trust)

    bound = max(below(g) for g in curved_minorants(point, weights, hessian))
    if problem.simple is not None and not problem.simple.separable and exact() == 0.0:
        spectrum = np.linalg.eigvalsh(hessian)  # F_w is strongly convex with the least eigenvalue of H, which never changes
        mu = float(spectrum[0] - noise * spectrum[-1])
        return max(bound, parabola_bound(point, weights, mu)) if mu > 0 else bound
    return bound


def _self_concordances(point: Point, weights: Array, factor: Host, scale: Host) -> list[Callable[[], float]]:
    """Upper bounds on kappa for H = LL', L = diag(scale) `factor`, each better and dearer than the one before: the last takes all rows.

    Where those are no fewer than variables, T |L^{-1}| >= T |h| / |h|_H comes first, with |D^3 F_w[h,h,h]| <= T |h| D^2 F_w[h,h] and
    |L^{-1}|^2 = |S| for S = L^{-1}L^{-T}, which is bounded by trace S, then by |S^4|_F^(1/4) <= n^(1/8) |S|.
    """
    bound, rows = point.inner.third_derivative_bound(weights), point.problem.tasks.n_rows
    kappas = [lambda: point.inner.self_concordance(weights, scale[:, None] * factor)]
    if 0.0 < bound < np.inf and (rows is None or rows >= len(scale)):
        inverse = lapack.dtrtri(factor, lower=True)[0] / scale
        length = norm(inverse)
        kappas[:0] = [lambda: bound * length, lambda: bound * length * _spectral_bound(inverse / length)]
    return [cache(kappa) for kappa in kappas]


def _spectral_bound(inverse: Host) -> float:
    """|S^4|_F^(1/8) >= |S|^(1/2) for S = L^{-1}L^{-T} of trace 1, with room for the rounding of the powers: about n eps, while |S| >= 1/n."""
    S = inverse @ inverse.T
    S = S @ S
    return float(norm(S @ S) ** 0.125 * (1 + len(S) ** 3 * np.finfo(float).eps))


def _flat_directions(point: Point) -> Host | None:
    """An orthonormal basis N of directions along which F_w never changes, if the tasks know one and nothing is added to the losses along it.

    Then y may be moved along N to where y - x is orthogonal to N, and there H + sigma N N' is the same metric as H, but not singular.
    """
    problem, flat = point.problem, point.problem.tasks.flat_directions()
    if flat is None or problem.simple is not None:
        return None
    if problem.regularizer is not None:
        slope = to_host(problem.regularizer.gradient(0.0 * point.x))
        flat = flat[:, ~np.any(problem.regularizer.hessian(len(flat)) @ flat, axis=0) & (slope @ flat == 0)]
    return flat if flat.shape[1] else None


def parabola_bound(point: Point, weights: Array, mu: float) -> float:
    """Min over y of F_w(x) + <g, y - x> + mu/2 |y - x|^2 + h(y), for mu-strongly convex F_w: attained at prox(x - g/mu, 1/mu)."""
    gradient, problem, wrong = point.gradient(weights), point.problem, point.rounding(weights).length
    if problem.simple is None:
        return point.smooth_value(weights) - (norm(gradient) + wrong) ** 2 / (2 * mu)
    y = problem.simple.prox(point.x - gradient / mu, 1.0 / mu)
    step = y - point.x
    lost = wrong * (norm(step) + wrong / (2 * mu))  # where another gradient may have its minimum
    return point.smooth_value(weights) + problem.simple.value(y) + float(gradient @ step) + mu / 2 * norm(step) ** 2 - lost


def _singular_curvature_bound(point: Point, weights: Array, hessian: Host) -> float:
    """The same bound where H has no reliable Cholesky factor: H = B'B, grad G = B'z, so nu = |Q'z| for any Q whose columns span B's range."""
    root, regularizer = point.inner.square_root(weights), point.problem.regularizer
    if root is None or not (regularizer is None or isinstance(regularizer, Ridge)):
        return -np.inf
    rows, v, ratios = (to_host(part) for part in root)
    if not len(rows):  # phi' and phi'' have underflowed in every row
        return point.weighted_value(weights)
    if isinstance(regularizer, Ridge):
        strength = np.sqrt(np.diag(regularizer.hessian(point.problem.n_variables)))
        rows, v = np.vstack([rows, np.diag(strength)]), np.concatenate([v, strength * to_host(point.x)])
    basis, _ = range_basis(rows, point.problem.eps)
    leverage = np.linalg.norm(basis[: len(ratios)], axis=1)
    kappa = float(np.max(ratios * leverage, initial=0.0))
    noise, size = 4 * point.problem.eps * np.sqrt(basis.shape[1]), np.sqrt(magnitude(point))
    slip = point.rounding(weights).newton
    bounds = (
        value - decrement(norm(basis.T @ z) + noise * (size + norm(v - z)) + slip, kappa)
        for value, z in _root_minorants(point, weights, hessian, rows, v)
    )
    return max(bounds, default=-np.inf)


def range_basis(rows: Host, eps: float) -> tuple[Host, float]:
    """An orthonormal basis, shape (M, rank), of the range of a matrix whose columns may depend on each other, to rounding.

    And the condition number of the columns, of unit length, that do not: rounding may turn the basis by about eps times that.
    """
    from scipy.linalg import qr  # with pivots, which NumPy's has not

    scale = np.linalg.norm(rows, axis=0)
    basis, triangle = qr(rows / np.where(scale > 0, scale, 1.0), mode="economic", check_finite=False)
    rotation, triangle, _ = qr(
        triangle, mode="economic", pivoting=True, check_finite=False
    )  # of the small factor: pivots are slow
    sizes, noise = np.abs(triangle.diagonal()), 8 * np.sqrt(len(triangle)) * eps
    spanning = sizes > noise * sizes[0]  # the others are duplicates, no directions of the range
    return basis @ rotation[:, spanning], float(sizes[0] / sizes[spanning].min(initial=np.inf))


def _root_minorants(point: Point, weights: Array, hessian: Host, rows: Host, v: Host) -> Iterator[tuple[float, Host]]:
    """(G(x), z) with grad G(x) = B'z, for s = -t B'u with t <= 1 such that h*(s) is finite: z = v - t u."""
    h, space = point.problem.simple, point.problem.space
    if h is None:
        yield point.smooth_value(weights), v
        return
    for u in _root_slopes(point, weights, hessian, rows, v) if h.separable else (0.0 * v,):
        share = _share(-(rows.T @ u), *h.on_host().limits(to_host(point.x))) if u.any() else 0.0
        s = -share * (rows.T @ u)
        s = h.subgradient(space.asarray(s)) if h.separable else space.asarray(s)
        best = h.maximizer(s)
        if best is not None:
            yield minorant(point, weights, s, best).value, v - share * u


def _root_slopes(point: Point, weights: Array, hessian: Host, rows: Host, v: Host) -> Iterator[Host]:
    """The vectors u = 0; u = v, where B'v = g; u = v + B (y - x), for the y that nearly minimise the quadratic model with h.

    Variables that h leaves free ask for s_i = 0 exactly: the columns of B that belong to them are projected out.
    """
    h, x, gradient = point.problem.simple.on_host(), to_host(point.x), to_host(point.gradient(weights))  # type: ignore[union-attr]
    low, high = h.limits(x)
    loose = rows[:, (low == 0) & (high == 0)]
    yield 0.0 * v
    for y in (x, *(model_iterates(hessian, gradient, x, h) if hessian.diagonal().min() > 0 else ())):
        u = v + rows @ (y - x)
        yield u - loose @ np.linalg.lstsq(loose, u, rcond=None)[0] if loose.shape[1] else u


def _share(s: Host, low: Host, high: Host) -> float:
    """The largest t <= 1 with low <= t s <= high in every variable that is not free, for low <= 0 <= high."""
    tiny = np.finfo(float).tiny
    with np.errstate(over="ignore"):  # t = 0 where a limit is 0
        over = np.maximum(s / np.maximum(high, tiny), s / np.minimum(low, -tiny))[low < high]
    return 1.0 / max(1.0, float(np.max(over, initial=0.0)))


def decrement(nu: float, kappa: float) -> float:
    """omega(nu, kappa) = (c + (1 - c) ln(1 - c)) / kappa^2 with c = nu kappa; nu^2/2 for kappa = 0, inf for c >= 1."""
    c = nu * kappa
    if c < 1e-4:  # series: c^2/2 + c^3/6 + ..., free of cancellation; the remainder is below c^4/8
        return nu**2 * (0.5 + c / 6 + c**2 / 8)
    if not c < 1:
        return np.inf
    return float((c + (1 - c) * np.log1p(-c)) / kappa**2)


def magnitude(point: Point) -> float:
    """The largest term in any loss."""
    return float(abs(point.inner.magnitudes).max()) + abs(point.penalty)


__all__ = ["curvature_bound", "decrement", "parabola_bound", "range_basis"]
