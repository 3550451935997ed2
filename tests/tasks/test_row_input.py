"""Row families: what goes in (lists, stacks, groups, dtypes), and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tasks.row_cases import FAMILIES, N_VARIABLES, lists

from minimax_opt.tasks import LeastSquaresTasks, LogisticTasks

X = np.linspace(-1, 1, N_VARIABLES)


@pytest.mark.parametrize("labels", [("b", "c", "a"), (7, 9, -2)], ids=["str", "int"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
def test_from_groups_equals_lists_in_sorted_order(family, labels, convert):
    A, b, s = lists((3, 4, 5), family)
    shuffle = np.random.default_rng(0).permutation(12)
    groups = np.repeat(labels, (3, 4, 5))[shuffle]
    stacked = (convert(np.concatenate(parts)[shuffle]) for parts in (A, b, s))
    A_all, b_all, s_all = stacked
    tasks = family.from_groups(A_all, b_all, groups, s_all)
    order = [2, 0, 1]
    expected = family([A[k] for k in order], [b[k] for k in order], [s[k] for k in order])
    assert tasks.task_names == sorted(labels)
    np.testing.assert_allclose(tasks(tasks.space.asarray(X)), expected(X), rtol=1e-12)


def test_torch_labels_are_taken():
    A, b = torch.eye(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    tasks = LeastSquaresTasks.from_groups(A, b, torch.tensor([1, 0, 1]))
    assert tasks.task_names == [0, 1]
    assert tasks(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)).tolist() == [4.0, 5.0]


def test_nothing_is_copied_that_need_not_be():
    A, b = np.ones((6, 2)), np.zeros(6)
    assert LeastSquaresTasks.from_groups(A, b, [0, 0, 1, 1, 1, 1]).data.A is A
    assert LeastSquaresTasks([A], [b]).data.A is A
    assert np.shares_memory(LeastSquaresTasks(A.reshape(2, 3, 2), b.reshape(2, 3)).data.A, A)
    T = torch.ones(2, 3, 2)
    assert LeastSquaresTasks(T, torch.zeros(2, 3)).data.A.data_ptr() == T.data_ptr()


@pytest.mark.parametrize("family", FAMILIES)
def test_data_are_not_mutated(family):
    A, b, s = lists((3, 4), family)
    copies = [[part.copy() for part in parts] for parts in (A, b, s)]
    tasks = family(A, b, s)
    evaluation = tasks.at(X)
    weights = np.array([0.5, 0.5])
    for result in (evaluation.gradient(weights), evaluation.jacobian(), evaluation.hessian(weights)):
        result += 1.0
    tasks.sample(np.random.default_rng(0), 2)(X)
    for parts, copied in zip((A, b, s), copies, strict=True):
        for part, copy in zip(parts, copied, strict=True):
            np.testing.assert_array_equal(part, copy)
    np.testing.assert_array_equal(evaluation.hessian(weights), tasks.at(X).hessian(weights))
    np.testing.assert_array_equal(evaluation.jacobian(), family(*copies).at(X).jacobian())


def test_integers_float32_and_fortran_order_become_float64_in_c_order():
    A = np.asfortranarray(np.arange(6).reshape(3, 2))
    for data in (A, A.astype(np.float32), A.tolist()):
        tasks = LeastSquaresTasks([data], [[1, 2, 3]])
        assert tasks.data.A.dtype == np.float64
        assert tasks.data.A.flags.c_contiguous
        assert tasks(np.array([1.0, 1.0])).tolist() == [(0 + 9 + 36) / 3]
    assert LeastSquaresTasks([torch.tensor([[1, 2]])], [torch.tensor([1])]).space.dtype == torch.float64


def test_fortran_parts_are_stacked_in_c_order():
    part = np.asfortranarray(np.arange(6.0).reshape(3, 2))
    data = LeastSquaresTasks([part, part], [np.zeros(3)] * 2).data
    assert data.A.flags.c_contiguous
    np.testing.assert_array_equal(data.A, np.vstack([part, part]))


A, B = np.ones((3, 2)), np.zeros(3)
BAD = np.array([[1.0, 1.0], [np.nan, 1.0], [1.0, np.inf]])
REFUSED = {
    "empty list": (([], []), ValueError, r"`list_of_A` must hold at least one task, got an empty list"),
    "single matrix": ((A, B), ValueError, r"one matrix a task, got a single matrix of shape \(3, 2\); use `from_groups"),
    "too few targets": (([A, A], [B]), ValueError, r"`list_of_b` must have one vector a task: expected 2, got 1"),
    "too few weights": (([A], [B], [B, B]), ValueError, r"`sample_weights` must have one vector a task: expected 1, got 2"),
    "not a matrix": (
        ([A, np.ones(3)], [B, B]),
        ValueError,
        r"`list_of_A`, task 1 must be a matrix \(2-D\), got shape \(3,\); a single row is",
    ),
    "empty task": (
        ([A, np.ones((0, 2))], [B, []]),
        ValueError,
        r"`list_of_A`, task 1 must have at least one row .* drop empty tasks",
    ),
    "no columns": (([np.ones((3, 0))], [B]), ValueError, r"task 0 must have at least one row and one column"),
    "columns": (([A, np.ones((3, 4))], [B, B]), ValueError, r"same number of columns, but task 0 has 2 and task 1 has 4"),
    "lengths": (
        ([A, A], [B, B[:2]]),
        ValueError,
        r"`list_of_b`, task 1 must have shape \(3,\), one entry a row, got shape \(2,\)",
    ),
    "matrix of targets": (([A], [B[:, None]]), ValueError, r"`list_of_b`, task 0 must have shape \(3,\).*got shape \(3, 1\)"),
    "nan": (([A, BAD], [B, B]), ValueError, r"`list_of_A`, task 1 must be finite, got nan or infinite entries; drop or impute"),
    "nan target": (([A], [[0, 1, np.nan]]), ValueError, r"`list_of_b`, task 0 must be finite"),
    "strings": (([A], [["a", "b", "c"]]), TypeError, r"`list_of_b`, task 0 must be an array of real numbers, got dtype <U1"),
    "complex": (([A * 1j], [B]), TypeError, r"`list_of_A`, task 0 must be an array of real numbers, got dtype complex128"),
    "negative weight": (
        ([A, A], [B, B], [B + 1, [1, -1, 2]]),
        ValueError,
        r"`sample_weights`, task 1 must be nonnegative .* smallest entry -1",
    ),
    "zero weights": (
        ([A], [B], [B]),
        ValueError,
        r"`sample_weights`, task 0 must be nonnegative with a positive sum, .* largest entry 0",
    ),
    "mixture": (([torch.ones(3, 2)], [B]), TypeError, r"must be all NumPy or all torch, got both; convert one of them"),
    "dtypes": (
        ([torch.ones(3, 2)], [torch.zeros(3).double()]),
        TypeError,
        r"one floating dtype, got \['torch.float32', 'torch.float64'\]",
    ),
    "half": (
        ([torch.ones(3, 2).half()], [torch.zeros(3).half()]),
        TypeError,
        r"must be float32 or float64, got torch.float16; use `.float\(\)`",
    ),
}


@pytest.mark.parametrize(("arguments", "error", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_lists_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        LeastSquaresTasks(*arguments)


GROUPS = {
    "shape": ((A, B, [0, 1]), ValueError, r"`groups` must give one label a row, shape \(3,\), got shape \(2,\)"),
    "floats": (
        (A, B, [0.5, 1.5, 1.5]),
        TypeError,
        r"`groups` must be integers or strings, got dtype float64; bin a continuous variable",
    ),
    "weights": (
        (A, B, ["u", "v", "v"], [1, 0, 0]),
        ValueError,
        r"`sample_weights`, task 'v' must be nonnegative with a positive sum",
    ),
    "target": ((A, B[:2], [0, 1, 1]), ValueError, r"`b` must have shape \(3,\)"),
    "matrix": ((B, B, [0, 1, 1]), ValueError, r"`A` must be a matrix \(2-D\), got shape \(3,\)"),
}


@pytest.mark.parametrize(("arguments", "error", "message"), GROUPS.values(), ids=GROUPS.keys())
def test_bad_groups_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        LeastSquaresTasks.from_groups(*arguments)


@pytest.mark.parametrize("labels", [[1, 2, 2], [-1, 0, 1], [0.5, 1, 0]])
@pytest.mark.parametrize("build", [lambda b: LogisticTasks([A], [b]), lambda b: LogisticTasks.from_groups(A, b, [0, 0, 1])])
def test_other_labels_are_refused_and_named(labels, build):
    with pytest.raises(ValueError, match=r"must be \{0, 1\} or \{-1, \+1\}, got \[") as caught:
        build(labels)
    assert str(sorted({float(v) for v in labels})) in str(caught.value)


def test_finite_data_with_an_overflowing_sum_are_accepted():
    huge = np.full((2, 1), 1.5e308)
    assert LeastSquaresTasks([huge], [[0.0, 0.0]])(np.zeros(1)).tolist() == [0.0]


def test_sample_weights_with_an_overflowing_sum_are_normalised():
    A, b = [[[1.0], [1.0]]], [[0.0, 2.0]]
    huge, equal = LeastSquaresTasks(A, b, [[1e308, 1e308]]), LeastSquaresTasks(A, b)
    assert huge(np.zeros(1)).tolist() == equal(np.zeros(1)).tolist() == [2.0]
    grouped = LeastSquaresTasks.from_groups(A[0], b[0], [0, 0], torch.tensor([3e38, 3e38]).numpy())
    assert grouped(np.zeros(1)).tolist() == [2.0]
    single = LeastSquaresTasks(torch.tensor(A), torch.tensor(b), torch.tensor([[3e38, 3e38]]))
    assert single(torch.zeros(1)).tolist() == [2.0]
