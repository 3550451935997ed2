"""The simplex QP with caps: its optimality conditions to rounding, whatever the rank, the ties, the caps and the start."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minimax_opt as mo
from minimax_opt import native
from minimax_opt.solvers.capped_qp import solve_capped_qp
from minimax_opt.solvers.simplex_qp import solve_simplex_qp

EPS = np.finfo(float).eps
BOUND = 1e-14  # nearer to a bound than this is on it


@pytest.fixture(autouse=True, scope="module", params=["numpy", "c"])
def implementation(request):
    """Every test of this file runs on both."""
    if request.param == "c" and native.library() is None:
        pytest.skip("the C module is not built, or turned off")
    library = native.library() if request.param == "c" else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "library", lambda: library)
        yield


def violation(M, c, solution, upper, lower=None):
    """How far w is from optimal, in units of the rounding of the slopes h = c - Mw: no task that can gain has a larger slope than one
    that can give."""
    w, least = solution.weights, np.zeros(len(c)) if lower is None else lower
    assert abs(w.sum() - 1) <= 8 * len(c) * EPS
    assert np.all(w >= least)
    assert np.all(w <= upper + 2 * EPS)
    slopes, root = c - c.max() - M @ w, np.sqrt(np.maximum(M.diagonal(), 0.0))
    own = np.abs(c - c.max()) + root * (root @ w)
    unit = EPS * (own + own @ w) + 1e-300
    gainers, givers = w < upper - BOUND, w > least + BOUND
    excess = (slopes[gainers, None] - slopes[givers]) / (unit[gainers, None] + unit[givers])
    return float(excess.max(initial=0.0))


def objective(M, c, w):
    return c @ w - w @ M @ w / 2


def vertex(caps, order):
    """The caps filled in this order."""
    w, rest = np.zeros(len(caps)), 1.0
    for k in order:
        w[k] = min(caps[k], rest)
        rest -= w[k]
    return w


@st.composite
def programs(draw):
    """M = GG' of any rank, with ties, duplicates and rows of any scale; caps that add up exactly, hardly bind, or leave one point; a
    floor or none; no start, the prior, a vertex or a point of another set."""
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
    prior = rng.dirichlet(np.ones(n_tasks)) if draw(st.booleans()) else np.full(n_tasks, 1 / n_tasks)
    caps = prior / draw(st.sampled_from([1.0, 1 - 1e-6, 0.9, 0.5, 0.25, 0.1]))
    start = {
        "none": None,
        "prior": prior,
        "vertex": vertex(caps, rng.permutation(n_tasks)),
        "of another set": vertex(np.ones(n_tasks), rng.permutation(n_tasks)),
    }[draw(st.sampled_from(["none", "prior", "vertex", "of another set"]))]
    lower = 0.3 * prior if draw(st.booleans()) else None
    if lower is not None:
        caps, start = lower + 0.7 * caps, None if start is None else lower + 0.7 * start
    return G @ G.T, c, caps, start, lower


@settings(max_examples=300)  # milliseconds each
@given(programs(), st.sampled_from([1e-12, 1.0, 1e12]))
def test_optimality_conditions_hold_to_rounding(program, scale):
    M, c, upper, start, lower = program
    solution = solve_capped_qp(scale * M, scale * c, upper, start, lower)
    assert violation(scale * M, scale * c, solution, upper, lower) < 100
    magnitude = scale * (np.abs(c).max() + np.abs(M).max())
    assert abs(solution.value - objective(scale * M, scale * c, solution.weights)) <= 64 * EPS * magnitude


def test_many_programs_of_rank_one_with_integer_ties_and_caps_that_add_up():
    """The most degenerate there are: vertices without a free task, ties of slopes, entering tasks that cannot move."""
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        n_tasks = 2 * int(rng.integers(1, 8))
        g, c = np.round(rng.standard_normal((n_tasks, 1))), np.round(rng.standard_normal(n_tasks))
        upper = np.full(n_tasks, 2 / n_tasks)
        assert violation(g @ g.T, c, solve_capped_qp(g @ g.T, c, upper), upper) < 100


@pytest.mark.parametrize("n", [3, 10, 30])
@pytest.mark.parametrize("tail_fraction", [0.2, 0.45, 0.8])
def test_agrees_with_cvxpy(n, tail_fraction):
    rng = np.random.default_rng(n)
    G, c, upper = rng.standard_normal((15, n)), rng.standard_normal(15), np.full(15, 1 / (15 * tail_fraction))
    w = cp.Variable(15)
    problem = cp.Problem(cp.Maximize(c @ w - cp.sum_squares(G.T @ w) / 2), [w >= 0.01, w <= upper, cp.sum(w) == 1])
    problem.solve(solver="CLARABEL")
    solution = solve_capped_qp(G @ G.T, c, upper, lower=np.full(15, 0.01))
    assert solution.value == pytest.approx(problem.value, rel=1e-7)
    np.testing.assert_allclose(G.T @ solution.weights, G.T @ w.value, atol=1e-5)


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.floats(0.01, 1.0))
def test_without_curvature_it_is_the_response_of_a_cvar(seed, n_tasks, tail_fraction):
    c = np.random.default_rng(seed).standard_normal(n_tasks)
    upper = np.full(n_tasks, 1 / (n_tasks * tail_fraction))
    solution = solve_capped_qp(np.zeros((n_tasks, n_tasks)), c, upper)
    assert solution.value == pytest.approx(float(mo.CVaR(tail_fraction).worst_case(c)), abs=1e-13)


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20))
def test_caps_above_one_are_none(seed, n_tasks, n):
    rng = np.random.default_rng(seed)
    G, c = rng.standard_normal((n_tasks, n)), rng.standard_normal(n_tasks)
    capped, plain = solve_capped_qp(G @ G.T, c, np.full(n_tasks, 1.5)), solve_simplex_qp(G @ G.T, c)
    assert capped.value == pytest.approx(plain.value, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize(("n_tasks", "n"), [(20, 50), (200, 50), (300, 5)])
def test_a_warm_start_saves_pivots_and_gives_the_same_value(n_tasks, n):
    rng = np.random.default_rng(1)
    G, c, upper = rng.standard_normal((n_tasks, n)), rng.standard_normal(n_tasks), np.full(n_tasks, 4 / n_tasks)
    cold = solve_capped_qp(G @ G.T, c, upper)
    warm = solve_capped_qp(G @ G.T, c, upper, cold.weights)
    assert warm.pivots <= 1 < cold.pivots
    assert warm.value == pytest.approx(cold.value, rel=1e-14)


def test_near_ties_are_told_apart_far_below_the_square_root_of_rounding():
    """Two tasks with one gradient and values that differ by 1e-13 of the curvature's terms: the larger goes to its cap first."""
    G, c, upper = np.array([[1.0], [1.0], [-3.0]]), np.array([1e-13, 0.0, 0.0]), np.array([0.5, 0.6, 0.9])
    solution = solve_capped_qp(G @ G.T, c, upper, np.array([0.15, 0.6, 0.25]))
    np.testing.assert_allclose(solution.weights, [0.5, 0.25, 0.25], atol=1e-12)


def test_many_tasks_need_few_pivots():
    """Tasks enter and leave many at a time: far fewer face optima than tasks on either side of their bounds."""
    rng = np.random.default_rng(2)
    G, upper = rng.standard_normal((500, 100)), np.full(500, 4 / 500)
    solution = solve_capped_qp(G @ G.T, rng.standard_normal(500), upper)
    assert np.count_nonzero((solution.weights > 0) & (solution.weights < upper)) > 40
    assert solution.pivots < 40


def test_nothing_is_mutated():
    rng = np.random.default_rng(4)
    G = rng.standard_normal((6, 3))
    arguments = [G @ G.T, rng.standard_normal(6), np.full(6, 0.3), np.full(6, 1 / 6), np.full(6, 0.1)]
    before = [a.copy() for a in arguments]
    solve_capped_qp(*arguments)
    for a, b in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(a, b)
