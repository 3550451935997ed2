"""What the four first-order methods share: they arrive, in any space, set and domain, and say no where they must."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import minimax_opt as mo
from minimax_opt import domains
from minimax_opt.problem import Problem
from minimax_opt.solvers.averaging import Average, draw

METHODS = ("softmax-gd", "accelerated", "mirror-prox", "descent-ascent")
TOL = {"softmax-gd": 2e-2, "accelerated": 1e-8, "mirror-prox": 1e-8, "descent-ascent": 2e-2}
SETS = {
    "simplex": mo.Simplex(),
    "floor": mo.Simplex(floor=0.3, prior=(0.1, 0.2, 0.3, 0.4)),
    "cvar": mo.CVaR(0.5),
    "kl": mo.KLBall(0.2),
    "chi-square": mo.ChiSquareBall(0.3),
}


def quadratics(seed=0, K=4, n=3):
    """K strongly convex quadratics around different centres."""
    rng = np.random.default_rng(seed)
    B = rng.standard_normal((K, n, n)) * 0.4
    P = B @ B.transpose(0, 2, 1) + np.eye(n)
    return P, rng.standard_normal((K, n)), rng.standard_normal(K) * 0.2 + 2.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SETS)
def test_certified_on_every_ambiguity_set(method, name):
    res = mo.minimize_max(mo.QuadraticTasks(*quadratics()), method=method, ambiguity=SETS[name], tol=TOL[method])
    assert res.success
    assert 0 <= res.gap <= TOL[method] * abs(res.fun)
    assert SETS[name].contains(res.weights, 1e-9)
    tight = mo.minimize_max(mo.QuadraticTasks(*quadratics()), method="accelerated", ambiguity=SETS[name], tol=1e-9)
    assert res.lower_bound <= tight.fun * (1 + 1e-12)
    assert tight.lower_bound <= res.fun * (1 + 1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_optimum_of_a_known_problem(method):
    centers = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]])  # the smallest enclosing circle has its centre at (1, 1), radius^2 2
    tasks = mo.QuadraticTasks(np.stack([2 * np.eye(2)] * 3), -2 * centers, (centers**2).sum(1))
    res = mo.minimize_max(tasks, np.array([3.0, -1.0]), method=method, tol=TOL[method])
    assert res.success
    assert res.fun == pytest.approx(2.0, rel=TOL[method])
    np.testing.assert_allclose(res.x, [1.0, 1.0], atol=2 * np.sqrt(TOL[method]))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["simplex", "cvar", "kl", "chi-square"])
def test_torch_takes_the_steps_of_numpy(method, name):
    P, q, c = quadratics(3)
    steps = {"max_iter": 25, "tol": 0.0, "atol": 0.0, "method": method, "ambiguity": SETS[name], "regularizer": mo.Ridge(0.1)}
    here = mo.minimize_max(mo.QuadraticTasks(P, q, c), domain=mo.Ball(0.7), **steps)
    there = mo.minimize_max(mo.QuadraticTasks(*map(torch.from_numpy, (P, q, c))), domain=mo.Ball(0.7), **steps)
    assert isinstance(there.x, torch.Tensor)
    np.testing.assert_allclose([r.value for r in there.trace], [r.value for r in here.trace], rtol=1e-12)
    np.testing.assert_allclose(there.x.numpy(), here.x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_float32_reaches_what_float32_can(method):
    tasks = mo.QuadraticTasks(*(torch.from_numpy(a).float() for a in quadratics(1)))
    tol = max(TOL[method], 1e-5)
    res = mo.minimize_max(tasks, method=method, tol=tol)
    assert res.success
    assert res.x.dtype == res.weights.dtype == torch.float32
    double = mo.minimize_max(mo.QuadraticTasks(*quadratics(1)), method="accelerated", tol=1e-9)
    assert res.fun == pytest.approx(double.fun, rel=2 * tol)


DOMAINS = {
    "box": (mo.Box(0.1, 0.4), 4),
    "ball": (mo.Ball(0.3), 4),
    "simplex": (domains.Simplex(), 4),
    "fantope": (mo.Fantope(2, 1), 4),
}


class Watched(mo.QuadraticTasks):
    """Remembers every x at which it is evaluated."""

    def at(self, x):
        self.__dict__.setdefault("visited", []).append(np.array(x))
        return super().at(x)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", DOMAINS)
def test_no_evaluation_leaves_the_domain(method, name):
    domain, n = DOMAINS[name]
    tasks = Watched(*quadratics(2, n=n))
    res = mo.minimize_max(tasks, np.full(n, 5.0), method=method, domain=domain, tol=max(TOL[method], 1e-6))
    assert res.success
    bound = domain.bind(n, Problem(tasks, 4, n).space)
    assert len(tasks.visited) > 3
    assert all(bound.contains(x, 1e-9) for x in tasks.visited)


@pytest.mark.parametrize("method", METHODS)
def test_callback_sees_each_iteration_and_stops_the_solve(method):
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result.nit)
        if len(seen) == 3:
            raise StopIteration

    res = mo.minimize_max(mo.QuadraticTasks(*quadratics()), method=method, tol=1e-12, callback=callback)
    assert seen == [1, 2, 3]
    assert res.status == mo.Status.STOPPED


@pytest.mark.parametrize("method", METHODS)
def test_a_nonconvex_function_ends_at_a_stationary_point(method):
    shifts = torch.tensor([[0.0, 0.3], [0.4, -0.2]], dtype=torch.float64)

    def losses(x):
        d = x - shifts
        return (d**2).sum(1) + 0.4 * torch.sin(3 * d).sum(1) + 2.0

    x0 = torch.tensor([1.0, 1.0], dtype=torch.float64)
    res = mo.minimize_max(
        losses, x0, method=method, tol=1e-2 if method in ("softmax-gd", "descent-ascent") else 1e-4, max_iter=20_000
    )
    assert res.success
    assert np.isnan(res.gap)
    assert res.optimality <= 1e-2 * abs(res.fun)
    assert res.fun < float(losses(x0).max())


@pytest.mark.parametrize("method", METHODS)
def test_one_task_and_equal_losses_at_the_start(method):
    one = mo.minimize_max(mo.QuadraticTasks(2 * np.eye(2)[None], np.ones((1, 2)), np.full(1, 3.0)), method=method, tol=1e-6)
    assert one.success
    assert one.fun == pytest.approx(2.5, rel=1e-6)
    rng = np.random.default_rng(0)
    tasks = mo.LogisticTasks(rng.standard_normal((3, 20, 2)), np.where(rng.random((3, 20)) < 0.5, 1.0, -1.0))
    assert mo.minimize_max(tasks, method=method, tol=1e-2).success  # every loss is log 2 at the origin


@pytest.mark.parametrize("method", METHODS)
def test_a_step_into_nan_is_no_crash(method):
    def fun(x):
        return torch.stack([x.log().sum() ** 2 + x[0], 2 * x.sum()])

    res = mo.minimize_max(fun, torch.tensor([0.1, 3.0], dtype=torch.float64), method=method, max_iter=200)
    assert np.isfinite(res.fun)
    assert torch.isfinite(res.x).all()


@pytest.mark.parametrize("method", METHODS)
def test_warm_start_of_weights_is_used_and_kept(method):
    weights0 = np.array([0.7, 0.1, 0.1, 0.1])
    copy = weights0.copy()
    res = mo.minimize_max(mo.QuadraticTasks(*quadratics()), method=method, weights0=weights0, tol=TOL[method])
    assert res.success
    np.testing.assert_array_equal(weights0, copy)


# ---- mini-batches --------------------------------------------------------------------------------------------------------------


def rows(seed=0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((3, 200, 2))
    return mo.LeastSquaresTasks(A, A @ np.array([1.0, -1.0]) + 0.3 * rng.standard_normal((3, 200)) + np.arange(3)[:, None] * 0.5)


BATCHED = [
    ("softmax-gd", {"smoothing": 0.05, "batch_weights": "same"}),
    ("softmax-gd", {"smoothing": 0.05, "batch_weights": "delayed"}),
    ("softmax-gd", {"smoothing": 0.05, "step_size": 0.05}),
    ("descent-ascent", {}),
    ("descent-ascent", {"step_size": 0.05, "weights_step_size": 0.05}),
]


@pytest.mark.parametrize(("method", "options"), BATCHED)
def test_mini_batches_arrive_and_repeat_bit_for_bit(method, options):
    options = {**options, "batch_size": 16, "evaluate_every": 100}
    exact = mo.minimize_max(rows(), method="accelerated", tol=1e-8).fun
    runs = [mo.minimize_max(rows(), method=method, options=options, seed=seed, max_iter=1500, tol=1e-6) for seed in (1, 1, 2)]
    assert runs[0].fun <= 1.06 * exact
    assert runs[0].lower_bound <= exact * (1 + 1e-9)
    np.testing.assert_array_equal(runs[0].x, runs[1].x)
    assert runs[0].fun == runs[1].fun
    assert not np.array_equal(runs[0].x, runs[2].x)


def test_batches_are_unbiased_and_not_counted():
    tasks, x, generator = rows(), np.array([0.3, 0.2]), np.random.default_rng(0)
    problem = Problem(tasks, 3, 2, regularizer=mo.Ridge(0.5).bind(2, Problem(tasks, 3, 2).space))
    weights = np.array([0.2, 0.3, 0.5])
    points = [draw(problem, generator, 8, x) for _ in range(4000)]
    assert problem.counts.nfev == 0
    full = problem.at(x)
    for sample, mean in [
        ([p.losses for p in points], full.losses),
        ([p.gradient(weights) for p in points], full.gradient(weights)),
    ]:
        error = np.std(sample, axis=0) / np.sqrt(len(points))
        assert (np.abs(np.mean(sample, axis=0) - mean) <= 4.5 * error).all()


def test_delayed_weights_ignore_the_batch_at_hand():
    """With weights from before the batch the gradient is linear in the batch; the same-batch one favours tasks by their noise."""
    same, delayed = (
        mo.minimize_max(
            rows(),
            method="softmax-gd",
            seed=0,
            max_iter=1,
            options={"batch_size": 4, "batch_weights": kind, "evaluate_every": 1, "smoothing": 0.05},
        )
        for kind in ("same", "delayed")
    )
    again = mo.minimize_max(
        rows(), method="softmax-gd", seed=0, max_iter=3, options={"batch_size": 4, "evaluate_every": 1, "smoothing": 0.05}
    )
    other = mo.minimize_max(
        rows(),
        method="softmax-gd",
        seed=0,
        max_iter=3,
        options={"batch_size": 4, "batch_weights": "delayed", "evaluate_every": 1, "smoothing": 0.05},
    )
    assert same.trace[1].value == delayed.trace[1].value  # the average of one iterate is x0 itself
    assert again.trace[3].value != other.trace[3].value


def test_average_is_the_weighted_mean():
    rng = np.random.default_rng(0)
    vectors, weights = rng.standard_normal((20, 3)), rng.random(20)
    average = Average()
    for v, w in zip(vectors, weights, strict=True):
        average = average.add(v, w)
    np.testing.assert_allclose(average.mean, np.average(vectors, axis=0, weights=weights), rtol=1e-12)


# ---- refusals ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["softmax-gd", "descent-ascent"])
def test_batches_of_tasks_that_cannot_sample_are_refused(method):
    with pytest.raises(ValueError, match=f"method='{method}' cannot draw mini-batches of QuadraticTasks: leave out `batch_size`"):
        mo.minimize_max(mo.QuadraticTasks(*quadratics()), method=method, options={"batch_size": 4})


@pytest.mark.parametrize("method", METHODS)
def test_geometry_that_does_not_exist_is_refused(method):
    with pytest.raises(
        ValueError, match=f"method='{method}' has no exact smoothed response of ChiSquareBall with geometry='entropic'"
    ):
        mo.minimize_max(
            mo.QuadraticTasks(*quadratics()), method=method, ambiguity=mo.ChiSquareBall(0.1), options={"geometry": "entropic"}
        )


@pytest.mark.parametrize(
    ("method", "option", "value"),
    [
        ("softmax-gd", "smoothing", 0.0),
        ("softmax-gd", "smoothing", "warm"),
        ("softmax-gd", "step_size", -1.0),
        ("softmax-gd", "batch_size", 0),
        ("softmax-gd", "batch_weights", "fresh"),
        ("softmax-gd", "geometry", "flat"),
        ("accelerated", "factor", 1.0),
        ("accelerated", "accuracy", 1.0),
        ("accelerated", "smoothing", float("nan")),
        ("accelerated", "step_size", 0.1),
        ("mirror-prox", "evaluate_every", 0),
        ("mirror-prox", "scale", -1.0),
        ("descent-ascent", "weights_step_size", "fast"),
        ("descent-ascent", "horizon", 0),
    ],
)
def test_bad_options_name_themselves(method, option, value):
    with pytest.raises(ValueError, match=f"`{option}` must be"):
        mo.minimize_max(mo.QuadraticTasks(*quadratics()), method=method, options={option: value})
