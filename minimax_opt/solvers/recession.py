"""Directions in which the worst case falls forever."""

from __future__ import annotations

import numpy as np

from minimax_opt.arrays import HOST, Host
from minimax_opt.problem import Point, Problem
from minimax_opt.solvers.tangent import gradients

SMALL = 1e-3  # of the largest entry of d
ABSURD = 1e15  # losses without a proof count as unbounded this far below zero, relative to those at the start


def unbounded(problem: Problem, start: Point, point: Point) -> bool:
    """Whether the worst case falls forever: proven for convex affine and quadratic tasks, else presumed from the value at `point`.

    Parameters
    ----------
    problem : Problem
    start, point : Point
        x0 and x.

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import AffineTasks
    >>> problem = Problem(AffineTasks([[1.0, 1.0], [1.0, -1.0]], [0.0, 3.0]), n_tasks=2, n_variables=2, convex=True)
    >>> unbounded(problem, problem.at(np.zeros(2)), problem.at(np.array([-1.0, 0.0])))
    True
    """
    confined = problem.domain is not None and problem.domain.bounded
    if problem.strong_convexity > 0 or confined or not point.value < start.value:
        return False
    if point.value >= 0.0 and _curved(problem):
        return False
    size = 1.0 + float(np.abs(start.losses).max())
    if problem.tasks.curvature == "general" or not problem.convex or (_curved(problem) and not problem.square_fits):
        return point.value < -ABSURD * size
    if _curved(problem) and point.value > -1e3 * size:  # not suspicious yet: spare the Hessian
        return False
    return falls_forever(problem, start, point)


def falls_forever(problem: Problem, start: Point, point: Point) -> bool:
    """Whether the flat part d of x - x0 proves that the worst case of affine or convex quadratic tasks has no lower end.

    Along d the losses are f(x0) + a J d + a^2 (d'H_k d) / 2: without lower end where d'H_k d = 0 for all k and the worst case of
    J d, plus h_inf(d) = lim h(x0 + a d) / a for a 1-norm and a domain, is below zero. A bounded problem has no such d: some w in W
    satisfies <w, J d> + h_inf(d) >= 0 for each of them. A movement to an end of the domain is no direction
    of it: small entries of d are left out; for affine tasks any d will do. A computed kernel is exact up to rounding over the gap in
    the spectrum, so that the flat part has to explain most of the fall along x - x0.
    All comparisons are between sums of terms of the same unit: the units of the variables play no part.
    """
    A, d = gradients(start), point.x - start.x
    d = d / (np.abs(d).max() or 1.0)
    simple, curved = problem.simple, _curved(problem)
    whole = problem.worst_case(A @ d) + (0.0 if simple is None else simple.value(d))
    if curved:
        d = _flat_part(start.hessian(problem.ambiguity.prior_weights(problem.n_tasks)), d)
    if simple is not None:
        d = np.where(np.abs(d) > (8 * len(d) * HOST.eps if curved else SMALL), d, 0.0)
    slope = problem.worst_case(A @ d) + (0.0 if simple is None else simple.recession(d))
    if not slope < min(0.0, 0.5 * whole):
        return False
    rounding = 8 * len(d) * HOST.eps * float((np.abs(A) @ np.abs(d)).max())
    return slope < -rounding


def _curved(problem: Problem) -> bool:
    return problem.tasks.curvature != "affine" or problem.regularizer is not None


def _flat_part(hessian: Host, d: Host) -> Host:
    """The projection of d on the kernel of a positive semidefinite Hessian, in the metric of its diagonal."""
    scale = np.sqrt(np.maximum(hessian.diagonal(), 0.0))
    scale[scale == 0] = 1.0
    eigenvalues, vectors = np.linalg.eigh(hessian / np.outer(scale, scale))
    kernel = vectors[:, eigenvalues <= 8 * len(d) * HOST.eps * eigenvalues[-1]]
    flat: Host = kernel @ (kernel.T @ (scale * d)) / scale
    return flat


__all__ = ["falls_forever", "unbounded"]
