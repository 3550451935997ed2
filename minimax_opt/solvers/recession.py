"""Directions in which the worst case falls forever."""

from __future__ import annotations

import numpy as np

from minimax_opt.problem import Point, Problem

ABSURD = 1e15  # other losses count as unbounded this far below zero, relative to those at the start


def unbounded(problem: Problem, start: Point, point: Point) -> bool:
    """Whether the worst case falls forever along d = x - x0: shown for affine and quadratic tasks, else presumed from the value.

    Along d the losses are f(x0) + a J d + a^2 (d'H_k d) / 2: without lower end where d'H_k d = 0 for all k and the worst case of
    J d is below zero. A bounded problem has no such d: some w in W satisfies <w, J d> >= 0 for each of them.

    Parameters
    ----------
    problem : Problem
        Convex.
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
    if problem.strong_convexity > 0 or not point.value < start.value:
        return False
    size = 1.0 + float(np.abs(start.losses).max())
    if problem.tasks.curvature == "general":
        return point.value < -ABSURD * size
    direction = point.x - start.x
    if problem.tasks.curvature == "quadratic" or problem.regularizer is not None:
        if point.value > -1e3 * size:  # not suspicious yet: spare the Hessian
            return False
        hessian = start.hessian(problem.ambiguity.prior_weights(problem.n_tasks))
        if float(direction @ hessian @ direction) > 1e-13 * float(np.trace(hessian)) * float(direction @ direction):
            return False
    jacobian = start.jacobian()
    pull = 0.0 if problem.regularizer is None else float(problem.regularizer.gradient(start.x) @ direction)
    steepest = float(np.sqrt(np.einsum("kj,kj->k", jacobian, jacobian).max()))
    return problem.worst_case(jacobian @ direction) + pull < -1e-10 * steepest * float(np.linalg.norm(direction))
