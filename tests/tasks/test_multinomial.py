"""Multinomial tasks: derivatives against autograd, the bounds of third derivatives, labels of every kind."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import torch
from tasks.row_cases import SIZES, as_torch

import minimax_opt as mo
from minimax_opt.arrays import to_host
from minimax_opt.tasks.class_labels import encode

N, C = 3, 4
X = np.random.default_rng(7).standard_normal(N * C)
CASES = pytest.mark.parametrize("sizes", [SIZES[name] for name in ("equal", "unequal", "many unequal")])
WEIGHTED = pytest.mark.parametrize("weighted", [False, True], ids=["mean", "weighted mean"])


def lists(sizes, weighted=False, seed=0):
    rng = np.random.default_rng(seed)
    A = [rng.standard_normal((m, N)) for m in sizes]
    b = [rng.integers(0, C, m) for m in sizes]
    s = [rng.random(m) + 0.1 for m in sizes]
    for part in s:
        part[: len(part) // 3] = 0.0
    return A, b, s if weighted else None


def reference_losses(A, b, s, x):
    losses = []
    for k, (A_k, b_k) in enumerate(zip(A, b, strict=True)):
        z = torch.as_tensor(A_k) @ x.reshape(N, C)
        c = torch.ones(len(z), dtype=torch.float64) if s is None else torch.as_tensor(s[k])
        values = torch.nn.functional.cross_entropy(z, torch.as_tensor(b_k), reduction="none")
        losses.append((c * values).sum() / c.sum())
    return torch.stack(losses)


def weights_of(n_tasks, n_zero=0):
    weights = np.random.default_rng(3).dirichlet(np.ones(n_tasks))
    weights[:n_zero] = 0.0
    return weights


@CASES
@WEIGHTED
def test_derivatives_equal_those_of_autograd(sizes, weighted):
    A, b, s = lists(sizes, weighted)
    evaluation, x = mo.MultinomialTasks(A, b, s, n_classes=C).at(X), torch.tensor(X)
    np.testing.assert_allclose(evaluation.losses, reference_losses(A, b, s, x), rtol=1e-12)
    jacobian = torch.autograd.functional.jacobian(lambda y: reference_losses(A, b, s, y), x).numpy()
    np.testing.assert_allclose(evaluation.jacobian(), jacobian, rtol=1e-10, atol=1e-13)
    for weights in (weights_of(len(sizes)), weights_of(len(sizes), len(sizes) // 2)):
        hessian = torch.autograd.functional.hessian(
            lambda y, w=weights: torch.tensor(w) @ reference_losses(A, b, s, y), x
        ).numpy()
        np.testing.assert_allclose(evaluation.gradient(weights), weights @ jacobian, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(evaluation.hessian(weights), hessian, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(evaluation.hessian_product(weights, X), hessian @ X, rtol=1e-10, atol=1e-13)
        B, v, _ = evaluation.square_root(weights)
        np.testing.assert_allclose(B.T @ B, hessian, rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(B.T @ v, weights @ jacobian, rtol=1e-10, atol=1e-13)


@CASES
@WEIGHTED
@pytest.mark.parametrize("kind", ["torch", "sparse", "float32"])
def test_other_kinds_of_data_give_the_same(sizes, weighted, kind):
    A, b, s = lists(sizes, weighted)
    host = mo.MultinomialTasks(A, b, s, n_classes=C)
    if kind == "sparse":
        other = mo.MultinomialTasks([scipy.sparse.csr_array(a) for a in A], b, s, n_classes=C)
    else:
        dtype = torch.float32 if kind == "float32" else torch.float64
        other = mo.MultinomialTasks(as_torch(A, dtype), [torch.as_tensor(v) for v in b], as_torch(s, dtype), n_classes=C)
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if kind == "float32" else {"rtol": 1e-10, "atol": 1e-13}
    weights = weights_of(len(sizes), len(sizes) // 3)
    ours, theirs, w = host.at(X), other.at(other.space.asarray(X)), other.space.asarray(weights)
    for mine, found in (
        (ours.losses, theirs.losses),
        (ours.jacobian(), theirs.jacobian()),
        (ours.gradient(weights), theirs.gradient(w)),
        (ours.hessian(weights), theirs.hessian(w)),
        (ours.hessian_product(weights, X), theirs.hessian_product(w, other.space.asarray(X))),
        *zip(ours.square_root(weights)[:2], theirs.square_root(w)[:2], strict=True),
    ):
        np.testing.assert_allclose(to_host(mine), to_host(found), **tolerance)
        assert type(found) is type(theirs.losses)
    factor = np.linalg.cholesky(host.at(X).hessian(weights_of(len(sizes))) + np.eye(N * C))
    assert ours.self_concordance(weights, factor) == pytest.approx(theirs.self_concordance(w, factor), rel=tolerance["rtol"])
    assert ours.third_derivative_bound(weights) == pytest.approx(theirs.third_derivative_bound(w), rel=tolerance["rtol"])


@pytest.mark.parametrize("seed", range(10))
def test_third_derivatives_obey_every_bound(seed):
    rng = np.random.default_rng(seed)
    A, b, _ = lists((4, 6), seed=seed)
    tasks, weights, x = mo.MultinomialTasks(A, b, n_classes=C), rng.dirichlet(np.ones(2)), rng.standard_normal(N * C)
    evaluation = tasks.at(x)
    metric = evaluation.hessian(weights) + 1e-3 * np.eye(N * C)
    kappa = evaluation.self_concordance(weights, np.linalg.cholesky(metric))
    B, _, ratios = evaluation.square_root(weights)
    euclidean = evaluation.third_derivative_bound(weights)
    one_row = np.kron(A[0][0], np.eye(C)[0] - np.eye(C)[1])  # where the range is attained by two classes
    for h in (*rng.standard_normal((20, N * C)), one_row, np.linalg.solve(metric, one_row)):
        along = lambda t, h=h: torch.tensor(weights) @ reference_losses(A, b, None, torch.tensor(x) + t * torch.tensor(h))  # noqa: E731
        second, third = (float(d(torch.zeros((), dtype=torch.float64))) for d in _second_and_third(along))
        for limit in (kappa * np.sqrt(h @ metric @ h), np.max(ratios * np.abs(B @ h)), euclidean * np.linalg.norm(h)):
            assert abs(third) <= limit * second * (1 + 1e-10) + 1e-14


def _second_and_third(f):
    second = torch.func.grad(torch.func.grad(f))
    return second, torch.func.grad(second)


def test_self_concordance_is_exact_for_two_classes():
    """Then the loss is that of logistic tasks in the difference of the two columns."""
    rng = np.random.default_rng(0)
    A, b = [rng.standard_normal((8, N))], [rng.integers(0, 2, 8)]
    tasks, logistic = mo.MultinomialTasks(A, b, n_classes=2), mo.LogisticTasks(A, b)
    difference = np.kron(np.eye(N), [[-1.0], [1.0]])  # x -> what column 1 has over column 0, transposed
    x, one = rng.standard_normal(2 * N), np.ones(1)
    np.testing.assert_allclose(tasks(x), logistic(x @ difference), rtol=1e-12)
    np.testing.assert_allclose(tasks.at(x).gradient(one), difference @ logistic.at(x @ difference).gradient(one), rtol=1e-11)
    factor = np.linalg.cholesky(np.eye(2 * N))
    lengths = np.linalg.norm(difference @ A[0].T, axis=0)
    assert tasks.at(x).self_concordance(one, factor) == pytest.approx(lengths.max(), rel=1e-12)


def test_flat_directions_change_nothing():
    A, b, _ = lists((6, 9))
    tasks = mo.MultinomialTasks(A, b, n_classes=C)
    flat = tasks.flat_directions()
    np.testing.assert_allclose(flat.T @ flat, np.eye(N), atol=1e-15)
    for direction in flat.T:
        np.testing.assert_allclose(tasks(X + 3 * direction), tasks(X), rtol=1e-13)
    assert np.linalg.matrix_rank(tasks.at(X).hessian(np.array([0.5, 0.5]))) == N * C - N  # there are no others


@pytest.mark.parametrize("regularizer", [None, mo.Ridge(np.repeat([0.0, 0.1, 0.0], C))], ids=["free", "free intercept"])
def test_flat_directions_do_not_cost_the_certificate(regularizer, monkeypatch):
    """With the square root out of the way, only the knowledge of the flat directions leaves a bound."""
    from minimax_opt.tasks.multinomial import MultinomialEvaluation

    monkeypatch.setattr(MultinomialEvaluation, "square_root", lambda self, weights: None)
    A, b, _ = lists((40, 50, 60))
    res = mo.minimize_max(mo.MultinomialTasks(A, b, n_classes=C), regularizer=regularizer, tol=1e-10)
    assert res.success
    assert res.certificate.kind == "curvature"
    monkeypatch.setattr(mo.MultinomialTasks, "flat_directions", lambda self: None)
    assert mo.minimize_max(mo.MultinomialTasks(A, b, n_classes=C), regularizer=regularizer, tol=1e-10).certificate.kind == "none"


@pytest.mark.parametrize("size", [1.0, 50.0, 1e4])
def test_large_scores_neither_overflow_nor_lose_the_sign(size):
    A, b, _ = lists((6, 9))
    tasks = mo.MultinomialTasks(A, b, n_classes=C)
    evaluation = tasks.at(size * X)
    expected = reference_losses(A, b, None, torch.tensor(size * X))
    np.testing.assert_allclose(evaluation.losses, expected, rtol=1e-12)
    assert np.linalg.eigvalsh(evaluation.hessian(np.array([0.5, 0.5]))).min() > -1e-12
    if size == 1e4:  # probabilities underflow
        assert evaluation.square_root(np.array([0.5, 0.5])) is None


def test_labels_of_any_name():
    A, b, _ = lists((6, 9))
    names = np.array(["d", "b", "a", "c"])
    by_number, by_name = mo.MultinomialTasks(A, b, n_classes=C), mo.MultinomialTasks(A, [names[v] for v in b])
    assert by_number.classes == [0, 1, 2, 3]
    assert by_name.classes == ["a", "b", "c", "d"]
    columns = [by_name.classes.index(name) for name in names]
    moved = np.empty((N, C))
    moved[:, columns] = X.reshape(N, C)
    np.testing.assert_allclose(by_name(moved.ravel()), by_number(X), rtol=1e-13)


def test_groups_samples_and_subsets_keep_the_classes():
    A, b, _ = lists((8, 8, 8))
    groups = np.repeat(["y", "x", "z"], 8)
    tasks = mo.MultinomialTasks.from_groups(np.vstack(A), np.concatenate(b), groups, n_classes=C)
    assert tasks.task_names == ["x", "y", "z"]
    np.testing.assert_array_equal(tasks(X), mo.MultinomialTasks([A[1], A[0], A[2]], [b[1], b[0], b[2]], n_classes=C)(X))
    batch, part = tasks.sample(np.random.default_rng(0), 4), tasks.subset(np.array([2, 0]))
    assert (batch.n_variables, batch.n_rows, batch.classes) == (N * C, 12, tasks.classes)
    np.testing.assert_allclose(part(X), tasks(X)[[2, 0]], rtol=1e-14)
    average = np.mean([tasks.sample(np.random.default_rng(seed), 4)(X) for seed in range(300)], axis=0)
    np.testing.assert_allclose(average, tasks(X), rtol=0.1)


@pytest.mark.parametrize(
    ("labels", "n_classes", "error", "message"),
    [
        ([[0, 3]], 3, ValueError, r"must be integers from 0 to 2, as `n_classes` is 3, got \[0, 3\]"),
        ([[0, 0.5]], 3, ValueError, "must be integers from 0 to 2"),
        ([["a", "b"]], 2, ValueError, "leave out `n_classes` for labels of other names"),
        ([[0, 1]], 1, ValueError, "`n_classes` must be an integer >= 2"),
        ([[7, 7]], None, ValueError, r"at least two classes, got \[7\]"),
        ([[0.0, np.nan]], None, ValueError, "must not contain nan"),
        ([[[0], [1]]], None, ValueError, r"one label a row, got shape \(2, 1\)"),
        ([[None, object()]], None, TypeError, "must be integers or strings"),
        (3, None, TypeError, "`list_of_b` must be a list of arrays, one a task, got int"),
        ("ab", None, TypeError, "`list_of_b` must be a list of arrays, one a task, got str"),
        ([[0, 1], [1, 0]], None, ValueError, "`list_of_b` must have one vector a task: expected 1, got 2"),
        ([[0, 1, 1]], None, ValueError, r"must have shape \(2,\), one entry a row, got shape \(3,\)"),
    ],
)
def test_bad_labels_are_refused(labels, n_classes, error, message):
    with pytest.raises(error, match=message):
        mo.MultinomialTasks([np.ones((2, 1))], labels, n_classes=n_classes)


def test_encoding_of_tensors():
    codes, classes = encode([torch.tensor([5, 2]), torch.tensor([5])], None, "`b`")
    assert classes == [2, 5]
    assert [code.tolist() for code in codes] == [[1, 0], [1]]
