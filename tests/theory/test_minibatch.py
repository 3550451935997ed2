"""N1: exactly on finite models, by Monte Carlo on the library's own step, and twins that are broken."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax
from theory.batch_cases import Model, enumerated, random_model

import minimax_opt as mo
from minimax_opt.reproduce.minibatch import mean_step
from minimax_opt.theory import minibatch as theory
from minimax_opt.theory.batch_model import AffineSamples, NoiseTradeOff, expected_batch
from minimax_opt.theory.confidence import bounded_mean_interval

SEEDS = st.integers(0, 10**6)
COIN, FLAT = np.array([-1.0, 1.0]), np.zeros((2, 1))
ROUNDING = 1e-10  # of a few hundred terms of the integral, relative to losses of size 1 to 10


def value_and_gradient(tasks, x, size, s):
    batch = expected_batch(*map(list, tasks.at_samples(x)), batch_size=size, smoothing=s)
    return batch.value, batch.gradient


def inflation(losses, size, s):
    """F^B_s - F_s of independent tasks."""
    batch = expected_batch(losses, [np.zeros((len(task), 1)) for task in losses], batch_size=size, smoothing=s)
    return batch.value - s * float(logsumexp([task.mean() / s for task in losses]))


# ---- N1: the mean step -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_mean_step_is_the_gradient_of_the_batch_objective(seed):
    rng = np.random.default_rng(seed)
    tasks, x, h = AffineSamples(rng.standard_normal((3, 2, 2)), rng.standard_normal((3, 2))), rng.standard_normal(2), 1e-3
    gradient = value_and_gradient(tasks, x, 3, 0.5)[1]

    def slope(h, e):
        return (value_and_gradient(tasks, x + h * e, 3, 0.5)[0] - value_and_gradient(tasks, x - h * e, 3, 0.5)[0]) / (2 * h)

    for e, exact in zip(np.eye(2), gradient, strict=True):
        assert (4 * slope(h / 2, e) - slope(h, e)) / 3 == pytest.approx(exact, abs=1e-8)


@pytest.mark.parametrize("size", [2, 8])
def test_steps_of_the_solver_have_the_mean_that_n1_states_and_not_that_of_full_batches(size):
    problem, x, s = NoiseTradeOff(), np.array([0.2, 0.6]), 0.1
    steps = mean_step(problem, x, size, s, 5000, seed=0)
    slopes = problem.tasks.sample_slopes
    ends = [bounded_mean_interval(steps[:, i], slopes[..., i].min(), slopes[..., i].max(), confidence=0.9995) for i in range(2)]
    unbiased = value_and_gradient(problem.tasks, x, size, s)[1]
    assert all(end.contains(g) for end, g in zip(ends, unbiased, strict=True))
    smoothed = softmax(problem.tasks(x) / s) @ problem.tasks.A  # the twin: same-batch weights called unbiased for F_s
    assert not all(end.contains(g) for end, g in zip(ends, smoothed, strict=True))


# ---- N1: the inequalities --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [False, True], ids=["independent tasks", "one draw for all tasks"])
@given(SEEDS)
def test_batches_raise_the_smoothed_worst_case_by_at_most_the_bound(together, seed):
    model = random_model(seed)
    value = enumerated(model, together)[0]
    assert model.means.max() <= model.value + ROUNDING
    assert model.value <= value + ROUNDING
    assert value - model.value <= theory.batch_inflation(**model.noise) + ROUNDING
    assert value - model.means.max() <= theory.batch_bias(**model.noise) + ROUNDING


SETS = [mo.Simplex(prior=(0.5, 0.3, 0.2)), mo.CVaR(tail_fraction=0.5), mo.KLBall(radius=0.1), mo.Simplex(floor=0.2)]


@pytest.mark.parametrize("ambiguity", SETS, ids=repr)
@pytest.mark.parametrize("seed", range(5))
def test_the_inflation_of_any_ambiguity_set_keeps_the_bound(ambiguity, seed):
    """Three tasks with two samples, one draw each: all eight batches, with the library's own values."""
    rng, s = np.random.default_rng(seed), float(np.exp(np.random.default_rng(seed).uniform(-2, 1)))
    losses = rng.standard_normal((3, 2))
    batches = [np.array(batch) for batch in itertools.product(*losses)]
    raised = np.mean([mo.worst_case(batch, ambiguity, smoothing=s) for batch in batches])
    here = mo.worst_case(losses.mean(1), ambiguity, smoothing=s)
    noise = {"loss_noise": np.ptp(losses, axis=1).max() / 2, "batch_size": 1, "smoothing": s, "n_tasks": 3}
    assert here - ROUNDING <= raised <= here + theory.batch_inflation(**noise) + ROUNDING


@pytest.mark.parametrize("noise", [0.05, 0.2])
def test_two_opposite_tasks_attain_the_inflation_and_half_of_it_is_too_little(noise):
    """hat f = (Z, -Z) with Z = +-nu: F^B_s - F_s = s ln cosh(nu/s), which is nu^2/(2s) but for O(nu^4/s^3)."""
    s, coin = 1.0, noise * COIN
    measured = enumerated(Model(np.array([coin, -coin]), np.zeros((2, 2, 1)), 1, s), together=True)[0] - s * math.log(2)
    bound = theory.batch_inflation(loss_noise=noise, batch_size=1, smoothing=s, n_tasks=2)
    assert measured == pytest.approx(s * math.log(math.cosh(noise / s)), abs=1e-14)
    assert (1 - noise**2 / 6) * bound <= measured <= bound
    assert measured > bound / 2


@pytest.mark.parametrize("n_tasks", [2, 5, 200])
def test_little_noise_of_equal_independent_tasks_misses_the_bound_by_one_in_k(n_tasks):
    noise = {"loss_noise": 1.0, "batch_size": 16, "smoothing": 5.0, "n_tasks": n_tasks}
    share = inflation([COIN] * n_tasks, 16, 5.0) / theory.batch_inflation(**noise)
    assert share == pytest.approx(1 - 1 / n_tasks, rel=1 / (16 * 25))


def test_one_task_and_one_that_dominates_have_no_inflation():
    assert inflation([COIN], 1, 0.1) == pytest.approx(0.0, abs=1e-12)
    assert inflation([COIN + 10.0, COIN], 1, 0.1) == pytest.approx(0.0, abs=1e-12)


def test_the_limit_of_no_smoothing_is_a_share_of_the_floor_that_grows_with_the_tasks():
    """F^B_s - F of means of 64 coins, with s near 0, beside nu sqrt(2 ln K/B)."""
    floors = {K: theory.noise_floor(loss_noise=1.0, batch_size=64, n_tasks=K) for K in (2, 8, 40, 400)}
    shares = [(inflation([COIN] * K, 64, 5e-3) + 5e-3 * math.log(K)) / floor for K, floor in floors.items()]
    assert shares == sorted(shares)
    assert 0.8 < shares[-1] <= 1
    noise = {"loss_noise": 1.0, "batch_size": 64, "n_tasks": 400}
    assert theory.batch_inflation(smoothing=5e-3, **noise) == floors[400]  # the second of the two bounds on the inflation


def test_a_variance_does_not_suffice():
    """Twenty tasks whose samples are 10 with probability 1/50, else 0: a rule with var in the place of nu^2 is false."""
    rare = np.array([10.0] + [0.0] * 49)
    measured = inflation([rare] * 20, 1, 1.0)
    assert measured > rare.var() / 2
    assert measured <= theory.batch_inflation(loss_noise=5.0, batch_size=1, smoothing=1.0, n_tasks=20)


@given(SEEDS)
def test_the_batch_objective_falls_with_the_batch_size_and_grows_with_smoothing_and_noise(seed):
    model = random_model(seed)

    def value(size=model.batch_size, s=model.smoothing, noise=1.0):
        losses = model.losses.copy()
        losses[0] = losses[0].mean() + noise * (losses[0] - losses[0].mean())
        return expected_batch(list(losses), list(model.gradients), batch_size=size, smoothing=s).value

    here = value()
    assert value(size=model.batch_size + 1) <= here + ROUNDING
    assert value(s=1.3 * model.smoothing) >= here - ROUNDING
    assert value(noise=1.3) >= here - ROUNDING


@given(SEEDS)
def test_noise_counts_as_a_higher_loss_of_its_own_task(seed):
    """N1': F^B_s <= s ln sum_k exp((f_k + nu_k^2/(2 B_k s))/s), batches of each task of their own size."""
    model, rng = random_model(seed), np.random.default_rng(seed)
    sizes = rng.integers(1, 6, model.n_tasks).tolist()
    value = expected_batch(list(model.losses), list(model.gradients), batch_size=sizes, smoothing=model.smoothing).value
    raised = model.means + np.ptp(model.losses, axis=1) ** 2 / (8 * np.array(sizes) * model.smoothing)
    assert value <= model.smoothing * logsumexp(raised / model.smoothing) + ROUNDING


@pytest.mark.parametrize("n_tasks", [3, 6])
def test_a_noisy_task_among_equal_ones_gets_more_weight(n_tasks):
    """By (K - 2)/(2 K^2 s^2 B) times what its squared noise exceeds the mean by, but for higher orders."""
    noise, size, s = np.array([1.0] + [0.1] * (n_tasks - 1)), 4, 5.0
    batch = expected_batch([nu * COIN for nu in noise], [FLAT] * n_tasks, batch_size=size, smoothing=s)
    more = (n_tasks - 2) / (2 * n_tasks**2 * s**2 * size) * (noise**2 - (noise**2).mean())
    assert batch.weights - 1 / n_tasks == pytest.approx(more, rel=0.03)
    assert batch.weights[0] > 1 / n_tasks


def test_two_equal_tasks_keep_equal_weights_whatever_their_noise():
    assert expected_batch([COIN, 0.1 * COIN], [FLAT] * 2, batch_size=1, smoothing=0.3).weights == pytest.approx(0.5)


# ---- N1: what follows for rare tasks ---------------------------------------------------------------------------------------------


@given(SEEDS, st.floats(0.01, 1.0))
def test_the_smoothing_for_rare_tasks_keeps_the_inflation_below_the_excess(seed, excess):
    model, rng = random_model(seed), np.random.default_rng(seed)
    sizes = rng.integers(1, 6, model.n_tasks).tolist()
    noise = np.maximum(np.ptp(model.losses, axis=1) / 2, 1e-12)
    s = theory.rare_task_smoothing(excess=excess, loss_noise=noise, batch_size=sizes, n_tasks=model.n_tasks)
    losses, s = list(model.losses), max(s, float(np.ptp(model.losses)) / 600)
    value = expected_batch(losses, list(model.gradients), batch_size=sizes, smoothing=s).value
    assert value - s * logsumexp(model.means / s) <= excess + ROUNDING


def test_half_of_the_smoothing_for_rare_tasks_is_too_little():
    tasks, size, excess = [COIN] * 100, 40, 0.03
    s = theory.rare_task_smoothing(excess=excess, loss_noise=1.0, batch_size=size, n_tasks=100)
    assert inflation(tasks, size, s) <= excess < inflation(tasks, size, s / 2)


def test_bad_constants_are_refused_by_name():
    good = {"loss_noise": 1.0, "batch_size": 4, "smoothing": 0.1, "n_tasks": 3}
    for name, value in [
        ("loss_noise", 0.0),
        ("batch_size", -1),
        ("smoothing", math.nan),
        ("n_tasks", 0),
        ("smoothing", math.inf),
    ]:
        with pytest.raises(ValueError, match=f"`{name}`"):
            theory.batch_inflation(**{**good, name: value})
    with pytest.raises(ValueError, match="`excess`"):
        theory.rare_task_smoothing(excess=0.0, loss_noise=1.0, batch_size=[1, 2], n_tasks=2)
    with pytest.raises(ValueError, match="`smoothing`"):
        inflation([COIN, COIN], 1, 1e-4)
    with pytest.raises(TypeError, match="`smoothing`"):
        theory.batch_bias(**{**good, "smoothing": "theory"})
