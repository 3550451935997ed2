r"""Task generation: for K much larger than n, solve min_x max_{k in S} f_k(x) + r(x) + h(x) over a working set S of the tasks.

At a solution at most n + 1 tasks need weight, so that almost all of many tasks never matter; which ones do is found by solving small
problems. Each round solves the problem over S to half the tolerance, evaluates all K tasks at its solution x, and adds tasks that
exceed the maximum over S there: half of them the worst, half a random sample of the others, since the worst alone lie in one direction.

No bound has to be proven over all tasks. Weights on S are weights on all tasks, so that the lower bound proven for the small problem is
one for the whole; the upper bound is the maximum over all tasks at x. They meet where no task outside S exceeds the maximum over S.

The rounds end: each adds a task, and tasks leave S only after the lower bound has risen, to a value that the next set may not repeat.

B. Blankenship and J. Falk, "Infinitely constrained optimization problems", Journal of Optimization Theory and Applications 19 (1976):
exchange methods. K. Clarkson, "Las Vegas algorithms for linear and integer programming when the dimension is small", Journal of the ACM
42 (1995): a random sample of m tasks leaves about K n / m of them violated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from minimax_opt import checks
from minimax_opt.ambiguity import Simplex
from minimax_opt.arrays import Array, Host
from minimax_opt.problem import Counts, Point, Problem
from minimax_opt.result import MinimaxResult, Status
from minimax_opt.solvers.base import Solver, State, Target
from minimax_opt.solvers.dual_newton import DualNewton
from minimax_opt.solvers.interior_point import InteriorPoint
from minimax_opt.solvers.loop import run
from minimax_opt.solvers.sqp import SQP

TASKS_A_VARIABLE, LEAST_SIZE = 12, 120  # of a first working set, and of what a round adds
FEW = 500  # tasks, up to which a Hessian for each of a quadratic family is worth its memory
PASSED_ON = (Status.NON_FINITE, Status.NOT_CONVEX)  # what a working set shows is so for all tasks
NEGLIGIBLE = 1e-12  # a weight that plays no part


@dataclass
class WorkingSetState(State):
    """The set, and what is known.

    Attributes
    ----------
    working : ndarray of int, shape (S,)
        The tasks of the next set.
    bound : float
        The best lower bound so far.
    target : Target
    generator : numpy.random.Generator
    """

    working: Array = field(default_factory=lambda: np.zeros(0, dtype=int))
    bound: float = -np.inf
    target: Target = field(default_factory=lambda: Target(0.0, 0.0))
    generator: np.random.Generator = field(default_factory=np.random.default_rng)


@dataclass
class WorkingSet(Solver):
    """Task generation around a second-order method: convex tasks that can be restricted to a subset, many more than variables; W = simplex.

    Parameters
    ----------
    size : int, optional
        Tasks in the first set, half of them the worst at x0 and half drawn at random, and at most added in a round. By default 12 for
        each variable, and at least 120.

    Notes
    -----
    The small problems are solved by ``dual-newton`` (quadratic tasks, small sets), ``interior-point`` or, without Hessians, ``sqp``. Counts of
    evaluations are in units of all K tasks: evaluations of a set count as its share, rounded up in each round.

    Examples
    --------
    >>> import numpy as np
    >>> import minimax_opt as mo
    >>> directions = np.linspace(0, 2 * np.pi, 5000)
    >>> tasks = mo.AffineTasks(np.column_stack([np.cos(directions), np.sin(directions)]), np.sin(3 * directions))
    >>> result = mo.minimize_max(tasks, method="working-set", tol=1e-9)
    >>> result.success, result.certificate.kind
    (True, 'sharpness')
    """

    size: int | None = None

    name: ClassVar[str] = "working-set"
    on_host: ClassVar[bool] = True
    max_iter: ClassVar[int] = 200
    certifies_itself: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.size is not None:
            checks.integer("size", self.size, 1)

    def refuses(self, problem: Problem) -> str | None:
        """Sets other than the simplex, a floor, losses that are not convex, tasks without subsets, and what no inner method takes."""
        tasks, ambiguity = problem.tasks, problem.ambiguity
        if not tasks.has_subset:
            return f"needs tasks that can be restricted to a subset, which {type(tasks).__name__} cannot; use method='auto'."
        if not isinstance(ambiguity, Simplex) or ambiguity.floor > 0:
            found = "a floor, which gives weight to all tasks" if isinstance(ambiguity, Simplex) else type(ambiguity).__name__
            return f"needs ambiguity=Simplex() without a floor, got {found}; use method='interior-point'."
        if not problem.convex:
            return "needs convex losses; use method='sqp' for a stationary point, or pass convex=True if every loss is convex."
        few = replace(problem, n_tasks=min(problem.n_tasks, LEAST_SIZE))
        refusals = [inner.refuses(few) for inner in (InteriorPoint(), SQP())]
        return refusals[0] if all(refusals) else None

    def init(self, problem: Problem, point: Point, weights0: Array | None, target: Target, seed: int) -> WorkingSetState:
        """The worst tasks at x0, those with weight, and random ones."""
        size, prior = self._size(problem), problem.ambiguity.prior_weights(problem.n_tasks)
        known = np.zeros(0, dtype=int) if weights0 is None else heaviest(weights0, size)
        worst = largest(point.losses, size - size // 2)
        generator = np.random.default_rng(seed)
        drawn = generator.choice(problem.n_tasks, min(size // 2, problem.n_tasks), replace=False)
        working = np.unique(np.concatenate([known, worst, drawn]))
        weights = prior if weights0 is None else weights0
        return WorkingSetState(point, weights, working=working, target=target, generator=generator)

    def step(self, problem: Problem, state: WorkingSetState) -> WorkingSetState:
        """Solve the problem over the working set, evaluate all tasks at its solution, and renew the set."""
        found = solve_over(problem, state)
        weights = np.zeros(problem.n_tasks)
        weights[state.working] = found.weights
        point = problem.at(found.x)
        bound = float(np.fmax(state.bound, found.certificate.lower_bound))
        new = replace(state, point=point, weights=weights, certificate=found.certificate, bound=bound)
        whole = len(state.working) == problem.n_tasks
        if found.status in PASSED_ON or (whole and found.status is not Status.CONVERGED):
            new.status = found.status
        elif point.finite and not whole:
            new.working = self._renewed(problem, new, found, droppable=bound > state.bound)
        return new

    def _renewed(self, problem: Problem, state: WorkingSetState, found: MinimaxResult, droppable: bool) -> Array:
        """The set without tasks that played no part, if these may go, and with violated ones."""
        size, losses, working = self._size(problem), state.point.losses, state.working
        outside = np.ones(problem.n_tasks, dtype=bool)
        outside[working] = False
        violated = np.flatnonzero(outside & (losses > losses[working].max()))
        if found.status is not Status.CONVERGED or not len(violated):  # too small a set to bound the problem, or to prove it
            missing = np.flatnonzero(outside)
            return np.concatenate([working, missing[largest(losses[missing], len(working))]])
        if droppable and len(working) > 2 * size:
            working = np.union1d(working[largest(losses[working], size)], heaviest(state.weights, len(working)))
        return np.concatenate([working, spread(violated, losses[violated], size, state.generator)])

    def _size(self, problem: Problem) -> int:
        return self.size or max(TASKS_A_VARIABLE * problem.n_variables, LEAST_SIZE)


def solve_over(problem: Problem, state: WorkingSetState) -> MinimaxResult:
    """The solution over the working set, from the state's x, to half the tolerance; its evaluations are added to the problem's counts."""
    working, counts = state.working, problem.counts
    tasks = problem.tasks.subset(working)
    small = replace(problem, tasks=tasks, n_tasks=len(working), ambiguity=Simplex(), counts=Counts())
    solver = inner_method(small)
    weights = state.weights[working]
    warm = weights.sum() > 0 and not isinstance(solver, InteriorPoint)  # which a start near the boundary costs iterations
    found = run(
        solver,
        small,
        small.at(state.point.x),
        weights / weights.sum() if warm else None,
        Target(state.target.tol / 2, state.target.atol / 2, state.target.automatic),
        max_iter=solver.max_iter,
        seed=int(state.generator.integers(2**31)),
    )
    share = len(working) / problem.n_tasks
    for name, count in vars(small.counts).items():
        setattr(counts, name, getattr(counts, name) + math.ceil(share * count))
    if found.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    return found


def inner_method(small: Problem) -> Solver:
    """The method for one working set."""
    candidates: list[Solver] = [DualNewton()] if small.n_tasks <= FEW else []
    candidates += [InteriorPoint(), SQP()]
    return next((solver for solver in candidates if solver.refuses(small) is None), candidates[-1])


def largest(values: Host, count: int) -> Array:
    """Indices of the `count` largest values, or of all, in no order."""
    return np.arange(len(values)) if count >= len(values) else np.argpartition(-values, count)[:count]


def heaviest(weights: Host, count: int) -> Array:
    """The tasks of the `count` largest weights that are not negligible."""
    tasks = largest(weights, count)
    return tasks[weights[tasks] > NEGLIGIBLE]


def spread(tasks: Array, losses: Host, count: int, generator: np.random.Generator) -> Array:
    """`count` of the `tasks`, or all: one half with the largest losses, the other a random sample of the rest."""
    if len(tasks) <= count:
        return tasks
    worst = np.zeros(len(tasks), dtype=bool)
    worst[largest(losses, count - count // 2)] = True
    return np.concatenate([tasks[worst], generator.choice(tasks[~worst], count // 2, replace=False)])


__all__ = ["WorkingSet"]
