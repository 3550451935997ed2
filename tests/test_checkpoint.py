"""Resumed equals uninterrupted, bit for bit; the file is whole at any time and belongs to one solve."""

import numpy as np
import problems
import pytest

import minimax_opt as mo
from minimax_opt.solvers import METHODS

MINI_BATCH = {"batch_size": 4}


def same(one, two):
    np.testing.assert_array_equal(one.x, two.x)
    np.testing.assert_array_equal(one.weights, two.weights)
    assert (one.fun, one.nit, one.nfev, one.njev) == (two.fun, two.nit, two.nfev, two.njev)
    np.testing.assert_array_equal([row[:4] for row in one.trace], [row[:4] for row in two.trace])  # nan, no bound yet, equals nan


def stop_at(nit, error):
    def callback(intermediate_result):
        if intermediate_result.nit == nit:
            raise error

    return callback


@pytest.mark.parametrize(
    ("method", "options"),
    [
        *((m, None) for m in METHODS),
        ("dual-newton", {"native": False}),
        ("descent-ascent", MINI_BATCH),
        ("softmax-gd", {**MINI_BATCH, "step_size": 0.01}),
    ],
)
@pytest.mark.parametrize("error", [KeyboardInterrupt, StopIteration])
def test_resumed_equals_uninterrupted(method, options, error, tmp_path):
    case, path = problems.NAMED["lsq unequal rows"], tmp_path / "solve.ckpt"
    arguments = {"tol": 1e-8, "max_iter": 12, "options": options, "seed": 3}
    whole = case.solve(method, **arguments)
    cut = case.solve(method, **arguments, checkpoint=path, callback=stop_at(2, error))
    assert cut.nit == min(2, whole.nit)
    assert path.exists()
    same(case.solve(method, **arguments, checkpoint=path), whole)
    assert [p.name for p in tmp_path.iterdir()] == ["solve.ckpt"]


def test_resuming_a_finished_solve_returns_it(tmp_path):
    case, path = problems.NAMED["lsq"], tmp_path / "done.ckpt"
    first = case.solve("sqp", tol=1e-8, checkpoint=path)
    same(case.solve("sqp", tol=1e-8, checkpoint=path), first)


def test_another_solve_is_refused(tmp_path):
    case, path = problems.NAMED["lsq"], tmp_path / "solve.ckpt"
    case.solve("accelerated", tol=1e-3, max_iter=3, checkpoint=path)
    with pytest.raises(ValueError, match="must belong to the same solve"):
        case.solve("mirror-prox", checkpoint=path)
    path.write_bytes(b"no pickle")
    with pytest.raises(ValueError, match="cannot be read"):
        case.solve("accelerated", checkpoint=path)
    assert path.read_bytes() == b"no pickle"


RNG = np.random.default_rng(5)
A, B = [RNG.standard_normal((9, 3)) for _ in range(3)], [RNG.standard_normal(9) for _ in range(3)]
SAME = {"tasks": mo.LeastSquaresTasks(A, B), "x0": np.zeros(3), "tol": 1e-3, "method": "accelerated"}


@pytest.mark.parametrize(
    "change",
    [
        {"tol": 1e-8},
        {"atol": 1e-3},
        {"ambiguity": mo.CVaR(1.0)},
        {"regularizer": mo.Ridge(10.0)},
        {"domain": mo.Ball(0.1)},
        {"strong_convexity": 1e-3},
        {"convex": False},
        {"seed": 1},
        {"x0": np.ones(3)},
        {"options": {"factor": 3.0}},
        {"tasks": mo.LeastSquaresTasks([2 * a for a in A], B)},  # the same losses at x0 = 0
        {"tasks": mo.LeastSquaresTasks(A, [b + 1 for b in B])},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_file_of_another_problem_is_refused(change, tmp_path):
    def solve(arguments):
        arguments = dict(arguments)
        return mo.minimize_max(arguments.pop("tasks"), **arguments, checkpoint=tmp_path / "solve.ckpt")

    solve(SAME)
    with pytest.raises(ValueError, match="must belong to the same solve"):
        solve(SAME | change)
    assert solve(SAME | {"max_iter": 10**5, "time_limit": 100.0}).success  # limits may change


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    case, path = problems.NAMED["lsq"], tmp_path / "solve.ckpt"
    case.solve("accelerated", tol=1e-3, max_iter=3, checkpoint=path)
    before = path.read_bytes()

    def no_room(*_):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", no_room)
    with pytest.raises(OSError, match="no space"):
        case.solve("accelerated", tol=1e-3, max_iter=5, checkpoint=path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_interruption_waits_for_the_end_of_the_step(tmp_path):
    """Ctrl-C in the middle of an evaluation: the file still holds a whole step, and the next run goes on from it."""
    import signal

    calls = []
    designs = [np.random.default_rng(k).standard_normal((6, 2)) for k in range(3)]

    def fun(x):
        calls.append(1)
        if len(calls) == 5:
            signal.raise_signal(signal.SIGINT)
        return np.array([np.mean((A @ x - 1) ** 2) for A in designs])

    def jac(x):
        return np.array([2 * A.T @ (A @ x - 1) / len(A) for A in designs])

    arguments = {"jac": jac, "method": "mirror-prox", "tol": 1e-12, "max_iter": 20, "convex": True}
    path = tmp_path / "solve.ckpt"
    cut = mo.minimize_max(fun, np.zeros(2), checkpoint=path, **arguments)
    assert cut.status is mo.Status.INTERRUPTED
    resumed = mo.minimize_max(fun, np.zeros(2), checkpoint=path, **arguments)
    whole = mo.minimize_max(fun, np.zeros(2), **arguments)
    np.testing.assert_array_equal(resumed.x, whole.x)
