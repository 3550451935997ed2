"""The interior-point method end to end: against cvxpy, by its certificates, at the edges."""

import dataclasses

import cvxpy_reference
import numpy as np
import problems
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minimax_opt as mo

TOL = 1e-9
SETS = {
    "simplex": lambda prior, floor: mo.Simplex(prior=prior, floor=floor),
    "cvar": lambda prior, floor: mo.CVaR(0.35, prior=prior, floor=floor),
    "kl": lambda prior, floor: mo.KLBall(0.3, prior=prior, floor=floor),
    "chi2": lambda prior, floor: mo.ChiSquareBall(0.4, prior=prior, floor=floor),
}
KINDS = {
    "lp": lambda ridge: problems.affine("lp", n_tasks=15, n=3, ridge=ridge),
    "chebyshev": lambda ridge: problems.chebyshev("chebyshev", rows=12, n=3, ridge=ridge),
    "qp": lambda ridge: problems.quadratic("qp", n_tasks=6, n=4, ridge=ridge),
    "least squares": lambda ridge: problems.least_squares("least squares", n_tasks=6, n=4, rows=9, ridge=ridge),
    "logistic": lambda ridge: problems.logistic("logistic", n_tasks=6, n=3, rows=20, ridge=ridge),
}


def solve(case, **options):
    return case.solve("interior-point", tol=TOL, **options)


def check(case, result):
    """Certified, and the weights are the adversary's: in W, attaining the worst case, and balancing the gradients."""
    assert result.success, result
    assert result.gap <= max(TOL * abs(result.fun), 1e-14)
    assert case.ambiguity.contains(result.weights, 1e-12)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")  # Clarabel's, at the accuracy that the reference asks of it
@pytest.mark.parametrize("varied", ["plain", "prior and floor", "ridge"])
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_cvxpy(kind, name, varied):
    case = KINDS[kind](0.05 if varied == "ridge" else None)
    rng = np.random.default_rng(5)
    prior, floor = (tuple(rng.uniform(0.5, 1.5, case.n_tasks)), 0.05) if varied == "prior and floor" else (None, 0.0)
    case = dataclasses.replace(case, ambiguity=SETS[name](prior, floor))
    _, value = cvxpy_reference.solve(case)
    result = solve(case)
    check(case, result)
    assert result.nit <= 20
    scale = max(1.0, abs(value))
    assert result.lower_bound <= value + 1e-7 * scale  # cvxpy's value is an upper bound up to its own tolerance
    assert abs(result.fun - value) <= 1e-7 * scale


@pytest.mark.parametrize("case", [c for c in problems.ALL if not isinstance(c.domain, mo.Ball)], ids=str)
def test_converges_in_few_iterations(case):
    result = solve(case)
    check(case, result)
    assert result.nit <= 20


@pytest.mark.parametrize("regularizer", [mo.Ridge(1e-3), mo.L1(1e-2)])
def test_late_steps_share_a_hessian_and_still_converge_fast(regularizer):
    rng = np.random.default_rng(0)
    tasks = mo.LogisticTasks(rng.standard_normal((6, 80, 10)), rng.integers(0, 2, (6, 80)))
    res = mo.minimize_max(tasks, regularizer=regularizer, method="interior-point", tol=1e-10)
    assert res.success
    assert res.nit <= 10
    assert res.nhev < res.nit  # the start's and the certificate's included


@pytest.mark.parametrize("name", ["lsq", "logistic", "lsq / chi2", "chebyshev"])
def test_lower_bound_is_valid_at_every_iterate(name):
    case = problems.NAMED[name]
    best = solve(case).fun
    bounds = []
    solve(case, callback=lambda intermediate_result: bounds.append((intermediate_result.lower_bound, intermediate_result.fun)))
    assert bounds
    for lower, upper in bounds:
        assert not lower > best + 1e-12 * abs(best)  # nan before the first certificate
        assert upper >= best - TOL * abs(best)


@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["lsq", "logistic", "affine"]),
    n_tasks=st.integers(1, 12),
    n=st.integers(1, 8),
    rows=st.integers(1, 12),
    set_name=st.sampled_from(sorted(SETS)),
    floor=st.sampled_from([0.0, 0.2]),
    far=st.sampled_from([0.0, 1.0, 30.0]),
)
def test_random_problems_with_a_ridge_are_certified(seed, kind, n_tasks, n, rows, set_name, floor, far):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_tasks, rows, n)) * np.logspace(0, -3, n)
    tasks = {
        "lsq": lambda: mo.LeastSquaresTasks(A, rng.standard_normal((n_tasks, rows))),
        "logistic": lambda: mo.LogisticTasks(A, rng.choice([-1.0, 1.0], (n_tasks, rows))),
        "affine": lambda: mo.AffineTasks(A[:, 0], rng.standard_normal(n_tasks)),
    }[kind]()
    ambiguity = SETS[set_name](None, floor)
    result = mo.minimize_max(
        tasks, far * rng.standard_normal(n), method="interior-point", ambiguity=ambiguity, regularizer=mo.Ridge(1e-2), tol=TOL
    )
    assert result.success, result
    assert ambiguity.contains(result.weights, 1e-12)
    assert result.nit <= 50


@pytest.mark.parametrize("radius", [1e-6, 1e-3, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("ball", [mo.KLBall, mo.ChiSquareBall])
def test_balls_of_every_size(ball, radius):
    """From nearly the mean to beyond the simplex, where the ball must give the simplex's value."""
    case = dataclasses.replace(problems.NAMED["lsq"], ambiguity=ball(radius))
    result = solve(case)
    check(case, result)
    assert result.nit <= 30
    if radius == 10.0:
        assert result.fun == pytest.approx(solve(problems.NAMED["lsq"]).fun, rel=1e-8)


def heavy_tailed(seed, rows=60, n=4):
    """A Chebyshev fit with outliers."""
    rng = np.random.default_rng(seed)
    A = np.c_[np.ones(rows), rng.standard_normal((rows, n - 1))]
    b = A @ np.arange(1.0, n + 1) + 20 * rng.standard_t(3, rows)
    return problems.Case(f"rows{rows}_n{n}_{seed}", mo.ChebyshevTasks(A, b), lambda x: [*(A @ x - b), *(b - A @ x)])


@pytest.mark.parametrize("radius", [0.02, 0.1, 0.2, 1.0])
@pytest.mark.parametrize("floor", [0.0, 0.1])
@pytest.mark.parametrize("ball", [mo.KLBall, mo.ChiSquareBall])
def test_affine_tasks_in_a_ball(ball, floor, radius):
    for seed in range(10):
        case = dataclasses.replace(heavy_tailed(seed), ambiguity=ball(radius, floor=floor))
        result = solve(case)
        check(case, result)
        assert result.nit <= 15


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
@pytest.mark.parametrize("n", [2, 10])
@pytest.mark.parametrize("ambiguity", [mo.KLBall(0.2), mo.ChiSquareBall(0.1, floor=0.1), mo.CVaR(0.1)], ids=str)
def test_affine_tasks_agree_with_cvxpy(ambiguity, n):
    case = dataclasses.replace(heavy_tailed(3, n=n), ambiguity=ambiguity)
    assert solve(case).fun == pytest.approx(cvxpy_reference.solve(case)[1], rel=1e-7)


@pytest.mark.parametrize("radius", [0.05, 0.1, 0.2])
def test_a_thousand_affine_tasks_in_a_ball(radius):
    for seed in range(4):
        case = dataclasses.replace(heavy_tailed(seed, rows=500), ambiguity=mo.KLBall(radius))
        result = solve(case)
        check(case, result)
        assert result.nit <= 10


def test_affine_tasks_under_an_uneven_prior():
    """Weights over many decades, which steps take to nearly zero: the correction for the curvature of log u must know its limits."""
    for seed in range(20):
        prior = np.random.default_rng(seed).dirichlet(np.full(60, 0.1)) + 1e-8
        prior = np.concatenate([prior, prior]) / (2 * prior.sum())  # uneven in the signs of a residual it would be unbounded
        case = dataclasses.replace(heavy_tailed(seed), ambiguity=mo.KLBall(1.0, prior=tuple(prior)))
        result = solve(case)
        check(case, result)
        assert result.nit <= 15


def test_a_weight_that_a_step_takes_to_nearly_zero_is_no_obstacle():
    """The second-order correction of log u, unlimited, made this one cycle far from the solution."""
    rng = np.random.default_rng(35)
    tasks = mo.AffineTasks(rng.standard_normal((20, 5)), np.exp(1.5 * rng.standard_normal(20)) * rng.standard_normal(20))
    start, ambiguity = 30 * rng.standard_normal(5), mo.KLBall(0.3, floor=0.1)
    result = mo.minimize_max(tasks, start, method="interior-point", ambiguity=ambiguity, regularizer=mo.Ridge(1e-3), tol=TOL)
    assert result.success
    assert result.nit <= 25


@pytest.mark.parametrize("ambiguity", [mo.CVaR(1.0), mo.KLBall(0.0), mo.ChiSquareBall(0.0)], ids=str)
def test_a_set_of_one_point_gives_the_mean(ambiguity):
    A, b = np.random.default_rng(0).standard_normal((3, 5, 2)), np.random.default_rng(1).standard_normal((3, 5))
    result = mo.minimize_max(mo.LeastSquaresTasks(A, b), method="interior-point", ambiguity=ambiguity, tol=TOL)
    expected = np.linalg.lstsq(A.reshape(15, 2), b.reshape(15), rcond=None)[0]
    assert result.success
    np.testing.assert_allclose(result.x, expected, rtol=1e-9)
    np.testing.assert_allclose(result.weights, 1 / 3)


@pytest.mark.parametrize(
    "ambiguity", [mo.Simplex(), mo.CVaR(0.4), mo.KLBall(0.2), mo.ChiSquareBall(0.2), mo.Simplex(floor=0.3)], ids=str
)
@pytest.mark.parametrize("base", [problems.NAMED["lsq"], problems.NAMED["logistic"]], ids=str)
def test_a_warm_start_at_the_solution_needs_no_iteration_and_near_it_few(base, ambiguity):
    case = dataclasses.replace(base, ambiguity=ambiguity)
    cold = solve(case)
    warm = solve(case, x0=cold.x, weights0=cold.weights)
    assert warm.success
    assert warm.nit <= 1
    near = solve(case, x0=cold.x + 1e-4, weights0=cold.weights)
    assert near.success
    assert near.nit < cold.nit


def test_interpolation_ends_at_the_rounding_of_the_losses():
    rng = np.random.default_rng(0)
    A, x = rng.standard_normal((5, 20, 8)), rng.standard_normal(8)
    result = mo.minimize_max(mo.LeastSquaresTasks(A, A @ x), method="interior-point", tol=TOL)
    assert result.success
    assert result.fun <= 1e-13
    np.testing.assert_allclose(result.x, x, atol=1e-6)


def test_all_losses_equal_at_the_start():
    case = problems.logistic("equal", ridge=1e-3)
    assert np.ptp(case.tasks(np.zeros(case.n_variables))) < 1e-15
    result = solve(case, x0=np.zeros(case.n_variables))
    check(case, result)
    assert result.nit <= 12


def test_equal_losses_that_are_zero_at_the_start():
    """No spread and no size to take a scale from."""
    tasks = mo.QuadraticTasks(np.eye(2)[None] * np.ones((2, 1, 1)), np.array([[1.0, 0.0], [0.0, 1.0]]), np.zeros(2))
    result = mo.minimize_max(tasks, method="interior-point", tol=TOL)
    assert result.success
    np.testing.assert_allclose(result.x, [-0.5, -0.5], atol=1e-6)
    assert result.fun == pytest.approx(-0.25, rel=1e-9)


def barrier(x):
    """Self-concordant: -sum log x + <a_k, x>, with losses of nan outside of x > 0."""
    return -torch.log(x).sum() + torch.tensor([[3.0, 1.0, 2.0], [1.0, 4.0, 1.0], [2.0, 2.0, 5.0]], dtype=x.dtype) @ x


@pytest.mark.parametrize("start", [1e-3, 1.0, 50.0])
def test_a_torch_function_that_is_not_defined_everywhere(start):
    x0 = torch.full((3,), start, dtype=torch.float64)
    result = mo.minimize_max(mo.TorchTasks(barrier, hessian=True), x0, convex=True, method="interior-point", tol=TOL)
    assert result.success, result
    assert result.certificate.kind == "none"  # nothing bounds a convex function from its values
    assert result.optimality <= TOL * abs(result.fun)
    assert np.isfinite(result.fun)


def test_an_indefinite_hessian_disproves_declared_convexity():
    tasks = mo.TorchTasks(lambda x: torch.stack([torch.sin(3 * x[0]) + x[1] ** 2, x[0] ** 2]), hessian=True)
    result = mo.minimize_max(tasks, torch.tensor([0.5, 2.0], dtype=torch.float64), convex=True, method="interior-point", tol=TOL)
    assert result.status is mo.Status.NOT_CONVEX
    assert np.isnan(result.gap)


def test_torch_input_gives_torch_output():
    A, b = (
        torch.randn(4, 6, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)),
        torch.ones(4, 6, dtype=torch.float64),
    )
    result = mo.minimize_max(mo.LeastSquaresTasks(A, b), method="interior-point", tol=TOL)
    assert result.success
    assert isinstance(result.x, torch.Tensor)
    assert result.x.dtype == torch.float64


@pytest.mark.parametrize("correctors", [0, 1, 5])
def test_any_number_of_correctors_converges(correctors):
    result = solve(problems.NAMED["affine"], options={"correctors": correctors})
    check(problems.NAMED["affine"], result)


def test_correctors_are_checked():
    with pytest.raises(ValueError, match="`correctors` must be an integer >= 0, got -1"):
        solve(problems.NAMED["lsq"], options={"correctors": -1})


def test_refusals_say_what_to_do():
    with pytest.raises(ValueError, match="needs convex losses; use method='sqp'"):
        mo.minimize_max(
            mo.QuadraticTasks(-np.eye(2)[None] * np.ones((2, 1, 1)), np.zeros((2, 2)), np.zeros(2)), method="interior-point"
        )
    with pytest.raises(ValueError, match="needs tasks with Hessians, which NumPyTasks does not offer; use method='sqp', or"):
        mo.minimize_max(lambda x: x**2, np.ones(2), jac=lambda x: np.diag(2 * x), convex=True, method="interior-point")


@pytest.mark.parametrize(
    "tasks",
    [
        problems.least_squares("far", noise=1e-3).tasks,
        problems.logistic("far", rows=60).tasks,
    ],
    ids=["least squares", "logistic"],
)
def test_a_distant_start_is_no_obstacle(tasks):
    start = 50.0 * np.random.default_rng(0).standard_normal(tasks.n_variables)
    result = mo.minimize_max(tasks, start, method="interior-point", regularizer=mo.Ridge(1e-3), tol=TOL)
    assert result.success
    assert result.nit <= 40


@pytest.mark.parametrize("ambiguity", [mo.Simplex(), mo.CVaR(0.3), mo.KLBall(0.1)], ids=repr)
def test_a_minimum_far_below_the_losses_at_the_start_is_reached(ambiguity):
    rng = np.random.default_rng(0)
    tasks = mo.AffineTasks(rng.standard_normal((30, 6)) + 1, rng.standard_normal(30))
    result = mo.minimize_max(tasks, method="interior-point", ambiguity=ambiguity, regularizer=mo.Ridge(1e-6))
    assert result.success, result
    assert result.fun < -1e5


def test_a_minimum_that_is_far_in_the_scale_of_the_start_is_reached():
    rng = np.random.default_rng(0)
    matrices = rng.standard_normal((3, 10, 2))
    P, q = 1e-8 * matrices.mT @ matrices / 10, 1e4 * rng.standard_normal((3, 2))  # the minimum is 1e12 times the losses at x0
    result = mo.minimize_max(mo.QuadraticTasks(P, q, np.ones(3)), method="interior-point", regularizer=mo.L1(10.0))
    assert result.success, result
    assert result.fun < -1e12


def test_an_impossible_tolerance_ends_as_stalled_close_to_the_solution():
    case = problems.NAMED["lsq"]
    result = case.solve("interior-point", tol=0.0, atol=0.0)
    assert result.status in (mo.Status.STALLED, mo.Status.CONVERGED)  # a gap of exactly zero is a lucky rounding
    assert result.gap <= 1e-12 * result.fun


def test_same_input_same_bits():
    first, second = (solve(problems.NAMED["logistic"]) for _ in range(2))
    np.testing.assert_array_equal(first.x, second.x)
    np.testing.assert_array_equal(first.weights, second.weights)


@pytest.mark.parametrize("nearest", [100, 200, 400])
def test_tasks_that_almost_touch_the_maximum_do_not_drive_the_iterates_off(nearest):
    """The pieces of a polynomial fit beside its alternation points: short predictors, whose second-order terms are large."""
    t = np.cos(np.pi * (np.arange(2000) + 0.5) / 2000)
    whole = mo.ChebyshevTasks(np.polynomial.chebyshev.chebvander(t, 11), np.exp(t) * np.sin(5 * t) + np.abs(t - 0.3))
    best = mo.minimize_max(whole, method="interior-point", tol=1e-9)
    part = whole.subset(np.argsort(-best.losses)[:nearest])
    result = mo.minimize_max(part, method="interior-point", tol=1e-9)
    assert result.success
    assert result.fun == pytest.approx(best.fun, rel=3e-9)


@pytest.mark.parametrize(("n_tasks", "n"), [(1, 1), (50, 3), (500, 3)])
def test_an_optimum_that_is_exactly_zero(n_tasks, n):
    """At x = 0 all losses vanish and their gradients have zero in their hull: products of pairs go to zero without end, and nothing overflows."""
    slopes = np.random.default_rng(0).standard_normal((n_tasks, n))
    slopes -= slopes.mean(0)
    tasks = mo.QuadraticTasks(np.stack([np.eye(n)] * n_tasks), slopes, np.zeros(n_tasks))
    for x0 in (np.zeros(n), np.ones(n)):
        result = mo.minimize_max(tasks, x0, method="interior-point", tol=TOL)
        assert result.lower_bound <= 0.0 <= result.fun <= 1e-15
        assert result.gap <= 1e-15
        assert result.nit < 100


@pytest.mark.parametrize("delta", [0.003, 0.01, 0.05, 0.2])
@pytest.mark.parametrize(
    "extra",
    [
        {"ambiguity": mo.KLBall(0.1)},
        {"ambiguity": mo.ChiSquareBall(0.1)},
        {"regularizer": mo.L1(1e-3)},
        {"domain": mo.Box(-1, 1)},
    ],
    ids=["KL", "chi2", "L1", "box"],
)
def test_huber_losses_whose_rows_are_nearly_all_beyond_delta(extra, delta):
    """Their Hessian knows nothing of the kinks that a step crosses, and says to go much too far."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        A = [rng.standard_normal((20, 3)) for _ in range(3)]
        x = rng.standard_normal(3)
        tasks = mo.HuberTasks(A, [a @ x + rng.standard_normal(20) for a in A], delta=delta)
        result = mo.minimize_max(tasks, method="interior-point", **extra)
        assert result.success, result
        assert result.nit <= 40
