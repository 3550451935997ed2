"""The value, the bound and the point agree with cvxpy's, by two conic solvers."""

import cvxpy_reference
import numpy as np
import problems
import pytest

import minimax_opt as mo

TOLERANCE = 1e-7  # relative, the accuracy that the conic solvers reach


@pytest.fixture(scope="module")
def reference():
    cache = {}

    def value(case, solver="CLARABEL"):
        if (case.name, solver) not in cache:
            cache[case.name, solver] = cvxpy_reference.solve(case, solver)[1]
        return cache[case.name, solver]

    return value


@pytest.mark.parametrize("case", problems.ALL, ids=str)
def test_auto_agrees_with_clarabel(case, reference):
    accuracy = 1e-6 if case.in_ball else 1e-9
    res = case.solve(tol=accuracy)
    value = reference(case)
    slack = TOLERANCE * max(abs(value), 1e-3)
    assert res.success, res
    assert res.lower_bound <= value + slack
    assert value - slack <= res.fun <= value + slack + accuracy * abs(value)


@pytest.mark.parametrize("case", [c for c in problems.BASE if not c.hard and not c.in_ball], ids=str)
def test_a_second_conic_solver_agrees(case, reference):
    value = reference(case, "SCS")  # a first-order method on the cones: nothing in common with Clarabel's interior point
    res = case.solve(tol=1e-9)
    slack = TOLERANCE * max(abs(value), 1e-3)
    assert res.lower_bound <= value + slack
    assert value - slack <= res.fun <= value + slack


@pytest.mark.parametrize("case", [c for c in problems.ALL if c.smooth], ids=str)
def test_optimality_conditions(case):
    """Stationarity: x minimises <w, f> + r; saddle: w maximises <w, f(x)> over W. Checked from the definitions, by finite differences."""
    res = case.solve(tol=1e-9)
    losses = case.tasks(res.x)
    np.testing.assert_allclose(res.losses, losses, rtol=1e-12)
    ridge = case.ridge or 0.0
    worst = float(mo.worst_case(losses, case.ambiguity))
    assert worst + ridge * res.x @ res.x / 2 == pytest.approx(res.fun, rel=1e-12, abs=1e-14)
    assert case.ambiguity.contains(res.weights, 1e-9)
    scale = max(abs(worst), 1e-3)
    assert worst - res.weights @ losses <= res.gap + 1e-13  # what the adversary can still gain is part of the gap
    assert res.gap <= 1e-9 * abs(res.fun) + 1e-13

    def weighted(x):
        return res.weights @ case.tasks(x) + ridge * x @ x / 2

    rng = np.random.default_rng(0)
    for _ in range(5):  # no direction leads down from x by more than the gap
        direction = rng.standard_normal(case.n_variables)
        for step in (1e-1, 1e-3, 1e-5):
            assert weighted(res.x + step * direction) >= weighted(res.x) - 3e-9 * scale - 1e-12


def test_unique_weights_agree_with_cvxpys_duals():
    """Strongly convex, generic: the adversary's weights are unique, so they must be the multipliers of loss_k <= level."""
    import cvxpy as cp

    case = problems.quadratic("unique")
    x, level = cp.Variable(case.n_variables), cp.Variable()
    constraints = [expression <= level for expression in case.expressions(x)]
    cvxpy_reference.run(cp.Problem(cp.Minimize(level), constraints))
    res = case.solve(tol=1e-12)
    np.testing.assert_allclose(res.weights, [c.dual_value.item() for c in constraints], atol=1e-6)
    np.testing.assert_allclose(res.x, x.value, atol=1e-6)


def test_the_reference_notices_a_wrong_value():
    """The comparison can fail: a set other than the one asked for has another value."""
    case = problems.NAMED["lsq"]
    value = cvxpy_reference.solve(case)[1]
    other = mo.minimize_max(case.tasks, ambiguity=mo.CVaR(0.9), tol=1e-9).fun
    assert abs(other - value) > 1e-3 * value
