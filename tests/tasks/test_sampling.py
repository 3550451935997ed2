"""Mini-batches of the row families are unbiased, draw the right rows, and depend only on the generator."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from tasks.row_cases import FAMILIES, N_VARIABLES, as_torch, lists

from minimax_opt.arrays import to_host
from minimax_opt.tasks import LeastSquaresTasks

X = np.linspace(-1, 1, N_VARIABLES)
CONVERT = pytest.mark.parametrize("convert", [list, as_torch], ids=["numpy", "torch"])
WEIGHTED = pytest.mark.parametrize("weighted", [False, True], ids=["mean", "weighted mean"])
SIZES = pytest.mark.parametrize("sizes", [(4, 4, 4), (2, 6, 3)], ids=["equal", "unequal"])


@SIZES
@WEIGHTED
@CONVERT
def test_rows_are_drawn_with_their_probabilities(sizes, weighted, convert):
    """With targets 0, 1, 2, ... the batch tells which rows were drawn: a chi-square test for each task, at 99.9 % altogether."""
    A, _, s = lists(sizes, LeastSquaresTasks)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    b = [start + np.arange(float(m)) for start, m in zip(first, sizes, strict=True)]
    tasks = LeastSquaresTasks(convert(A), convert(b), convert(s) if weighted else None)
    draws = 4000
    drawn = to_host(tasks.sample(np.random.default_rng(0), draws).data.b).reshape(len(sizes), draws).astype(int)
    for k, m in enumerate(sizes):
        counts = np.bincount(drawn[k] - first[k], minlength=m)
        assert len(counts) == m, "a row of another task was drawn"
        expected = draws * (s[k] / s[k].sum() if weighted else np.full(m, 1 / m))
        assert np.all(counts[expected == 0] == 0)
        keep = expected > 0
        if keep.sum() > 1:
            assert stats.chisquare(counts[keep], expected[keep]).pvalue > 1e-3 / len(sizes)


@pytest.mark.parametrize("family", FAMILIES)
@SIZES
@WEIGHTED
@CONVERT
def test_losses_and_gradients_are_unbiased(family, sizes, weighted, convert):
    """The mean of 1 row, over many batches, within a 99.9 % interval for all K (n + 1) numbers (Bonferroni)."""
    A, b, s = lists(sizes, family)
    tasks = family(convert(A), convert(b), convert(s) if weighted else None)
    generator, x = np.random.default_rng(1), tasks.space.asarray(X)
    evaluation = tasks.at(x)
    exact = np.column_stack([to_host(evaluation.losses), to_host(evaluation.jacobian())])
    draws = []
    for _ in range(400):
        batch = tasks.sample(generator, 2).at(x)
        draws.append(np.column_stack([to_host(batch.losses), to_host(batch.jacobian())]))
    draws = np.array(draws)
    error = np.abs(draws.mean(0) - exact)
    limit = stats.norm.isf(0.5e-3 / exact.size) * draws.std(0, ddof=1) / np.sqrt(len(draws))
    assert np.all(error <= limit + 1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@CONVERT
def test_a_batch_is_the_same_family_and_depends_only_on_the_generator(family, convert):
    A, b, s = lists((2, 6, 3), family)
    tasks = family(convert(A), convert(b), convert(s))
    x = tasks.space.asarray(X)
    first, second = (tasks.sample(np.random.default_rng(5), 4) for _ in range(2))
    assert type(first) is family
    assert (first.n_tasks, first.n_variables, first.n_rows, first.space) == (3, N_VARIABLES, 12, tasks.space)
    assert first(x).tolist() == second(x).tolist()
    assert first(x).tolist() != tasks.sample(np.random.default_rng(6), 4)(x).tolist()


def test_numpy_and_torch_data_give_the_same_batch():
    A, b, s = lists((2, 6, 3), LeastSquaresTasks)
    host, tensors = LeastSquaresTasks(A, b, s), LeastSquaresTasks(as_torch(A), as_torch(b), as_torch(s))
    ours, theirs = (tasks.sample(np.random.default_rng(2), 5).data.b for tasks in (host, tensors))
    np.testing.assert_array_equal(ours, theirs)


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match=r"`batch_size` must be an integer >= 1, got 0"):
        LeastSquaresTasks([np.ones((2, 1))], [[0, 0]]).sample(np.random.default_rng(0), 0)
