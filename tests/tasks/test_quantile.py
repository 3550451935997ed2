"""Quantile tasks: the loss, its conjugate, central slopes, the interior point with row pairs, and certificates."""

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import minimax_opt as mo
from minimax_opt.dual_bound import dual_bound
from minimax_opt.problem import Problem
from minimax_opt.tasks.quantile import PinballLoss

SETS = [mo.Simplex(), mo.Simplex(floor=0.3), mo.CVaR(0.5), mo.KLBall(0.1), mo.ChiSquareBall(0.2)]


def instance(seed, n_tasks=4, n=3, rows=20):
    rng = np.random.default_rng(seed)
    A = [rng.standard_normal((rows, n)) for _ in range(n_tasks)]
    return A, [a @ rng.standard_normal(n) + rng.standard_normal(rows) for a in A]


def linear_programme(A, b, q):
    """min t over x, p, t with sum_i p_i / n_k <= t, p >= q r, p >= (q - 1) r, r = b - Ax: the definition, by a simplex method."""
    n, sizes = A[0].shape[1], [len(part) for part in b]
    M, stacked, targets = sum(sizes), np.vstack(A), np.concatenate(b)
    mean = np.zeros((len(A), M))
    for k, (start, size) in enumerate(zip(np.cumsum([0, *sizes[:-1]]), sizes, strict=True)):
        mean[k, start : start + size] = 1 / size
    upper = np.block(
        [
            [-q * stacked, -np.eye(M), np.zeros((M, 1))],
            [(1 - q) * stacked, -np.eye(M), np.zeros((M, 1))],
            [np.zeros((len(A), n)), mean, -np.ones((len(A), 1))],
        ]
    )
    limits = np.concatenate([-q * targets, (1 - q) * targets, np.zeros(len(A))])
    cost = np.append(np.zeros(n + M), 1.0)
    return linprog(cost, A_ub=upper, b_ub=limits, bounds=(None, None), method="highs-ds").fun


@pytest.mark.parametrize("q", [0.02, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_a_simplex_method(seed, q):
    A, b = instance(seed)
    result = mo.minimize_max(mo.QuantileTasks(A, b, quantile=q), tol=1e-9)
    value = linear_programme(A, b, q)
    assert result.success
    assert result.method == "interior-point"
    assert result.fun == pytest.approx(value, rel=2e-9)
    assert result.lower_bound <= value * (1 + 1e-11)
    assert result.certificate.kind == "duality"


def test_one_task_on_constants_is_the_quantile():
    b = np.random.default_rng(0).standard_normal(101)
    for q in (0.1, 0.5, 0.77):
        x = mo.minimize_max(mo.QuantileTasks([np.ones((101, 1))], [b], quantile=q), tol=1e-10).x
        assert x[0] == pytest.approx(np.quantile(b, q, method="inverted_cdf"), abs=1e-7)


@settings(deadline=None, max_examples=60)
@given(
    r=st.floats(-1e6, 1e6),
    q=st.floats(0.01, 0.99),
    share=st.floats(0.0, 1.0),
)
def test_fenchel_young_loss(r, q, share):
    loss = PinballLoss(np.array([r]), np.array([0.0]), -q, 1 - q)
    u = -q + share
    excess = loss.fenchel_young(np.array([u]))[0]
    assert excess >= 0
    assert excess == pytest.approx(loss.value[0] - u * r, abs=1e-9 * (1 + abs(r)))  # phi*(u) = 0 for b = 0
    assert loss.fenchel_young(loss.first())[0] == 0


@settings(deadline=None, max_examples=60)
@given(r=st.floats(-1e3, 1e3), q=st.floats(0.01, 0.99), exponent=st.integers(-8, 2))
def test_central_slopes_maximise_the_barrier(r, q, exponent):
    """d/du of u r + nu (log(u - l) + log(h - u)) vanishes: r + nu / (u - l) = nu / (h - u). Tested as alpha (u - l) = beta (h - u) = nu ..."""
    low, high, nu = -q, 1 - q, 10.0**exponent
    u, cost = PinballLoss(np.array([r]), np.array([0.0]), low, high).central(np.array([nu]))
    assert low <= u[0] <= high
    if min(u[0] - low, high - u[0]) > 1e-10:  # the complements, below which are digits of u itself
        slope = r + nu / (u[0] - low) - nu / (high - u[0])
        assert abs(slope) <= 1e-5 * (abs(r) + nu / min(u[0] - low, high - u[0]))
    assert cost[0] >= max(abs(r), nu) * (1 - 1e-12)


@pytest.mark.parametrize("ambiguity", SETS, ids=lambda s: repr(s)[:24])
@pytest.mark.parametrize("seed", range(3))
def test_bound_holds_at_any_point_and_weights(ambiguity, seed):
    A, b = instance(seed)
    tasks = mo.QuantileTasks(A, b, quantile=0.4)
    best = mo.minimize_max(tasks, ambiguity=ambiguity, tol=1e-10)
    assert best.success
    problem = Problem(tasks, n_tasks=4, n_variables=3, ambiguity=ambiguity, convex=True)
    rng = np.random.default_rng(seed)
    for size in (0.0, 1e-9, 1e-4, 1e-1, 10.0):
        point = problem.at(best.x + size * rng.standard_normal(3))
        prior = ambiguity.prior_weights(4)
        for weights in (best.weights, prior, 0.5 * (best.weights + prior)):
            assert not dual_bound(point, weights) > best.fun * (1 + 1e-12)
    assert best.fun - dual_bound(problem.at(best.x), best.weights) <= 1e-9 * best.fun


def test_regulariser_and_duplicates():
    A, b = instance(7)
    A, b = [*A, A[0]], [*b, b[0]]
    ridge = mo.Ridge(0.2)
    result = mo.minimize_max(mo.QuantileTasks(A, b, quantile=0.6), regularizer=ridge, tol=1e-9)
    x, level = cp.Variable(3), cp.Variable()
    losses = [cp.sum(cp.maximum(0.6 * (t - a @ x), -0.4 * (t - a @ x))) / len(t) for a, t in zip(A, b, strict=True)]
    problem = cp.Problem(cp.Minimize(level + 0.1 * cp.sum_squares(x)), [loss <= level for loss in losses])
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    assert result.success
    assert result.fun == pytest.approx(problem.value, rel=1e-8)


def test_other_data_give_the_same_solution():
    A, b = instance(1)
    dense = mo.minimize_max(mo.QuantileTasks(A, b), tol=1e-9)
    tensors = mo.QuantileTasks([torch.from_numpy(a) for a in A], [torch.from_numpy(t) for t in b])
    sparse = mo.QuantileTasks([sp.csr_array(a) for a in A], b)
    groups = mo.QuantileTasks.from_groups(np.vstack(A), np.concatenate(b), np.repeat(range(4), 20), quantile=0.5)
    for other in (tensors, sparse, groups):
        result = mo.minimize_max(other, tol=1e-9)
        assert result.success
        assert result.fun == pytest.approx(dense.fun, rel=2e-9)


def test_weights_of_rows_are_repetitions():
    A, b = instance(2)
    repeated = mo.QuantileTasks([np.vstack([a, a[:5]]) for a in A], [np.append(t, t[:5]) for t in b], quantile=0.7)
    weighted = mo.QuantileTasks(A, b, [np.r_[np.full(5, 2.0), np.ones(15)]] * 4, quantile=0.7)
    one, two = (mo.minimize_max(tasks, tol=1e-9).fun for tasks in (repeated, weighted))
    assert one == pytest.approx(two, rel=2e-9)


def test_exact_fit():
    rng = np.random.default_rng(3)
    A = [rng.standard_normal((6, 4)) for _ in range(3)]
    x = rng.standard_normal(4)
    result = mo.minimize_max(mo.QuantileTasks(A, [a @ x for a in A]), tol=1e-9)
    assert result.success
    np.testing.assert_allclose(result.x, x, atol=1e-8)


@pytest.mark.parametrize("method", ["sqp", "accelerated", "softmax-gd", "mirror-prox", "dual-newton"])
def test_methods_for_smooth_losses_refuse(method):
    with pytest.raises(ValueError, match=r"interior-point|quadratic"):
        mo.minimize_max(mo.QuantileTasks(*instance(0)), method=method)


def test_subgradients_descend():
    tasks = mo.QuantileTasks(*instance(0))
    best = mo.minimize_max(tasks, tol=1e-9).fun
    result = mo.minimize_max(tasks, method="descent-ascent", max_iter=2000, tol=1e-2)
    assert best * (1 - 1e-9) <= result.fun <= 1.05 * best


@pytest.mark.parametrize("quantile", [0.0, 1.0, -0.1, np.nan, "half", None])
def test_quantiles_outside_are_refused(quantile):
    with pytest.raises((ValueError, TypeError), match="`quantile` must be"):
        mo.QuantileTasks(*instance(0), quantile=quantile)


def test_warm_start_is_certified_at_once():
    tasks = mo.QuantileTasks(*instance(5))
    cold = mo.minimize_max(tasks, tol=1e-8)
    warm = mo.minimize_max(tasks, cold.x, weights0=cold.weights, tol=1e-7)
    assert warm.success
    assert warm.nit == 0


def test_there_are_no_hessians_and_no_matrix_that_does_not_fit():
    tasks = mo.QuantileTasks(*instance(0))
    assert not tasks.has_hessian
    assert not tasks.subset(np.array([0, 2])).has_hessian
    wide = mo.QuantileTasks([sp.csr_array(([1.0], ([0], [5])), shape=(1, 20_000))], [np.ones(1)])
    with pytest.raises(ValueError, match="matrix of order n = 20000, too large to store; use method='descent-ascent'"):
        mo.minimize_max(wide, method="interior-point")
    assert mo.minimize_max(wide, max_iter=1).method == "descent-ascent"
