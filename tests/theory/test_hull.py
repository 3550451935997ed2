"""C2, C2': the symmetric hull, and what a downstream task outside it may lose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minimax_opt.theory.downstream import least_squares_samples
from minimax_opt.theory.hull import representativeness, residual_bound
from minimax_opt.theory.representation import average_representation, residuals

SEEDS = st.integers(0, 2**32 - 1)


def tasks_of(seed, n_tasks=5, dimension=9):
    return np.random.default_rng(seed).standard_normal((n_tasks, dimension))


@settings(max_examples=30)
@given(SEEDS, st.sampled_from([(5, 9), (9, 4), (3, 3)]))
def test_the_gauge_is_certified(seed, shape):
    """Coefficients from above, a dual vector from below; both reproduce the task."""
    tasks, targets = tasks_of(seed, *shape), tasks_of(seed + 1, 4, shape[1])
    found = representativeness(tasks, targets)
    inside = found.coefficients @ tasks
    assert np.allclose(np.linalg.norm(targets - inside, axis=1), found.outside, atol=1e-10)
    assert np.allclose((targets - inside) @ tasks.T, 0.0, atol=1e-10)  # what is outside is orthogonal to all tasks
    assert (found.gauge_bound <= found.gauge * (1 + 1e-12)).all()
    assert np.allclose(found.gauge_bound, found.gauge, rtol=1e-6)


@settings(max_examples=30)
@given(SEEDS)
def test_points_of_the_hull_are_covered_and_others_are_not(seed):
    generator, tasks = np.random.default_rng(seed), tasks_of(seed)
    signs = generator.choice([-1, 1], (6, 5))
    points = (generator.dirichlet(np.ones(5), 6) * signs) @ tasks
    assert representativeness(tasks, points).covered().all()
    assert not representativeness(tasks, np.concatenate([1.01 * tasks, -1.01 * tasks])).covered().any()
    assert not representativeness(tasks, points + 0.01 * np.linalg.svd(tasks)[2][-1]).covered().any()


@settings(max_examples=30)
@given(SEEDS, st.integers(1, 4))
def test_the_loss_outside_the_hull_is_bounded(seed, rank):
    tasks, targets = tasks_of(seed), tasks_of(seed + 1, 6)
    found, learned = representativeness(tasks, targets), average_representation(tasks, rank)
    left = residuals(targets, learned.basis)
    bound = residual_bound(gauge=found.gauge, outside=found.outside, worst=learned.residuals.max())
    assert (left <= bound * (1 + 1e-9)).all()
    other = np.linalg.qr(np.random.default_rng(seed).standard_normal((9, rank)))[0]  # not within the span
    general = (found.gauge * np.sqrt(residuals(tasks, other).max()) + found.outside) ** 2
    assert (residuals(targets, other) <= general * (1 + 1e-9)).all()


def test_the_bound_is_tight_and_broken_twins_are_not_bounds():
    """2 theta_k + outside: g^2 b + |perp|^2 with equality; g b, g^2 b alone, and the sharper form across the span fail."""
    tasks = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    learned = average_representation(tasks, 1, [0.3, 0.7])
    target = np.array([[2.0, 0.0, 0.5]])
    found = representativeness(tasks, target)
    left, worst = residuals(target, learned.basis)[0], learned.residuals.max()
    assert left == pytest.approx(residual_bound(gauge=found.gauge[0], outside=found.outside[0], worst=worst))
    assert left > found.gauge[0] * worst + found.outside[0] ** 2
    assert left > found.gauge[0] ** 2 * worst
    tilted = np.array([[0.0], [0.6], [0.8]])  # within the span is a condition: this one is not
    across = np.array([[0.0, 1.0, -0.75]])
    found = representativeness(tasks[1:], across)
    assert residuals(across, tilted)[0] > found.gauge[0] ** 2 * residuals(tasks[1:], tilted).max() + found.outside[0] ** 2


@settings(max_examples=30)
@given(SEEDS)
def test_no_task_of_the_hull_needs_more_samples_than_the_worst_of_the_k(seed):
    """C2."""
    generator, tasks = np.random.default_rng(seed), tasks_of(seed)
    learned = average_representation(tasks, 2)
    points = (generator.dirichlet(np.ones(5), 20) * generator.choice([-1, 1], (20, 5))) @ tasks
    excess = np.linspace(0.1, 30.0, 20)[:, None]
    need = {"noise": 0.5, "rank": 2, "excess": excess}
    most = least_squares_samples(residual=learned.residuals.max(), **need)
    assert (least_squares_samples(residual=residuals(points, learned.basis), **need) <= most).all()


def test_input_is_checked():
    with pytest.raises(ValueError, match="downstream"):
        representativeness(np.eye(3), np.eye(2))
    with pytest.raises(ValueError, match="gauge"):
        residual_bound(gauge=-1.0, outside=0.0, worst=1.0)
    zero = representativeness(np.zeros((2, 3)), np.ones((1, 3)))
    assert zero.gauge.tolist() == [0.0]
    assert zero.outside[0] == pytest.approx(3**0.5)
