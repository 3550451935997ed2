"""The state of sequential quadratic programming and its judgement: when to certify, to pay for a Hessian, to stop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minimax_opt.certificate import strong_convexity_bound
from minimax_opt.krylov_bound import matrix_free
from minimax_opt.problem import Problem
from minimax_opt.result import Status
from minimax_opt.solvers.base import State, Target
from minimax_opt.solvers.metric import Metric
from minimax_opt.solvers.recession import unbounded

EPS, TINY = float(np.finfo(float).eps), float(np.finfo(float).tiny)
WINDOW = 3  # iterations over which the rate of progress is measured
MAX_FAILURES = 8
PRODUCTS_COST = 8  # of a matrix-free bound in iterations, roughly
MAX_PATIENCE = 10**6
NEWTON_PRODUCTS = 1e6  # rows times n^2 up to which every step has its own Hessian


@dataclass
class SQPState(State):
    """One x with the solution of its QP.

    Attributes
    ----------
    target : Target
    metric : Metric
        B.
    model : Model
        A B^{-1} A' at `point`.
    generator : numpy.random.Generator
        Draws the rows of sampled Hessians.
    start : Point
        x0.
    scale : float
        Size of the losses there.
    newton : bool
        Whether every step pays for its own Hessian.
    gradients : ndarray, shape (K, n)
        A.
    direction : ndarray, shape (n,)
        d.
    curvature, decrease : float
        d'Bd, and by how much the QP predicts the value to fall: an estimate of the gap.
    decreases : list of float
        The decreases since the base of the metric was made.
    waited, patience : int
        Iterations since the decrease is below the target, and after how many to ask for a certificate that costs a Hessian.
    failures : int
        QPs in a row without a better value or half the optimality: at rounding, or after failed line searches.
    best_value, best_optimality : float
    """

    target: Target = field(default_factory=lambda: Target(0.0, 0.0))
    metric: Metric = field(default_factory=lambda: Metric(1.0))
    model: Any = None
    generator: Any = None
    start: Any = None
    scale: float = 1.0
    newton: bool = False
    gradients: Any = None
    direction: Any = None
    curvature: float = 0.0
    decrease: float = np.inf
    decreases: list[float] = field(default_factory=list)
    waited: int = 0
    patience: int = 0
    failures: int = 0
    best_value: float = np.inf
    best_optimality: float = np.inf
    _rounding: tuple[Any, float] = (None, 0.0)

    @property
    def rounding(self) -> float:
        """Below this a difference of two values is rounding."""
        if self._rounding[0] is not self.point:
            self._rounding = (self.point, 8 * EPS * float(np.abs(self.point.losses).max()))
        return self._rounding[1]

    def slow(self, problem: Problem) -> bool:
        """Whether a Hessian pays: at this rate, more iterations are left than it costs and Newton's method takes after it."""
        if len(self.decreases) <= WINDOW or not problem.has_hessian:
            return False
        within = max(self.target.gap(self.point.value), self.rounding, TINY)
        if self.decrease <= within:
            return False
        rate = np.log(max(self.decreases[-1 - WINDOW], TINY) / self.decrease) / WINDOW
        return bool(np.log(self.decrease / within) > max(rate, 1e-3) * (3 + 2 * hessian_cost(problem)))

    def judge(self, problem: Problem) -> None:
        """Whether to certify, and whether to stop.

        The bound by strong convexity is free; the others may cost a Hessian, so that they wait as long as that takes, and after
        a vain attempt twice as long. Where none is known, the loop measures optimality when it is small enough: relative to the
        losses at x0, since the value itself runs away where there is no minimum.
        """
        point, within = self.point, self.target.gap(self.point.value)
        residual, slack = point.optimality_parts(self.weights)
        optimality, mu = residual + slack, problem.strong_convexity
        stationary = optimality <= self.target.gap(min(abs(point.value), 1.0 + self.scale))
        near = (
            problem.convex and mu > 0 and slack + residual**2 / (2 * mu) <= within
        )  # but for rounding, which takes a look at the rows
        self.certify = near and point.value - strong_convexity_bound(point, self.weights) <= within
        curved = problem.has_hessian or matrix_free(problem)
        if not self.certify and problem.convex and curved and self.decrease <= within:
            self.waited += 1
            self.certify = self.waited > self.patience
            self.patience = 2 * self.waited if self.certify else self.patience
        elif not self.certify:
            self.certify = stationary
        improved = point.value < self.best_value - self.rounding or optimality < 0.5 * self.best_optimality
        self.failures = 0 if improved else self.failures + 1
        if self.failures > MAX_FAILURES:
            self.status = Status.STALLED
        if unbounded(problem, self.start, point):
            self.status = Status.UNBOUNDED
        self.best_value, self.best_optimality = min(self.best_value, point.value), min(self.best_optimality, optimality)


def patience(problem: Problem) -> int:
    """Iterations at the target that are worth waiting for the free bound by strong convexity, before one by curvature is asked for."""
    if problem.strong_convexity == 0:
        return 0
    dense = 1.5 * hessian_cost(problem) if problem.has_hessian else np.inf
    return int(min(dense, PRODUCTS_COST)) if matrix_free(problem) else int(min(dense, MAX_PATIENCE))


def hessian_cost(problem: Problem) -> float:
    """Time of one Hessian in units of an iteration, roughly: operation counts at measured speeds, in nanoseconds."""
    n, rows = problem.n_variables, problem.tasks.n_rows or problem.n_tasks * problem.n_variables
    return (1e5 + rows * n**2 / 20 + n**3 / 30) / (2e5 + rows * n)


def newton_pays(problem: Problem) -> bool:
    """Whether the Hessian of convex losses is cheap beside what else an iteration costs, so that one for every step pays."""
    tasks, n = problem.tasks, problem.n_variables
    if not (problem.convex and problem.has_hessian):
        return False
    if tasks.n_rows is None:  # only of quadratics is known what a Hessian costs
        return tasks.curvature == "quadratic" and problem.n_tasks * n**2 <= NEWTON_PRODUCTS
    return tasks.n_rows * n**2 <= NEWTON_PRODUCTS


__all__ = ["TINY", "SQPState", "hessian_cost", "newton_pays", "patience"]
