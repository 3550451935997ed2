r"""Newton's method on the dual function of quadratic tasks.

g(w) = min_x F_w(x),   F_w(x) = <w, f(x)> + r(x),   H(w) = sum_k w_k P_k + Q

is concave, with gradient f(x(w)) and Hessian -A H(w)^{-1} A', where x(w) = argmin F_w and A has the rows grad f_k + grad r at
x(w). Its Newton step over W is a QP over the simplex, with caps for a CVaR; the optimal value of min_x max_w is max_w g. Every x(w)
gives the upper bound V(f(x(w))) + r, V(f) = max_{w in W} <w, f>, and every w the lower bound g(w), so that the gap is known at each
iterate.

The gradients of the tasks come from their Gram matrices, at K n^2 operations whatever the number of rows. Losses come from the tasks
themselves, because Gram forms cancel where residuals are small beside the data.

Unless the Gram matrices are very large, the first step is the whole iteration, in C and on the Gram form around x0
(:meth:`GramModel.solve_in_c`): it spares Python's time, and a pass over the rows for each iterate. Its x and w are judged by the losses
themselves, like any; where those ask for more, the second step does it again around the new x, where less cancels, and then the steps
here go on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from minimax_opt import checks, lapack
from minimax_opt.ambiguity import CVaR, Simplex
from minimax_opt.arrays import Array, Host
from minimax_opt.problem import Point, Problem
from minimax_opt.result import Status
from minimax_opt.solvers.base import Solver, State, Target
from minimax_opt.solvers.gram_model import GramModel
from minimax_opt.solvers.hints import method_for_kinks
from minimax_opt.solvers.recession import falls_forever, unbounded
from minimax_opt.solvers.tangent import best_weights, first_weights

EPS = float(np.finfo(float).eps)
MAX_TASKS = 500
ROUNDS = 2  # in C
MAX_BYTES = 2e9  # of the K Hessians
RIDGES = (1e-13, 1e-11, 1e-9, 1e-7, 1e-5)  # relative to the diagonal of H(w), tried in turn where H(w) is singular


@dataclass
class DualState(State):
    """One w with x(w).

    Attributes
    ----------
    model : GramModel
    target : Target
    start : Point
        x0.
    dual : float
        g(weights); -inf at x0, which is not an x(w).
    factor : ndarray, shape (n, n)
        Lower Cholesky factor of H(weights).
    rounds : int
        Steps that were made in C.
    """

    model: Any = None
    target: Any = None
    start: Any = None
    dual: float = -np.inf
    factor: Any = None
    rounds: int = 0

    @cached_property
    def gradients(self) -> Host:
        """A, shape (K, n)."""
        A: Host = self.model.gradients(self.point.x)
        return A

    @cached_property
    def rounding(self) -> float:
        """Of a loss that is a mean square of differences of numbers of size |b|: f = r^2 is known to eps |b| r."""
        largest = float(np.abs(self.point.losses).max())
        return 8 * EPS * math.sqrt(largest * max(largest, self.model.offset))


@dataclass
class DualNewton(Solver):
    """Newton's method on the dual function; for quadratic tasks and W = simplex or CVaR, with or without a floor.

    Each iteration costs one Cholesky factorisation of order n and K n^2 operations, once the K Gram matrices are formed. A
    certified relative gap of 1e-9 takes 3 to 5 iterations, at any conditioning up to about 1e6 of the data.

    Parameters
    ----------
    native : bool
        Whether the iteration may run in C, where that was built. The whole run there counts as one iteration.

    Examples
    --------
    >>> import numpy as np
    >>> import minimax_opt as mo
    >>> tasks = mo.LeastSquaresTasks([np.eye(2), np.eye(2)], [np.array([0.0, 0.0]), np.array([2.0, 0.0])])
    >>> res = mo.minimize_max(tasks, method="dual-newton", tol=1e-9)
    >>> res.x.tolist(), res.weights.tolist(), res.fun
    ([1.0, 0.0], [0.5, 0.5], 0.5)
    """

    name: ClassVar[str] = "dual-newton"
    on_host: ClassVar[bool] = True
    max_iter: ClassVar[int] = 100
    certifies_itself: ClassVar[bool] = True
    native: bool = True

    def __post_init__(self) -> None:
        checks.boolean("native", self.native)

    def refuses(self, problem: Problem) -> str | None:
        """Tasks that are not convex quadratics, sets other than simplex and CVaR, domains, too many tasks, too much memory."""
        tasks, n, n_tasks = problem.tasks, problem.n_variables, problem.n_tasks
        if tasks.curvature != "quadratic":
            sqp = tasks.curvature != "affine" and isinstance(problem.ambiguity, Simplex | CVaR)
            better = "use method='sqp'" if sqp else "use method='interior-point'"
            if problem.simple is not None:
                better = "use method='accelerated'"
            if not tasks.smooth:
                better = method_for_kinks(problem)
            return f"needs quadratic tasks, got {type(tasks).__name__}; {better}."
        if not tasks.convex:
            return "needs convex tasks; use method='sqp' for a stationary point."
        if problem.domain is not None:
            return "has no support for a `domain`; use method='accelerated'."
        if problem.l1 is not None:
            return "needs a smooth `regularizer`, without an L1 term; use method='accelerated'."
        if not isinstance(problem.ambiguity, Simplex | CVaR):
            return f"needs ambiguity=Simplex() or CVaR(), got {type(problem.ambiguity).__name__}; use method='interior-point'."
        if n_tasks > MAX_TASKS:
            return f"stores a Hessian for each task and takes at most {MAX_TASKS}, got {n_tasks}; use method='interior-point'."
        if 8.0 * n_tasks * n**2 > MAX_BYTES:
            return f"would store {n_tasks} Hessians of order {n}, more than {MAX_BYTES / 1e9:g} GB; use method='sqp'."
        return None

    def init(
        self,
        problem: Problem,
        point: Point,
        weights0: Array | None,
        target: Target,
        seed: int,
    ) -> DualState:
        """x0, with A there."""
        state = DualState(point, first_weights(problem, weights0), model=GramModel(problem), target=target, start=point)
        state.certify = weights0 is not None  # a warm start may be the solution
        return state

    def step(self, problem: Problem, state: DualState) -> DualState:
        """A Newton step of g over W, shortened until g rises."""
        if self.native and state.factor is None and state.rounds < ROUNDS:
            solved = _solve_in_c(state)
            if solved is not None:
                return solved
        point, weights, rounding, first = state.point, state.weights, state.rounding, None
        if state.factor is None:
            first = _respond(state, weights)
            if first.point.value < point.value:
                return first
            state.factor, state.dual = first.factor, first.dual  # a warm start: the QP is better made at x0
        white, _ = lapack.dtrtrs(state.factor, state.gradients.T, lower=True)
        solution = best_weights(problem, white.T @ white, point.losses, weights)
        rise = solution.value + point.penalty - state.dual
        direction, length = solution.weights - weights, 1.0
        slope = float(point.losses @ direction)
        for _ in range(30):
            new = _respond(state, solution.weights if length == 1.0 else weights + length * direction)
            if new.dual >= state.dual + 1e-4 * length * rise - rounding:
                if rise > rounding or new.point.value < point.value:  # x(w) still moves where g no longer does
                    return new
                break  # neither does: rounding
            end_slope = float(new.point.losses @ direction)
            secant = slope / (slope - end_slope) if end_slope < 0 < slope else 0.5  # g is concave: its slope falls
            length *= min(max(secant, 0.1), 0.7)
        if first is not None:  # made elsewhere than at x(w), the direction need not be one of ascent
            return first
        state.status = Status.UNBOUNDED if falls_forever(problem, state.start, point) else Status.STALLED
        return state


def _solve_in_c(state: DualState) -> DualState | None:
    """The state where the iteration in C ends; None where there is none, or its x is of no use."""
    found = state.model.solve_in_c(state.point, state.gradients, state.weights, state.target)
    new = None if found is None else state.point.problem.at(found[0])
    if found is None or new is None or not new.finite:
        return None
    solved = DualState(new, found[1], certify=True, model=state.model, target=state.target, start=state.start)
    solved.rounds = state.rounds + 1
    if unbounded(new.problem, state.start, new):
        solved.status = Status.UNBOUNDED
    return solved


def _respond(state: DualState, weights: Host) -> DualState:
    """The state at x(w), by one Newton step of F_w from the state's point."""
    point, gradient = state.point, weights @ state.gradients
    most = point.weighted_value(weights) + 1e4 * state.rounding
    new, dual, factor = point, -math.inf, state.factor
    for factor in _factors(state.model.hessian(weights)):
        new = point.problem.at(point.x - lapack.dpotrs(factor, gradient, lower=True)[0])
        dual = new.weighted_value(weights)
        if dual <= most:  # else H(w) is singular to rounding, and the step is noise
            break
    state = DualState(new, weights, model=state.model, target=state.target, start=state.start, dual=dual, factor=factor)
    state.certify = new.value - dual <= state.target.gap(new.value)
    if unbounded(point.problem, state.start, new):
        state.status = Status.UNBOUNDED
    return state


def _factors(hessian: Host) -> Iterator[Host]:
    """Lower Cholesky factors of `hessian`, which is overwritten, and of its sums with ever larger ridges."""
    factor, info = lapack.dpotrf(hessian, lower=True, clean=False)
    if info == 0:
        yield factor
    diagonal = hessian.diagonal().copy()
    diagonal += EPS * (diagonal.max() or 1.0)
    for ridge in RIDGES:
        hessian.flat[:: len(hessian) + 1] += ridge * diagonal
        factor, info = lapack.dpotrf(hessian, lower=True, clean=False)
        if info == 0:
            yield factor


__all__ = ["DualNewton"]
