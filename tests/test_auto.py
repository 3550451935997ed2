"""The rule behind method="auto", each line of its docstring once."""

import numpy as np
import pytest
import torch

import minimax_opt as mo
from minimax_opt.auto import choose_method
from minimax_opt.problem import Problem

RNG = np.random.default_rng(0)


def rows(n_tasks, m, n):
    return [RNG.standard_normal((m, n)) for _ in range(n_tasks)], [np.ones(m) for _ in range(n_tasks)]


class Many(mo.Tasks):
    """Stands for tasks too large to build here."""

    has_jacobian = has_hessian = convex = True
    curvature = "quadratic"
    rows = 0

    def at(self, x):
        raise AssertionError("the rule must not evaluate anything")

    @property
    def n_rows(self):
        return self.rows


def chosen(tasks, n_tasks, n, **extra):
    return choose_method(Problem(tasks, n_tasks, n, **{"convex": True, **extra}))


@pytest.mark.parametrize(
    ("method", "tasks", "n", "extra"),
    [
        ("accelerated", mo.LeastSquaresTasks(*rows(2, 5, 2)), 2, {"domain": mo.Ball(1.0)}),
        ("interior-point", mo.LeastSquaresTasks(*rows(2, 5, 2)), 2, {"domain": mo.Box(0.0, np.inf)}),
        ("interior-point", mo.LeastSquaresTasks(*rows(2, 5, 2)), 2, {"ambiguity": mo.KLBall(0.5)}),
        ("dual-newton", mo.LeastSquaresTasks(*rows(2, 5, 2)), 2, {"ambiguity": mo.CVaR(0.5)}),
        ("sqp", mo.TorchTasks(lambda x: x), 2, {"ambiguity": mo.CVaR(0.5)}),
        ("accelerated", mo.TorchTasks(lambda x: x), 2, {"ambiguity": mo.KLBall(0.5)}),
        ("interior-point", mo.AffineTasks(np.eye(2), np.zeros(2)), 2, {}),
        ("dual-newton", mo.LeastSquaresTasks(*rows(2, 5, 2)), 2, {}),
        ("dual-newton", mo.LeastSquaresTasks(*rows(2, 5, 8)), 8, {}),
        ("interior-point", mo.QuantileTasks(*rows(2, 5, 2)), 2, {}),
        ("descent-ascent", mo.QuantileTasks(*rows(2, 5, 2)), 2, {"domain": mo.Ball(1.0)}),
        ("sqp", mo.LogisticTasks(*rows(2, 5, 2)), 2, {}),
        ("sqp", mo.TorchTasks(lambda x: torch.stack([x.sum(), x.prod()])), 2, {}),
    ],
)
def test_rule(method, tasks, n, extra):
    assert chosen(tasks, 2, n, **extra) == method


@pytest.mark.parametrize(
    ("method", "n_tasks", "n", "extra"),
    [
        ("working-set", 2000, 20, {}),
        ("interior-point", 1999, 10, {}),
        ("interior-point", 2000, 21, {}),
        ("working-set", 5000, 50, {}),
        ("interior-point", 5000, 10, {"ambiguity": mo.CVaR(0.5)}),
        ("interior-point", 5000, 10, {"ambiguity": mo.Simplex(floor=0.1)}),
        ("accelerated", 5000, 10, {"domain": mo.Ball(1.0)}),
        ("working-set", 10**7, 20, {}),  # no Jacobian of 1.6 GB is needed
    ],
)
def test_many_more_tasks_than_variables(method, n_tasks, n, extra):
    tasks = Many()
    tasks.has_subset, tasks.curvature = True, "affine"
    assert chosen(tasks, n_tasks, n, **extra) == method


@pytest.mark.parametrize(
    ("method", "n_tasks", "rows", "n"),
    [
        ("dual-newton", 20, 20_000, 1000),
        ("sqp", 20, 200_000, 1000),  # Gram matrices too dear to form
        ("sqp", 400, 1_000_000, 900),  # and too large to keep
        ("interior-point", 501, 10_000, 3),
        ("dual-newton", 5, 100, 500),  # few rows, but small Gram matrices
        ("sqp", 5, 100, 600),
        ("accelerated", 500, 10_000, 1_000_000),  # a Jacobian of 4 GB
    ],
)
def test_thresholds(method, n_tasks, rows, n):
    tasks = Many()
    tasks.rows = rows
    assert chosen(tasks, n_tasks, n) == method


@pytest.mark.parametrize(
    ("method", "n_tasks", "rows", "n"),
    [("sqp", 5, 10_000, 10), ("sqp", 1999, 20_000, 30), ("interior-point", 3001, 90_000, 40)],
)
def test_smooth_losses(method, n_tasks, rows, n):
    tasks = Many()
    tasks.rows, tasks.curvature = rows, "general"
    assert chosen(tasks, n_tasks, n) == method


def uncentred():
    """Least squares whose Gram matrix has lost the digits of the solution, and its least value."""
    rng = np.random.default_rng(0)
    A = np.column_stack([np.ones(12), 1e6 + rng.standard_normal(12), rng.standard_normal(12)])
    b = A @ np.array([1.0, 1e3, 2.0]) + 1e-3 * rng.standard_normal(12)
    Q = np.linalg.qr(np.column_stack([A[:, 0], A[:, 1] - 1e6, A[:, 2]]))[0]  # the same span
    return mo.LeastSquaresTasks([A], [b]), float(np.mean((b - Q @ (Q.T @ b)) ** 2))


def test_another_method_goes_on_where_the_chosen_one_stalls():
    tasks, least = uncentred()
    alone = mo.minimize_max(tasks, method="dual-newton", atol=0.0)
    assert alone.status is mo.Status.STALLED
    assert alone.fun > 2 * least
    result = mo.minimize_max(tasks, atol=0.0)
    assert result.method in ("sqp", "interior-point")
    assert result.fun == pytest.approx(least, rel=1e-3)
    assert [row.nit for row in result.trace] == list(range(result.nit + 1))
    assert result.nit > alone.nit
    assert mo.minimize_max(tasks, atol=0.0, max_iter=alone.nit + 1).nit == alone.nit + 1


def test_a_solve_resumes_with_the_method_that_had_taken_over(tmp_path):
    tasks, _ = uncentred()
    whole = mo.minimize_max(tasks, atol=0.0)
    nit = mo.minimize_max(tasks, method="dual-newton", atol=0.0).nit

    def stop(intermediate_result):
        if intermediate_result.nit == nit + 1:
            raise StopIteration

    arguments = {"atol": 0.0, "checkpoint": tmp_path / "solve"}
    assert mo.minimize_max(tasks, callback=stop, **arguments).nit == nit + 1
    resumed = mo.minimize_max(tasks, **arguments)
    assert (resumed.method, resumed.nit, resumed.fun) == (whole.method, whole.nit, whole.fun)
