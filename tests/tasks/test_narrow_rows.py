"""Large float32 data: kept as they are, computed with in float64, panel by panel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tasks.row_cases import FAMILIES, N_VARIABLES, SIZES, lists

import minimax_opt as mo
from minimax_opt.tasks import AffineTasks, LeastSquaresTasks, LogisticTasks
from minimax_opt.tasks.row_data import RowData

CASES = pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
FAMILY = pytest.mark.parametrize("family", FAMILIES)
KIND = pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
X = np.random.default_rng(7).standard_normal(N_VARIABLES)


@pytest.fixture(autouse=True)
def nothing_is_small(monkeypatch):
    """Every float32 matrix counts as large; a panel holds four rows."""
    monkeypatch.setattr("minimax_opt.tasks.row_data.WIDEN_ENTRIES", 0)
    monkeypatch.setattr("minimax_opt.tasks.row_input.WIDEN_ENTRIES", 0)
    monkeypatch.setattr(RowData, "panel_entries", 4 * N_VARIABLES)


def single(parts):
    """The parts rounded to float32."""
    return [part.astype(np.float32) for part in parts]


def narrow_and_wide(family, sizes, convert, weighted=False, seed=0):
    """Tasks that hold float32 rows, and the same numbers in float64."""
    A, b, s = (single(parts) for parts in lists(sizes, family, seed))
    s = s if weighted else None
    tasks = family(*(None if part is None else [convert(p) for p in part] for part in (A, b, s))).double()
    return tasks, family(*(None if part is None else [p.astype(np.float64) for p in part] for part in (A, b, s)))


@CASES
@FAMILY
@KIND
@pytest.mark.parametrize("weighted", [False, True], ids=["mean", "weighted mean"])
def test_arithmetic_is_that_of_float64(family, sizes, convert, weighted):
    narrow, wide = narrow_and_wide(family, sizes, convert, weighted)
    assert str(narrow.data.A.dtype).endswith("float32")
    assert narrow.space.eps == np.finfo(float).eps
    ours, theirs = narrow.at(narrow.space.asarray(X)), wide.at(X)
    tolerance = {"rtol": 1e-11, "atol": 1e-13}
    np.testing.assert_allclose(ours.losses, theirs.losses, **tolerance)
    np.testing.assert_allclose(ours.jacobian(), theirs.jacobian(), **tolerance)
    factor = np.linalg.cholesky(np.cov(np.random.default_rng(1).standard_normal((N_VARIABLES, 50))) + np.eye(N_VARIABLES))
    for n_zero in (0, len(sizes) // 3):
        weights = np.random.default_rng(3).dirichlet(np.ones(len(sizes)))
        weights[:n_zero] = 0.0
        w = narrow.space.asarray(weights)
        np.testing.assert_allclose(ours.gradient(w), theirs.gradient(weights), **tolerance)
        np.testing.assert_allclose(ours.hessian(w), theirs.hessian(weights), **tolerance)
        for mine, other in zip(ours.square_root(w) or (), theirs.square_root(weights) or (), strict=True):
            np.testing.assert_allclose(mine, other, **tolerance)
        assert ours.self_concordance(w, factor) == pytest.approx(theirs.self_concordance(weights, factor), rel=1e-11)
        assert ours.third_derivative_bound(w) == pytest.approx(theirs.third_derivative_bound(weights), rel=1e-11)


@CASES
@KIND
def test_gram_matrices_are_those_of_float64(sizes, convert):
    narrow, wide = narrow_and_wide(LeastSquaresTasks, sizes, convert)
    for mine, other in zip(narrow.quadratics(), wide.quadratics(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-11, atol=1e-13)


@KIND
def test_products_with_several_vectors_at_once(convert):
    narrow, wide = narrow_and_wide(LeastSquaresTasks, (6, 5), convert)
    X_many = np.random.default_rng(0).standard_normal((N_VARIABLES, 3))
    np.testing.assert_allclose(narrow.data.times(narrow.space.asarray(X_many)), wide.data.times(X_many), rtol=1e-12)


def test_float32_data_are_not_copied():
    A = np.ones((6, N_VARIABLES), dtype=np.float32)
    assert LeastSquaresTasks.from_groups(A, np.zeros(6), [0, 0, 0, 1, 1, 1]).data.A is A
    T = torch.ones(2, 3, N_VARIABLES)
    assert LeastSquaresTasks(T, torch.zeros(2, 3)).double().data.A.data_ptr() == T.data_ptr()
    assert AffineTasks(A, np.zeros(6)).A.dtype == np.float64  # those are their own Jacobian


def test_a_list_of_two_dtypes_becomes_float64():
    A, b, _ = lists((4, 5), LeastSquaresTasks)
    tasks = LeastSquaresTasks([A[0].astype(np.float32), A[1]], b)
    assert tasks.data.A.dtype == np.float64


@FAMILY
@KIND
@pytest.mark.parametrize("method", ["auto", "interior-point", "sqp", "accelerated"])
def test_solutions_are_certified_in_float64(family, method, convert):
    narrow, wide = narrow_and_wide(family, (30, 40, 25), convert, seed=4)
    exact = mo.minimize_max(wide, regularizer=mo.Ridge(1e-2), tol=1e-11)
    for dtype in (np.float64, np.float32):
        x0 = convert(np.zeros(N_VARIABLES, dtype=dtype))
        res = mo.minimize_max(narrow, x0, regularizer=mo.Ridge(1e-2), tol=1e-6, method=method)
        assert res.success
        assert res.lower_bound <= exact.fun * (1 + 1e-12)
        assert res.fun == pytest.approx(exact.fun, rel=1.1e-6)
        assert res.x.dtype == x0.dtype


@pytest.mark.parametrize("seed", [3, 9, 10, 11])
@pytest.mark.parametrize("method", ["sqp", "interior-point", "accelerated"])
@KIND
def test_ill_conditioned_float32_data_give_no_false_bound(seed, method, convert):
    """Hessians computed in float32 gave bounds above the optimal value here."""
    rng = np.random.default_rng(seed)
    U, V = np.linalg.qr(rng.standard_normal((40, 6)))[0], np.linalg.qr(rng.standard_normal((6, 6)))[0]
    A = single([(u * np.logspace(0, -3.5, 6)) @ V.T for u in (U, U[::-1])])
    b = [a @ V[:, -1].astype(np.float32) + np.float32(1e-6) * rng.standard_normal(40).astype(np.float32) for a in A]
    exact = mo.minimize_max(LeastSquaresTasks([a.astype(float) for a in A], b), tol=1e-9, method="sqp").fun
    res = mo.minimize_max(
        LeastSquaresTasks([convert(a) for a in A], [convert(v) for v in b]), method=method, tol=1e-5, max_iter=300
    )
    assert not res.lower_bound > exact * (1 + 1e-9)


@KIND
def test_mini_batches_of_float32_rows(convert):
    narrow, wide = narrow_and_wide(LogisticTasks, (9, 12), convert)
    drawn = [tasks.sample(np.random.default_rng(0), 5) for tasks in (narrow, wide)]
    np.testing.assert_allclose(drawn[0](narrow.space.asarray(X)), drawn[1](X), rtol=1e-12)
    np.testing.assert_allclose(narrow.subset(np.array([1]))(narrow.space.asarray(X)), wide(X)[1:], rtol=1e-12)
