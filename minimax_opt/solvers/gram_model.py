"""The tasks of :mod:`minimax_opt.solvers.dual_newton` in Gram form, and the iteration on that form in C."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from minimax_opt import native
from minimax_opt.arrays import Host
from minimax_opt.problem import Point, Problem
from minimax_opt.solvers.base import Target
from minimax_opt.solvers.tangent import weight_bounds

LIMIT = 3e7  # numbers in the K Hessians up to which the whole iteration runs in C: at most 30 ms an iteration, so that Ctrl-C is heard
MAX_STEPS = 50  # of that iteration
SHARE = 0.5  # of the gap asked for, at which it ends: the certificate needs room for rounding


class GramModel:
    """The tasks as (P, q, c). Made anew from the tasks, not stored, where a saved solve resumes."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem

    def __getstate__(self) -> dict[str, Any]:
        return {"problem": self.problem}

    @cached_property
    def quadratics(self) -> tuple[Host, Host, Host]:
        """P (K, n, n), q (K, n), c (K,) of the losses x'P_k x / 2 + q_k'x + c_k."""
        return self.problem.tasks.quadratics()

    @cached_property
    def ridge(self) -> Host | None:
        """Q of the regulariser, shape (n, n)."""
        regularizer = self.problem.regularizer
        return None if regularizer is None else regularizer.hessian(self.problem.n_variables)

    @cached_property
    def offset(self) -> float:
        """max_k |c_k|."""
        return float(np.abs(self.quadratics[2]).max())

    def hessian(self, weights: Host) -> Host:
        """H(w), freshly allocated."""
        P = self.quadratics[0]
        n_tasks, n, _ = P.shape
        hessian: Host = (weights @ P.reshape(n_tasks, n * n)).reshape(n, n)
        if self.ridge is not None:
            hessian += self.ridge
        return hessian

    def gradients(self, x: Host) -> Host:
        """A at x, shape (K, n)."""
        P, q, _ = self.quadratics
        jacobian: Host = (P.reshape(-1, len(x)) @ x).reshape(q.shape) + q
        return jacobian if self.problem.regularizer is None else jacobian + self.problem.regularizer.gradient(x)

    def solve_in_c(self, point: Point, gradients: Host, weights: Host, target: Target) -> tuple[Host, Host] | None:
        """(x, w) with a gap below `target`, as far as the Gram form around `point` tells, from there; `gradients` are A at `point`.

        None where the Hessians are too many numbers, or without the C module.
        """
        library, problem = native.library(), self.problem
        if library is None or problem.n_tasks * problem.n_variables**2 > LIMIT:
            return None
        step, weights = np.zeros(problem.n_variables), np.array(weights)
        bounds, atol = weight_bounds(problem), 0.0 if target.automatic else SHARE * target.atol
        parts = (self.quadratics[0], gradients, point.losses + point.penalty, self.ridge, *bounds)
        contiguous = (None if part is None else np.ascontiguousarray(part) for part in parts)
        library.dual_newton(*contiguous, SHARE * target.tol, atol, MAX_STEPS, step, weights)
        return point.x + step, weights


__all__ = ["GramModel"]
