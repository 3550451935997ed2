"""Unbounded problems are recognised, bounded ones never called so."""

import numpy as np
import pytest

import minimax_opt as mo

RNG = np.random.default_rng(0)
SLOPES = RNG.standard_normal((12, 4))
BALANCED = SLOPES - RNG.dirichlet(np.ones(12)) @ SLOPES  # zero is a convex combination of the rows
OFFSETS = RNG.standard_normal(12)
FLAT = np.zeros((3, 2, 2))
FLAT[:, 0, 0] = 1.0

UNBOUNDED = {
    "one task": (mo.AffineTasks(SLOPES[:1], OFFSETS[:1]), {}),
    "fewer tasks than variables": (mo.AffineTasks(SLOPES[:3], OFFSETS[:3]), {}),
    "slopes of one sign": (mo.AffineTasks(abs(SLOPES), OFFSETS), {}),
    "mean": (mo.AffineTasks(BALANCED, OFFSETS), {"ambiguity": mo.CVaR(1.0)}),
    "wide tail": (mo.AffineTasks(BALANCED, OFFSETS), {"ambiguity": mo.CVaR(0.9)}),
    "small KL ball": (mo.AffineTasks(BALANCED, OFFSETS), {"ambiguity": mo.KLBall(1e-3)}),
    "small chi-square ball": (mo.AffineTasks(BALANCED, OFFSETS), {"ambiguity": mo.ChiSquareBall(1e-3)}),
    "large floor": (mo.AffineTasks(BALANCED, OFFSETS), {"ambiguity": mo.Simplex(floor=0.9)}),
    "free intercept": (mo.AffineTasks(np.c_[BALANCED, np.ones(12)], OFFSETS), {"regularizer": mo.Ridge([1.0, 1, 1, 1, 0])}),
    "flat quadratics": (mo.QuadraticTasks(FLAT, np.array([[0.0, 1.0], [0.0, 1.5], [1.0, 2.0]])), {}),
}
BOUNDED = {
    "balanced": (mo.AffineTasks(BALANCED, OFFSETS), {}),
    "narrow tail": (mo.AffineTasks(BALANCED, OFFSETS), {"ambiguity": mo.CVaR(0.2)}),
    "large KL ball": (mo.AffineTasks(BALANCED, OFFSETS), {"ambiguity": mo.KLBall(0.5)}),
    "large chi-square ball": (mo.AffineTasks(BALANCED, OFFSETS), {"ambiguity": mo.ChiSquareBall(0.5)}),
    "small ball with ridge": (mo.AffineTasks(BALANCED, OFFSETS), {"ambiguity": mo.KLBall(1e-3), "regularizer": mo.Ridge(1e-6)}),
    "badly scaled": (mo.AffineTasks(BALANCED * [1e6, 1.0, 1e-3, 1e-6], OFFSETS), {}),
    "duplicates": (mo.AffineTasks(np.vstack([BALANCED] * 3), np.tile(OFFSETS, 3)), {}),
    "flat, one task at a time": (mo.QuadraticTasks(1e-6 * np.array([np.diag([1.0, 0]), np.diag([0, 1.0])]), np.ones((2, 2))), {}),
    "chebyshev": (mo.ChebyshevTasks(SLOPES, OFFSETS), {}),
}


@pytest.mark.parametrize("name", UNBOUNDED)
def test_unbounded(name):
    tasks, options = UNBOUNDED[name]
    result = mo.minimize_max(tasks, method="interior-point", tol=1e-9, **options)
    assert result.status is mo.Status.UNBOUNDED
    assert not result.success
    assert result.lower_bound == -np.inf
    assert "add a `regularizer` or a bounded `domain`" in result.message


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("distance", [0.0, 1e3])
def test_bounded(name, distance):
    tasks, options = BOUNDED[name]
    start = distance * np.random.default_rng(1).standard_normal(tasks.n_variables)
    result = mo.minimize_max(tasks, start, method="interior-point", tol=1e-9, **options)
    assert result.success, result
