"""Bounds by Fenchel duality: valid everywhere, exact for a Newton step, and what they need is there."""

from __future__ import annotations

from fractions import Fraction

import cvxpy as cp
import cvxpy_reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minimax_opt as mo
from minimax_opt.dual_bound import dual_bound
from minimax_opt.problem import Problem
from minimax_opt.regularizers import bind
from minimax_opt.tasks.row_dual import RowDual

N, ROWS, TASKS = 4, 15, 3
REGULARIZERS = {
    "none": None,
    "ridge": mo.Ridge(0.1),
    "free intercept": mo.Ridge(np.array([0.0, 1.0, 1.0, 1.0])),
    "quadratic": mo.QuadraticRegularizer(np.diag([1.0, 2.0, 0.5, 1.0]), np.array([0.1, 0.0, -0.3, 0.0])),
    "l1": mo.L1(0.1),
    "elastic net": mo.Ridge(0.1) + mo.L1(np.array([0.0, 0.1, 0.1, 0.1])),
}


def family(seed=0, delta=1.0, scale=1.0, n=N, rows=ROWS):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((TASKS, rows, n))
    return mo.HuberTasks(A, scale * (A @ rng.standard_normal(n) + rng.standard_t(2, (TASKS, rows))), delta=delta)


def point_at(tasks, x, regularizer=None, domain=None):
    r, l1 = bind(regularizer, tasks.n_variables, tasks.space)
    problem = Problem(tasks, tasks.n_tasks, tasks.n_variables, regularizer=r, l1=l1, domain=domain, convex=True)
    return problem.at(x)


def minimum(tasks, weights, regularizer=None):
    """min_y F_w(y) + r(y) + h(y) by cvxpy, from the definition."""
    y = cp.Variable(tasks.n_variables)
    A, b = tasks.data.A, tasks.data.b
    d = np.repeat(weights / tasks.data.sizes, tasks.data.sizes)
    value = d @ cp.huber(A @ y - b, tasks.delta) / 2
    for term in () if regularizer is None else regularizer.terms:
        if isinstance(term, mo.L1):
            value += np.broadcast_to(term.strength, N) @ cp.abs(y)
        elif isinstance(term, mo.Ridge):
            value += np.broadcast_to(term.strength, N) @ cp.square(y) / 2
        else:
            value += cp.quad_form(y, term.Q) / 2 + term.c @ y
    problem = cp.Problem(cp.Minimize(value))
    cvxpy_reference.run(problem)
    return float(problem.value)


def minimiser(tasks, weights, regularizer):
    """Of F_w + r + h, to the last digits: one task that is the weighted mean."""
    d = np.repeat(weights / tasks.data.sizes, tasks.data.sizes)
    one = mo.HuberTasks([tasks.data.A], [tasks.data.b], [d], delta=tasks.delta)
    return mo.minimize_max(one, regularizer=regularizer, tol=1e-13).x


@pytest.mark.parametrize("name", REGULARIZERS)
@pytest.mark.parametrize("seed", range(4))
def test_bounds_are_valid_anywhere_and_tight_near_the_minimum(name, seed):
    regularizer, tasks = REGULARIZERS[name], family(seed)
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(TASKS))
    exact = minimum(tasks, weights, regularizer)
    best = minimiser(tasks, weights, regularizer)
    for step in (3.0, 1.0, 0.1, 1e-2, 1e-4, 1e-6, 0.0):
        x = best + step * rng.standard_normal(N)
        bound = dual_bound(point_at(tasks, x, regularizer), weights)
        assert bound <= exact + 1e-8 * exact
        if step <= 1e-4:
            assert (
                bound >= exact - (1e-9 + 1e2 * step**2 + (step if regularizer and "l1" in name else 0.0)) * exact - 1e-8 * exact
            )


def test_a_newton_step_that_no_row_crosses_is_exact():
    """Then F_w is quadratic from x to the minimum, and the loss is the squared Newton decrement."""
    tasks, weights = family(), np.array([0.2, 0.3, 0.5])
    best = minimiser(tasks, weights, None)
    x = best + 1e-4 * np.random.default_rng(0).standard_normal(N)
    assert np.array_equal(tasks.at(x).second, tasks.at(best).second)
    point = point_at(tasks, x)
    assert dual_bound(point, weights) == pytest.approx(weights @ tasks(best), rel=1e-14)
    gradient, hessian = point.gradient(weights), point.hessian(weights)
    newton = point.weighted_value(weights) - gradient @ np.linalg.solve(hessian, gradient) / 2
    assert dual_bound(point, weights) == pytest.approx(newton, rel=1e-14)


@settings(deadline=None, max_examples=60)
@given(
    scale=st.sampled_from([1e-9, 1e-3, 1.0, 1e6, 1e12]),
    delta=st.sampled_from([1e-6, 1e-2, 1.0, 1e3, 1e9]),
    seed=st.integers(0, 1000),
    distance=st.sampled_from([0.0, 1e-8, 1e-3, 1.0, 1e3]),
)
def test_no_bound_exceeds_a_value_that_is_attained(scale, delta, seed, distance):
    """Weak duality at extreme scales, with weights that vanish or nearly do: F_w somewhere else is an upper bound on its minimum."""
    rng = np.random.default_rng(seed)
    tasks = family(seed % 7, delta, scale)
    weights = rng.dirichlet(np.full(TASKS, 0.1)) if seed % 3 else np.array([1.0, 0.0, 0.0])
    best = minimiser(tasks, weights, None)
    x = best + distance * scale * rng.standard_normal(N)
    bound = dual_bound(point_at(tasks, x), weights)
    values = [weights @ tasks(best + t * (x - best)) for t in (0.0, 1e-3, 0.5)]
    assert bound <= min(values) * (1 + 1e-12)


def test_the_bound_allows_for_rounding():
    """Ill-conditioned columns: A'D u is far from zero in floating point, and the margin says so. Exact arithmetic by fractions."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((1, 12, 2))
    A[..., 1] = A[..., 0] + 1e-7 * A[..., 1]
    b = rng.standard_normal((1, 12))
    tasks, weights = mo.HuberTasks(A, b), np.ones(1)
    best = mo.minimize_max(tasks, tol=1e-12).x
    bound = dual_bound(point_at(tasks, best + 1e-3 * rng.standard_normal(2)), weights)
    exact = Fraction(0)
    for row, target in zip(A[0], b[0], strict=True):
        r = abs(sum((Fraction(a) * Fraction(v) for a, v in zip(row, best, strict=True)), -Fraction(target)))
        exact += r * r / 2 if r <= 1 else r - Fraction(1, 2)
    assert Fraction(bound) <= exact / 12


@pytest.mark.parametrize("nearness", [1.0, 1e-3, 1e-5])
def test_the_margin_holds_an_exact_dual_point(nearness, monkeypatch):
    """In rational arithmetic: u - m A H^{-1} residual satisfies A'D u = 0 exactly, and every entry is within the margin of the u at hand."""
    seen = []
    monkeypatch.setattr(RowDual, "share", lambda self, u, margin: seen.append((u, margin, self.curvature)) or 1.0)
    rng = np.random.default_rng(0)
    A = rng.standard_normal((1, 16, 3))
    A[..., 2] = A[..., 0] + nearness * A[..., 2]
    tasks = mo.HuberTasks(A, rng.standard_normal((1, 16)))
    dual_bound(point_at(tasks, rng.standard_normal(3)), np.ones(1))
    ((u, margin, metric),) = seen
    exact = [[Fraction(a) for a in row] for row in A[0]]
    weighted = [[Fraction(m) * a for a in row] for row, m in zip(exact, metric, strict=True)]
    H = [[sum(w[i] * a[j] for w, a in zip(weighted, exact, strict=True)) for j in range(3)] for i in range(3)]
    residual = [sum(Fraction(v) * a[i] for v, a in zip(u, exact, strict=True)) for i in range(3)]
    e = solve_exactly(H, residual)
    off = np.array([abs(float(sum(w * v for w, v in zip(row, e, strict=True)))) for row in weighted])
    assert off.max() > 0
    assert np.all(off <= margin)
    assert margin.max() <= 1e5 * off.max() / nearness  # and is no wild guess


def solve_exactly(H, right):
    """Gaussian elimination of a positive definite system of fractions."""
    rows = [[*row, value] for row, value in zip(H, right, strict=True)]
    for k, pivot in enumerate(rows):
        pivot[:] = [value / pivot[k] for value in pivot]
        for other in rows:
            if other is not pivot:
                factor = other[k]
                other[:] = [a - factor * b for a, b in zip(other, pivot, strict=True)]
    return [row[-1] for row in rows]


def test_a_vertex_with_too_few_curved_rows_still_has_a_bound():
    """delta small: at the solution fewer than n rows are within delta, and the Hessian is singular."""
    rng = np.random.default_rng(1)
    A = rng.standard_normal((8, 30, 6))
    tasks = mo.HuberTasks(A, rng.standard_t(2, (8, 30)), delta=1e-3)
    res = mo.minimize_max(tasks, method="sqp", tol=1e-9)
    point = point_at(tasks, res.x)
    hessian = point.hessian(res.weights)
    assert np.linalg.matrix_rank(hessian) < 6
    assert res.success
    assert res.gap <= 1e-9 * res.fun


@pytest.mark.parametrize("kind", ["duplicate", "zero", "more variables than rows"])
def test_dependent_columns(kind):
    tasks = family(rows=2) if kind == "more variables than rows" else family()
    A = tasks.data.A.copy()
    if kind == "duplicate":
        A[:, 1] = A[:, 0]
    elif kind == "zero":
        A[:, 1] = 0.0
    else:
        A = np.hstack([A, A[:, ::-1], np.ones((len(A), 3))])
    same = mo.HuberTasks.from_groups(A, tasks.data.b, np.repeat(np.arange(TASKS), tasks.data.sizes))
    res = mo.minimize_max(same, tol=1e-9)
    assert res.success
    assert res.gap <= 1e-9 * res.fun + 1e-15


def test_tasks_without_a_conjugate_have_no_bound():
    tasks = mo.LogisticTasks([np.eye(2)], [[0, 1]])
    assert dual_bound(point_at(tasks, np.zeros(2)), np.ones(1)) == -np.inf


@pytest.mark.parametrize("name", ["none", "ridge", "l1"])
def test_tasks_without_weight_play_no_part(name):
    """One task of five has the weight: the bound is that of the task alone, from its rows alone."""
    rng, regularizer = np.random.default_rng(0), REGULARIZERS[name]
    tasks = mo.HuberTasks(rng.standard_normal((5, ROWS, N)), 3 * rng.standard_normal((5, ROWS)))
    weights = np.eye(5)[2]
    x = minimiser(tasks, weights, regularizer) + 1e-3 * rng.standard_normal(N)
    point, alone = (point_at(part, x, regularizer) for part in (tasks, tasks.subset(np.array([2]))))
    assert point.inner.duals(weights, np.zeros(N))[0].n_rows == ROWS
    assert dual_bound(point, weights) == pytest.approx(dual_bound(alone, np.ones(1)), rel=1e-12)
    assert np.isfinite(dual_bound(point, weights))
