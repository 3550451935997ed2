"""The check before training, against draws of batches."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import binom

from minimax_opt.nn.task_ids import count_tasks
from minimax_opt.task_check import check_tasks, effective_items
from minimax_opt.theory.minibatch import least_smoothing, rare_task_smoothing

COUNTS, BATCH, DRAWS = np.array([700, 200, 80, 15, 5]), 40, 20_000


@given(st.floats(1e-9, 1.0), st.integers(1, 3000))
@settings(deadline=None, max_examples=60)
def test_effective_items_by_their_definition(share, batch_size):
    n = np.arange(1, batch_size + 1)
    log = binom.logpmf(n, batch_size, share)
    exact = np.exp(logsumexp(log) - logsumexp(log - np.log(n)))
    assert effective_items(share, batch_size) == pytest.approx(exact, rel=1e-9)


def test_effective_items_of_huge_batches():
    assert effective_items(0.5, 10**9) == pytest.approx(5e8, rel=1e-6)
    assert effective_items(1e-12, 10**9) == pytest.approx(1.0, rel=1e-3)


@pytest.fixture(scope="module")
def batches():
    """Counts and mean losses of many batches; losses are 0 or 2 with equal probability, so of range 2 and deviation 1."""
    rng = np.random.default_rng(0)
    counts = rng.multinomial(BATCH, COUNTS / COUNTS.sum(), size=DRAWS)
    means = 2.0 * rng.binomial(counts, 0.5) / np.where(counts > 0, counts, 1)
    return counts, means


def test_presence_and_noise_are_those_of_batches(batches):
    counts, means = batches
    report = check_tasks(COUNTS, BATCH, loss_std=1.0)
    error = 5 / np.sqrt(DRAWS)
    assert np.abs(report.expected_items - counts.mean(0)).max() < error * np.sqrt(BATCH)
    assert np.abs(report.absent - (counts == 0).mean(0)).max() < error
    for k, noise in enumerate(report.noise):
        seen = means[counts[:, k] > 0, k]
        assert seen.std() == pytest.approx(noise, rel=5 / np.sqrt(len(seen)))


def test_noise_of_the_running_mean(batches):
    counts, means = batches
    decay, k = 0.9, 1
    seen, running, trace = means[counts[:, k] > 0, k], 1.0, []
    for value in seen:
        running = decay * running + (1 - decay) * value
        trace.append(running)
    expected = check_tasks(COUNTS, BATCH, loss_std=1.0, ema=decay).noise[k]
    assert np.std(trace[100:]) == pytest.approx(expected, rel=0.1)  # values of neighbouring steps depend on each other
    assert check_tasks(COUNTS, BATCH, loss_std=1.0).noise[k] > 3 * expected


@pytest.mark.parametrize("smoothing", [0.05, 0.3, 1.0])
def test_inflation_bounds_that_of_batches(batches, smoothing):
    counts, means = batches
    report = check_tasks(COUNTS, BATCH, loss_range=2.0, smoothing=smoothing)
    there = (counts > 0).all(1)  # the theorem is about tasks that are there
    raised = smoothing * logsumexp(means[there] / smoothing, axis=1) - (1.0 + smoothing * np.log(len(COUNTS)))
    deviation = 4 * raised.std() / np.sqrt(there.sum())
    assert raised.mean() - deviation <= report.inflation.max()
    assert raised.mean() + deviation >= 0.0
    if smoothing == 0.3:
        assert raised.mean() > 0.05  # else the bound would have nothing to bound


def test_bounds_are_those_of_the_theory():
    report = check_tasks([90, 10], 50, loss_range=2.0, excess=0.01, smoothing=0.5)
    size = np.array([effective_items(0.9, 50), effective_items(0.1, 50)])
    assert report.least_smoothing == least_smoothing(loss_noise=1.0, batch_size=size.min(), n_tasks=2)
    assert report.excess_smoothing == rare_task_smoothing(excess=0.01, loss_noise=1.0, batch_size=size, n_tasks=2)
    again = check_tasks([90, 10], 50, loss_range=2.0, smoothing=report.excess_smoothing)
    assert again.inflation.max() == pytest.approx(0.01)


def test_what_is_too_rare_and_why():
    report = check_tasks({"common": 990, "rare": 10, "none": 0}, 64, loss_std=1.0, smoothing=0.2)
    assert report.too_rare == ("none", "rare")
    text = str(report)
    assert "rare is absent from 52.6 % of the batches" in text
    assert "none has no item at all" in text
    assert "has more noise, 1, than the smoothing 0.2" in text
    assert "normal losses" in text
    enough = check_tasks({"common": 990, "rare": 10}, 299)  # the batch that the advice names
    assert "A batch of 299 " in text
    assert enough.too_rare == ()
    assert enough.absent.max() <= 0.05


def test_what_was_not_told_is_not_reported():
    report = check_tasks(count_tasks(torch.tensor([0, 0, 1, -100]), 2), 8)
    assert report.noise is report.inflation is report.least_smoothing is report.excess_smoothing is None
    assert report.too_rare == report.advice == ()
    one = check_tasks([5], 8, loss_std=1.0, smoothing=0.0, excess=0.1)  # one task has no worst case
    assert one.least_smoothing is None
    assert one.expected_items.tolist() == [8.0]


def test_many_tasks_make_a_short_table():
    report = check_tasks(np.arange(1, 1001), 100)
    assert len(str(report).splitlines()) < 30
    assert len(report.too_rare) > 900
    assert "and 980 tasks with more items" in str(report)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), 8), "task_counts"),
        (([0, 0], 8), "task_counts"),
        (([1, -1], 8), "task_counts"),
        (([1, 1], 0), "batch_size"),
    ],
)
def test_arguments_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        check_tasks(*arguments)


@pytest.mark.parametrize(
    "options",
    [
        {"loss_std": -1.0},
        {"loss_std": 2.0, "loss_range": 3.0},
        {"ema": 1.0},
        {"smoothing": -1.0},
        {"excess": 0.0},
        {"task_names": ["a"]},
    ],
    ids=lambda o: ",".join(o),
)
def test_options_that_cannot_be(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        check_tasks([1, 2], 8, **options)
