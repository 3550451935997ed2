"""What the methods that keep the max intact see of a problem at one point: K gradients, and where the weights may lie."""

from __future__ import annotations

import numpy as np

from minimax_opt.ambiguity import Simplex
from minimax_opt.arrays import Array, Host
from minimax_opt.problem import Point, Problem
from minimax_opt.solvers.capped_qp import solve_capped_qp
from minimax_opt.solvers.simplex_qp import QPSolution, solve_simplex_qp

TINY = float(np.finfo(float).tiny)


def gradients(point: Point) -> Host:
    """A: the gradients of f_k + r as rows, shape (K, n)."""
    jacobian: Host = point.jacobian()
    return jacobian if point.problem.regularizer is None else jacobian + point.problem.regularizer.gradient(point.x)


def weight_bounds(problem: Problem) -> tuple[Host | None, Host | None]:
    """W = {lower <= w <= upper, sum w = 1}, each of shape (K,): the floor and the caps of a CVaR. None where they never bind."""
    if isinstance(problem.ambiguity, Simplex) and problem.ambiguity.floor == 0.0:
        return None, None
    constraints = problem.ambiguity.constraints(problem.n_tasks)
    floor, prior, cap = constraints.floor, constraints.prior, constraints.cap
    if cap is not None and cap.min() < 1.0:
        return (floor * prior, (1.0 - floor) * cap + floor * prior) if floor > 0 else (None, cap)
    return (floor * prior, None) if floor > 0 else (None, None)


def best_weights(problem: Problem, M: Host, c: Host, w0: Host) -> QPSolution:
    """max_{w in W} <c, w> - w'Mw/2, from `w0`."""
    lower, upper = weight_bounds(problem)
    return solve_simplex_qp(M, c, w0, lower) if upper is None else solve_capped_qp(M, c, upper, w0, lower)


def first_weights(problem: Problem, weights0: Array | None) -> Host:
    """`weights0`, moved into W, or the prior, shape (K,)."""
    prior = problem.ambiguity.prior_weights(problem.n_tasks)
    if weights0 is None:
        return prior
    lower, upper = weight_bounds(problem)
    least = np.zeros_like(prior) if lower is None else lower
    above = np.maximum(weights0 - least, 0.0)
    total, mass = float(1.0 - least.sum()), above.sum()
    if not mass > 0:
        return prior
    above *= total / mass
    if upper is not None:  # what is above the caps goes where there is room
        above = np.minimum(above, upper - least)
        room = upper - least - above
        above += room * ((total - above.sum()) / max(float(room.sum()), TINY))
    first: Host = least + above
    return first


__all__ = ["best_weights", "first_weights", "gradients"]
