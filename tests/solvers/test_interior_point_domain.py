"""Boxes, simplices and 1-norms in the interior point: the elimination, the factor, and solutions against cvxpy."""

import dataclasses

import cvxpy as cp
import cvxpy_reference
import numpy as np
import problems
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minimax_opt as mo
from minimax_opt import domains
from minimax_opt.problem import Problem
from minimax_opt.solvers.interior_point_adversary import Adversary
from minimax_opt.solvers.interior_point_domain import DomainRows
from minimax_opt.solvers.interior_point_factor import Factor
from minimax_opt.solvers.interior_point_iterate import Iterate
from minimax_opt.solvers.interior_point_kkt import Linearisation

TOL = 1e-9
INF = np.inf
SETS = {"simplex": mo.Simplex(), "cvar": mo.CVaR(0.4), "kl": mo.KLBall(0.2, floor=0.1), "chi2": mo.ChiSquareBall(0.3)}
CONFINED = {
    "box": (None, mo.Box(-0.1, 0.2)),
    "half-bounded": (None, mo.Box(np.array([0.0, -INF, -0.1, -INF]), np.array([INF, 0.05, 0.3, INF]))),
    "a fixed variable": (None, mo.Box(np.array([0.3, -INF, -0.1, -INF]), np.array([0.3, 0.05, 0.3, INF]))),
    "1-norm": (0.05, None),
    "1-norm of some, in a box": (np.array([0.0, 0.05, 0.05, 0.1]), mo.Box(-0.1, INF)),
    "simplex": (None, domains.Simplex(0.7)),
}


def bound_problem(l1, domain, ambiguity, tasks, n):
    l1 = None if l1 is None else np.broadcast_to(np.asarray(l1, float), (n,))
    domain = None if domain is None else domain.bind(n, tasks.space)
    return Problem(tasks, tasks.n_tasks, n, ambiguity, l1=l1, domain=domain, convex=True)


@pytest.mark.parametrize("name", CONFINED)
@pytest.mark.parametrize("ambiguity", SETS.values(), ids=SETS)
def test_the_step_solves_every_linearised_condition(ambiguity, name):
    rng = np.random.default_rng(3)
    tasks = mo.LeastSquaresTasks(rng.standard_normal((5, 6, 4)), rng.standard_normal((5, 6)))
    problem = bound_problem(*CONFINED[name], ambiguity, tasks, 4)
    adversary, rows = Adversary(ambiguity.constraints(5)), DomainRows(problem)
    slack, multiplier = rng.uniform(0.05, 0.4, (2, adversary.n_pairs + rows.n_pairs))
    x = rows.inside(rng.standard_normal(4), np.ones(4))
    it = Iterate(problem.at(x), slack, multiplier, 0.3)
    linear = Linearisation(adversary, it, rows)
    assert linear.factor()
    target = rng.standard_normal(len(slack))
    step = linear.refined(linear.step(target))
    after = Iterate(problem.at(x + step.x), slack + step.slack, multiplier + step.multiplier, it.level + step.level)
    du = step.slack[:5]
    on_x = linear.gradient + it.point.hessian(linear.w) @ step.x + linear.rows.T @ du
    m = rows.n_rows
    on_x += rows.pull(step.slack[adversary.n_pairs :][:m])
    if rows.balanced:
        assert step.x.sum() == pytest.approx(0.0, abs=1e-12)
        on_x -= on_x.mean()
    if rows.fixed is not None:
        np.testing.assert_array_equal(step.x[rows.fixed], 0.0)
        on_x[rows.fixed] = 0.0
    np.testing.assert_allclose(on_x, 0, atol=1e-11)
    later = Linearisation(adversary, after, rows)
    np.testing.assert_allclose(later.domain.residual, 0, atol=1e-11)  # these conditions are linear
    np.testing.assert_allclose(later.domain.cap_residual, 0, atol=1e-11)
    np.testing.assert_allclose(slack * step.multiplier + multiplier * step.slack, target, atol=1e-11)


@given(seed=st.integers(0, 10**6), n=st.integers(2, 7), kind=st.sampled_from(["plain", "fixed", "balanced"]))
def test_the_factor_inverts_on_the_subspace(seed, n, kind):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, n)) * np.logspace(0, 3, n)
    matrix, right = root.T @ root, rng.standard_normal(n)
    fixed = rng.permutation(np.arange(n) < n // 2) if kind == "fixed" else None
    factor = Factor(np.array(matrix, order="F"), 0.0, fixed, kind == "balanced")
    assert factor.found
    solution = factor.inverse(right)
    basis = np.eye(n)
    if kind == "fixed":
        basis = basis[:, ~fixed]
    if kind == "balanced":
        basis = np.linalg.svd(np.ones((1, n)))[2][1:].T
    expected = basis @ np.linalg.solve(basis.T @ matrix @ basis, basis.T @ right)
    np.testing.assert_allclose(solution, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("name", CONFINED)
@pytest.mark.parametrize("mu", [1e-12, 1e-3, 10.0])
def test_first_pairs_are_centred_and_without_residual(name, mu):
    tasks = mo.AffineTasks(np.eye(4), np.zeros(4))
    rows = DomainRows(bound_problem(*CONFINED[name], mo.Simplex(), tasks, 4))
    x = rows.inside(np.array([3.0, -2.0, 0.0, 1e-9]), np.ones(4))
    slack, multiplier = rows.centred(x, mu)
    assert slack.min() > 0
    assert multiplier.min() > 0
    np.testing.assert_allclose(slack * multiplier, mu, rtol=1e-12)
    m, n_cap = rows.n_rows, len(rows.cap)
    residual = rows.values(x) + multiplier[:m]
    residual[m - n_cap :] -= multiplier[m:]
    np.testing.assert_allclose(residual, 0, atol=1e-9 * (1 + np.abs(multiplier).max()))
    np.testing.assert_allclose(slack[m - n_cap : m] + slack[m:], rows.cap)


def confined(base, name):
    l1, domain = CONFINED[name]

    def constraints(x):
        if isinstance(domain, domains.Simplex):
            return [x >= 0, cp.sum(x) == domain.scale]
        low, high = np.broadcast_to(domain.lower, 4), np.broadcast_to(domain.upper, 4)
        return [x[i] >= low[i] for i in range(4) if low[i] > -INF] + [x[i] <= high[i] for i in range(4) if high[i] < INF]

    return dataclasses.replace(base, name=name, l1=l1, domain=domain, domain_constraints=constraints if domain else None)


KINDS = {
    "lp": problems.affine("lp", n_tasks=15, n=4, ridge=None),
    "least squares": problems.least_squares("least squares", n_tasks=6, n=4, rows=9),
    "logistic": problems.logistic("logistic", n_tasks=6, n=4, rows=20),
}


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")  # Clarabel's, at the accuracy that the reference asks of it
@pytest.mark.parametrize("name", CONFINED)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_cvxpy_under_every_set(kind, name):
    for ambiguity in SETS.values():
        case = dataclasses.replace(confined(KINDS[kind], name), ambiguity=ambiguity)
        _, value = cvxpy_reference.solve(case)
        result = case.solve("interior-point", tol=TOL)
        assert result.success, result
        assert result.nit <= 20
        assert case.domain is None or case.domain.contains(result.x, 1e-14)
        assert ambiguity.contains(result.weights, 1e-12)
        scale = max(1.0, abs(value))
        assert result.lower_bound <= value + 1e-7 * scale
        assert -1e-5 * scale <= result.fun - value <= 1e-7 * scale  # Clarabel's own error at a kink is up to 1e-6, upwards


def test_what_the_one_norm_takes_to_zero_is_zero():
    rng = np.random.default_rng(0)
    tasks = mo.LeastSquaresTasks(rng.standard_normal((4, 9, 6)), rng.standard_normal((4, 9)))
    result = mo.minimize_max(tasks, method="interior-point", regularizer=mo.L1(0.4), tol=TOL)
    assert result.success
    assert 0 < np.count_nonzero(result.x) < 6
    assert np.abs(result.x[result.x != 0]).min() > 1e-4


@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["lsq", "logistic", "affine"]),
    n_tasks=st.integers(1, 10),
    n=st.integers(1, 7),
    set_name=st.sampled_from(sorted(SETS)),
    shape=st.sampled_from(["box", "half", "fixed", "simplex", "1-norm", "1-norm in a box"]),
    scale=st.sampled_from([1e-3, 0.1, 1.0, 10.0]),
    far=st.sampled_from([0.0, 10.0]),
)
def test_random_problems_are_certified(seed, kind, n_tasks, n, set_name, shape, scale, far):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_tasks, 6, n)) * np.logspace(0, -2, n)
    tasks = {
        "lsq": lambda: mo.LeastSquaresTasks(A, rng.standard_normal((n_tasks, 6))),
        "logistic": lambda: mo.LogisticTasks(A, rng.choice([-1.0, 1.0], (n_tasks, 6))),
        "affine": lambda: mo.AffineTasks(A[:, 0], rng.standard_normal(n_tasks)),
    }[kind]()
    low = scale * rng.standard_normal(n)
    domain = {
        "box": lambda: mo.Box(low, low + scale * rng.random(n)),
        "half": lambda: mo.Box(np.where(rng.random(n) < 0.5, 0.0, -INF), np.where(rng.random(n) < 0.3, scale, INF)),
        "fixed": lambda: mo.Box(low, low + scale * (rng.random(n) < 0.5)),
        "simplex": lambda: domains.Simplex(scale),
        "1-norm": lambda: None,
        "1-norm in a box": lambda: mo.Box(-scale, scale),
    }[shape]()
    regularizer = mo.Ridge(1e-2) + mo.L1(0.1 * scale) if shape.startswith("1-norm") else mo.Ridge(1e-2)
    start = far * rng.standard_normal(n)
    result = mo.minimize_max(
        tasks, start, method="interior-point", ambiguity=SETS[set_name], domain=domain, regularizer=regularizer, tol=TOL
    )
    assert result.success, result
    assert result.nit <= 30
    assert domain is None or domain.contains(result.x, 1e-14)


@pytest.mark.parametrize("name", ["half-bounded", "1-norm", "simplex"])
def test_a_warm_start_at_the_solution_needs_no_iteration_and_near_it_few(name):
    case = confined(KINDS["least squares"], name)
    cold = case.solve("interior-point", tol=TOL)
    assert case.solve("interior-point", tol=TOL, x0=cold.x, weights0=cold.weights).nit == 0
    near = case.solve("interior-point", tol=TOL, x0=cold.x + 1e-5, weights0=cold.weights)
    assert near.success
    assert near.nit < cold.nit


def test_a_bound_or_a_one_norm_ends_a_descent_that_would_have_no_end():
    tasks = mo.AffineTasks([[1.0, 0.0], [1.0, 1.0]], [1.0, -1.0])
    start = np.array([50.0, 50.0])
    confined = mo.minimize_max(tasks, start, method="interior-point", domain=mo.Box(0.0, INF), tol=TOL)
    assert confined.success
    assert confined.fun == pytest.approx(1.0, rel=1e-8)
    free = mo.minimize_max(tasks, start, method="interior-point", domain=mo.Box(np.array([-INF, 0.0]), INF), tol=TOL)
    assert free.status == mo.Status.UNBOUNDED
    slope = mo.AffineTasks([[1.0, -1.0], [1.0, -1.0]], [0.5, -1.0])
    assert mo.minimize_max(slope, start / 10, method="interior-point", regularizer=mo.L1(0.5)).status == mo.Status.UNBOUNDED
    held = mo.minimize_max(slope, start / 10, method="interior-point", regularizer=mo.L1(1.5), tol=TOL)
    assert held.success
    assert held.fun == pytest.approx(0.5, rel=1e-8)


@pytest.mark.parametrize("domain", [mo.Ball(1.0), domains.CustomDomain(lambda x: np.maximum(x, 0.0))], ids=["ball", "custom"])
def test_other_domains_are_refused(domain):
    with pytest.raises(ValueError, match="as `domain`; use method='accelerated'"):
        mo.minimize_max(mo.AffineTasks(np.eye(2), np.zeros(2)), method="interior-point", domain=domain)
