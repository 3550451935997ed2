"""Small linear programs, min_x max_k <g_k, x> + c_k over a box, by the same interior point in C.

There one solve takes milliseconds, most of which Python would spend between the operations. The last iterate is one of the Python
method, which goes on from it where the certificate asks for more, and begins anew at x0 where the compiled one does not get there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from minimax_opt import native
from minimax_opt.arrays import to_host
from minimax_opt.domains import Box
from minimax_opt.problem import Problem
from minimax_opt.solvers.base import COARSEST
from minimax_opt.solvers.interior_point_iterate import Iterate
from minimax_opt.solvers.interior_point_kkt import Linearisation
from minimax_opt.solvers.interior_point_move import snapped

if TYPE_CHECKING:
    from minimax_opt.solvers.interior_point import InteriorPointState

MOST_FLOPS = 2e7  # of one factorisation, K n^2 + n^3 / 3: a solve is one step, which cannot be interrupted
MOST_ITERATIONS = 60
NO_BOUNDS = np.empty(0)


def is_small_program(problem: Problem, state: InteriorPointState) -> bool:
    """Whether the losses are affine, W is the simplex, x is free or in a box of some width, and a solve is a matter of milliseconds."""
    adversary, rows, n = state.adversary, state.rows, problem.n_variables
    if problem.tasks.curvature != "affine" or problem.regularizer is not None or problem.l1 is not None:
        return False
    if adversary.mix != 1.0 or adversary.cap is not None or adversary.ball is not None:
        return False
    if rows is not None and not (isinstance(problem.domain, Box) and rows.fixed is None):
        return False
    return problem.n_tasks * n**2 + n**3 / 3 <= MOST_FLOPS


def solved_program(
    problem: Problem, state: InteriorPointState, first: Iterate | None, correctors: int
) -> InteriorPointState | None:
    """The state at an iterate whose estimated gap is what the target asks for; None where there is no C, or it does not get there.

    Parameters
    ----------
    problem : Problem
        One that :func:`is_small_program`.
    state : InteriorPointState
        At the start.
    first : Iterate or None
        The first iterate of a warm start.
    correctors : int
        As many an iteration at most.
    """
    library = native.library()
    found = None if library is None else _run(library, problem, state, first, correctors)
    if found is None or not found[0].point.finite:
        return None
    linear, estimate = Linearisation(state.adversary, found[0], state.rows), found[1]
    point = linear.iterate.point
    if linear.domain is not None:
        point, estimate = snapped(problem, linear, estimate, state.target.gap(point.value))
    weights, lowest = state.adversary.member(linear.u), min(point.value, state.lowest)
    return replace(state, point=point, weights=weights, certify=True, linear=linear, least=estimate, lowest=lowest)


def _run(
    library: Any, problem: Problem, state: InteriorPointState, first: Iterate | None, correctors: int
) -> tuple[Iterate, float] | None:
    """The last iterate and its estimated gap; None where that does not meet the target."""
    start, rows, target = state.start, state.rows, state.target
    n_pairs = state.adversary.n_pairs + (0 if rows is None else rows.n_pairs)
    x = np.array(start.x if first is None else first.point.x)
    slack, multiplier = np.empty((2, n_pairs)) if first is None else np.array((first.slack, first.multiplier))
    at_zero = problem.at(np.zeros_like(x)) if start.x.any() else start
    lower, upper = (NO_BOUNDS, NO_BOUNDS) if rows is None else (rows.lower, rows.upper)
    iterations, level, estimate, factorisations = library.linear_program(
        np.ascontiguousarray(to_host(start.jacobian()), dtype=float),
        np.ascontiguousarray(at_zero.losses, dtype=float),
        np.ascontiguousarray(lower),
        np.ascontiguousarray(upper),
        x,
        slack,
        multiplier,
        0.0 if first is None else first.level,
        target.tol,
        target.atol,
        COARSEST if target.automatic else np.inf,
        MOST_ITERATIONS,
        correctors,
        first is not None,
    )
    problem.counts.nhev += factorisations
    problem.counts.nfev += max(iterations, 0)
    return (Iterate(problem.at(x), slack, multiplier, level), estimate) if iterations >= 0 else None


__all__ = ["is_small_program", "solved_program"]
