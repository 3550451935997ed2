"""Rounding of the predictors z = A x: bounds and convergence against optima in rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import minimax_opt as mo
from minimax_opt.tasks.host_rows import HostRows


def exact_least_squares(A, b):
    """min_x |A x - b|^2 / m in rational arithmetic, by Gauss-Jordan elimination of the normal equations."""
    rows, targets = [[Fraction(v) for v in row] for row in A.tolist()], [Fraction(v) for v in b.tolist()]
    n = len(rows[0])
    system = [
        [sum(r[p] * r[q] for r in rows) for q in range(n)] + [sum(r[p] * t for r, t in zip(rows, targets, strict=True))]
        for p in range(n)
    ]
    for p in range(n):
        for q in range(n):
            if q != p:
                share = system[q][p] / system[p][p]
                system[q] = [u - share * v for u, v in zip(system[q], system[p], strict=True)]
    x = [system[p][n] / system[p][p] for p in range(n)]
    return sum((sum(a * c for a, c in zip(r, x, strict=True)) - t) ** 2 for r, t in zip(rows, targets, strict=True)) / len(rows)


def with_offset(offset, seed):
    rng = np.random.default_rng(seed)
    A = np.column_stack([np.ones(12), offset + rng.standard_normal(12), rng.standard_normal(12)])
    return A, A @ [1.0, 1e3, 2.0] + 1e-3 * rng.standard_normal(12)


@pytest.mark.parametrize("method", ["auto", "interior-point", "sqp"])
@pytest.mark.parametrize("offset", [1e3, 1e5, 1e6])
def test_no_bound_exceeds_the_exact_optimum_where_columns_have_an_offset(offset, method):
    for seed in range(2):
        A, b = with_offset(offset, seed)
        result = mo.minimize_max(mo.LeastSquaresTasks([A], [b]), tol=1e-8, atol=0.0, method=method)
        assert Fraction(result.lower_bound) <= exact_least_squares(A, b)


@pytest.mark.parametrize("offset", [1e3, 1e5, 1e6])
@pytest.mark.parametrize("method", ["auto", "interior-point", "sqp", "accelerated"])
def test_success_means_near_the_exact_optimum_however_far_below_the_losses_at_x0(method, offset):
    for seed in range(2):
        A, b = with_offset(offset, seed)
        result = mo.minimize_max(mo.LeastSquaresTasks([A], [b]), method=method)
        assert not result.success or result.fun <= 1.01 * float(exact_least_squares(A, b))


@pytest.mark.parametrize("family", [mo.LeastSquaresTasks, mo.HuberTasks, mo.QuantileTasks])
@pytest.mark.parametrize("unit", [1e-8, 1.0, 1e8])
def test_an_exact_fit_converges(family, unit):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((3, 8, 3))
    result = mo.minimize_max(family(A, unit * (A @ rng.standard_normal(3))))
    assert result.success
    assert result.fun <= 1e-11 * unit


@pytest.mark.parametrize("unit", [1.0, 1e8])
@pytest.mark.parametrize("noise", [0.0, 1e-14])
def test_no_bound_exceeds_the_exact_optimum_of_data_that_the_model_fits(unit, noise):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((8, 3))
        b = unit * (A @ rng.standard_normal(3) + noise * rng.standard_normal(8))
        optimum = exact_least_squares(A, b)
        assert Fraction(mo.minimize_max(mo.LeastSquaresTasks([A], [b]), tol=1e-8, atol=0.0).lower_bound) <= optimum
        huber = mo.HuberTasks([A], [b], delta=unit)  # quadratic at the minimiser: half the squared error
        assert 2 * Fraction(mo.minimize_max(huber, tol=1e-8, atol=0.0).lower_bound) <= optimum


@pytest.mark.parametrize("ridge", [None, mo.Ridge(1e-8)], ids=["free", "ridge"])
def test_a_median_fitted_exactly_has_no_bound_above_its_value(ridge):
    rng = np.random.default_rng(0)
    A = 1e5 + rng.standard_normal((9, 1))
    b = A[:, 0] * 3.0
    result = mo.minimize_max(mo.QuantileTasks([A], [b]), tol=1e-8, atol=0.0, regularizer=ridge)
    exact = sum(abs(3 * Fraction(a) - Fraction(t)) for a, t in zip(A[:, 0].tolist(), b.tolist(), strict=True)) / 18
    assert Fraction(result.lower_bound) <= exact + (0 if ridge is None else Fraction(1e-8) * 9 / 2)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
@pytest.mark.parametrize("torch_rows", [False, True])
def test_sizes_of_sparse_rows_are_those_of_dense_ones(torch_rows):
    import torch
    from scipy.sparse import csr_array

    rng = np.random.default_rng(0)
    A, b, x = rng.standard_normal((7, 4)) * (rng.random((7, 4)) < 0.6), rng.standard_normal(7), rng.standard_normal(4)
    sparse = torch.from_numpy(A).to_sparse_csr() if torch_rows else csr_array(A)
    convert = torch.from_numpy if torch_rows else np.asarray
    data = mo.LeastSquaresTasks([sparse], [convert(b)]).data
    np.testing.assert_allclose(np.asarray(data.absolute_times(convert(x))), abs(A) @ abs(x), rtol=1e-14)
    assert data.longest_sum == np.count_nonzero(A, axis=1).max()


@pytest.mark.parametrize("spread", [0, 3, 12])
@pytest.mark.parametrize("shape", [(7,), (7, 3)])
def test_sizes_of_predictors_are_bounds_and_not_crude_ones(spread, shape):
    rng = np.random.default_rng(spread)
    units = 10.0 ** rng.uniform(-spread, spread, 7)
    A = rng.standard_normal((300, 7)) * units
    x = rng.standard_normal(shape)
    x = x / (units if x.ndim == 1 else units[:, None])  # every column counts
    exact = np.abs(A) @ np.abs(x)
    sizes = HostRows(A, np.zeros(300), np.array([100, 200])).predictor_sizes(x)
    assert np.all(sizes >= exact * (1 - 1e-14))
    assert sizes.sum() <= 6 * exact.sum()
