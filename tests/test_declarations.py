"""What a caller declares is checked against what is visited; what nothing supports is not called a success."""

import numpy as np
import pytest
import torch

import minimax_opt as mo
from minimax_opt.solvers import METHODS


@pytest.mark.parametrize("method", [m for m in METHODS if m != "interior-point"])
def test_a_false_strong_convexity_of_a_structured_family_is_found_out(method):
    tasks = mo.LeastSquaresTasks([np.eye(2)] * 2, [np.zeros(2), np.array([2.0, 0.0])])  # mu = 1, the optimum is 1/2
    res = mo.minimize_max(tasks, x0=np.array([0.3, 1.0]), strong_convexity=100.0, method=method)
    assert res.status is mo.Status.NOT_CONVEX
    assert np.isnan(res.lower_bound)


def test_a_false_strong_convexity_of_a_black_box_is_found_out():
    def fun(x):
        return torch.stack([(torch.cosh(x) - 1).sum() + 1] * 2)

    res = mo.minimize_max(fun, torch.tensor([3.0, 1.0], dtype=torch.float64), strong_convexity=100.0, tol=1e-3)
    assert res.status is mo.Status.NOT_CONVEX


@pytest.mark.parametrize("hessian", [False, True])
def test_a_plane_is_held_against_earlier_points(hessian):
    """At the last weights the plane is constant; only x0 lies below it."""

    def fun(x):
        return torch.stack([1 + x[0] - x[0] ** 2, 1 - x[0] - 0.3 * x[0] ** 2])

    res = mo.minimize_max(mo.TorchTasks(fun, hessian=hessian), torch.tensor([0.4], dtype=torch.float64), convex=True)
    assert res.status is mo.Status.NOT_CONVEX


@pytest.mark.parametrize("method", ["accelerated", "softmax-gd", "sqp"])
def test_cancelling_terms_are_no_disproof(method):
    """f = |x - c|^2 written out: rounding is that of |c|^2, not of the value."""
    centres = torch.tensor([[1001.0, 1002.0]], dtype=torch.float64)
    res = mo.minimize_max(
        lambda x: x @ x - 2 * (centres @ x) + (centres * centres).sum(1),
        torch.zeros(2, dtype=torch.float64),
        strong_convexity=2.0,
        method=method,
    )
    assert res.status is not mo.Status.NOT_CONVEX
    np.testing.assert_allclose(res.x, centres[0], rtol=1e-6)


def test_losses_in_float32_inside_a_float64_function_are_no_disproof():
    generator = torch.Generator().manual_seed(0)
    X, y = torch.randn(64, 2, generator=generator), torch.randn(64, generator=generator)

    def fun(x):
        z = X @ x.float()
        return torch.stack([((z - y) ** 2).mean(), ((z + y) ** 2).mean()])

    x0, box = torch.zeros(2, dtype=torch.float64), mo.Box(-3, 3)
    res = mo.minimize_max(fun, x0, convex=True, domain=box, method="accelerated", tol=1e-5)
    assert res.success


def test_finite_differences_prove_nothing():
    res = mo.minimize_max(np.abs, np.array([-(2.0**-27)]), "2-point", convex=True, method="sqp")
    assert np.isnan(res.lower_bound)
    assert "finite differences" in str(res.certificate)

    def sums(x):
        return np.array([1 + 1e-3 * np.abs(x).sum() + np.abs(x - 0.3).sum()])

    start, box = np.array([0.0, 1.0, 0.2]), mo.Box(-1, 1)
    res = mo.minimize_max(sums, start, "2-point", domain=box, convex=True, method="accelerated", max_iter=200)
    assert res.status is not mo.Status.NOT_CONVEX


@pytest.mark.parametrize(
    ("tasks", "method"),
    [
        (mo.AffineTasks([[1e-7]], [1.0]), "accelerated"),  # unbounded, and nearly flat
        (mo.TorchTasks(lambda x: (1e-9 * x - 1) ** 2, n_variables=1), "sqp"),  # optimum 0, far away
    ],
)
def test_a_small_gradient_is_no_success(tasks, method):
    x0 = torch.zeros(1, dtype=torch.float64) if isinstance(tasks, mo.TorchTasks) else np.zeros(1)
    res = mo.minimize_max(tasks, x0, convex=True, method=method, max_iter=100)
    assert not res.success or res.fun < 1e-3


@pytest.mark.parametrize("scale", [[1e4, -1e-12], [1.0, 1e-17]])
@pytest.mark.parametrize("method", ["softmax-gd", "accelerated", "interior-point"])
def test_badly_scaled_columns_count(scale, method):
    """A direction in which the losses fall slowly is still one in which they fall."""
    a, b = scale
    tasks = mo.AffineTasks([[a, b], [-a, b]], [1.0, 1.0])
    res = mo.minimize_max(tasks, method=method, max_iter=300)
    assert not res.success
    assert not res.lower_bound > -np.inf


@pytest.mark.parametrize("distance", [3e-14, 1e-13, 3e-13])
def test_nearly_equal_columns_count(distance):
    """Nearly interpolating, with huge coefficients: the optimum is near 0, not at x0."""
    rng = np.random.default_rng(0)
    u, v = np.linalg.qr(rng.standard_normal((1000, 2)))[0].T
    res = mo.minimize_max(mo.LeastSquaresTasks([np.column_stack([u, u + distance * v])], [v]), tol=1e-9)
    assert res.lower_bound < 1e-6
    assert not (res.success and res.fun > 1e-6)


@pytest.mark.parametrize("seed", [3, 9, 10, 11])
def test_float32_data_prove_no_more_than_float32_can(seed):
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((40, 6)))[0]
    V = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    A = [((u * np.logspace(0, -3.5, 6)) @ V.T).astype(np.float32) for u in (U, U[::-1])]
    b = [a @ V[:, -1].astype(np.float32) + np.float32(1e-6) * rng.standard_normal(40).astype(np.float32) for a in A]
    exact = mo.minimize_max(mo.LeastSquaresTasks(A, b), tol=1e-9, method="sqp").fun
    single = mo.LeastSquaresTasks([torch.tensor(a) for a in A], [torch.tensor(v) for v in b])
    for method in ("sqp", "interior-point", "accelerated"):
        res = mo.minimize_max(single, method=method, tol=1e-5, max_iter=500)
        assert not res.lower_bound > exact * (1 + 1e-9)


def test_bounds_at_early_iterates_of_an_ill_conditioned_problem():
    rng = np.random.default_rng(17)
    Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    U = np.linalg.qr(rng.standard_normal((200, 6)))[0]
    a = U * np.logspace(0, -6, 6) @ Q.T
    b = a @ Q[:, -1] + 1e-9 * rng.standard_normal(200)
    best = float(np.mean((a @ np.linalg.lstsq(a, b, rcond=None)[0] - b) ** 2))
    for n in range(3):
        res = mo.minimize_max(mo.LeastSquaresTasks([a], [b]), method="sqp", max_iter=n)
        assert res.lower_bound <= best * (1 + 1e-9)


def test_rows_whose_curvature_underflows():
    res = mo.minimize_max(mo.LogisticTasks([[[1.0]], [[2.0]]], [[1], [1]]), x0=np.array([1000.0]))
    assert res.fun == 0.0
    assert res.success


@pytest.mark.parametrize("upper", [0.0, 1.0, np.inf])
def test_half_bounded_domains_are_certified(upper):
    """Nonnegative least squares and its like: the parabola over the domain, not the linearisation, is what bounds."""
    rng = np.random.default_rng(0)
    tasks = mo.LeastSquaresTasks([rng.standard_normal((20, 3)) for _ in range(3)], [rng.standard_normal(20) for _ in range(3)])
    res = mo.minimize_max(tasks, domain=mo.Box(-np.inf if upper <= 0 else 0.0, upper))
    assert res.success, res
    assert res.gap <= 1e-6 * res.fun


@pytest.mark.parametrize(
    "solve",
    [
        lambda: mo.minimize_max(
            mo.TorchTasks(lambda x: torch.stack([torch.sin(x[0]), torch.cos(x[0])]), hessian=True), torch.ones(1).double()
        ),
        lambda: mo.minimize_max(mo.LeastSquaresTasks([np.eye(2)], [np.ones(2)]), convex=False),
        lambda: mo.minimize_max(mo.LeastSquaresTasks([np.eye(2)] * 2, [np.ones(2)] * 2), convex=False, ambiguity=mo.CVaR(0.6)),
        lambda: mo.minimize_max(mo.AffineTasks(np.eye(3), np.ones(3)), convex=False, max_iter=5),
        lambda: mo.minimize_max(mo.LogisticTasks([np.eye(2)], [[0, 1]]), convex=False, max_iter=50),
    ],
)
def test_auto_never_picks_a_method_that_refuses(solve):
    res = solve()
    assert np.isfinite(res.fun)
    assert np.isnan(res.lower_bound)


@pytest.mark.parametrize(("method", "option"), [("softmax-gd", {}), ("descent-ascent", {})])
def test_no_mini_batch_step_is_lost(method, option):
    """49 steps, evaluated every 50: the result holds all of them."""
    rng = np.random.default_rng(0)
    tasks = mo.LeastSquaresTasks([rng.standard_normal((20, 3)) for _ in range(3)], [rng.standard_normal(20) for _ in range(3)])
    options = {"batch_size": 8, "evaluate_every": 50, **option}
    start = mo.minimize_max(tasks, method=method, options=options, max_iter=0)
    res = mo.minimize_max(tasks, method=method, options=options, max_iter=49)
    assert res.nit == 49
    assert res.fun < start.fun


def test_the_callback_sees_a_running_solve_and_its_own_trace():
    seen = []
    tasks = mo.LeastSquaresTasks([np.eye(2)] * 2, [np.zeros(2), np.array([2.0, 0.0])])
    mo.minimize_max(
        tasks, np.ones(2), method="mirror-prox", callback=lambda intermediate_result: seen.append(intermediate_result)
    )
    assert all(res.status is mo.Status.RUNNING for res in seen)
    assert [len(res.trace) for res in seen] == list(range(2, len(seen) + 2))


def test_stop_iteration_of_the_function_is_not_the_callbacks():
    values = iter([np.array([1.0])] * 3)

    def fun(x):
        return next(values) * (1 + x @ x)

    with pytest.raises(StopIteration):
        mo.minimize_max(fun, np.ones(1), lambda x: 2 * x[None], method="mirror-prox", tol=1e-12)


def test_interruption_at_any_evaluation_returns_the_best_point():
    designs = [np.random.default_rng(k).standard_normal((6, 2)) for k in range(3)]

    def fun(x):
        return np.array([np.mean((A @ x - 1) ** 2) for A in designs])

    for count in range(1, 12):
        calls = []

        def jac(x, calls=calls, count=count):
            calls.append(1)
            if len(calls) == count:
                raise KeyboardInterrupt
            return np.array([2 * A.T @ (A @ x - 1) / len(A) for A in designs])

        res = mo.minimize_max(fun, np.ones(2), jac, method="softmax-gd", max_iter=3, convex=True)
        assert np.isfinite(res.fun)
        if len(calls) >= count:
            assert res.status is mo.Status.INTERRUPTED


def test_results_behave_like_scipys():
    import copy

    res = mo.minimize_max(mo.LeastSquaresTasks([np.eye(2)], [np.ones(2)]))
    assert res["fun"] == res.fun
    assert set(dict(res)) >= {"x", "fun", "gap", "active", "weights"}
    assert (res == copy.deepcopy(res)) is False
    with pytest.raises(KeyError):
        res["nonsense"]


def test_a_numpy_function_in_float32_is_no_disproof():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((64, 2)).astype(np.float32), rng.standard_normal(64).astype(np.float32)

    def fun(x):
        z = X @ x.astype(np.float32)
        return np.stack([((z - y) ** 2).mean(), ((z + y) ** 2).mean()])

    def jac(x):
        z = X @ x.astype(np.float32)
        return np.stack([2 * (z - y) @ X, 2 * (z + y) @ X]) / 64

    for method in ("accelerated", "mirror-prox"):
        res = mo.minimize_max(fun, np.zeros(2), jac, convex=True, domain=mo.Box(-3, 3), method=method, tol=1e-4)
        assert res.success, res


@pytest.mark.parametrize("method", ["sqp", "accelerated", "softmax-gd", "mirror-prox", "descent-ascent"])
@pytest.mark.parametrize("call", [2, 3, 4])
def test_a_number_of_tasks_that_changes_is_refused_at_any_evaluation(method, call):
    calls = []

    def fun(x):
        calls.append(1)
        losses = torch.stack([(x - 1) @ (x - 1), (x + 1) @ (x + 1)])
        return torch.cat([losses, losses[:1]]) if len(calls) >= call else losses

    with pytest.raises(ValueError, match="losses"):
        mo.minimize_max(fun, torch.tensor([3.0, 1.0], dtype=torch.float64), convex=True, method=method, tol=1e-12)
