"""The independent reference: the same problem stated in cvxpy, from its definition, sharing no code with the package."""

from __future__ import annotations

import warnings

import cvxpy as cp
import numpy as np

import minimax_opt as mo


def worst_case(losses, ambiguity):
    """max_{w in W} <w, losses> as a convex expression of the vector `losses`, with the constraints that define it, by convex duality."""
    n_tasks = losses.shape[0]
    q = np.full(n_tasks, 1 / n_tasks) if ambiguity.prior is None else np.asarray(ambiguity.prior)
    level, constraints = cp.Variable(), []
    if isinstance(ambiguity, mo.Simplex):
        value, constraints = level, [losses <= level]
    elif isinstance(ambiguity, mo.CVaR):
        value = level + cp.sum(cp.multiply(q, cp.pos(losses - level))) / ambiguity.tail_fraction
    elif isinstance(ambiguity, mo.KLBall):
        eta, u = cp.Variable(nonneg=True), cp.Variable(n_tasks)
        constraints = [cp.ExpCone(losses - level, eta * np.ones(n_tasks), u), q @ u <= eta]
        value = level + eta * ambiguity.radius
    elif isinstance(ambiguity, mo.ChiSquareBall):
        eta = cp.Variable(nonneg=True)
        penalties = cp.hstack([cp.quad_over_lin(cp.pos(losses[k] - level + eta), eta) for k in range(n_tasks)])
        value = level + eta * (ambiguity.radius - 0.5) + q @ penalties / 2
    else:
        raise TypeError(type(ambiguity))
    return (1 - ambiguity.floor) * value + ambiguity.floor * (q @ losses), constraints


def solve(case, solver="CLARABEL"):
    """(x, value) of a :class:`problems.Case`."""
    x = cp.Variable(case.n_variables)
    losses = cp.Variable(case.n_tasks)  # the epigraph of every loss: the worst case is nondecreasing in each
    value, constraints = worst_case(losses, case.ambiguity)
    constraints += [expression <= loss for expression, loss in zip(case.expressions(x), losses, strict=True)]
    if case.ridge is not None:
        value = value + cp.sum_squares(cp.multiply(np.sqrt(case.ridge), x)) / 2
    if case.l1 is not None:
        value = value + np.broadcast_to(case.l1, case.n_variables) @ cp.abs(x)
    if case.domain is not None:
        constraints += case.domain_constraints(x)
    problem = cp.Problem(cp.Minimize(value), constraints)
    run(problem, solver)
    return x.value, float(problem.value)


def run(problem, solver="CLARABEL"):
    """Solve to the last digits that a conic solver has."""
    accuracy = {
        "CLARABEL": {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11},
        "SCS": {"eps_abs": 1e-10, "eps_rel": 1e-10, "max_iters": 200_000},
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Solution may be inaccurate")  # more is asked for than the comparisons need
        problem.solve(solver=solver, **accuracy[solver])
    assert problem.status in ("optimal", "optimal_inaccurate"), problem.status
