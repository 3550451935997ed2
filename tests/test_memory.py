"""Peak memory of building the tasks and solving, above what the caller's data take: below twice the data plus K n^2 doubles.

Measured by tracemalloc, which sees what NumPy allocates; sizes are such that n^2 and M numbers are small beside the data.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.sparse

import minimax_opt as mo

N, ROWS, N_TASKS = 100, 8000, 3
FAMILIES = {"least squares": mo.LeastSquaresTasks, "logistic": mo.LogisticTasks}


@pytest.fixture(scope="module", autouse=True)
def _everything_is_loaded():
    """Imports at the first solve are no memory of the data."""
    for family in FAMILIES.values():
        for method in ("auto", "interior-point", "sqp", "accelerated"):
            mo.minimize_max(family([np.eye(2)], [np.ones(2)]), regularizer=mo.Ridge(1.0), method=method)


def problem(dtype=np.float64, order="C", loss="least squares"):
    rng = np.random.default_rng(0)
    A = [np.asarray(rng.standard_normal((ROWS, N)), dtype, order=order) for _ in range(N_TASKS)]
    z = [a @ rng.standard_normal(N) / 10 + rng.standard_normal(ROWS) for a in A]
    return A, [(part > 0).astype(float) for part in z] if loss == "logistic" else z


def peak(function):
    """The result, and the largest number of bytes in use during the call above those before it."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = function()
        return result, tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def allowed(A):
    return 2 * sum(a.nbytes for a in A) + 8 * N_TASKS * N**2


@pytest.mark.parametrize("method", ["auto", "interior-point", "sqp", "accelerated"])
@pytest.mark.parametrize("loss", FAMILIES)
def test_a_solve_takes_less_than_twice_the_data(loss, method):
    A, b = problem(loss=loss)
    limits = {} if method != "accelerated" else {"max_iter": 30}
    res, used = peak(lambda: mo.minimize_max(FAMILIES[loss](A, b), method=method, regularizer=mo.Ridge(1e-3), tol=1e-9, **limits))
    assert res.success or method == "accelerated"
    assert used < allowed(A)


@pytest.mark.parametrize("kind", ["Fortran order", "float32", "unsorted groups", "weighted"])
def test_data_that_need_conversion_are_copied_once(kind):
    A, b = problem(np.float32 if kind == "float32" else np.float64, "F" if kind == "Fortran order" else "C")
    if kind == "unsorted groups":
        A, b, groups = np.concatenate(A), np.concatenate(b), np.random.default_rng(0).integers(0, N_TASKS, N_TASKS * ROWS)
        res, used = peak(lambda: mo.minimize_max(mo.LeastSquaresTasks.from_groups(A, b, groups), tol=1e-9))
    else:
        s = [np.linspace(0.1, 1.0, ROWS)] * N_TASKS if kind == "weighted" else None
        res, used = peak(lambda: mo.minimize_max(mo.LeastSquaresTasks(A, b, s), tol=1e-9))
    assert res.success
    assert used < allowed(A)


def test_one_sorted_matrix_is_not_copied():
    A, b = problem()
    A, b = np.concatenate(A), np.concatenate(b)
    _, used = peak(lambda: mo.minimize_max(mo.LeastSquaresTasks.from_groups(A, b, np.repeat([0, 1, 2], ROWS)), tol=1e-9))
    assert used < A.nbytes / 2


def test_sparse_rows_are_never_made_dense():
    rng = np.random.default_rng(0)
    A = [scipy.sparse.random_array((20_000, 400), density=0.01, rng=rng, format="csr") for _ in range(N_TASKS)]
    b = [a @ rng.standard_normal(400) + rng.standard_normal(20_000) for a in A]
    res, used = peak(lambda: mo.minimize_max(mo.LeastSquaresTasks(A, b), method="sqp", tol=1e-9))
    data = sum(a.data.nbytes + a.indices.nbytes + a.indptr.nbytes for a in A)
    assert res.success
    assert used < 2 * data + 10 * 8 * 400**2 + 8 * 8 * 60_000  # a few matrices of n x n, a few vectors of M
    assert used < 0.2 * 8 * 60_000 * 400


@pytest.mark.parametrize("regularizer", [mo.Ridge(0.1), mo.L1(1e-3)], ids=["ridge", "L1"])
@pytest.mark.parametrize("family", [mo.LeastSquaresTasks, mo.HuberTasks, mo.PoissonTasks, mo.QuantileTasks])
def test_many_variables_make_no_square_matrix(family, regularizer):
    """n x n doubles would be over 1 GB: neither a method nor a bound makes them."""
    n, rng = 12_000, np.random.default_rng(0)
    tasks = family([rng.standard_normal((10, n)) / n**0.5 for _ in range(2)], [rng.random(10) for _ in range(2)])
    method = "accelerated" if tasks.smooth else "descent-ascent"
    res, used = peak(lambda: mo.minimize_max(tasks, regularizer=regularizer, method=method, max_iter=10, tol=1e-9))
    assert res.nit == 10
    assert used < 100 * 8 * n
