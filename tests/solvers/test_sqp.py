"""SQP: optimality on families and black boxes, convex and not, smooth and piecewise linear; bounds, refusals, endings."""

from itertools import pairwise

import cvxpy_reference
import numpy as np
import problems
import pytest
import torch
from scipy.optimize import linprog

import minimax_opt as mo
from minimax_opt.solvers.metric import Metric


def solve(fun, *args, **options):
    return mo.minimize_max(fun, *args, method="sqp", **{"tol": 1e-9, **options})


def optimality(tasks, res, ridge=0.0):
    """Norm of grad F_w and complementarity, relative to the losses and their gradients."""
    losses, jacobian = tasks(res.x), tasks.at(res.x).jacobian()
    residual = np.linalg.norm(res.weights @ jacobian + ridge * res.x) / np.linalg.norm(jacobian, axis=1).max()
    return residual + res.weights @ (losses.max() - losses) / np.abs(losses).max()


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate:UserWarning")  # at 1e-10; the status is checked
@pytest.mark.parametrize(
    "name", ["lsq many tasks", "lsq wide with ridge", "lsq duplicates", "logistic", "affine with ridge", "quadratic"]
)
def test_agrees_with_cvxpy(name):
    case = problems.NAMED[name]
    _, value = cvxpy_reference.solve(case)
    res = case.solve("sqp", tol=1e-9)
    assert res.success
    assert res.gap <= 1e-9 * res.fun
    assert res.fun == pytest.approx(value, rel=1e-7)
    assert res.lower_bound <= value * (1 + 1e-7)


@pytest.mark.parametrize(("cond", "limit"), [(1.0, 12), (1e3, 20), (1e6, 25)])
@pytest.mark.parametrize("family", [problems.least_squares, problems.logistic])
def test_iterations_at_any_conditioning(family, cond, limit):
    case = family("case", n_tasks=8, n=6, rows=60, seed=1, cond=cond)
    res = case.solve("sqp", tol=1e-9)
    assert res.success
    assert res.nit <= limit
    assert optimality(case.tasks, res) <= 1e-4


@pytest.mark.parametrize("family", [problems.least_squares, problems.logistic])
def test_cheap_hessians_of_every_step_make_it_newtons_method(family):
    case = family("case", n_tasks=8, n=6, rows=60, seed=1)
    res = case.solve("sqp", tol=1e-12)
    gaps = [(row.value - res.lower_bound) / res.fun for row in res.trace]
    assert res.success
    assert res.nhev >= res.nit
    assert all(late <= 100 * early**2 + 1e-13 for early, late in pairwise(gaps) if early < 0.01)  # quadratic convergence


def test_starts_where_huber_losses_have_no_curvature():
    case = problems.NAMED["huber"]
    far = np.full(case.tasks.n_variables, 1e4)
    res = mo.minimize_max(case.tasks, far, method="sqp", tol=1e-9)
    assert res.success


def test_floor_and_prior():
    case = problems.logistic("case", n_tasks=5, rows=60, ridge=1e-2)
    prior = np.array([1, 2, 3, 2, 2]) / 10
    res = mo.minimize_max(
        case.tasks, method="sqp", regularizer=mo.Ridge(1e-2), ambiguity=mo.Simplex(prior=prior, floor=0.5), tol=1e-11
    )
    losses = case.tasks(res.x)
    assert res.success
    assert np.all(res.weights >= 0.5 * prior * (1 - 1e-12))
    assert (res.weights - 0.5 * prior) @ (losses.max() - losses) <= 1e-8
    assert res.fun == pytest.approx(0.5 * losses.max() + 0.5 * prior @ losses + 0.005 * res.x @ res.x, rel=1e-13)


def test_the_bound_is_valid_at_every_iterate():
    case = problems.logistic("case", n_tasks=6, rows=60, ridge=1e-2)
    best = case.solve("sqp", tol=1e-14, atol=0.0).fun
    bounds = [row.lower_bound for row in case.solve("sqp", tol=1e-10).trace if not np.isnan(row.lower_bound)]
    assert bounds
    assert max(bounds) <= best * (1 + 1e-14)


def linear_program(n_tasks, n, seed=0):
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((n_tasks, n)), rng.standard_normal(n_tasks)
    A -= rng.dirichlet(np.ones(n_tasks)) @ A  # bounded below
    limits = np.column_stack([A, -np.ones(n_tasks)])
    return A, b, linprog(np.append(np.zeros(n), 1.0), limits, -b, bounds=(None, None)).fun


@pytest.mark.parametrize("convex", [True, None])
@pytest.mark.parametrize(("n_tasks", "n", "seed"), [(30, 4, 0), (80, 30, 0), *((40, 38, seed) for seed in range(20))])
def test_a_black_box_may_be_affine(n_tasks, n, seed, convex):
    """Nobody says so, and no curvature is ever found: the metric fades until the QP is the linear program."""
    A, b, value = linear_program(n_tasks, n, seed)
    res = solve(lambda x: A @ x + b, np.zeros(n), lambda x: A, convex=convex)
    assert res.success
    assert res.fun == pytest.approx(value, abs=1e-8)
    assert res.nit <= 60
    if convex:
        assert res.lower_bound <= value + 1e-12 <= res.fun + 2e-12


def test_an_unbounded_black_box():
    A = np.array([[1.0, 0.0], [1.0, 1.0]])
    res = solve(lambda x: A @ x, np.zeros(2), lambda x: A, convex=True)
    assert res.status is mo.Status.UNBOUNDED
    assert res.lower_bound == -np.inf


def test_classical_minimax_problems():
    """Charalambous and Conn's CB2 and Madsen's problem, values from the literature; the second is not convex."""

    def cb2(x):
        e = 2 * np.exp(x[1] - x[0])
        losses = np.array([x[0] ** 2 + x[1] ** 4, (2 - x[0]) ** 2 + (2 - x[1]) ** 2, e])
        return losses, np.array([[2 * x[0], 4 * x[1] ** 3], [2 * x[0] - 4, 2 * x[1] - 4], [-e, e]])

    def madsen(x):
        losses = np.array([x[0] ** 2 + x[1] ** 2 + x[0] * x[1], np.sin(x[0]), np.cos(x[1])])
        return losses, np.array([[2 * x[0] + x[1], 2 * x[1] + x[0]], [np.cos(x[0]), 0.0], [0.0, -np.sin(x[1])]])

    for fun, x0, value in ((cb2, [1.0, -0.1], 1.9522245), (madsen, [3.0, 1.0], 0.6164324)):
        res = solve(fun, np.array(x0), True)
        assert res.success
        assert res.fun == pytest.approx(value, abs=5e-8)
        assert np.isnan(res.gap)
        assert res.nit <= 20


def test_strong_convexity_certifies_a_black_box():
    rng = np.random.default_rng(0)
    anchors = rng.standard_normal((6, 3))
    res = solve(lambda x: ((x - anchors) ** 2).sum(1), np.zeros(3), lambda x: 2 * (x - anchors), strong_convexity=2.0)
    assert res.success
    assert res.gap <= 1e-9 * res.fun
    distances = ((res.x - anchors) ** 2).sum(
        1
    )  # the smallest enclosing ball: its centre is the weighted mean of the points on it
    np.testing.assert_allclose(res.weights @ anchors, res.x, atol=1e-5)
    assert res.weights @ (distances.max() - distances) <= 1e-8


@pytest.mark.parametrize("seed", range(4))
def test_a_nonconvex_torch_function_ends_at_a_stationary_point(seed):
    def fun(x):
        bend = 100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2
        return torch.stack([bend.sum(), ((x + 1) ** 2 + torch.sin(5 * x)).sum(), 3 * (x[:2] ** 2).sum() - torch.cos(x.sum())])

    x0 = torch.randn(6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    res = solve(fun, x0, tol=1e-8)
    assert res.success
    assert np.isnan(res.lower_bound)
    x = res.x.clone().requires_grad_()
    losses = fun(x)
    (gradient,) = torch.autograd.grad(losses @ res.weights, x)
    assert float(gradient.norm()) <= 1e-6
    assert float((losses.max() - losses @ res.weights).detach()) <= 1e-6


def test_one_nonconvex_task_is_plain_quasi_newton():
    def rosenbrock(x):
        return np.array([100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2])

    def jacobian(x):
        return np.array([[-400 * x[0] * (x[1] - x[0] ** 2) - 2 * (1 - x[0]), 200 * (x[1] - x[0] ** 2)]])

    res = solve(rosenbrock, np.array([-1.2, 1.0]), jacobian)
    assert res.success
    np.testing.assert_allclose(res.x, 1.0, atol=1e-6)
    assert res.nit <= 60


def test_warm_starts_take_fewer_iterations():
    case = problems.logistic("case", n_tasks=6, rows=60, ridge=1e-2)
    cold = case.solve("sqp", tol=1e-9)
    assert case.solve("sqp", tol=1e-9, x0=cold.x, weights0=cold.weights).nit == 0
    near = cold.x + 1e-4 * np.random.default_rng(0).standard_normal(case.n_variables)
    assert case.solve("sqp", tol=1e-9, x0=near).nit < cold.nit


@pytest.mark.parametrize("method", ["sqp", "dual-newton"])
def test_weights0_below_the_floor_are_moved_above_it(method):
    case, floor = problems.NAMED["lsq"], mo.Simplex(floor=0.5)
    res = mo.minimize_max(case.tasks, method=method, ambiguity=floor, weights0=np.eye(case.n_tasks)[0], max_iter=0)
    assert floor.contains(res.weights, 1e-14)


@pytest.mark.parametrize("seed", range(12))
def test_tasks_of_very_different_curvature(seed):
    """Curvatures from 1e-4 to 1e4: the Hessian at one step's weights says little about the next step's."""
    rng = np.random.default_rng(seed)
    scales, sizes = 10.0 ** rng.uniform(-2, 2, (2, 8, 1))
    tasks = mo.LeastSquaresTasks(scales[..., None] * rng.standard_normal((8, 24, 3)), sizes * rng.standard_normal((8, 24)))
    one, other = solve(tasks), mo.minimize_max(tasks, method="dual-newton", tol=1e-9)
    assert one.success
    assert one.nit <= 60
    assert other.success
    assert one.fun == pytest.approx(other.fun, rel=2e-9)


def test_all_tasks_equal_at_the_start_and_balanced_gradients():
    """x0 = 0 of logistic tasks: no spread of losses; and opposite tasks, whose mean gradient vanishes where the max does not."""
    A = np.random.default_rng(1).standard_normal((20, 4))
    pairs = np.vstack([A, -A])
    res = solve(
        lambda x: (pairs @ (x - 1.0)) ** 3 + pairs @ (x - 1.0),
        np.zeros(4),
        lambda x: (3 * (pairs @ (x - 1)) ** 2 + 1)[:, None] * pairs,
    )
    assert res.status in (mo.Status.CONVERGED, mo.Status.STALLED)
    np.testing.assert_allclose(res.x, 1.0, atol=1e-6)


def test_losses_that_leave_their_domain_shorten_the_step():
    """-log barriers: full steps land where the losses are infinite or nan."""

    def fun(x):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.array([x[0] - np.log(x[0]), 3 - x[0] - np.log(3 - x[0])])

    def jacobian(x):
        return np.array([[1 - 1 / x[0]], [-1 + 1 / (3 - x[0])]])

    res = solve(fun, np.array([0.01]), jacobian, convex=True)
    assert res.success
    assert res.x[0] == pytest.approx(1.5, abs=1e-7)


def test_a_gradient_that_is_not_finite():
    res = solve(lambda x: np.abs(x) ** 0.5, np.array([1.0]), lambda x: np.full((1, 1), np.nan))
    assert res.status is mo.Status.NON_FINITE
    assert res.x.tolist() == [1.0]


def test_a_wrong_jacobian_stalls():
    res = solve(lambda x: np.array([x @ x]), np.ones(3), lambda x: -2 * x[None])
    assert res.status is mo.Status.STALLED
    assert not res.success


@pytest.mark.parametrize(
    ("tasks", "options", "message"),
    [
        (problems.affine("a").tasks, {}, "which affine tasks have only with a `regularizer`; use method='interior-point'"),
        (problems.logistic("l").tasks, {"ambiguity": mo.KLBall(0.1)}, r"needs ambiguity=Simplex\(\) or CVaR\(\), got KLBall"),
        (problems.logistic("l").tasks, {"domain": mo.Box(-1, 1)}, "no support for a `domain`; use method='accelerated'"),
        (mo.AffineTasks(np.ones((6000, 1)), np.ones(6000)), {"regularizer": mo.Ridge(1.0)}, "at most 3000 tasks, got 6000"),
    ],
)
def test_refusals(tasks, options, message):
    with pytest.raises(ValueError, match=message):
        solve(tasks, **options)


@pytest.mark.parametrize("base", ["scalar", "matrix"])
def test_metric_is_bfgs(base):
    """The compact inverse equals the inverse of BFGS's recursion, and maps y to s for the last pair."""
    rng = np.random.default_rng(0)
    n, root = 6, rng.standard_normal((6, 6))
    B = 2.5 * np.eye(n) if base == "scalar" else root @ root.T + np.eye(n)
    metric, curvature = Metric(2.5 if base == "scalar" else B.copy()), np.diag(np.arange(1.0, n + 1))
    for _ in range(4):
        s = rng.standard_normal(n)
        y = curvature @ s
        metric.learn(s, y)
        B = B - np.outer(B @ s, B @ s) / (s @ B @ s) + np.outer(y, y) / (s @ y)
    A = rng.standard_normal((3, n))
    model, w = metric.model(A), np.array([0.2, 0.3, 0.5])
    np.testing.assert_allclose(model.M, A @ np.linalg.solve(B, A.T), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(model.step(w), -np.linalg.solve(B, A.T @ w), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(metric.model(y[None]).step(np.ones(1)), -s, rtol=1e-10)


def test_metric_of_an_indefinite_matrix_is_definite():
    metric = Metric(np.diag([1.0, -1.0, 0.0]))
    A = np.eye(3)
    assert np.linalg.eigvalsh(metric.model(A).M).min() > 0
