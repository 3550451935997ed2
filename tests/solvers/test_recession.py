"""Unbounded problems are recognised, bounded ones never called so."""

import numpy as np
import pytest
from scipy.optimize import linprog

import minimax_opt as mo
from minimax_opt.arrays import HOST
from minimax_opt.problem import Problem
from minimax_opt.regularizers import bind
from minimax_opt.solvers.recession import falls_forever

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


LARGE = {
    "minus 5e15": mo.QuadraticTasks([[[1.0]]], [[-1e8]]),
    "variables of different units": mo.QuadraticTasks([np.diag([1e12, 1e-3])], [[0.0, -1e3]]),
}


@pytest.mark.parametrize("method", ["dual-newton", "sqp", "interior-point"])
@pytest.mark.parametrize("name", LARGE)
def test_large_negative_values_are_no_proof(name, method):
    """min x'Px/2 + q'x = -q'P^{-1}q/2."""
    P, q, _ = LARGE[name].quadratics()
    result = mo.minimize_max(LARGE[name], method=method)
    assert result.status is mo.Status.CONVERGED
    assert result.fun == pytest.approx(-0.5 * q[0] @ np.linalg.solve(P[0], q[0]), rel=1e-6)


@pytest.mark.parametrize("method", ["dual-newton", "sqp", "interior-point"])
@pytest.mark.parametrize("scale", [1.0, 1e-20, 1e20])
def test_linear_functions_given_as_quadratics(method, scale):
    tasks = mo.QuadraticTasks(np.zeros((2, 2, 2)), scale * np.array([[1.0, 1.0], [2.0, 0.0]]))
    with np.errstate(all="ignore"):  # a quasi-Newton method takes steps of any size
        assert mo.minimize_max(tasks, method=method).status is mo.Status.UNBOUNDED


@pytest.mark.parametrize("method", ["dual-newton", "sqp", "interior-point"])
@pytest.mark.parametrize(("n", "rank"), [(3, 1), (20, 10), (40, 39)])
def test_a_flat_direction_along_no_axis(n, rank, method):
    """Quadratics with a common kernel: unbounded where all fall along it, bounded where nothing does."""
    rng = np.random.default_rng(n)
    basis = np.linalg.qr(rng.standard_normal((n, n)))[0]
    units = 10.0 ** rng.integers(-4, 5, n)  # of the variables
    curved = basis[:, :rank]
    P = np.stack([(curved * rng.uniform(0.1, 1, rank)) @ curved.T for _ in range(3)]) * np.outer(units, units)
    P = (P + P.swapaxes(1, 2)) / 2
    inside = rng.standard_normal((3, n)) @ curved @ curved.T * units
    falling = inside + np.array([[0.1], [0.2], [0.3]]) * basis[:, -1] * units
    assert mo.minimize_max(mo.QuadraticTasks(P, falling), method=method).status is mo.Status.UNBOUNDED
    assert mo.minimize_max(mo.QuadraticTasks(P, 1e3 * inside), method=method).status is not mo.Status.UNBOUNDED


@pytest.mark.parametrize("units", [[1.0, 1.0, 1.0, 1.0], [1e4, 1e4, 1e-4, 1e-8]])
def test_a_linear_programme_in_any_units(units):
    """scipy's HiGHS finds that it has no lower bound, too."""
    A = np.array(
        [[1, -2, -2, 2], [-1, -2, -2, -2], [0, -2, -1, 1], [0, 0, 0, 1], [1, -1, -1, -1], [-2, -2, 2, 0], [-1, -1, -2, -1], [1, 2, -2, -2]]
    )  # fmt: skip
    b = np.array([-1.0, 1, 1, -3, 1, -1, -2, 2])
    epigraph = linprog([0.0] * 4 + [1.0], np.c_[A, -np.ones(8)], -b, bounds=(None, None))
    assert epigraph.status == 3
    assert mo.minimize_max(mo.AffineTasks(A * units, b)).status is mo.Status.UNBOUNDED


HALF = mo.Box(0.0, np.inf)
COMPOSITE = {
    "a 1-norm too weak": (mo.AffineTasks([[-1.0, 0.0], [-1.0, 0.5]], [0.0, 0.0]), {"regularizer": mo.L1(0.9)}, True),
    "a 1-norm that holds": (mo.AffineTasks([[-1.0, 0.0], [-1.0, 0.5]], [0.0, 0.0]), {"regularizer": mo.L1(1.1)}, False),
    "free where it falls": (mo.AffineTasks([[-1.0, 0.0], [-1.0, 0.5]], [0.0, 0.0]), {"regularizer": mo.L1([0.0, 1.0])}, True),
    "an open end": (mo.AffineTasks([[-1.0, 3.0], [-2.0, 1.0]], [0.0, 0.0]), {"domain": HALF}, True),
    "a closed end": (mo.AffineTasks([[1.0, 3.0], [2.0, 1.0]], [0.0, 0.0]), {"domain": HALF}, False),
    "a ridge on one": (mo.AffineTasks([[-1.0, 1.0]], [0.0]), {"regularizer": mo.Ridge([0.0, 1.0]) + mo.L1([0.5, 3.0])}, True),
}


@pytest.mark.parametrize("name", COMPOSITE)
def test_with_a_one_norm_and_a_domain(name):
    tasks, options, expected = COMPOSITE[name]
    rng = np.random.default_rng(0)
    space = HOST
    quadratic, l1 = bind(options.get("regularizer"), 2, space)
    domain = options.get("domain")
    domain = None if domain is None else domain.bind(2, space)
    problem = Problem(tasks, tasks.n_tasks, 2, regularizer=quadratic, domain=domain, l1=l1, convex=True)
    start, found = problem.at(problem.project(np.array([1.0, 1.0]))), False
    for _ in range(200):
        far = problem.project(1e8 * np.round(rng.uniform(-1, 1, 2), 1) * (rng.random(2) < 0.6) + rng.standard_normal(2))
        found = found or falls_forever(problem, start, problem.at(far))
    assert found == expected
    result = mo.minimize_max(tasks, np.array([1.0, 1.0]), method="accelerated", max_iter=300, **options)
    assert (result.lower_bound > -np.inf) != expected  # and no bound is claimed where there is none
