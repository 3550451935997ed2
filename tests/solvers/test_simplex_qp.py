"""The simplex QP: its optimality conditions to rounding, whatever the rank, the ties, the scales and the start."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from minimax_opt import native
from minimax_opt.solvers.simplex_qp import solve_simplex_qp

EPS = np.finfo(float).eps


@pytest.fixture(autouse=True, scope="module", params=["numpy", "c"])
def implementation(request):
    """Every test of this file runs on both."""
    if request.param == "c" and native.library() is None:
        pytest.skip("the C module is not built, or turned off")
    library = native.library() if request.param == "c" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: library)
        yield


def violation(M, c, solution, lower=None):
    """How far w is from optimal, in units of the rounding of the slopes h = c - Mw that the conditions compare."""
    w = solution.weights
    free = w if lower is None else w - lower
    slopes = c - c.max() - M @ w
    level = slopes @ free / free.sum()
    root = np.sqrt(np.maximum(M.diagonal(), 0.0))
    own = np.abs(c - c.max()) + root * (root @ w)
    unit = EPS * (own + own @ w) + 1e-300  # of a slope, and of their mean
    assert abs(w.sum() - 1) <= 4 * len(c) * EPS
    assert free.min() >= 0
    excess = np.where(free > 0, np.abs(slopes - level), slopes - level)
    return float(np.max(excess / unit))


def objective(M, c, w):
    return c @ w - w @ M @ w / 2


@st.composite
def programs(draw):
    """M = GG' of any rank, with ties, duplicates and rows of any scale; c with ties or zero; a floor or none; a start or none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_tasks, n = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    G, c = rng.standard_normal((n_tasks, n)), draw(st.sampled_from([0.0, 1.0, 30.0])) * rng.standard_normal(n_tasks)
    if draw(st.booleans()):  # small integers: many exact ties
        G, c = np.round(G), np.round(c)
    if draw(st.booleans()):
        copies = rng.integers(0, n_tasks, n_tasks)
        G, c = G[copies], c[copies]
    if draw(st.booleans()):
        G *= 10.0 ** rng.uniform(-3, 3, (n_tasks, 1))
    lower = 0.3 * rng.dirichlet(np.ones(n_tasks)) if draw(st.booleans()) else None
    start = rng.dirichlet(np.ones(n_tasks)) if draw(st.booleans()) else None
    return G @ G.T, c, lower, start


@settings(max_examples=200)  # milliseconds each
@given(programs(), st.sampled_from([1e-12, 1.0, 1e12]))
def test_optimality_conditions_hold_to_rounding(program, scale):
    M, c, lower, start = program
    solution = solve_simplex_qp(scale * M, scale * c, start, lower)
    assert violation(scale * M, scale * c, solution, lower) < 200
    magnitude = scale * (np.abs(c).max() + np.abs(M).max())
    assert abs(solution.value - objective(scale * M, scale * c, solution.weights)) <= 64 * EPS * magnitude


@given(programs())
def test_no_vertex_and_no_random_point_is_better(program):
    M, c, lower, start = program
    solution = solve_simplex_qp(M, c, start, lower)
    rest = np.zeros(len(c)) if lower is None else lower
    corners = np.vstack([np.eye(len(c)), np.random.default_rng(0).dirichlet(np.ones(len(c)), 20)])
    for corner in rest + (1 - rest.sum()) * corners:
        assert objective(M, c, corner) <= solution.value + 64 * EPS * (np.abs(c).max() + np.abs(M).max())


@pytest.mark.parametrize("n", [3, 10, 30])
def test_agrees_with_cvxpy(n):
    rng = np.random.default_rng(n)
    G, c = rng.standard_normal((15, n)), rng.standard_normal(15)
    w = cp.Variable(15)
    problem = cp.Problem(cp.Maximize(c @ w - cp.sum_squares(G.T @ w) / 2), [w >= 0.01, cp.sum(w) == 1])
    problem.solve(solver="CLARABEL")
    solution = solve_simplex_qp(G @ G.T, c, lower=np.full(15, 0.01))
    assert solution.value == pytest.approx(problem.value, rel=1e-7)
    np.testing.assert_allclose(G.T @ solution.weights, G.T @ w.value, atol=1e-5)


def test_without_curvature_it_is_a_linear_program():
    c = np.array([1.0, 3.0, 3.0, -2.0])
    solution = solve_simplex_qp(np.zeros((4, 4)), c)
    assert solution.value == 3.0
    assert solution.weights[[0, 3]].max() == 0.0
    assert solve_simplex_qp(np.zeros((4, 4)), c, np.full(4, 0.25)).value == 3.0
    curved = np.diag([0.0, 0.0, 1.0])  # flat on a face, curved beside it
    assert solve_simplex_qp(curved, np.array([0.0, 1.0, 1.5])).value == pytest.approx(1.125)


def test_near_ties_are_told_apart_far_below_the_square_root_of_rounding():
    """Two tasks with one gradient and values that differ by 1e-13 of the curvature's terms: only the larger carries weight."""
    G, c = np.array([[1.0], [1.0], [-3.0]]), np.array([1e-13, 0.0, 0.0])
    solution = solve_simplex_qp(G @ G.T, c, np.array([0.0, 0.75, 0.25]))
    np.testing.assert_allclose(solution.weights, [0.75, 0.0, 0.25], atol=1e-12)
    assert solution.weights[1] == 0.0


def test_many_programs_of_rank_one_with_integer_ties_and_a_floor():
    """The most degenerate there are: an entering task whose optimal weight is exactly zero, faces without curvature."""
    for seed in range(1, 4000, 2):
        rng = np.random.default_rng(seed)
        n_tasks = int(rng.integers(3, 9))
        g, c = np.round(0.6 * rng.standard_normal((n_tasks, 1))), np.round(rng.standard_normal(n_tasks))
        lower = 0.3 * rng.dirichlet(np.ones(n_tasks))
        g *= 10.0 ** rng.uniform(-3, 3, (n_tasks, 1))
        assert violation(g @ g.T, c, solve_simplex_qp(g @ g.T, c, lower=lower), lower) < 200


def test_one_task():
    for lower in (None, np.array([0.5])):
        solution = solve_simplex_qp(np.array([[4.0]]), np.array([3.0]), lower=lower)
        assert solution.weights.tolist() == [1.0]
        assert solution.value == 1.0


def test_a_large_common_offset_changes_nothing():
    rng = np.random.default_rng(0)
    G, c = rng.standard_normal((8, 5)), rng.integers(-4, 4, 8).astype(float)
    near, far = solve_simplex_qp(G @ G.T, c), solve_simplex_qp(G @ G.T, c + 2.0**40)
    np.testing.assert_array_equal(near.weights, far.weights)


@pytest.mark.parametrize(("n_tasks", "n"), [(20, 50), (200, 50), (300, 5)])
def test_a_warm_start_saves_pivots_and_gives_the_same_value(n_tasks, n):
    rng = np.random.default_rng(1)
    G, c = rng.standard_normal((n_tasks, n)), rng.standard_normal(n_tasks)
    M = G @ G.T
    cold = solve_simplex_qp(M, c)
    warm = solve_simplex_qp(M, c, cold.weights)
    assert warm.pivots <= 2 < cold.pivots
    assert warm.value == pytest.approx(cold.value, rel=1e-14)


def test_many_tasks_need_few_pivots():
    """The active set grows by doubling: far fewer face optima than active tasks."""
    rng = np.random.default_rng(2)
    G = rng.standard_normal((500, 400))
    solution = solve_simplex_qp(G @ G.T, np.zeros(500))
    assert np.count_nonzero(solution.weights) > 100
    assert solution.pivots < 40


def test_minimal_geometry_is_linear_programming_duality():
    """With M of rank one the QP has a solution on at most two tasks; with c alone it is the linear program's."""
    rng = np.random.default_rng(3)
    g, c = rng.standard_normal(30), rng.standard_normal(30)
    solution = solve_simplex_qp(1e-9 * np.outer(g, g), c)
    lp = linprog(-c, A_eq=np.ones((1, 30)), b_eq=[1.0])
    assert solution.value == pytest.approx(-lp.fun, abs=1e-7)
    assert np.count_nonzero(solve_simplex_qp(np.outer(g, g), c).weights) <= 2


def test_nothing_is_mutated():
    rng = np.random.default_rng(4)
    G = rng.standard_normal((6, 3))
    arguments = [G @ G.T, rng.standard_normal(6), rng.dirichlet(np.ones(6)), np.full(6, 0.1)]
    before = [a.copy() for a in arguments]
    solve_simplex_qp(*arguments)
    for a, b in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(a, b)
