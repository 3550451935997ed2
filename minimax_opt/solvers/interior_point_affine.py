"""Small linear programs, min_x max_k <g_k, x> + c_k over a box, by the same interior point in C.

There one solve takes milliseconds, most of which Python would spend between the operations. The last iterate is one of the Python
method, which goes on from it where the certificate asks for more, and begins anew at x0 where the compiled one does not get there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minimax_opt import native
from minimax_opt.arrays import to_host
from minimax_opt.domains import Box
from minimax_opt.problem import Problem
from minimax_opt.solvers.base import COARSEST
from minimax_opt.solvers.interior_point_iterate import Iterate

if TYPE_CHECKING:
    from minimax_opt.solvers.interior_point import InteriorPointState

MOST_FLOPS = 2e7  # of one factorisation, K n^2 + n^3 / 3: a solve is one step, which cannot be interrupted
MOST_ITERATIONS = 60


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


def affine_solution(
    problem: Problem, state: InteriorPointState, first: Iterate | None, correctors: int
) -> tuple[Iterate, float] | None:
    """An iterate whose estimated gap is what the target asks for, and that gap; None where there is no C, or it does not get there.

    Parameters
    ----------
    problem : Problem
        One that :func:`is_small_program`.
    state : InteriorPointState
        At the start.
    first : Iterate or None
        The first iterate of a warm start.
    correctors : int
    """
    library = native.library()
    if library is None:
        return None
    start, rows, target = state.start, state.rows, state.target
    n_pairs = state.adversary.n_pairs + (0 if rows is None else rows.n_pairs)
    x = np.array(start.x if first is None else first.point.x)
    slack, multiplier = (np.empty((2, n_pairs)) if first is None else np.array((first.slack, first.multiplier)))
    at_zero = problem.at(np.zeros_like(x)) if start.x.any() else start
    none = np.empty(0)
    iterations, factorisations, level, estimate = library.linear_program(
        np.ascontiguousarray(to_host(start.jacobian()), dtype=float),
        np.ascontiguousarray(at_zero.losses, dtype=float),
        *((none, none) if rows is None else map(np.ascontiguousarray, (rows.lower, rows.upper))),
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
