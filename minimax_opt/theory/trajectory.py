"""Every iterate of a first-order method, without stopping tests and certificates: what a bound for every T is checked against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from minimax_opt import checks
from minimax_opt.arrays import HOST, Array, Host
from minimax_opt.domains import Domain
from minimax_opt.problem import Point, Problem
from minimax_opt.solvers.base import Solver, Target
from minimax_opt.tasks.base import Tasks


@dataclass
class Recorded(Problem):
    """A problem that keeps every x at which its losses are asked for."""

    visited: list[Array] = field(default_factory=list)

    def at(self, x: Array) -> Point:
        """Evaluate the losses at `x`, and keep it."""
        self.visited.append(x)
        return super().at(x)


def states(
    solver: Solver, tasks: Tasks, x0: Host, horizon: int, domain: Domain | None = None, visited: list[Array] | None = None
) -> Iterator[Any]:
    """The states after 0, 1, ..., `horizon` steps of `solver`; fewer where it stops by itself.

    Parameters
    ----------
    solver : Solver
        With the options of a theorem: ``SoftmaxGD(step_size="theory", ...)``.
    tasks : Tasks
        Over NumPy float64.
    x0 : array, shape (n,)
    horizon : int
        Steps, >= 0.
    domain : Domain, optional
    visited : list, optional
        Every point at which losses are evaluated is appended: iterates, averages and the points between them where gradients are taken. The
        constants of a theorem must hold on a convex set that holds them.

    Yields
    ------
    State
        ``state.point.x`` is the candidate of the iterate and ``state.point.value`` its worst loss.

    Raises
    ------
    ValueError
        For a method that refuses the problem, or wrong arguments.

    Examples
    --------
    >>> import numpy as np
    >>> import minimax_opt as mo
    >>> from minimax_opt.solvers import SoftmaxGD
    >>> tasks = mo.AffineTasks([[1.0], [-1.0]], [0.0, 0.0])
    >>> path = states(SoftmaxGD(smoothing=0.1, step_size=0.25), tasks, np.array([1.0]), 3)
    >>> [round(state.point.value, 6) for state in path]
    [1.0, 0.75, 0.5, 0.250023]
    """
    x0, n = checks.vector("x0", x0, tasks.n_variables), len(x0)
    checks.integer("horizon", horizon, 0)
    bound = None if domain is None else domain.bind(n, HOST)
    n_tasks = tasks.n_tasks or len(tasks(x0))
    problem = Recorded(tasks, n_tasks, n, domain=bound, convex=tasks.convex, strong_convexity=tasks.strong_convexity)
    if visited is not None:
        problem.visited = visited
    refusal = solver.refuses(problem)
    if refusal:
        raise ValueError(f"`solver` {refusal}")
    state = solver.init(problem, problem.at(problem.project(x0)), None, Target(0.0, 0.0), 0)
    yield state
    for _ in range(horizon):
        if state.status is not None or not state.point.finite:
            return
        state = solver.step(problem, state)
        yield state


__all__ = ["states"]
