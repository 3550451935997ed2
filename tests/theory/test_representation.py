"""C0: the span, average pre-training, the relaxation of minimax pre-training with its certificate, and rounding."""

import cvxpy as cp
import numpy as np
import pytest
from cvxpy_reference import run
from hypothesis import given
from hypothesis import strategies as st

from minimax_opt.theory.rare_task import RareTask
from minimax_opt.theory.relaxation import minimax_representation
from minimax_opt.theory.representation import average_representation, residuals, span

SEEDS = st.integers(0, 2**32 - 1)


def tasks_of(seed, n_tasks=6, dimension=12):
    return np.random.default_rng(seed).standard_normal((n_tasks, dimension))


def random_projector(generator, dimension, rank):
    return np.linalg.qr(generator.standard_normal((dimension, rank)))[0]


def relaxed_reference(tasks, rank, offsets):
    """The semidefinite programme in all d dimensions: it knows nothing of the span."""
    P = cp.Variable((tasks.shape[1], tasks.shape[1]), PSD=True)
    losses = [theta @ theta - cp.trace(np.outer(theta, theta) @ P) + o for theta, o in zip(tasks, offsets, strict=True)]
    problem = cp.Problem(cp.Minimize(cp.max(cp.hstack(losses))), [cp.lambda_max(P) <= 1, cp.trace(P) == rank])
    run(problem)
    return problem.value


def left_over_by_mixture(tasks, rank, weights):
    """sum_{i > r} lambda_i(S_w): what the best representation for the mixture w leaves of it."""
    return np.linalg.eigvalsh((tasks.T * weights) @ tasks)[: tasks.shape[1] - rank].sum()


@given(SEEDS)
def test_coordinates_give_the_tasks_back_within_the_stated_error(seed):
    generator = np.random.default_rng(seed)
    tasks = generator.standard_normal((3, 2)) @ generator.standard_normal((2, 9))
    space = span(tasks)
    assert space.basis.shape == (9, 2)
    assert (np.linalg.norm(tasks - space.coordinates @ space.basis.T, axis=1) <= space.error).all()


@pytest.mark.parametrize("rank", [1, 2, 3])
@given(seed=SEEDS)
def test_a_projector_in_the_span_does_no_worse_than_one_across_it(seed, rank):
    """C0a for projectors: M = Q'PQ has rank <= r and M <= the projector on its range."""
    generator, tasks = np.random.default_rng(seed), tasks_of(seed, n_tasks=4, dimension=9)
    V, space = random_projector(generator, 9, rank), span(tasks)
    in_span = space.basis @ np.linalg.svd(space.basis.T @ V, full_matrices=False)[0]
    assert (residuals(tasks, in_span) <= residuals(tasks, V) + 1e-12).all()


@given(SEEDS, st.integers(1, 8))
def test_average_representation_leaves_least_on_average(seed, rank):
    generator, tasks = np.random.default_rng(seed), tasks_of(seed)
    prior = generator.dirichlet(np.ones(6))
    best = average_representation(tasks, rank, prior)
    assert np.allclose(best.basis.T @ best.basis, np.eye(rank), atol=1e-12)
    assert prior @ best.residuals == pytest.approx(left_over_by_mixture(tasks, rank, prior), abs=1e-10)
    assert prior @ best.residuals <= prior @ residuals(tasks, random_projector(generator, 12, rank)) + 1e-12


@pytest.mark.parametrize(("rank", "with_offsets"), [(1, False), (2, True), (4, False)])
def test_relaxation_equals_the_semidefinite_programme(rank, with_offsets):
    tasks = tasks_of(rank)
    offsets = np.linspace(0.0, 3.0, 6) if with_offsets else np.zeros(6)
    found, reference = minimax_representation(tasks, rank, offsets=offsets, n_starts=2), relaxed_reference(tasks, rank, offsets)
    assert found.relaxed_worst == pytest.approx(reference, rel=3e-6)  # the gap that was asked for, and the reference's
    assert found.lower_bound <= reference * (1 + 1e-8)
    assert found.worst >= found.lower_bound
    assert found.worst == pytest.approx((residuals(tasks, found.basis) + offsets).max(), abs=1e-12)


@given(SEEDS)
def test_no_projector_lies_below_the_bound_of_any_mixture(seed):
    """C0b, weak duality: sum_{i>r} lambda_i(S_w) <= max_k b_k(P); with the largest eigenvalues in place of the least it is false."""
    generator, tasks = np.random.default_rng(seed), tasks_of(seed, dimension=6)
    worst = residuals(tasks, random_projector(generator, 6, 2)).max()
    assert left_over_by_mixture(tasks, 2, generator.dirichlet(np.ones(6))) <= worst + 1e-12


def test_the_adversary_of_the_solution_attains_its_dual_value():
    tasks = tasks_of(3, n_tasks=4)
    found = minimax_representation(tasks, 2)
    assert left_over_by_mixture(tasks, 2, found.weights) == pytest.approx(found.lower_bound, rel=1e-6)
    assert left_over_by_mixture(tasks, 1, found.weights) > 1.1 * found.lower_bound  # broken twin: one eigenvalue too many
    assert left_over_by_mixture(tasks, 2, np.full(4, 1 / 4)) < found.lower_bound


@pytest.mark.parametrize("offset", [0.0, 2.0, 50.0])
@pytest.mark.parametrize("seed", range(5))
def test_two_tasks_have_no_rounding_gap(seed, offset):
    """C0c: a projector attains the optimum of the relaxation where at most two tasks are active."""
    found = minimax_representation(tasks_of(seed, n_tasks=2), 1, offsets=[0.0, offset])
    assert found.rounding_gap <= 2e-6 * found.worst


def test_three_tasks_leave_a_gap():
    """C0c needs m <= 2: of unit vectors at 120 degrees P = I/2 leaves 1/2 each, the best line 3/4."""
    angles = 2 * np.pi / 3 * np.arange(3)
    found = minimax_representation(np.stack([np.cos(angles), np.sin(angles)], axis=1), 1)
    assert found.lower_bound == pytest.approx(1 / 2, abs=1e-6)
    assert found.worst == pytest.approx(3 / 4, abs=1e-8)
    assert found.n_fractional == 2


def test_nine_directions_leave_a_gap():
    """d = 3, r = 1: P = I/3 leaves 2/3; the best direction solves a = (b - a)/sqrt 2 = (c - b)/sqrt 2, which leaves 1 - 1/(13 + 6 sqrt 2)."""
    axes, s = np.eye(3), 0.5**0.5
    tasks = np.array([*axes, *(s * (axes[i] + q * axes[j]) for i in range(3) for j in range(i) for q in (1, -1))])
    found = minimax_representation(tasks, 1)
    best = 1 - 1 / (13 + 6 * 2**0.5)
    grid = np.linspace(0, np.pi, 400)
    directions = np.array([[np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)] for a in grid for b in 2 * grid])
    assert found.lower_bound == pytest.approx(2 / 3, abs=1e-6)
    assert found.worst == pytest.approx(best, abs=1e-8)
    assert (1 - (directions @ tasks.T) ** 2).max(1).min() >= best - 1e-12  # no direction of a fine grid is better
    assert found.n_fractional == 3
    assert found.rounding_gap == pytest.approx(best - 2 / 3, abs=1e-6)


def test_rounding_survives_steps_to_dependent_columns():
    """With a start of this seed the local search tries a basis of numbers near 1e7 whose columns are dependent to the last digit."""
    tasks = RareTask(common=1.5, frequent=0.6, hard=1.0, hard_share=0.05).task_vectors(10)
    for seed in (6, 8, 9):
        found = minimax_representation(tasks, 2, offsets=[1.65, 1.65, 0.25, 0.25], n_starts=4, seed=seed)
        assert found.rounding_gap <= 2e-6 * found.worst


def test_a_rank_that_holds_all_tasks_leaves_nothing():
    found = minimax_representation(tasks_of(0, n_tasks=3), 5, offsets=[0.0, 2.0, 2.0])
    assert found.basis.shape == (12, 5)
    assert np.allclose(found.basis.T @ found.basis, np.eye(5), atol=1e-12)
    assert found.residuals.max() < 1e-20
    assert found.weights.tolist() == [0.0, 0.5, 0.5]
    assert found.rounding_gap < 1e-12
    assert minimax_representation(np.zeros((2, 3)), 1).worst == 0.0


def test_input_is_checked():
    tasks = tasks_of(0)
    for call, word in (
        (lambda: minimax_representation(tasks, 13), "rank"),
        (lambda: minimax_representation(tasks, 1, offsets=[0.0]), "offsets"),
        (lambda: minimax_representation(tasks, 1, tol=0.0), "tol"),
        (lambda: average_representation(tasks, 0), "rank"),
        (lambda: average_representation(tasks, 1, np.ones(6)), "prior"),
        (lambda: residuals(tasks, np.ones((12, 2))), "basis"),
        (lambda: residuals(tasks, np.eye(3)), "basis"),
        (lambda: span(np.zeros((0, 3))), "task_vectors"),
        (lambda: span([[np.nan]]), "task_vectors"),
    ):
        with pytest.raises(ValueError, match=word):
            call()
