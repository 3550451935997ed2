"""The finite models: expectations by one integral equal those by enumeration, and the trade-off is what it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from theory.batch_cases import Model, enumerated, random_model

from minimax_opt import minimize_max
from minimax_opt.theory.batch_model import AffineSamples, NoiseTradeOff, expected_batch


def expected(model):
    return expected_batch(list(model.losses), list(model.gradients), batch_size=model.batch_size, smoothing=model.smoothing)


@given(st.integers(0, 10**6))
def test_expectations_equal_those_of_all_batches_one_by_one(seed):
    model = random_model(seed)
    value, gradient, weights, _ = enumerated(model)
    batch, scale = expected(model), np.abs(model.losses).max() + model.smoothing
    assert batch.value == pytest.approx(value, abs=1e-11 * scale)
    np.testing.assert_allclose(batch.gradient, gradient, atol=1e-11 * np.abs(model.gradients).max())
    np.testing.assert_allclose(batch.weights, weights, atol=1e-12)


def test_batch_sizes_may_differ():
    losses, flat = np.array([[0.0, 1.0], [-0.5, 2.0]]), np.zeros((2, 2, 1))
    batch = expected_batch(list(losses), list(flat), batch_size=[1, 2], smoothing=0.7)
    pairs = [(a, b, 1 / 8) for a in (0.0, 1.0) for b in (-0.5, 0.75, 0.75, 2.0)]
    assert batch.value == pytest.approx(sum(p * 0.7 * np.logaddexp(a / 0.7, b / 0.7) for a, b, p in pairs), abs=1e-13)


@pytest.mark.parametrize("shift", [-1e3, 1e3])
@pytest.mark.parametrize("s", [1e-3, 1e3])
def test_values_shift_with_the_losses_at_every_scale(shift, s):
    model = random_model(5)
    here, there = (expected(Model(model.losses + c, model.gradients, 2, s)) for c in (0.0, shift))
    assert there.value - shift == pytest.approx(here.value, abs=1e-10 * (abs(shift) + s))
    np.testing.assert_allclose(there.gradient, here.gradient, atol=1e-9)


def test_samples_draw_rows_of_their_task_and_average_to_the_tasks():
    rng = np.random.default_rng(0)
    tasks, x = AffineSamples(rng.standard_normal((3, 2, 4)), rng.standard_normal((3, 2))), rng.standard_normal(4)
    losses, gradients = tasks.at_samples(x)
    np.testing.assert_allclose(tasks(x), losses.mean(1))
    np.testing.assert_allclose(tasks.at(x).jacobian(), gradients.mean(1))
    for seed in range(20):
        batch = tasks.sample(np.random.default_rng(seed), 1).at(x)
        k = int(rng.integers(3))
        i = int(np.argmin(abs(losses[k] - batch.losses[k])))
        assert batch.losses[k] == pytest.approx(losses[k, i])
        np.testing.assert_allclose(batch.jacobian()[k], gradients[k, i])


@pytest.mark.parametrize("n_tasks", [3, 8])
def test_the_trade_off_has_the_optimum_and_the_constants_that_it_states(n_tasks):
    problem = NoiseTradeOff(n_tasks=n_tasks, noise=0.7)
    found = minimize_max(problem.tasks, np.array([0.5, 0.5]), domain=problem.domain, tol=1e-9)
    assert found.fun == pytest.approx(problem.fun, abs=1e-8)
    corners = np.array([[a, b] for a in (0.0, 1.0) for b in (0.0, 1.0)])
    samples = [problem.tasks.at_samples(x)[0] for x in corners]
    assert max(problem.tasks(x).max() for x in corners) - problem.fun == pytest.approx(problem.worst_excess)
    assert max(np.ptp(losses) for losses in samples) == pytest.approx(problem.spread)
    constants = problem.constants(np.zeros(2))
    assert max(np.ptp(losses, axis=1).max() for losses in samples) / 2 == pytest.approx(constants["loss_noise"])
    assert np.linalg.norm(problem.tasks.sample_slopes, axis=2).max() == pytest.approx(constants["lipschitz"])
    assert np.linalg.norm(problem.tasks.A[0] - problem.tasks.A[1]) == pytest.approx(problem.diameter)


@pytest.mark.parametrize(("n_tasks", "size"), [(3, 1), (5, 2), (8, 1), (40, 1)])
def test_the_largest_of_the_coins_is_within_the_gradient_noise(n_tasks, size):
    """E max_k of the squares of K means of B coins, from the distribution of one of them."""
    mean = np.abs(np.array([sum(c) for c in np.ndindex(*(2,) * size)]) * 2 - size) / size
    levels = np.unique(mean)
    below = np.array([(mean <= level).mean() for level in levels]) ** n_tasks
    largest = float(levels**2 @ np.diff(below, prepend=0.0))
    assert largest <= NoiseTradeOff(n_tasks=n_tasks).constants(np.zeros(2))["gradient_noise"] ** 2 / size
