"""Paths: every point is certified and equals a solve of its own; warm starts save iterations; what is done is kept."""

import numpy as np
import problems
import pytest
import torch

import minimax_opt as mo

TOL = 1e-9
LSQ, LOG = problems.least_squares("lsq", n_tasks=6, n=5, rows=20), problems.logistic("log", n_tasks=5, n=4, rows=40, ridge=1e-2)
TAILS = [mo.CVaR(t) for t in np.linspace(1.0, 0.15, 8)]
BALLS = [mo.KLBall(r) for r in np.logspace(-3, 0, 8)]
RIDGES = [mo.Ridge(s) for s in np.logspace(0, -3, 8)]


def two_by_two(sets, regularizers):
    return list(zip(sets, regularizers, strict=True))


@pytest.mark.parametrize("tasks", [LSQ.tasks, LOG.tasks], ids=["least squares", "logistic"])
@pytest.mark.parametrize(
    ("ambiguity", "regularizer", "points"),
    [
        (TAILS, None, two_by_two(TAILS, [None] * 8)),
        (BALLS, RIDGES[5], two_by_two(BALLS, [RIDGES[5]] * 8)),
        (None, RIDGES, two_by_two([None] * 8, RIDGES)),
        (TAILS, RIDGES, two_by_two(TAILS, RIDGES)),
    ],
    ids=["tail fractions", "radii", "ridges", "pairs"],
)
def test_every_point_equals_a_solve_of_its_own(tasks, ambiguity, regularizer, points):
    path = mo.minimize_max_path(tasks, ambiguity=ambiguity, regularizer=regularizer, tol=TOL)
    assert path.success
    assert len(path) == len(points)
    for warm, (one_set, one_regularizer) in zip(path, points, strict=True):
        cold = mo.minimize_max(tasks, ambiguity=one_set, regularizer=one_regularizer, tol=TOL)
        assert warm.gap <= TOL * abs(warm.fun)
        assert max(warm.lower_bound, cold.lower_bound) <= min(warm.fun, cold.fun) + 1e-15
        assert warm.method == cold.method


def test_the_value_rises_with_the_set_and_falls_with_the_ridge():
    tails = mo.minimize_max_path(LSQ.tasks, ambiguity=TAILS, tol=TOL)
    ridges = mo.minimize_max_path(LSQ.tasks, regularizer=RIDGES, tol=TOL)
    assert np.all(np.diff(tails.fun) >= -TOL * tails.fun[1:])
    assert np.all(np.diff(ridges.fun) <= TOL * ridges.fun[:-1])
    assert np.ptp(tails.fun) > 0.1
    assert np.ptp(ridges.fun) > 0.1


@pytest.mark.parametrize("method", ["interior-point", "sqp", "dual-newton"])
def test_warm_starts_save_iterations(method):
    ridges = [mo.Ridge(s) for s in np.linspace(1.0, 0.5, 20)]
    how = {
        "tol": TOL,
        "method": method,
        "options": {"native": False} if method == "dual-newton" else None,
    }  # else a solve is an iteration
    path = mo.minimize_max_path(LSQ.tasks, regularizer=ridges, **how)
    cold = sum(mo.minimize_max(LSQ.tasks, regularizer=ridge, **how).nit for ridge in ridges)
    assert path.nit < 0.9 * cold


def test_arrays_and_sequence():
    path = mo.minimize_max_path(LSQ.tasks, ambiguity=TAILS[:3], tol=TOL)
    assert path.x.shape == (3, 5)
    assert path.weights.shape == path.losses.shape == (3, 6)
    np.testing.assert_array_equal(path.x[1], path[1].x)
    np.testing.assert_array_equal(path.gap, [point.gap for point in path])
    np.testing.assert_array_equal(path.lower_bound, [point.lower_bound for point in path])
    assert path[-1] is path[2]
    assert path[1:] == [path[1], path[2]]
    assert path.nit == sum(point.nit for point in path)
    assert path.seconds == pytest.approx(sum(point.seconds for point in path))
    assert "CONVERGED" in repr(path)
    assert "3 of 3 points" in repr(path)


def test_tensors_stay_tensors_and_keep_their_dtype():
    designs, targets = torch.randn(3, 8, 2, generator=torch.Generator().manual_seed(0)), torch.ones(3, 8)
    path = mo.minimize_max_path(mo.LeastSquaresTasks(designs, targets), ambiguity=TAILS[:2])
    assert path.x.dtype == path.weights.dtype == torch.float32
    assert path.x.shape == (2, 2)
    fun = mo.minimize_max_path(lambda x: torch.stack([x @ x, (x - 1) @ (x - 1)]), torch.ones(2), ambiguity=TAILS[:2], convex=True)
    assert isinstance(fun.x, torch.Tensor)


def test_a_point_that_fails_does_not_spoil_the_next():
    tasks = mo.AffineTasks([[1.0, 0.0], [0.0, 1.0]], [0.0, 0.0])
    path = mo.minimize_max_path(tasks, regularizer=[mo.Ridge(0.0), mo.Ridge(1.0)], tol=TOL)
    assert [point.status for point in path] == [mo.Status.UNBOUNDED, mo.Status.CONVERGED]
    assert not path.success
    np.testing.assert_allclose(path[1].x, [-0.5, -0.5], atol=1e-4)


def test_a_callback_sees_the_path_so_far_and_stops_it():
    seen = []

    def callback(intermediate_result):
        seen.append(len(intermediate_result))
        if len(seen) == 2:
            raise StopIteration

    path = mo.minimize_max_path(LSQ.tasks, ambiguity=TAILS, callback=callback)
    assert seen == [1, 2]
    assert len(path) == 2
    assert path.asked == 8
    assert not path.success
    assert all(point.success for point in path)


def test_an_interrupted_path_keeps_what_is_done():
    calls = 0

    def losses(x):
        nonlocal calls
        calls += 1
        if calls == 15:
            raise KeyboardInterrupt
        return np.array([x @ x, (x - 1) @ (x - 1)])

    def jacobian(x):
        return np.stack([2 * x, 2 * (x - 1)])

    path = mo.minimize_max_path(losses, np.full(2, 3.0), regularizer=RIDGES, jac=jacobian, strong_convexity=2.0)
    assert 1 < len(path) < 8
    assert [point.status for point in path] == [mo.Status.CONVERGED] * (len(path) - 1) + [mo.Status.INTERRUPTED]


def test_the_time_limit_is_that_of_the_path(capsys):
    path = mo.minimize_max_path(LSQ.tasks, ambiguity=TAILS, tol=1e-12, time_limit=1e-9, progress=True)
    assert len(path) == 1
    assert path[0].status is mo.Status.TIME_LIMIT
    assert "point 1 of 8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "must be a sequence"),
        ({"ambiguity": mo.CVaR(0.5)}, "must be a sequence"),
        ({"ambiguity": []}, "at least one point"),
        ({"ambiguity": TAILS, "regularizer": RIDGES[:2]}, "same length"),
        ({"ambiguity": [mo.CVaR(0.5), 0.5]}, "`ambiguity` must be of class AmbiguitySet"),
        ({"regularizer": [mo.Ridge(0.5), 0.5]}, "`regularizer` must be"),
        ({"ambiguity": TAILS, "checkpoint": "file"}, "`checkpoint` must be left out"),
        ({"ambiguity": TAILS, "weights0": np.ones(6) / 6}, "`weights0` must be left out"),
        ({"ambiguity": TAILS, "time_limit": -1.0}, "`time_limit`"),
        ({"ambiguity": TAILS, "callback": 3}, "`callback`"),
        ({"ambiguity": TAILS, "method": "newton"}, "unknown method"),
        ({"ambiguity": TAILS, "tolerance": 1e-3}, "tolerance"),
    ],
)
def test_bad_arguments_are_named_before_the_first_solve(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        mo.minimize_max_path(LSQ.tasks, **arguments)
