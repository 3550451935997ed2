"""The matrix-free certificate: below every optimum, as sharp as the one with a matrix, and never with one."""

from __future__ import annotations

import tracemalloc

import numpy as np
import problems
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array
from test_certificate import problem_of, random_weights, solution

import minimax_opt as mo
from minimax_opt import krylov_bound
from minimax_opt.certificate import certify
from minimax_opt.curvature_bound import curvature_bound
from minimax_opt.krylov_bound import conjugate_gradients
from minimax_opt.problem import Problem

CURVED = [case for case in problems.ALL if krylov_bound.matrix_free(problem_of(case)) or problem_of(case).strong_convexity > 0]


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Products from the first variable on."""
    monkeypatch.setattr(krylov_bound, "LARGE", 1)


@pytest.mark.parametrize("case", CURVED, ids=str)
@pytest.mark.parametrize("distance", [1.0, 1e-2, 1e-4])
def test_the_bound_is_valid_anywhere_for_any_weights_and_any_target(case, distance):
    rng, problem, best = np.random.default_rng(0), problem_of(case), solution(case)
    for target in (np.inf, best.fun, best.fun - 1e-6 * abs(best.fun), -np.inf):
        x = problem.project(best.x + distance * rng.standard_normal(case.n_variables))
        for weights in (random_weights(rng, case), best.weights):
            found = krylov_bound.krylov_bound(problem.at(x), weights, target)
            assert found <= best.fun * (1 + 1e-12) + 1e-12


@pytest.mark.parametrize("case", [c for c in CURVED if c.smooth and c.tasks.has_hessian and not c.hard], ids=str)
def test_it_is_as_sharp_as_the_bound_with_a_matrix(case):
    """Off by the share EXCESS of the decrement; by more only where third derivatives count, whose bound is cruder."""
    rng, problem, best = np.random.default_rng(1), problem_of(case), solution(case)
    if not np.isfinite(problem.at(best.x).inner.third_derivative_bound(problem.space.asarray(best.weights))):
        pytest.skip("third derivatives are not bounded")
    point = problem.at(best.x + 1e-6 * rng.standard_normal(case.n_variables))
    top, dense = point.smooth_value(best.weights), curvature_bound(point, best.weights)
    found = krylov_bound.krylov_bound(point, best.weights)
    assert top - found <= (1 + krylov_bound.EXCESS) * (1 + 1e-3) * (top - dense) + 1e-11 * max(abs(top), 1e-3)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 12), log_mu=st.floats(-6, 0), products=st.integers(0, 5))
def test_any_number_of_products_bounds_the_decrement_from_both_sides(seed, n, log_mu, products):
    rng, mu = np.random.default_rng(seed), 10**log_mu
    root, g = rng.standard_normal((n, n)), rng.standard_normal(n)
    H = root @ root.T + mu * np.eye(n)
    calls = []

    def product(v):
        calls.append(v)
        return H @ v

    y, steepest = conjugate_gradients(product, g, mu, lambda least, rest: len(calls) == products)
    assert len(calls) <= products
    assert steepest <= np.linalg.eigvalsh(H)[-1] * (1 + 1e-9)
    r, exact = g - H @ y, g @ np.linalg.solve(H, g)
    least = (g + r) @ y
    assert least <= exact * (1 + 1e-6)
    assert exact <= (least + r @ r / mu) * (1 + 1e-6)


def test_more_than_the_strong_convexity_promises_breaks_it():
    """A declared mu above the true one is the only way to a wrong number: the test that the last term counts."""
    case = next(c for c in CURVED if c.tasks.curvature == "quadratic" and c.smooth)
    problem, best = problem_of(case), solution(case)
    problem.strong_convexity *= 1e6
    point = problem.at(best.x + np.random.default_rng(2).standard_normal(case.n_variables))
    assert krylov_bound.krylov_bound(point, best.weights, -np.inf) > best.fun * (1 + 1e-9)


def sparse_tasks(family, n, n_tasks=6, rows=400, entries=20, seed=0):
    rng, A, b = np.random.default_rng(seed), [], []
    for _ in range(n_tasks):
        columns = np.sort(rng.integers(0, n, (rows, entries)), axis=1)
        matrix = csr_array(
            (rng.standard_normal(rows * entries), columns.ravel(), np.arange(0, rows * entries + 1, entries)), (rows, n)
        )
        matrix.sum_duplicates()
        target = matrix @ rng.standard_normal(n) / np.sqrt(entries) + 0.3 * rng.standard_normal(rows)
        A.append(matrix)
        b.append(target if family is mo.LeastSquaresTasks else (target > 0).astype(float))
    return family(A, b)


@pytest.mark.parametrize("family", [mo.LeastSquaresTasks, mo.LogisticTasks, mo.HuberTasks])
@pytest.mark.parametrize("method", ["auto", "accelerated"])
def test_large_problems_are_certified_without_a_square_matrix(family, method):
    """n = 30,000: an n x n matrix would take 7 GB. What is held is a few K x n gradients and a few dozen vectors."""
    n, n_tasks = 30_000, 6
    tasks = sparse_tasks(family, n, n_tasks)
    tracemalloc.start()
    result = mo.minimize_max(tasks, regularizer=mo.Ridge(1e-2), method=method, tol=1e-6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.success, result
    assert result.nhev == 0
    assert peak < 8 * n * (10 * n_tasks + 200)


@pytest.mark.parametrize("method", ["auto", "sqp", "accelerated"])
def test_dense_rows_in_many_variables_need_no_square_matrix_either(method):
    n, rng = 12_000, np.random.default_rng(3)
    tasks = mo.LeastSquaresTasks(rng.standard_normal((3, 10, n)) / np.sqrt(n), rng.standard_normal((3, 10)))
    tracemalloc.start()
    result = mo.minimize_max(tasks, regularizer=mo.Ridge(1e-3), method=method, tol=1e-6)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.success, result
    assert peak < 8 * n * 300  # the matrix: 8 n * 12,000


def test_what_needs_a_square_matrix_refuses_one_that_is_too_large():
    tasks = mo.AffineTasks(np.ones((2, 12_000)), np.zeros(2))
    with pytest.raises(ValueError, match="too large"):
        mo.minimize_max(tasks, method="interior-point", regularizer=mo.Ridge(1.0))
    result = mo.minimize_max(tasks, regularizer=mo.Ridge(1.0), tol=1e-6)
    assert result.success
    assert result.fun == pytest.approx(-6000.0, rel=2e-6)  # at -1


def test_products_are_spent_only_on_a_target_within_reach():
    tasks, mu = sparse_tasks(mo.LogisticTasks, 3000), 1e-3
    best = mo.minimize_max(tasks, regularizer=mo.Ridge(mu), tol=1e-9)
    regularizer, aim = mo.Ridge(mu).bind(3000, tasks.space), best.fun * (1 - 1e-6)
    problem = Problem(tasks, tasks.n_tasks, 3000, regularizer=regularizer, convex=True, strong_convexity=mu)
    far, near = problem.at(3.0 - best.x), problem.at(best.x + 3e-4 * np.random.default_rng(4).standard_normal(3000))
    found = certify(near, best.weights, aim)
    assert found.kind == "matrix-free curvature"
    assert aim <= found.lower_bound <= best.fun * (1 + 1e-12)
    assert problem.counts.nhev == 0
    spent = problem.counts.njev
    assert krylov_bound.krylov_bound(far, best.weights, aim) == -np.inf
    assert problem.counts.njev - spent <= 3
