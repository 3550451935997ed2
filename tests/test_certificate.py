"""Lower bounds: valid at any point for any weights, sharp at the solution, and absent where nothing is known."""

import dataclasses

import numpy as np
import problems
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minimax_opt as mo
from minimax_opt import certificate, curvature_bound
from minimax_opt.curvature_bound import decrement
from minimax_opt.level_set import level_set_radius
from minimax_opt.level_set_inside import radius_at_centre
from minimax_opt.problem import Problem
from minimax_opt.regularizers import bind


def problem_of(case):
    n, space = case.n_variables, case.tasks.space
    regularizer, l1 = bind(case.regularizer, n, space)
    domain = None if case.domain is None else case.domain.bind(n, space)
    mu = case.tasks.strong_convexity + (case.ridge or 0.0)
    return Problem(case.tasks, case.n_tasks, n, case.ambiguity, regularizer, domain, l1, convex=True, strong_convexity=mu)


def random_weights(rng, case):
    """A point of W: a convex combination of responses to random losses."""
    parts = [case.ambiguity.host_weights(rng.standard_normal(case.n_tasks)) for _ in range(3)]
    return rng.dirichlet(np.ones(3)) @ np.array(parts)


SOLVED = {}


def solution(case):
    if case.name not in SOLVED:
        SOLVED[case.name] = case.solve(tol=1e-6 if case.in_ball else 1e-9)
    return SOLVED[case.name]


@pytest.mark.parametrize("case", problems.ALL, ids=str)
@pytest.mark.parametrize("distance", [1.0, 1e-2, 1e-4])
def test_every_bound_is_valid_anywhere_for_any_weights(case, distance):
    rng, problem, res = np.random.default_rng(0), problem_of(case), solution(case)
    for _ in range(5):
        x = problem.project(res.x + distance * rng.standard_normal(case.n_variables))
        for weights in (random_weights(rng, case), res.weights):
            point = problem.at(x)
            for name, bound in certificate.BOUNDS.items():
                value = bound(point, weights)
                assert not np.isnan(value), name
                assert value <= res.fun * (1 + 1e-12) + 1e-12, name


@pytest.mark.parametrize("case", [c for c in problems.ALL if c.smooth], ids=str)
def test_the_judge_confirms_the_result_from_x_and_weights_alone(case):
    res = solution(case)
    again = certificate.certify(problem_of(case).at(res.x), res.weights)
    assert again.kind != "none"
    assert again.lower_bound <= res.fun + 1e-13
    assert res.fun - again.lower_bound <= 3e-9 * max(abs(res.fun), 1e-3)


def test_curvature_is_exact_for_quadratics():
    """From any x whatever: F_w(x) - nu^2/2 is the minimum of F_w."""
    case, rng = problems.quadratic("q"), np.random.default_rng(1)
    P, q, c = case.tasks.quadratics()
    weights = rng.dirichlet(np.ones(case.n_tasks))
    H, g, constant = np.tensordot(weights, P, 1), weights @ q, weights @ c
    exact = constant - g @ np.linalg.solve(H, g) / 2
    for scale in (0.0, 1.0, 10.0):
        point = problem_of(case).at(scale * rng.standard_normal(case.n_variables))
        assert certificate.curvature_bound(point, weights) == pytest.approx(exact, rel=1e-11, abs=1e-11 * scale**2)


def test_curvature_where_the_hessian_is_singular():
    """More variables than rows: the Cholesky factor does not exist, the rows' orthogonal basis still gives the exact bound."""
    rng = np.random.default_rng(2)
    A, b = rng.standard_normal((4, 9)), rng.standard_normal(4)
    twice = mo.LeastSquaresTasks([A, A[:2]], [b, b[:2] + 1.0])  # the tasks disagree: the optimum is positive
    res = mo.minimize_max(twice, tol=1e-9)
    assert res.success
    assert res.fun > 0.1
    assert res.certificate.kind == "curvature"


@given(st.floats(1e-8, 1e3), st.floats(1e-8, 1e3))
def test_decrement_is_the_minimum_that_it_claims(nu, kappa):
    """omega = max over delta of nu delta - (exp(-kappa delta) + kappa delta - 1) / kappa^2."""
    omega = decrement(nu, kappa)
    c = nu * kappa
    if c >= 1:
        assert omega == np.inf
        return
    assert omega >= nu**2 / 2
    deltas = nu * np.linspace(0.0, 1.0, 400) / (1 - c)
    t = kappa * deltas
    tail = np.where(t > 1e-3, (np.exp(-t) + t - 1) / np.maximum(t, 1e-9) ** 2, 0.5 - t / 6 + t**2 / 24)
    inner = nu * deltas - tail * deltas**2
    assert np.all(inner <= omega * (1 + 1e-6))
    assert omega == pytest.approx(inner.max(), rel=1e-2) or c > 0.9


def test_dropping_the_third_derivative_would_be_wrong():
    """The broken twin: nu^2/2 alone, as if logistic losses were quadratic, overshoots the minimum; omega does not."""
    tasks = mo.LogisticTasks([np.array([[1.0], [1.0], [-1.0]])], [np.array([1, 1, 1])])
    problem = Problem(tasks, 1, 1, convex=True)
    best = mo.minimize_max(tasks, tol=1e-12).fun
    overshoots = 0
    for x in np.linspace(-0.6, 2.0, 40):
        point, weights = problem.at(np.array([x])), np.ones(1)
        bound = certificate.curvature_bound(point, weights)
        assert bound <= best + 1e-14
        naive = point.weighted_value(weights) - point.gradient(weights)[0] ** 2 / point.hessian(weights)[0, 0] / 2
        overshoots += naive > best + 1e-9
    assert overshoots > 0


@pytest.mark.parametrize("name", ["logistic", "poisson", "multinomial"])
@pytest.mark.parametrize("distance", [1.0, 1e-2, 1e-6])
def test_a_rough_constant_of_self_concordance_is_too_large_but_loses_little(name, distance, monkeypatch):
    case = problems.NAMED[name]
    res, problem = solution(case), problem_of(case)
    point = problem.at(res.x + distance * np.random.default_rng(0).standard_normal(case.n_variables))
    value, bound = point.weighted_value(res.weights), curvature_bound.curvature_bound(point, res.weights)
    ladder = curvature_bound._self_concordances
    monkeypatch.setattr(curvature_bound, "_self_concordances", lambda *parts: ladder(*parts)[-1:])
    exact = curvature_bound.curvature_bound(point, res.weights)
    if not np.isfinite(exact):
        assert bound == exact
        return
    assert value - exact <= value - bound <= 1.05 * (value - exact)
    monkeypatch.setattr(curvature_bound, "_self_concordances", ladder)
    target = value - 2.0 * (value - exact)
    assert target <= curvature_bound.curvature_bound(point, res.weights, target) <= exact


@pytest.mark.parametrize("name", ["logistic", "poisson", "multinomial"])
def test_constants_of_self_concordance_fall_towards_the_exact_one(name):
    case, rng = problems.NAMED[name], np.random.default_rng(0)
    point, weights = problem_of(case).at(0.1 * rng.standard_normal(case.n_variables)), solution(case).weights
    hessian = point.hessian(weights) + np.eye(case.n_variables)
    scale = np.sqrt(hessian.diagonal())
    factor = np.linalg.cholesky(hessian / np.outer(scale, scale))
    kappas = [kappa() for kappa in curvature_bound._self_concordances(point, weights, np.asfortranarray(factor), scale)]
    assert len(kappas) == 3
    assert kappas == sorted(kappas, reverse=True)


@given(st.integers(1, 30), st.floats(0.0, 12.0), st.integers(0, 10**6))
def test_a_power_bounds_the_largest_singular_value(n, decades, seed):
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.standard_normal((n, n)))
    matrix = turn * 10.0 ** (-decades * rng.random(n))
    matrix /= np.linalg.norm(matrix)
    largest = np.linalg.norm(matrix, 2)
    assert largest * (1 - 1e-14) <= curvature_bound._spectral_bound(matrix) <= 1.001 * n**0.125 * largest


@pytest.mark.parametrize("ambiguity", list(problems.SETS.values()), ids=list(problems.SETS))
def test_sharpness_proves_a_radius_and_it_holds(ambiguity):
    """Chebyshev: no curvature, no domain. The farthest point of the level set in every direction must lie within the proven R."""
    case = dataclasses.replace(problems.chebyshev("c", rows=12, n=2), ambiguity=ambiguity)
    res, problem, rng = case.solve(tol=1e-9), problem_of(case), np.random.default_rng(0)
    assert res.success
    assert res.certificate.kind == "sharpness"
    x = res.x + 1e-3 * rng.standard_normal(2)
    point = problem.at(x)
    radius = level_set_radius(point, res.weights)
    assert np.isfinite(radius)
    farthest = 0.0
    for angle in np.linspace(0, 2 * np.pi, 200):
        direction = np.array([np.cos(angle), np.sin(angle)])
        inside, outside = 0.0, 10.0
        for _ in range(60):
            middle = (inside + outside) / 2
            value = problem.at(x + middle * direction).value
            inside, outside = (middle, outside) if value <= point.value else (inside, middle)
        farthest = max(farthest, inside)
    assert 0 < farthest < radius


def farthest(problem, point, direction, end):
    """How far the level set of the point's value reaches in a direction, by bisection."""
    inside, outside = 0.0, end
    for _ in range(50):
        middle = (inside + outside) / 2
        value = problem.at(point.x + middle * direction).value
        inside, outside = (middle, outside) if value <= point.value else (inside, middle)
    return inside


@pytest.mark.parametrize("floor", [0.0, 0.2])
@pytest.mark.parametrize("family", [mo.Simplex, mo.CVaR, mo.KLBall, mo.ChiSquareBall])
def test_the_radius_at_the_centre_holds(family, floor):
    """Random affine tasks with random priors, and x anywhere: no solution and no weights enter."""
    rng, proven = np.random.default_rng(0), 0
    for trial in range(25):
        n, n_tasks = 1 + trial % 3, 6 + trial
        slopes = rng.standard_normal((n_tasks, n)) * np.logspace(0, 1, n)
        prior, size = tuple(rng.uniform(0.2, 1.0, n_tasks)), float(rng.uniform(0.1, 0.9))
        ambiguity = mo.Simplex(prior=prior, floor=floor) if family is mo.Simplex else family(size, prior=prior, floor=floor)
        problem = Problem(mo.AffineTasks(slopes, rng.standard_normal(n_tasks)), n_tasks, n, ambiguity, convex=True)
        point = problem.at(rng.standard_normal(n))
        radius = level_set_radius(point, problem.ambiguity.prior_weights(n_tasks))
        at_centre = radius_at_centre(point, 1.0)
        if np.isfinite(at_centre):
            proven += 1
            directions = rng.standard_normal((8, n))
            reach = max(farthest(problem, point, d / np.linalg.norm(d), 3 * at_centre) for d in directions)
            assert reach < at_centre
            assert np.isfinite(radius)
    assert proven >= 3


@pytest.mark.parametrize("ambiguity", [mo.Simplex(), mo.Simplex(floor=0.5), mo.CVaR(0.6), mo.CVaR(0.6, floor=0.2)], ids=str)
def test_the_radius_at_the_centre_of_two_tasks(ambiguity):
    """Losses h and 3 - h: the level set of x = 0 is [0, 3] for every symmetric set. R is 3 with the 1-norm of d in place of the 2-norm."""
    problem = Problem(mo.AffineTasks([[1.0], [-1.0]], [0.0, 3.0]), 2, 1, ambiguity, convex=True)
    point = problem.at(np.zeros(1))
    assert farthest(problem, point, np.ones(1), 10.0) == pytest.approx(3.0)
    assert radius_at_centre(point, 1.0) == pytest.approx(1.5 * (1 + np.sqrt(2)))
    assert radius_at_centre(point, 2.0) == pytest.approx(3.0 * (1 + np.sqrt(2)))


@pytest.mark.parametrize(
    ("ambiguity", "rows", "n"),
    [(mo.CVaR(0.1), 60, 2), (mo.CVaR(0.9), 60, 3), (mo.CVaR(0.3, floor=0.1), 20, 4), (mo.KLBall(3.0), 20, 4)],
)
def test_degenerate_vertices_are_certified(ambiguity, rows, n):
    """An intercept and a tail of whole tasks: too few weights lie between their limits for the trades to pin x down."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        A = np.c_[np.ones(rows), rng.standard_normal((rows, n - 1))]
        tasks = mo.ChebyshevTasks(A, A @ np.arange(1.0, n + 1) + 20 * rng.standard_t(3, rows))
        res = mo.minimize_max(tasks, method="interior-point", ambiguity=ambiguity, tol=1e-9)
        assert res.success
        assert res.certificate.kind == "sharpness"
        assert res.gap <= 1e-9 * res.fun


@pytest.mark.parametrize("ambiguity", [mo.KLBall(50.0), mo.KLBall(np.inf), mo.ChiSquareBall(1e3)])
def test_a_ball_that_holds_the_simplex_is_the_simplex(ambiguity):
    case = problems.chebyshev("c", rows=12, n=2)
    res = dataclasses.replace(case, ambiguity=ambiguity).solve(tol=1e-9)
    assert res.success
    assert res.certificate.kind == "sharpness"
    assert res.fun == pytest.approx(case.solve(tol=1e-9).fun, rel=1e-8)


def test_no_certificate_without_convexity():
    case = problems.NAMED["lsq"]
    problem = problem_of(case)
    problem.convex = False
    found = certificate.certify(problem.at(np.zeros(case.n_variables)), np.full(case.n_tasks, 1 / case.n_tasks))
    assert np.isnan(found.lower_bound)
    assert found.kind == "none"


def test_no_certificate_where_nothing_is_known():
    """A convex black box that is flat in one direction: no curvature, no domain, not enough active tasks."""

    def fun(x):
        return np.array([np.hypot(x[0], 1.0)]), np.array([[x[0] / np.hypot(x[0], 1.0), 0.0]])

    res = mo.minimize_max(fun, np.array([1.0, 0.0]), jac=True, convex=True, tol=1e-7)
    assert np.isnan(res.lower_bound)
    assert res.success
    assert "domain" in str(res.certificate)
