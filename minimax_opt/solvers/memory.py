"""What the loop remembers between iterations: the best point, the best proven bound, and the doubts about what was declared."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minimax_opt.arrays import Array, copy, norm, to_host
from minimax_opt.certificate import INEXACT, NO_BOUND, NOT_CONVEX, Certificate, certify
from minimax_opt.problem import Point, Problem
from minimax_opt.result import MinimaxResult, Status, TraceRow
from minimax_opt.solvers.base import Solver, State, Target
from minimax_opt.solvers.watch import ConvexityWatch

UNBOUNDED_BELOW = 1e15  # a value this many times below the losses at x0 counts as unbounded, where nothing speaks against it
CERTIFY_EVERY = 25  # iterations between certificates when an algorithm does not ask for one


@dataclass
class Memory:
    """The solve so far.

    Attributes
    ----------
    best : Point
        The point of least value.
    weights : array, shape (K,)
        The adversary that proves the bound; where there is none, the one of least optimality.
    certificate : Certificate
        The best so far.
    began : int
        The iteration that `solver` took over at.
    steepness : float
        Norm of the worst task's gradient at x0: what "small" is measured by where there is no bound.
    """

    solver: Solver
    problem: Problem
    target: Target
    best: Point
    weights: Array
    certificate: Certificate = NO_BOUND
    watch: ConvexityWatch | None = None
    judged: tuple[Any, Any] = (None, None)
    optimality: float = float("inf")
    residual: float = float("inf")
    start: Point = field(init=False)
    steepness: float = 0.0
    scale: float = 0.0
    nit: int = 0
    began: int = 0
    started: float = field(default_factory=time.perf_counter)
    trace: list[TraceRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.start, self.scale = self.best, self.best.scale
        if not self.problem.convex:
            self.certificate = NOT_CONVEX
        elif not self.problem.tasks.exact_gradients:
            self.certificate = INEXACT
        elif self.problem.declared:
            self.watch = ConvexityWatch(self.problem)

    @property
    def gap(self) -> float:
        """Best value minus best lower bound; nan without a bound."""
        return self.best.value - self.certificate.lower_bound

    def observe(self, state: State) -> Status | None:
        """Take in one iterate; the status if the solve is over."""
        point = state.point
        if not point.finite:
            return Status.NON_FINITE
        if not self.best.finite or point.value < self.best.value:
            self.best = point
            if not self.problem.convex:
                self.weights = state.weights
        if state.status is Status.UNBOUNDED or self._runs_away(point):  # before any test relative to |fun|
            return Status.UNBOUNDED
        if state.certificate is not None:
            self._accept(state.certificate, state.weights)
        due = not self.solver.certifies_itself and self.nit % CERTIFY_EVERY == 0
        if state.certify or state.status is not None or due:
            self.certify(point, state.weights)
        if self.watch is not None:
            self.watch.see(point, state.weights)
            if self.watch.disproved:
                return Status.NOT_CONVEX
        finished = self.finished()
        return state.status if finished is None else finished  # CONVERGED is 0, hence falsy

    def certify(self, point: Point, weights: Array) -> None:
        """Certify one pair, and keep what is better than before."""
        if self.judged[0] is point and self.judged[1] is weights:
            return
        self.judged = (point, weights)
        if self.problem.convex:
            self.target.look(point, weights)
            self._accept(certify(point, weights, self.best.value - self.target.gap(self.best.value)), weights)
        if self.certificate.kind == "none":
            self._measure(point, weights)

    def _accept(self, certificate: Certificate, weights: Array) -> None:
        """Keep a better bound; one that a visited point contradicts disproves a declaration, or is lost to rounding."""
        if certificate.kind == "none" or certificate.lower_bound <= self.certificate.lower_bound:
            return
        if certificate.lower_bound <= self.best.value + 64 * self.problem.eps * max(self.best.scale, self.scale):
            self.certificate, self.weights = certificate, weights
        elif self.watch is not None:
            self.watch.disproved = True

    def _measure(self, point: Point, weights: Array) -> None:
        """How far (point, weights) is from stationary, where no bound says how far from optimal."""
        if self.steepness == 0.0:
            worst = np.zeros(self.problem.n_tasks)
            worst[int(np.argmax(to_host(self.start.losses)))] = 1.0
            self.steepness = norm(self.start.gradient(self.problem.space.asarray(worst)))
        residual, slack = point.optimality_parts(weights)
        if residual + slack < self.optimality:
            self.optimality, self.residual, self.weights = residual + slack, residual, weights
            if point.value <= self.best.value + self.target.gap(self.best.value):
                self.best = point

    def finished(self) -> Status | None:
        """CONVERGED, if the stopping test is met."""
        if self.certificate.kind != "none":
            if self.target.automatic and self.target.tol * abs(self.best.value) < self.gap <= self.target.gap(self.best.value):
                self.target.look(self.best, self.weights)  # that of an earlier point says nothing
            return Status.CONVERGED if self.gap <= self.target.gap(self.best.value) else None
        if self.problem.convex and self.problem.tasks.curvature == "affine":
            return None  # a small gradient of an affine function says nothing
        size = min(abs(self.best.value), max(self.scale, 1.0))  # a value that runs off to -inf must not loosen its own test
        flat = self.residual <= max(1e-3, self.target.tol) * self.steepness
        return Status.CONVERGED if flat and self.optimality <= self.target.gap(size) else None

    def _runs_away(self, point: Point) -> bool:
        problem = self.problem
        if point.value >= 0.0:
            return False
        bounded = problem.strong_convexity > 0 or (problem.domain is not None and problem.domain.bounded)
        proves_it = self.solver.certifies_itself and problem.tasks.curvature != "general"  # by a direction of recession
        small = point.value < -UNBOUNDED_BELOW * max(self.scale, 1.0)
        return small and not bounded and not proves_it and self.certificate.kind == "none"

    def record(self, value: float) -> None:
        """Add this iteration's row to the trace."""
        counts = self.problem.counts
        bound, seconds = self.certificate.lower_bound, time.perf_counter() - self.started
        row = TraceRow(self.nit, value, self.best.value, bound, counts.nfev, counts.njev, counts.nhev, seconds)
        self.trace.append(row)

    def close(self, state: State, status: Status) -> Status:
        """Certify the last iterate and the best point, if the solve ended before they were; the final status."""
        if not self.best.finite or status is Status.INTERRUPTED:
            return status
        if status in (Status.NOT_CONVEX, Status.UNBOUNDED):
            self.certificate = DISPROVED if status is Status.NOT_CONVEX else UNBOUNDED
            return status
        if status is not Status.CONVERGED:
            if state.point.finite:
                self.certify(state.point, state.weights)
            self.certify(self.best, self.weights)
            if self.watch is not None and self.watch.disproved:
                return self.close(state, Status.NOT_CONVEX)
            if self.finished() is not None and status is not Status.STOPPED:
                status = Status.CONVERGED
        self.optimality = sum(self.best.optimality_parts(self.weights))
        return status

    def result(self, status: Status) -> MinimaxResult:
        """The result as it stands."""
        counts, best = self.problem.counts, self.best
        return MinimaxResult(
            x=copy(best.x),
            fun=best.value,
            losses=copy(best.losses),
            weights=copy(self.weights),
            lower_bound=float(np.minimum(self.certificate.lower_bound, best.value)),  # above only by rounding; nan stays nan
            certificate=self.certificate,
            optimality=self.optimality,
            status=status,
            method=self.solver.name,
            nit=self.nit,
            nfev=counts.nfev,
            njev=counts.njev,
            nhev=counts.nhev,
            seconds=time.perf_counter() - self.started,
            success=status == Status.CONVERGED,
            message=str(status),
            trace=list(self.trace),
        )


DISPROVED = Certificate(float("nan"), "none", "none: convexity was declared, but visited points disprove it")
UNBOUNDED = Certificate(-float("inf"), "none", "none: the losses are unbounded")
