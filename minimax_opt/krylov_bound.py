r"""The curvature bound without a matrix: for n so large that an n x n Hessian is too dear, from products with it alone.

G is F_w, or a minorant of F_w + h with the same Hessian H >= mu I (:mod:`minimax_opt.minorant`), g = grad G(x). The curvature bound needs
nu^2 = g'H^{-1}g from above (:mod:`minimax_opt.curvature_bound`). For every y, with r = g - Hy,

    g'H^{-1}g  =  2 g'y - y'Hy + r'H^{-1}r  <=  g'y + r'y + |r|^2 / mu,

an equality where r = 0. y comes from the conjugate gradient method, one product an iteration; that the bound holds does not depend on how
well that works. From y = 0 it starts as the strong convexity bound |g|^2 / mu. Third derivatives, |D^3 F_w[h,h,h]| <= T |h| D^2 F_w[h,h], give
kappa = T / sqrt(mu), since |h| <= |h|_H / sqrt(mu).

The same sum without its last term is a bound from below, so that the iteration can end as soon as no further product can help.

G. Golub and G. Meurant, "Matrices, Moments and Quadrature with Applications", Princeton University Press (2010), chapter 12.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minimax_opt.arrays import Array, norm, to_host
from minimax_opt.curvature_bound import decrement, magnitude
from minimax_opt.minorant import nearest_minorant
from minimax_opt.problem import Point, Problem

LARGE = 3000  # variables, from which on products are tried before a matrix
PRODUCTS = 500
EXCESS = 0.05  # share of nu^2 that the last term may still be


def krylov_bound(point: Point, weights: Array, target: float = np.inf) -> float:
    """G(x) - omega(nu, kappa) with nu and kappa from products with the Hessian.

    Parameters
    ----------
    point : Point
        x, evaluated.
    weights : array, shape (K,)
        A point w of the ambiguity set.
    target : float
        A bound that would be good enough: the iteration ends where it is reached, or proven out of reach.

    Returns
    -------
    float
        -inf for fewer than ``LARGE`` variables, and where products, a known mu > 0 or a bound on third derivatives are missing.
    """
    problem, mu = point.problem, point.problem.strong_convexity
    if not matrix_free(problem):
        return -np.inf
    kappa = point.inner.third_derivative_bound(weights) / np.sqrt(mu) * (1 + 1e-8)
    below = nearest_minorant(point, weights) if np.isfinite(kappa) else None
    if below is None:
        return -np.inf

    slip = point.rounding(weights).newton

    def product(v: Array) -> Array:
        return point.hessian_product(weights, v)

    def bound(squared: float) -> float:
        return below.value - decrement(float(np.sqrt(max(squared, 0.0))) + slip, kappa)

    def enough(least: float, rest: float) -> bool:
        reached, reachable = bound(least + rest) >= target, bound(least) >= target
        return rest <= EXCESS * least or reached or (not reachable and target < np.inf)

    gradient = problem.space.asarray(below.gradient)
    y, steepest = conjugate_gradients(product, gradient, mu, enough)
    r = gradient - product(y)
    noise = (
        4 * problem.eps * np.sqrt(problem.n_variables)
    )  # as in the curvature bound: of g in units of sqrt(|H| F), of Hy in those of |H||y|
    rounding = noise * (np.sqrt(steepest * magnitude(point)) + 2 * steepest * norm(y)) + norm(to_host(below.rounding))
    return bound(float((gradient + r) @ y) + 2 * rounding * norm(y) + (norm(r) + rounding) ** 2 / mu)


def matrix_free(problem: Problem) -> bool:
    """Whether the problem is one for this bound, as far as can be told without an evaluation."""
    return problem.strong_convexity > 0 and problem.tasks.has_hessian_product and problem.n_variables >= LARGE


def conjugate_gradients(
    product: Callable[[Array], Array], g: Array, mu: float, enough: Callable[[float, float], bool]
) -> tuple[Array, float]:
    """Y with Hy near g, and the largest |Hp| / |p| seen on the way; ends where ``enough(g'y + r'y, |r|^2 / mu)`` or after ``PRODUCTS`` products."""
    y, r, steepest = 0.0 * g, g, mu
    p, square = r, float(r @ r)
    for _ in range(PRODUCTS):
        if square == 0.0 or enough(float((g + r) @ y), square / mu):
            break
        Hp = product(p)
        curvature = float(p @ Hp)
        if not curvature > 0:  # rounding, or no convex function
            break
        steepest = max(steepest, norm(Hp) / norm(p))
        step = square / curvature
        y, r = y + step * p, r - step * Hp
        last, square = square, float(r @ r)
        p = r + (square / last) * p
    return y, steepest


__all__ = ["krylov_bound", "matrix_free"]
