r"""Sequential quadratic programming that keeps the max intact.

d = argmin_d max_k f_k + <g_k, d> + r + <grad r, d> + d'Bd/2

is found through its dual, the simplex QP max_w <w, f> - w'A B^{-1} A'w / 2, where A has the rows g_k + grad r; then
d = -B^{-1}A'w. Under a CVaR the max becomes a mean of the worst, and the weights of the QP have caps. The metric B models the Hessian
of F_w = <w, f> + r. It starts as gamma I, gamma a Rayleigh quotient at x0, and learns by BFGS from the change of grad F_w along each
step. Where that is slow and the tasks have Hessians, Hess F_w becomes the base on which BFGS builds; where a Hessian of convex losses
costs less than an iteration, every step has its own.

Near a solution the QP finds the active tasks, and the method is a quasi-Newton method on the manifold where they are equal:
superlinear, where any smoothing of the max is slow. A good step may leave that manifold and raise the max (Maratos effect).
Then the QP is solved again with the losses found, c = f(x + d) - Jd, which bends the step back to the manifold at the price of
one evaluation: Fletcher's second-order correction, repeated while it helps. It is what copes with tasks of very different
curvature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from minimax_opt.ambiguity import CVaR, Simplex
from minimax_opt.arrays import Array, Host, all_finite, norm
from minimax_opt.problem import Point, Problem
from minimax_opt.result import Status
from minimax_opt.solvers.base import Solver, Target
from minimax_opt.solvers.hints import method_for_kinks
from minimax_opt.solvers.metric import Metric, rayleigh_quotient, singular
from minimax_opt.solvers.sqp_state import EPS, TINY, SQPState, hessian_cost, newton_pays, patience
from minimax_opt.solvers.tangent import best_weights, first_weights, gradients

MAX_TASKS = 3000  # the QP holds a few dense K x K matrices
CHEAP = 10  # a Hessian of the cost of fewer iterations
CORRECTIONS = 6  # of one step, at the most
BORROWED = 0.1  # share of the old metric's curvature where a Hessian has none
LEAST_CURVATURE = {
    True: 0.01,
    False: 0.2,
}  # along a step, relative to B's, below which a pair is damped; by whether the losses are convex


@dataclass
class SQP(Solver):
    """A QP over W on the K linearisations in a quasi-Newton metric: differentiable tasks, W = simplex or CVaR, with or without a floor.

    Each iteration costs one Jacobian, seldom more than one evaluation, and a QP in K weights. It needs no Hessian, but uses
    those of families that have them. Without convexity it ends at a stationary point.

    Examples
    --------
    >>> import numpy as np
    >>> import minimax_opt as mo
    >>> fun = lambda x: np.array([(x[0] - 1) ** 2 + x[1] ** 2, (x[0] + 1) ** 2 + x[1] ** 2])
    >>> jac = lambda x: 2 * np.array([[x[0] - 1, x[1]], [x[0] + 1, x[1]]])
    >>> res = mo.minimize_max(fun, np.array([3.0, 1.0]), jac, method="sqp", strong_convexity=2.0, tol=1e-9)
    >>> bool(abs(res.fun - 1) < 1e-8), res.success
    (True, True)
    """

    name: ClassVar[str] = "sqp"
    on_host: ClassVar[bool] = True
    max_iter: ClassVar[int] = 500
    certifies_itself: ClassVar[bool] = True

    def refuses(self, problem: Problem) -> str | None:
        """Sets other than simplex and CVaR, domains, tasks without Jacobian or curvature, too many tasks."""
        tasks, ambiguity = problem.tasks, problem.ambiguity
        if not tasks.has_jacobian:
            return f"needs the gradient of each task, which {type(tasks).__name__} does not offer; use method='accelerated'."
        if not tasks.smooth:
            return f"needs differentiable losses, which {type(tasks).__name__} are not; {method_for_kinks(problem)}."
        if problem.domain is not None:
            return "has no support for a `domain`; use method='accelerated'."
        if problem.l1 is not None:
            return "needs a smooth `regularizer`, without an L1 term; use method='accelerated'."
        if not isinstance(ambiguity, Simplex | CVaR):
            return f"needs ambiguity=Simplex() or CVaR(), got {type(ambiguity).__name__}; use method='interior-point' or 'accelerated'."
        if tasks.curvature == "affine" and problem.regularizer is None:
            return "needs curvature, which affine tasks have only with a `regularizer`; use method='interior-point'."
        if problem.n_tasks > MAX_TASKS:
            return f"solves a QP over at most {MAX_TASKS} tasks, got {problem.n_tasks}; use method='interior-point'."
        return None

    def init(self, problem: Problem, point: Point, weights0: Array | None, target: Target, seed: int) -> SQPState:
        """The QP at x0, in the Hessian or a multiple of the identity."""
        weights, A = first_weights(problem, weights0), gradients(point)
        state = SQPState(point, weights, target=target, gradients=A, generator=np.random.default_rng(seed), start=point)
        state.scale = float(np.abs(point.losses).max())
        if not all_finite(A):
            state.status = Status.NON_FINITE
            return state
        state.newton = newton_pays(problem)
        state.metric = _first_metric(problem, state)
        state.patience = patience(problem)
        return _solve(problem, state)

    def step(self, problem: Problem, state: SQPState) -> SQPState:
        """Move along d, learn, solve the next QP."""
        found = _search(problem, state)
        if found is None:
            return _recover(problem, state)
        length, point = found
        A = gradients(point)
        if not all_finite(A):
            state.status = Status.NON_FINITE
            return state
        if not state.newton:
            _learn(problem, state, length, A)
        state.point, state.gradients = point, A
        if state.newton or state.slow(problem) or (length < 0.5 and problem.has_hessian and hessian_cost(problem) < CHEAP):
            _rebase(state)  # a step that had to be short: B lacks the curvature of tasks whose weight has grown
        return _solve(problem, state)


def _first_metric(problem: Problem, state: SQPState) -> Metric:
    """Hess F_w at x0 where Newton's method is the choice and curvature is not missing there; else gamma I."""
    point, weights, A = state.point, state.weights, state.gradients
    if state.newton:
        hessian = point.hessian(weights)
        smooth = problem.tasks.self_concordant
        state.newton = not smooth or bool(hessian.any())  # else the functions are linear here, and BFGS fades out of their way
        if state.newton and (smooth or not singular(hessian)):
            return Metric(hessian)
    pull, steepest = weights @ A, A[int(np.argmax(point.losses))]
    if norm(pull) < 1e-6 * norm(steepest):  # the prior may balance the tasks where the max does not
        pull = steepest
    return Metric(rayleigh_quotient(point, weights, pull, state.generator) or max(norm(pull), TINY))


def _solve(problem: Problem, state: SQPState) -> SQPState:
    """Solve the QP at the state's point, and judge it."""
    state.model = state.metric.model(state.gradients)
    value = _minimise_model(problem, state, state.point.losses)
    state.decrease = max(state.point.value - (value + state.point.penalty), 0.0)
    state.decreases.append(state.decrease)
    state.judge(problem)
    return state


def _minimise_model(problem: Problem, state: SQPState, losses: Host) -> float:
    """min_d max_k losses_k + <a_k, d> + d'Bd/2 with its weights, direction and curvature."""
    M = state.model.M
    solution = best_weights(problem, M, losses, state.weights)
    state.weights, state.direction = solution.weights, state.model.step(solution.weights)
    state.curvature = float(solution.weights @ (M @ solution.weights))
    return solution.value


def _search(problem: Problem, state: SQPState) -> tuple[float, Point] | None:
    """(t, point at x + t d) with a sufficient decrease, d corrected where that helps; None where there is none."""
    point = state.point
    slack = state.rounding if state.decrease < 1e4 * state.rounding else 0.0  # unmeasurable: the gradients may still fall
    aim = point.value - 1e-4 * state.decrease + slack
    trial = full = problem.at(point.x + state.direction)
    weights, direction, curvature = state.weights, state.direction, state.curvature
    gain = 0.0
    for _ in range(CORRECTIONS if problem.n_tasks > 1 else 0):
        if not trial.finite or trial.value <= aim:
            break
        last = trial
        risen = trial.losses + (trial.penalty - point.penalty) - state.gradients @ state.direction
        _minimise_model(problem, state, risen)
        trial = problem.at(point.x + state.direction)
        before, gain = gain, last.value - trial.value
        left = gain**2 / (before - gain) if gain < before else np.inf  # what more corrections gain: a geometric series
        if not gain > 0.0 or trial.value - left > aim:
            break
    if trial.finite and trial.value <= aim:
        return 1.0, trial
    state.weights, state.direction, state.curvature = weights, direction, curvature
    return _backtrack(problem, state, full, slack)


def _backtrack(problem: Problem, state: SQPState, trial: Point, slack: float) -> tuple[float, Point] | None:
    """(t, point at x + t d) for the first t < 1 with a sufficient decrease; `trial` is the point at t = 1."""
    value, length = state.point.value, 1.0
    for _ in range(25):
        excess = trial.value - value + length * state.decrease if trial.finite else np.inf
        parabola = 0.5 * length * state.decrease / excess if excess > 0 else 0.5
        length *= min(max(parabola, 0.1), 0.5)
        trial = problem.at(state.point.x + length * state.direction)
        if trial.finite and trial.value <= value - 1e-4 * length * state.decrease + slack:
            return length, trial
    return None


def _learn(problem: Problem, state: SQPState, length: float, A: Host) -> None:
    """Add the step's pair (s, y) to the metric, damped where the curvature along s is far below that of B (Powell, 1978)."""
    pull = state.weights @ state.gradients  # = -B d
    s, y = length * state.direction, state.weights @ A - pull
    expected, found = length**2 * state.curvature, float(s @ y)
    least = LEAST_CURVATURE[problem.convex]
    noise = EPS * float(state.model.M.diagonal().max())  # of the QP's slopes: a metric that has faded too far shows nothing else
    unmeasurable = state.decrease < state.rounding
    if unmeasurable and noise < state.rounding:
        return
    if problem.convex and found < 1e-6 * abs(expected):  # none at all: the losses are affine along s, and so, likely, elsewhere
        decrease = max(state.decrease, state.rounding)
        weaker, stronger = least * expected / float(s @ s), 1e3 * EPS * float(np.square(A).sum(1).max()) / decrease
        state.metric = Metric(weaker if expected > 1e3 * noise else stronger)
        return
    if unmeasurable or expected <= 0:
        return
    if found < least * expected:
        share = (1 - least) * expected / (expected - found)
        y = share * y - (1 - share) * length * pull
    state.metric.learn(s, y)


def _rebase(state: SQPState) -> None:
    """Take Hess F_w at the state's point as the metric, unless it vanishes there.

    Where second derivatives jump (Huber losses), few rows may have any: directions without curvature then borrow some from the old metric.
    """
    hessian, length = state.point.hessian(state.weights), norm(state.direction)
    if not state.point.problem.tasks.self_concordant and length > 0 and singular(hessian):
        hessian.flat[:: len(hessian) + 1] += BORROWED * state.curvature / length**2
    if hessian.trace() > TINY:  # else it has underflowed, far out
        state.metric, state.decreases = Metric(hessian), []


def _recover(problem: Problem, state: SQPState) -> SQPState:
    """After a failed line search: another metric, or the end where rounding explains it. The state ends a row of failures."""
    if state.decrease <= state.rounding:
        state.status = Status.STALLED
        return state
    if problem.has_hessian and problem.convex and state.failures == 0:
        _rebase(state)
    else:
        state.metric = Metric(20 * 10.0**state.failures * state.decrease / float(state.direction @ state.direction))
    return _solve(problem, state)


__all__ = ["SQP"]
