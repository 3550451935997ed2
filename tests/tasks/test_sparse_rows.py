"""Sparse design matrices: the same numbers as the dense ones, in every format, from lists and from groups."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.sparse
import torch
from tasks.row_cases import FAMILIES, N_VARIABLES, SIZES, as_torch, lists

import minimax_opt as mo
from minimax_opt.tasks import AffineTasks, ChebyshevTasks, LeastSquaresTasks, LogisticTasks

CASES = pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
FAMILY = pytest.mark.parametrize("family", FAMILIES)
X = np.random.default_rng(7).standard_normal(N_VARIABLES)


def sparse_tensor(a, layout=torch.sparse_csr):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls its sparse layouts a prototype
        return torch.as_tensor(a, dtype=torch.float64).to_sparse(layout=layout)


CONVERT = pytest.mark.parametrize("convert", [scipy.sparse.csr_array, sparse_tensor], ids=["scipy", "torch"])


def holes(matrices, seed=0):
    """The same matrices with two of three entries zero, a row of zeros and, where several rows are left, a column of zeros."""
    rng = np.random.default_rng(seed)
    out = []
    for A in matrices:
        A = np.where(rng.random(A.shape) < 1 / 3, A, 0.0)
        A[len(A) // 2] = 0.0
        A[:, 3] = 0.0
        out.append(A)
    return out


def targets_for(convert, parts):
    return parts if convert is scipy.sparse.csr_array or parts is None else as_torch(parts)


@CASES
@FAMILY
@CONVERT
@pytest.mark.parametrize("weighted", [False, True], ids=["mean", "weighted mean"])
def test_sparse_rows_give_the_numbers_of_dense_rows(family, sizes, convert, weighted):
    A, b, s = lists(sizes, family)
    A, s = holes(A), s if weighted else None
    dense = family(A, b, s)
    sparse = family([convert(a) for a in A], targets_for(convert, b), targets_for(convert, s))
    assert (sparse.n_tasks, sparse.n_variables, sparse.n_rows) == (dense.n_tasks, dense.n_variables, dense.n_rows)
    np.testing.assert_allclose(sparse.data.largest_entries, dense.data.largest_entries, rtol=1e-15)
    np.testing.assert_array_equal(dense.data.largest_entries, np.abs(np.vstack(A)).max(0))
    factor = np.linalg.cholesky(np.cov(np.random.default_rng(1).standard_normal((N_VARIABLES, 50))) + np.eye(N_VARIABLES))
    ours, theirs = sparse.at(sparse.space.asarray(X)), dense.at(X)
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-12)
    np.testing.assert_allclose(ours.jacobian(), theirs.jacobian(), rtol=1e-10, atol=1e-14)
    for n_zero in (0, len(sizes) // 3):
        weights = np.random.default_rng(3).dirichlet(np.ones(len(sizes)))
        weights[:n_zero] = 0.0
        w = sparse.space.asarray(weights)
        np.testing.assert_allclose(ours.gradient(w), theirs.gradient(weights), rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(ours.hessian(w), theirs.hessian(weights), rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(
            ours.hessian_product(w, sparse.space.asarray(X)), theirs.hessian_product(weights, X), atol=1e-12
        )
        for mine, other in zip(ours.square_root(w) or (), theirs.square_root(weights) or (), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-14)
        assert ours.self_concordance(w, factor) == pytest.approx(theirs.self_concordance(weights, factor), rel=1e-12)
        assert ours.third_derivative_bound(w) == pytest.approx(theirs.third_derivative_bound(weights), rel=1e-12)


@CONVERT
@pytest.mark.parametrize("product", ["sparse", "dense"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gram_matrices_by_sparse_and_by_dense_products(convert, product, weighted, monkeypatch):
    A, b, s = lists((3, 9, 5), LeastSquaresTasks)
    A, s = holes(A), s if weighted else None
    tasks = LeastSquaresTasks([convert(a) for a in A], targets_for(convert, b), targets_for(convert, s))
    if convert is scipy.sparse.csr_array:
        monkeypatch.setattr(type(tasks.data), "grams_are_sparse_products", product == "sparse")
    for mine, other in zip(tasks.quadratics(), LeastSquaresTasks(A, b, s).quadratics(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("n", [3, 1500])
def test_the_largest_leverage_is_found_without_looking_at_all_rows(n, monkeypatch):
    """Rows are looked at in the order of an upper bound; here the largest norm comes late in that order."""
    monkeypatch.setattr("minimax_opt.tasks.sparse_rows.PRUNED_ROWS", 2)
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 3)) * (rng.random((40, 3)) < 0.5) * np.logspace(0, -1, 40)[:, None]
    factor = np.linalg.cholesky(np.array([[1.0, 0.99, 0.0], [0.99, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    tasks = LogisticTasks([scipy.sparse.csr_array(A)], [np.arange(40) % 2])
    largest = np.linalg.norm(np.linalg.solve(factor, A.T), axis=0).max()
    assert tasks.at(np.zeros(3)).self_concordance(np.ones(1), factor) == pytest.approx(largest, rel=1e-13)


SCIPY_FORMATS = [f"{name}_{kind}" for name in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia") for kind in ("array", "matrix")]


@pytest.mark.parametrize("form", SCIPY_FORMATS)
def test_every_format_of_scipy_is_taken(form):
    A, b, _ = lists((6,), LeastSquaresTasks)
    A = holes(A)
    tasks = LeastSquaresTasks([getattr(scipy.sparse, form)(A[0])], b)
    np.testing.assert_allclose(tasks(X), LeastSquaresTasks(A, b)(X), rtol=1e-14)
    affine = AffineTasks(getattr(scipy.sparse, form)(A[0]), b[0])
    np.testing.assert_allclose(affine(X), A[0] @ X + b[0], rtol=1e-14)


@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc], ids=str)
def test_every_plain_layout_of_torch_is_taken(layout):
    A, b, _ = lists((6,), LeastSquaresTasks)
    A = holes(A)
    tasks = LeastSquaresTasks([sparse_tensor(A[0], layout)], as_torch(b))
    np.testing.assert_allclose(tasks(torch.tensor(X)), LeastSquaresTasks(A, b)(X), rtol=1e-14)


def test_duplicates_add_up_and_order_and_explicit_zeros_do_not_matter():
    """Entries (0, 1): 1 + 2, (1, 0): 0, (1, 2): -1, given out of order; the caller's matrix stays as it is."""
    values, columns, starts = [2.0, 1.0, -1.0, 0.0], [1, 1, 2, 0], [0, 2, 4]
    expected = [[0.0, 3.0, 0.0], [0.0, 0.0, -1.0]]
    host = scipy.sparse.csr_array((values, columns, starts), shape=(2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        coo = torch.sparse_coo_tensor([[0, 0, 1, 1], columns], values, (2, 3), dtype=torch.float64)
    for A in (host, coo):
        b = np.zeros(2) if A is host else torch.zeros(2, dtype=torch.float64)
        tasks = AffineTasks(A, b)
        np.testing.assert_array_equal(tasks.at(tasks.space.asarray(np.ones(3))).jacobian(), expected)
        assert LeastSquaresTasks([A], [b])(tasks.space.asarray(np.array([0.0, 1.0, 1.0]))).tolist() == [5.0]
    assert (host.data.tolist(), host.indices.tolist(), host.indptr.tolist()) == (values, columns, starts)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float32, np.uint16])
def test_other_dtypes_become_float64(dtype):
    A = np.array([[1, 0], [0, 1], [1, 1]], dtype=dtype)
    tasks = LeastSquaresTasks([scipy.sparse.csr_array(A)], [[0, 1, 2]])
    assert tasks.data.A.dtype == np.float64
    assert tasks(np.array([2.0, 5.0])).tolist() == [(4 + 16 + 25) / 3]


def test_float32_tensors_stay_float32_and_are_solved_in_float64():
    A, b, _ = lists((20, 30), LeastSquaresTasks)
    A = [a.astype(np.float32) for a in A]
    tasks = LeastSquaresTasks([sparse_tensor(a).float() for a in A], as_torch(b, torch.float32))
    assert tasks(torch.zeros(N_VARIABLES)).dtype == torch.float32
    exact = mo.minimize_max(LeastSquaresTasks(A, [v.astype(np.float32) for v in b]), tol=1e-9)
    res = mo.minimize_max(tasks, x0=torch.zeros(N_VARIABLES, dtype=torch.float64), tol=1e-9)
    assert res.x.dtype == torch.float64
    assert res.fun == pytest.approx(exact.fun, rel=1e-9)
    assert mo.minimize_max(tasks).x.dtype == torch.float32


@pytest.mark.parametrize("convert", [scipy.sparse.coo_matrix, sparse_tensor], ids=["scipy", "torch"])
def test_groups_of_sparse_rows(convert):
    A, b, s = lists((3, 4, 5), LeastSquaresTasks)
    A = holes(A)
    shuffle = np.random.default_rng(0).permutation(12)
    whole = [np.concatenate(part)[shuffle] for part in (A, b, s)]
    vectors = [torch.tensor(part) if convert is sparse_tensor else part for part in whole[1:]]
    tasks = LeastSquaresTasks.from_groups(
        convert(whole[0]), vectors[0], np.repeat(["b", "c", "a"], (3, 4, 5))[shuffle], vectors[1]
    )
    order = [2, 0, 1]
    expected = LeastSquaresTasks([A[k] for k in order], [b[k] for k in order], [s[k] for k in order])
    assert tasks.task_names == ["a", "b", "c"]
    np.testing.assert_allclose(tasks(tasks.space.asarray(X)), expected(X), rtol=1e-12)


def test_canonical_rows_are_not_copied():
    A = scipy.sparse.csr_array(np.eye(4))
    for tasks in (LeastSquaresTasks([A], [np.zeros(4)]), LeastSquaresTasks.from_groups(A, np.zeros(4), [0, 0, 1, 1])):
        assert np.shares_memory(tasks.data.A.data, A.data)
        assert np.shares_memory(tasks.data.A.indices, A.indices)
    assert np.shares_memory(AffineTasks(A, np.zeros(4)).A.data, A.data)


@CONVERT
@pytest.mark.parametrize("family", [AffineTasks, ChebyshevTasks])
def test_sparse_affine_tasks(family, convert):
    rng = np.random.default_rng(0)
    A, b = holes([rng.standard_normal((12, 4))])[0], rng.standard_normal(12)
    dense, sparse = family(A, b), family(convert(A), b if convert is scipy.sparse.csr_array else torch.tensor(b))
    x, weights = rng.standard_normal(4), rng.dirichlet(np.ones(dense.n_tasks))
    ours, theirs = sparse.at(sparse.space.asarray(x)), dense.at(x)
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(ours.magnitudes, theirs.magnitudes, rtol=1e-13)
    np.testing.assert_array_equal(ours.jacobian(), theirs.jacobian())
    np.testing.assert_allclose(ours.gradient(sparse.space.asarray(weights)), theirs.gradient(weights), atol=1e-15)
    np.testing.assert_array_equal(ours.hessian(sparse.space.asarray(weights)), np.zeros((4, 4)))
    chosen = np.array([dense.n_tasks - 1, 2, 5])
    np.testing.assert_allclose(sparse.subset(chosen)(sparse.space.asarray(x)), theirs.losses[chosen], rtol=1e-13)
    for mine, other in zip(sparse.quadratics(), dense.quadratics(), strict=True):
        np.testing.assert_array_equal(mine, other)


@CONVERT
@FAMILY
def test_mini_batches_and_subsets_of_sparse_rows(family, convert):
    A, b, s = lists((5, 7, 4), family)
    A = holes(A)
    dense = family(A, b, s)
    sparse = family([convert(a) for a in A], targets_for(convert, b), targets_for(convert, s))
    x = sparse.space.asarray(X)
    drawn = [tasks.sample(np.random.default_rng(1), 6) for tasks in (dense, sparse)]
    np.testing.assert_allclose(drawn[1](x), drawn[0](X), rtol=1e-12)
    chosen = np.array([2, 0])
    part = sparse.subset(chosen)
    np.testing.assert_allclose(part(x), dense(X)[chosen], rtol=1e-12)
    np.testing.assert_allclose(part.at(x).jacobian(), dense.at(X).jacobian()[chosen], rtol=1e-10, atol=1e-14)


METHODS = ["auto", "interior-point", "sqp", "accelerated"]


@CONVERT
@pytest.mark.parametrize("method", METHODS)
@FAMILY
def test_solutions_are_certified_as_for_dense_data(family, method, convert):
    rng = np.random.default_rng(5)
    A, b, _ = lists((30, 40, 25), family, seed=5)
    A = [np.where(rng.random(a.shape) < 0.5, a, 0.0) for a in A]
    options = {"regularizer": mo.Ridge(1e-2), "tol": 1e-6}
    exact = mo.minimize_max(family(A, b), tol=1e-10, regularizer=mo.Ridge(1e-2))
    res = mo.minimize_max(family([convert(a) for a in A], targets_for(convert, b)), method=method, **options)
    assert res.success
    assert res.lower_bound <= exact.fun * (1 + 1e-12)
    assert res.fun == pytest.approx(exact.fun, rel=2e-6)
    assert isinstance(res.x, np.ndarray if convert is scipy.sparse.csr_array else torch.Tensor)


@CONVERT
@pytest.mark.parametrize("family", [LeastSquaresTasks, LogisticTasks])
def test_empty_columns_do_not_cost_the_certificate(family, convert, monkeypatch):
    """The Hessian is singular, but along variables that no loss depends on: no dense square root is needed."""
    A, b, _ = lists((60, 80), family)
    A = holes(A)
    reference = mo.minimize_max(family([np.delete(a, 3, axis=1) for a in A], b), tol=1e-10)
    monkeypatch.setattr("minimax_opt.tasks.rows.RowEvaluation.square_root", lambda *_: pytest.fail("a dense square root"))
    res = mo.minimize_max(family([convert(a) for a in A], targets_for(convert, b)), tol=1e-8)
    assert res.success
    assert res.certificate.kind == "curvature"
    assert res.lower_bound <= reference.fun * (1 + 1e-12)
    assert res.fun == pytest.approx(reference.fun, rel=1e-7)


@CONVERT
def test_other_singular_hessians_of_sparse_rows_are_certified(convert):
    """Two equal columns: the bound comes from B'B."""
    A, b, _ = lists((30, 40), LeastSquaresTasks)
    A = [a @ np.eye(N_VARIABLES)[:, [0, 1, 2, 2, 4]] for a in A]
    res = mo.minimize_max(LeastSquaresTasks([convert(a) for a in A], targets_for(convert, b)), tol=1e-9)
    assert res.success


def test_a_dense_square_root_of_much_sparse_data_is_not_made(monkeypatch):
    A, b, _ = lists((30, 40), LeastSquaresTasks)
    monkeypatch.setattr("minimax_opt.tasks.row_data.DENSE_BYTES", 8 * 70 * N_VARIABLES - 1)
    tasks = LeastSquaresTasks([scipy.sparse.csr_array(a) for a in A], b)
    assert tasks.at(X).square_root(np.array([0.5, 0.5])) is None
    assert LeastSquaresTasks(A, b).at(X).square_root(np.array([0.5, 0.5])) is not None


def test_what_would_be_too_large_when_dense_is_not_offered(monkeypatch):
    """More columns than a dense Hessian may have: first-order methods remain, and certificates that need none."""
    n = 20_000
    rng = np.random.default_rng(0)
    A = [scipy.sparse.random_array((50, n), density=2e-3, rng=rng, format="csr") for _ in range(3)]
    b = [rng.standard_normal(50) for _ in range(3)]
    tasks = LeastSquaresTasks(A, b)
    assert (tasks.has_hessian, tasks.has_jacobian) == (False, True)
    res = mo.minimize_max(tasks, regularizer=mo.Ridge(1.0), tol=1e-6)
    assert res.success
    monkeypatch.setattr("minimax_opt.tasks.affine.DENSE_BYTES", 8 * 50 * n - 1)
    affine = AffineTasks(A[0], b[0])
    assert (affine.has_hessian, affine.has_jacobian) == (False, False)
    assert mo.minimize_max(affine, domain=mo.Ball(1.0), max_iter=3).lower_bound > -np.inf
    with pytest.raises(ValueError, match="needs tasks with Jacobians"):
        mo.minimize_max(affine, method="interior-point")


EYE = scipy.sparse.csr_array(np.eye(3))
NAN = scipy.sparse.csr_array(np.diag([1.0, np.nan, np.inf]))
BROKEN = scipy.sparse.csr_array(np.eye(3))
BROKEN.indices[1] = 7
REFUSED = {
    "nan": (([NAN], [np.zeros(3)]), ValueError, r"`list_of_A`, task 0 must be finite, got nan or infinite entries"),
    "complex": (([EYE * 1j], [np.zeros(3)]), TypeError, r"task 0 must be an array of real numbers, got dtype complex128"),
    "indices": (([BROKEN], [np.zeros(3)]), ValueError, r"task 0 must be a valid sparse matrix: .*; rebuild it"),
    "dense beside sparse": (
        ([EYE, np.eye(3)], [np.zeros(3)] * 2),
        TypeError,
        r"all sparse or all dense, got 1 sparse of 2; convert",
    ),
    "one matrix": ((EYE, np.zeros(3)), ValueError, r"one matrix a task, got a single matrix of shape \(3, 3\); use `from_groups"),
    "no rows": (([scipy.sparse.csr_array((0, 3))], [[]]), ValueError, r"task 0 must have at least one row and one column"),
    "columns": (
        ([EYE, scipy.sparse.csr_array((3, 4))], [np.zeros(3)] * 2),
        ValueError,
        r"same number of columns, but task 0 has 3 and task 1 has 4",
    ),
    "a vector": (
        ([scipy.sparse.coo_array(np.ones(3))], [np.zeros(3)]),
        ValueError,
        r"must be a matrix \(2-D\), got shape \(3,\)",
    ),
    "sparse targets": (([np.eye(3)], [EYE]), TypeError, r"`list_of_b`, task 0 .* got csr_array; use `.toarray\(\)`"),
    "sparse tensor of targets": (
        ([torch.eye(3)], [torch.ones(3).to_sparse()]),
        TypeError,
        r"`list_of_b`, task 0 must be dense, got layout torch.sparse_coo; use `.to_dense\(\)`",
    ),
    "torch beside NumPy": (([torch.eye(3).to_sparse()], [np.zeros(3)]), TypeError, "must be all NumPy or all torch, got both"),
    "a stack": ((torch.ones(2, 3, 3).to_sparse(), torch.ones(2, 3)), TypeError, r"a list of sparse matrices"),
    "nan tensor": (([(torch.eye(3) * torch.nan).to_sparse()], [torch.zeros(3)]), ValueError, "task 0 must be finite"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_sparse_data_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        LeastSquaresTasks(*arguments)


@pytest.mark.parametrize("columns", [[0, 7, 2], [0, -1, 2], [0, 0, 2]], ids=str)
@pytest.mark.parametrize("layout", [torch.sparse_coo, torch.sparse_csr, torch.sparse_csc], ids=str)
def test_tensors_whose_indices_break_the_rules_are_refused(layout, columns):
    """Three entries in the first row (or column) of a 3 x 3 matrix; in COO a repeated one is none that breaks a rule."""
    columns, values = torch.tensor(columns), torch.ones(3, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if layout == torch.sparse_coo:
            A = torch.sparse_coo_tensor(
                torch.stack([torch.zeros(3, dtype=torch.int64), columns]), values, (3, 3), check_invariants=False
            )
        else:
            starts = torch.tensor([0, 3, 3, 3])
            A = torch.sparse_compressed_tensor(starts, columns, values, (3, 3), layout=layout, check_invariants=False)
    if layout == torch.sparse_coo and columns[1] == 0:
        assert AffineTasks(A, torch.zeros(3, dtype=torch.float64))(torch.ones(3, dtype=torch.float64)).tolist() == [3.0, 0.0, 0.0]
        return
    with pytest.raises(ValueError, match=r"`A` must be a valid sparse tensor"):
        AffineTasks(A, torch.zeros(3, dtype=torch.float64))


def test_scipy_sparse_is_loaded_only_with_sparse_data():
    code = "import sys, minimax_opt as mo; mo.LeastSquaresTasks([[[1.0]]], [[1.0]]); assert 'scipy.sparse' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).returncode == 0
