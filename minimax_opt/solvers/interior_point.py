r"""The primal-dual interior-point method, for convex tasks with Hessians and every ambiguity set.

Each iteration follows the central path (:mod:`minimax_opt.solvers.interior_point_kkt`) towards mu = 0 with one Cholesky factor: a
predictor, a second-order corrector and up to two centrality correctors. Then the slacks absorb the curvature of the losses.

S. Mehrotra, "On the implementation of a primal-dual interior point method", SIAM Journal on Optimization 2 (1992).
J. Gondzio, "Multiple centrality corrections in a primal-dual method for linear programming", Computational Optimization and
Applications 6 (1996).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Array
from minimax_opt.problem import Point, Problem
from minimax_opt.result import Status
from minimax_opt.solvers.base import Solver, State, Target
from minimax_opt.solvers.hints import method_for_kinks
from minimax_opt.solvers.interior_point_adversary import Adversary
from minimax_opt.solvers.interior_point_affine import is_small_program, solved_program
from minimax_opt.solvers.interior_point_domain import SUPPORTED, DomainRows
from minimax_opt.solvers.interior_point_iterate import Step
from minimax_opt.solvers.interior_point_kkt import STILL, Linearisation
from minimax_opt.solvers.interior_point_move import lengths_of, limits_of, moved, next_damping, search, snapped
from minimax_opt.solvers.interior_point_rows import first_rows
from minimax_opt.solvers.interior_point_start import first_iterate, improved, warm_iterate, with_domain
from minimax_opt.solvers.recession import unbounded
from minimax_opt.tasks.quantile import QuantileTasks

AnyLinearisation: TypeAlias = Any  # a Linearisation or a RowLinearisation, which share what is used here
NEAR = 1e-3  # how far inside of the domain a warm start begins, relative to 1 + |x|
LOWEST_GAP = 0.02  # mu stays above this share of what the target needs: further down, rounding grows and nothing is gained
SHORT = 0.1  # below this length of the predictor its second-order term corrects nothing, and can drive the iterates off for good
PATIENCE, PATIENCE_AT_TARGET = 25, 6  # iterations without progress
EXHAUSTED = 1e-250  # products of pairs below this are zero, and their inverses soon overflow


@dataclass
class InteriorPointState(State):
    """The iterate, and what the next one needs to know.

    Attributes
    ----------
    adversary : Adversary
    rows : DomainRows or None
        Of the domain and the 1-norm.
    start : Point
    target : Target
    warm : bool
        Whether the caller gave weights to start from.
    linear : Linearisation or None
        None before the first step.
    damping : float
        Where full steps have overshot: the multiple of the matrix's diagonal that is added to it, or the upper Hessian's share.
    least, lowest, idle : float, float, int
        The smallest estimated gap so far; the value when there was progress last; iterations without any since.
    """

    adversary: Adversary = None  # type: ignore[assignment]
    rows: DomainRows | None = None
    start: Point = None  # type: ignore[assignment]
    target: Target = None  # type: ignore[assignment]
    warm: bool = False
    linear: AnyLinearisation = None
    damping: float = 0.0
    least: float = np.inf
    lowest: float = np.inf
    idle: int = 0


@dataclass
class InteriorPoint(Solver):
    """Primal-dual interior point: about ten iterations, each with one Jacobian, at most one weighted Hessian and one Cholesky factor.

    Parameters
    ----------
    correctors : int
        At most so many centrality correctors an iteration; each costs one more solve with the same factor.
    native : bool
        Whether small linear programs may be solved in C, where that is built: see the notes.

    Notes
    -----
    All iterations on a small linear program (K n^2 <= 2e7, the simplex, x free or in a box) run in C where the package has it, and count as
    one of the solve's: `nit` is 1, callbacks see their end, `max_iter` and `time_limit` are looked at before and after. Evaluations and
    factorisations inside are counted in `nfev` and `nhev`.

    Examples
    --------
    >>> import minimax_opt as mo
    >>> tasks = mo.ChebyshevTasks([[1.0], [1.0], [1.0]], [0.0, 3.0, 10.0])  # the midpoint of 0 and 10
    >>> result = mo.minimize_max(tasks, method="interior-point", tol=1e-9)
    >>> result.success, round(float(result.x[0]), 6), round(result.fun, 6)
    (True, 5.0, 5.0)
    """

    correctors: int = 2
    native: bool = True

    name: ClassVar[str] = "interior-point"
    on_host: ClassVar[bool] = True
    max_iter: ClassVar[int] = 200
    certifies_itself: ClassVar[bool] = True

    def __post_init__(self) -> None:
        checks.integer("correctors", self.correctors, 0)
        checks.boolean("native", self.native)

    def refuses(self, problem: Problem) -> str | None:
        """Domains but boxes and simplices, losses that are not convex, tasks without Hessians."""
        tasks, large = problem.tasks, f"forms a matrix of order n = {problem.n_variables}, too large to store"
        if not (problem.domain is None or isinstance(problem.domain, SUPPORTED)):
            better = "use method='accelerated'" if tasks.smooth else method_for_kinks(problem)
            return f"has no support for {type(problem.domain).__name__} as `domain`; {better}."
        if not problem.convex:
            return "needs convex losses; use method='sqp' for a stationary point, or pass convex=True if every loss is convex."
        if isinstance(tasks, QuantileTasks):
            if problem.simple is not None:
                return f"supports neither a `domain` nor an L1 term for QuantileTasks; {method_for_kinks(problem)}."
            return None if problem.square_fits else f"{large}; {method_for_kinks(problem)}."
        if not tasks.smooth:
            return f"needs differentiable losses or QuantileTasks, got {type(tasks).__name__}; {method_for_kinks(problem)}."
        if not tasks.has_jacobian or not (tasks.has_hessian or tasks.curvature == "affine"):
            missing = f"which {type(tasks).__name__} does not offer; use method="
            if not tasks.has_jacobian:
                return f"needs tasks with Jacobians, {missing}'accelerated'."
            return f"needs tasks with Hessians, {missing}'sqp', or `mo.TorchTasks(fun, hessian=True)` for a torch function."
        if not problem.square_fits:
            return f"{large}; use method='sqp' or 'accelerated'."
        return None

    def init(
        self,
        problem: Problem,
        point: Point,
        weights0: Array | None,
        target: Target,
        seed: int,
    ) -> InteriorPointState:
        """x0 with the prior, or with the given weights."""
        adversary = Adversary(problem.ambiguity.constraints(problem.n_tasks))
        warm = weights0 is not None
        weights = adversary.member(adversary.prior if weights0 is None else adversary.unmixed(weights0))
        rows = None if problem.simple is None else DomainRows(problem)
        slack = point.value - point.weighted_value(weights)
        state = InteriorPointState(point, weights, adversary=adversary, rows=rows, start=point, target=target, warm=warm)
        state.certify = warm and slack <= target.gap(point.value)  # solved, perhaps: else no bound can close the gap
        state.lowest = point.value
        return state

    def step(self, problem: Problem, state: InteriorPointState) -> InteriorPointState:
        """One Newton step from one factorisation; the first call finds the centre first, or solves a small linear program."""
        if self.native and state.linear is None and is_small_program(problem, state):
            solved = solved_program(problem, state, _begin(state).iterate if state.warm else None, self.correctors)
            if solved is not None:
                return solved
        old = state.linear or _begin(state)
        goal = state.target.gap(old.iterate.point.value)
        if state.linear is None and unbounded(problem, state.start, old.iterate.point):
            return replace(state, point=old.iterate.point, status=Status.UNBOUNDED)
        if old.complementarity < EXHAUSTED:
            return replace(state, point=old.iterate.point, linear=old, certify=True, status=Status.STALLED)
        if not old.factor(state.damping):
            return replace(state, point=old.iterate.point, linear=old, status=_without_factor(problem, old))
        step, lengths = self._direction(old, goal, old.exact and problem.regularizer is None)
        point, share = search(problem, old, step, lengths[1])
        if not point.finite:
            return replace(state, point=point)
        new = old.at(moved(problem, old, step, (lengths[0] * share, lengths[1] * share), point))
        weights = old.adversary.member(new.u)
        gap, left = new.gap(weights), old.decrement(new.gradient)
        estimate = gap + left
        damping = next_damping(state.damping, share, problem.tasks.has_upper_hessian)
        if not new.exact and damping == state.damping == 0.0 and left <= STILL * gap:
            new.older = old.hessian
        if new.domain is not None and estimate <= goal:
            point, estimate = snapped(problem, new, estimate, goal)
        far = min(abs(estimate), state.start.value - state.lowest)  # while x runs to a far minimum, the estimate grows
        progress = estimate < 0.9 * state.least or state.lowest - point.value > 0.1 * far
        idle = 0 if progress else state.idle + 1
        stalled = idle >= (PATIENCE_AT_TARGET if state.least <= goal else PATIENCE)
        return replace(
            state,
            point=point,
            weights=weights,
            certify=estimate <= goal,
            status=_ending(problem, state.start, point, stalled),
            linear=new,
            damping=damping,
            least=min(estimate, state.least),
            lowest=min(point.value, state.lowest) if progress else state.lowest,
            idle=idle,
        )

    def _direction(self, linear: AnyLinearisation, goal: float, separate: bool) -> tuple[Step, tuple[float, float]]:
        """Predictor and correctors; the step, and its lengths for (u, z, v) and for (x, t, s, y, eta).

        With affine losses the two groups meet in no condition but the pairs and eta R'(u), so that their lengths may be `separate`.
        """
        slack, multiplier = linear.iterate.slack, linear.iterate.multiplier
        n_pairs = len(slack)
        product = slack * multiplier
        mean = linear.complementarity / n_pairs
        step = linear.step(-product)
        limits = limits_of(linear, step, separate)
        a, b = lengths_of(limits)
        second = step.slack * step.multiplier
        reached = linear.complementarity + a * float(step.slack @ multiplier) + b * float(slack @ step.multiplier)
        reached = (reached + a * b * float(np.add.reduce(second))) / n_pairs
        mu = max(min(max(reached / mean, 0.0), 1.0) ** 3 * mean, LOWEST_GAP * goal / n_pairs)
        target = mu - product
        if min(a, b) > SHORT:
            target -= second
        bend = linear.ball_remainder(step, 0.99 * a, 0.99 * b)
        step = linear.step(target, bend)
        limits = limits_of(linear, step, separate)
        for _ in range(self.correctors):
            a, b = lengths_of(limits)
            if min(a, b) >= 0.95:
                break
            longer = min(1.0, 1.1 * a + 0.1), min(1.0, 1.1 * b + 0.1)
            trial = (slack + longer[0] * step.slack) * (multiplier + longer[1] * step.multiplier)
            target = target + np.maximum(np.minimum(np.maximum(trial, 0.1 * mu), 10 * mu) - trial, -10 * mu)
            corrected = linear.step(target, bend)
            new = limits_of(linear, corrected, separate)
            if sum(lengths_of(new)) <= a + b + 0.02:
                break
            step, limits = corrected, new
        step = linear.refined(step)
        return step, lengths_of(limits_of(linear, step, separate), min(max(0.9, 1.0 - mu / mean), 0.9995))


def _begin(state: InteriorPointState) -> AnyLinearisation:
    """The conditions at the first iterate: at x0 where the caller gave weights, else one Newton step further."""
    if not state.point.problem.tasks.smooth:
        return first_rows(state.point, state.adversary, state.weights)
    adversary, rows = state.adversary, state.rows
    if state.warm:
        point = state.point
        if rows is not None:
            point = point.problem.at(rows.inside(point.x, NEAR * (1.0 + np.abs(point.x))))
        iterate = warm_iterate(point, adversary, state.weights)
    else:
        point, scale = improved(state.point, adversary, rows)
        iterate = first_iterate(point, adversary, scale)
    return Linearisation(adversary, with_domain(iterate, rows), rows)


def _without_factor(problem: Problem, linear: Linearisation) -> Status:
    """Why a matrix that is positive semidefinite for convex losses has no factor."""
    if not np.isfinite(linear.gradient).all() or not np.isfinite(linear.hessian).all():
        return Status.NON_FINITE
    return Status.NOT_CONVEX if problem.declared else Status.STALLED


def _ending(problem: Problem, start: Point, point: Point, stalled: bool) -> Status | None:
    if unbounded(problem, start, point):
        return Status.UNBOUNDED
    return Status.STALLED if stalled else None
