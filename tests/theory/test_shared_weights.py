"""Model B: the centre of the smallest enclosing ball, and ridge regression from there."""

import cvxpy as cp
import numpy as np
import pytest
from cvxpy_reference import run
from hypothesis import given, settings
from hypothesis import strategies as st

from minimax_opt.theory.bayes import bayes_excess, bayes_samples
from minimax_opt.theory.confidence import law_test, mean_interval
from minimax_opt.theory.shared_weights import average_weights, minimax_weights, ridge_cdf, ridge_excess, shrinkage
from minimax_opt.theory.simulation import simulate_ridge

SEEDS = st.integers(0, 2**32 - 1)
POSITIVE = st.floats(0.1, 3.0)
D, SIGMA, DIMENSION, N = 1.2, 0.5, 8, 16


def tasks_of(seed, n_tasks=7, dimension=4):
    return np.random.default_rng(seed).standard_normal((n_tasks, dimension))


@pytest.mark.parametrize("seed", range(3))
def test_the_ball_equals_the_cone_programme(seed):
    tasks = tasks_of(seed)
    x = cp.Variable(4)
    problem = cp.Problem(cp.Minimize(cp.max(cp.norm(tasks - cp.reshape(x, (1, 4), order="C"), axis=1))))
    run(problem)
    found = minimax_weights(tasks)
    assert found.distances.max() == pytest.approx(problem.value, rel=1e-7)
    assert found.lower_bound <= problem.value * (1 + 1e-8)


@settings(max_examples=30)
@given(SEEDS)
def test_no_other_start_is_as_near_to_the_farthest_task(seed):
    tasks, generator = tasks_of(seed), np.random.default_rng(seed)
    found, mean = minimax_weights(tasks), average_weights(tasks)
    assert found.lower_bound <= found.distances.max() <= found.lower_bound * (1 + 1e-8)
    assert np.allclose(mean.center, tasks.mean(0))
    for other in (mean.center, found.center + 1e-3 * generator.standard_normal(4)):
        assert np.linalg.norm(tasks - other, axis=1).max() >= found.lower_bound
    downstream = generator.dirichlet(np.ones(7), 10) @ tasks  # |theta - theta_0| is convex in theta: the hull is covered
    assert np.linalg.norm(downstream - found.center, axis=1).max() <= found.distances.max()


def simulated(seed, distance=D):
    generator = np.random.default_rng(seed)
    start, direction = generator.standard_normal((2, DIMENSION))
    s = shrinkage(distance=D, noise=SIGMA, dimension=DIMENSION, n_samples=N)
    theta = start + distance * direction / np.linalg.norm(direction)
    return simulate_ridge(theta, start, shrinkage=s, noise=SIGMA, n_samples=N, n_trials=20_000, seed=seed)


@pytest.mark.parametrize(("seed", "distance"), [(0, D), (1, 0.4)])
def test_ridge_follows_its_law(seed, distance):
    setting = {"distance": distance, "tuned_for": D, "noise": SIGMA, "dimension": DIMENSION, "n_samples": N}
    excess = simulated(seed, distance)
    assert law_test(excess, lambda e: ridge_cdf(e, **setting)).passes
    assert mean_interval(excess).contains(ridge_excess(**setting))


def test_broken_twins_are_rejected():
    excess = simulated(2)
    true = {"distance": D, "tuned_for": D, "noise": SIGMA, "dimension": DIMENSION, "n_samples": N}
    grid = np.linspace(0.0, 1.0, 2000)
    for change in ({"distance": 0.7 * D}, {"tuned_for": 0.5 * D}, {"dimension": DIMENSION - 1}, {"n_samples": N - 2}):
        result = law_test(excess, lambda e, change=change: ridge_cdf(e, **{**true, **change}))
        assert not result.passes, change
        assert np.abs(ridge_cdf(grid, **{**true, **change}) - ridge_cdf(grid, **true)).max() > 2 * result.band
        assert not mean_interval(excess).contains(ridge_excess(**{**true, **change})) or change == {"tuned_for": 0.5 * D}


@given(POSITIVE, POSITIVE, st.integers(1, 200), st.integers(1, 500))
def test_tuned_ridge_attains_the_bayes_bound_and_covers_nearer_tasks(distance, noise, dimension, n_samples):
    setting = {"noise": noise, "dimension": dimension, "n_samples": n_samples}
    tuned = ridge_excess(distance=distance, tuned_for=distance, **setting)
    assert tuned == pytest.approx(bayes_excess(distance=distance, **setting), rel=1e-9)
    nearer = ridge_excess(distance=np.linspace(0, 1, 11) * distance, tuned_for=distance, **setting)
    assert (nearer <= tuned * (1 + 1e-12)).all()
    detuned = ridge_excess(distance=distance, tuned_for=np.array([0.5, 0.9, 1.1, 2.0]) * distance, **setting)
    assert (detuned >= tuned * (1 - 1e-12)).all()


@given(POSITIVE, POSITIVE, st.integers(1, 200), st.floats(0.01, 5.0))
def test_samples_are_the_least_that_suffice(distance, noise, dimension, excess):
    n = np.ceil(bayes_samples(distance=distance, noise=noise, dimension=dimension, excess=excess) * (1 - 1e-12))
    setting = {"distance": distance, "tuned_for": distance, "noise": noise, "dimension": dimension}
    if n >= 1:
        assert ridge_excess(**setting, n_samples=n) <= excess * (1 + 1e-9)
    if n >= 2:
        assert ridge_excess(**setting, n_samples=n - 1) > excess * (1 - 1e-9)


def test_input_is_checked():
    with pytest.raises(ValueError, match="prior"):
        average_weights(np.eye(2), [0.0, 0.0])
    with pytest.raises(ValueError, match="prior"):
        average_weights(np.eye(2), [1.0])
    with pytest.raises(ValueError, match="n_samples"):
        ridge_excess(distance=1.0, tuned_for=1.0, noise=0.5, dimension=3, n_samples=0)
    with pytest.raises(ValueError, match="tuned_for"):
        ridge_cdf(1.0, distance=1.0, tuned_for=0.0, noise=0.5, dimension=3, n_samples=4)
