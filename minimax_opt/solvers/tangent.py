"""What the methods that keep the max intact see of a problem at one point: K gradients, and where the weights may lie."""

from __future__ import annotations

import numpy as np

from minimax_opt.arrays import Array, Host
from minimax_opt.problem import Point, Problem


def gradients(point: Point) -> Host:
    """A: the gradients of f_k + r as rows, shape (K, n)."""
    jacobian: Host = point.jacobian()
    return jacobian if point.problem.regularizer is None else jacobian + point.problem.regularizer.gradient(point.x)


def least_weights(problem: Problem) -> Host | None:
    """The floor as lower bounds on w, shape (K,); None without one."""
    floor = problem.ambiguity.floor
    return floor * problem.ambiguity.prior_weights(problem.n_tasks) if floor > 0 else None


def first_weights(problem: Problem, weights0: Array | None) -> Host:
    """`weights0`, moved above the floor, or the prior, shape (K,)."""
    prior = problem.ambiguity.prior_weights(problem.n_tasks)
    if weights0 is None:
        return prior
    least = problem.ambiguity.floor * prior
    above = np.maximum(weights0 - least, 0.0)
    total = above.sum()
    return least + above * ((1.0 - least.sum()) / total) if total > 0 else prior


__all__ = ["first_weights", "gradients", "least_weights"]
