"""The bounds of the theory at every iterate, and broken twins that must violate them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

import minimax_opt as mo
from minimax_opt.solvers.accelerated import Accelerated
from minimax_opt.solvers.smoothing import Constants, SmoothedWorstCase


def logistic(seed):
    """(tasks, G, L, F*, x*) with constants that hold everywhere; x* by SLSQP on the epigraph."""
    rng = np.random.default_rng(seed)
    K, n, m = int(rng.integers(2, 7)), int(rng.integers(2, 6)), 40
    A = rng.standard_normal((K, m, n))
    y = np.where(rng.random((K, m)) < 1 / (1 + np.exp(-A.sum(2) / 2)), 1.0, -1.0)
    tasks = mo.LogisticTasks(A, y)
    G = max(np.linalg.norm(a, axis=1).mean() for a in A)
    L = max(np.linalg.norm(a, 2) ** 2 / (4 * m) for a in A)

    def losses(z):
        return z[-1] - np.logaddexp(0, -y * (A @ z[:-1])).mean(1)

    start = np.append(np.zeros(n), 1.0)
    found = minimize(lambda z: z[-1], start, constraints={"type": "ineq", "fun": losses}, method="SLSQP", options={"ftol": 1e-14})
    x = found.x[:-1]
    return tasks, G, L, float(np.max(np.logaddexp(0, -y * (A @ x)).mean(1))), x


def excesses(res, best):
    return np.array([row.value for row in res.trace]) - best


def exact(tasks, x0, method, options, steps, **keywords):
    return mo.minimize_max(tasks, x0, method=method, options=options, max_iter=steps, tol=0.0, atol=0.0, **keywords)


def descent_bound(t, L, G, R, s, K):
    return (L + G**2 / s) * R**2 / (2 * t) + s * math.log(K)


def accelerated_bound(t, L, G, R, s, K):
    return 2 * (L + G**2 / s) * R**2 / (t + 1) ** 2 + s * math.log(K)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("steps", [10, 200])
def test_softmax_descent_keeps_its_bound_at_every_iterate(seed, steps):
    tasks, G, L, best, x = logistic(seed)
    R, K = np.linalg.norm(x), tasks.n_tasks
    options = {"smoothing": "theory", "step_size": "theory", "horizon": steps, "lipschitz": G, "smoothness": L, "radius": R}
    excess = excesses(exact(tasks, np.zeros(len(x)), "softmax-gd", options, steps), best)
    s = G * R / math.sqrt(2 * steps * math.log(K))
    bounds = np.array([descent_bound(t, L, G, R, s, K) for t in range(1, len(excess))])
    assert (excess[1:] <= bounds + 1e-9).all()
    assert bounds[-1] == pytest.approx(L * R**2 / (2 * steps) + G * R * math.sqrt(2 * math.log(K) / steps))
    assert excess[-1] >= -1e-9


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("steps", [10, 200])
def test_accelerated_keeps_its_bound_at_every_iterate(seed, steps):
    tasks, G, L, best, x = logistic(seed)
    R, K = np.linalg.norm(x), tasks.n_tasks
    s = G * R / ((steps + 1) * math.sqrt(math.log(K) / 2))
    options = {"smoothing": s, "step_size": "theory", "lipschitz": G, "smoothness": L, "continuation": False, "restart": False}
    excess = excesses(exact(tasks, np.zeros(len(x)), "accelerated", options, steps), best)
    assert all(e <= accelerated_bound(t, L, G, R, s, K) + 1e-9 for t, e in enumerate(excess) if t)
    assert accelerated_bound(steps, L, G, R, s, K) == pytest.approx(
        2 * L * R**2 / (steps + 1) ** 2 + 2 * math.sqrt(2 * math.log(K)) * G * R / (steps + 1)
    )


def test_fixed_accelerated_is_nesterovs_method():
    rng = np.random.default_rng(0)
    P = rng.standard_normal((3, 4, 4))
    P, q = P @ P.transpose(0, 2, 1), rng.standard_normal((3, 4))
    tasks, s, M = mo.QuadraticTasks(P, q), 0.5, 60.0
    options = {"smoothing": s, "step_size": 1 / M, "continuation": False, "restart": False}
    res = exact(tasks, np.ones(4), "accelerated", options, 40)
    x = y = np.ones(4)
    t, values = 1.0, []
    for _ in range(40):
        f = 0.5 * np.einsum("i,kij,j->k", y, P, y) + q @ y
        w = np.exp((f - f.max()) / s)
        w /= w.sum()
        new = y - (w @ (P @ y + q)) / M
        t_new = (1 + math.sqrt(1 + 4 * t * t)) / 2
        x, y, t = new, new + (t - 1) / t_new * (new - x), t_new
        values.append((0.5 * np.einsum("i,kij,j->k", x, P, x) + q @ x).max())
    np.testing.assert_allclose([row.value for row in res.trace[1:]], values, rtol=1e-11)


def tight(G):
    return mo.AffineTasks(np.array([[G], [-G]]), np.zeros(2))


@pytest.mark.parametrize("s", [0.3, 2.0])
def test_smoothness_constant_is_attained_by_opposite_slopes(s):
    G, h = 1.7, 1e-6
    smoothed = SmoothedWorstCase(mo.Simplex(), "entropic", s)

    def slope(x):
        return smoothed.weights(np.array([G * x, -G * x])) @ np.array([G, -G])

    assert (slope(h) - slope(-h)) / (2 * h) == pytest.approx(Constants(G, 0.0).curvature(s, "entropic", 2), rel=1e-9)


@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_softmax_descent_with_a_longer_step_violates_the_bound(factor):
    G, R, s, steps = 1.0, 0.011, 1e-3, 1000
    options = {"smoothing": s, "step_size": factor * s / G**2}
    excess = excesses(exact(tight(G), np.array([R]), "softmax-gd", options, steps), 0.0)
    broken = any(e > descent_bound(t, 0.0, G, R, s, 2) + 1e-12 for t, e in enumerate(excess) if t)
    assert broken == (factor > 1)


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_accelerated_with_a_longer_step_violates_the_bound(factor):
    G, R, s, steps = 1.0, 0.011, 1e-3, 400
    options = {"smoothing": s, "step_size": factor * s / G**2, "continuation": False, "restart": False}
    excess = excesses(exact(tight(G), np.array([R]), "accelerated", options, steps), 0.0)
    broken = any(e > accelerated_bound(t, 0.0, G, R, s, 2) + 1e-12 for t, e in enumerate(excess) if t)
    assert broken == (factor > 1)


def affine(seed):
    """(tasks, box, G, M, F*, R) with the optimum of the LP."""
    rng = np.random.default_rng(seed)
    K, n = int(rng.integers(2, 8)), int(rng.integers(1, 5))
    A, b = rng.standard_normal((K, n)), rng.standard_normal(K)
    lp = linprog(np.append(np.zeros(n), 1.0), np.c_[A, -np.ones(K)], -b, bounds=[(-1, 1)] * n + [(None, None)])
    M = max(abs(b[j] - b[k]) + np.abs(A[j] - A[k]).sum() for j in range(K) for k in range(K))
    return mo.AffineTasks(A, b), np.linalg.norm(A, axis=1).max(), M, lp.fun, np.linalg.norm(lp.x[:-1]) + 1e-3


def ascent_bound(t, eta_x, eta_w, G, R, M, K):
    return R**2 / (2 * eta_x * t) + eta_x * G**2 / 2 + math.log(K) / (eta_w * t) + eta_w * M**2 / 8


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("steps", [10, 300])
def test_descent_ascent_keeps_its_bound_at_every_average(seed, steps):
    tasks, G, M, best, R = affine(seed)
    options = {"step_size": "theory", "weights_step_size": "theory", "horizon": steps, "lipschitz": G, "radius": R, "spread": M}
    options["evaluate_every"] = 1
    res = exact(tasks, np.zeros(tasks.n_variables), "descent-ascent", options, steps, domain=mo.Box(-1.0, 1.0))
    K = tasks.n_tasks
    eta_x, eta_w = R / (G * math.sqrt(steps)), math.sqrt(8 * math.log(K) / steps) / M
    excess = excesses(res, best)
    assert all(e <= ascent_bound(t, eta_x, eta_w, G, R, M, K) + 1e-9 for t, e in enumerate(excess) if t)
    whole = G * R / math.sqrt(steps) + M * math.sqrt(math.log(K) / (2 * steps))
    assert ascent_bound(steps, eta_x, eta_w, G, R, M, K) == pytest.approx(whole)


@pytest.mark.parametrize("moves", [True, False])
def test_an_adversary_that_does_not_move_violates_the_bound(moves):
    steps, R, G, M, K = 2000, 1.0, 1.0, 2.0, 2
    tasks = mo.AffineTasks(np.array([[1.0], [-0.5]]), np.zeros(2))  # uniform weights pull x to -1, where the worst case is 1/2
    eta_x, eta_w = R / (G * math.sqrt(steps)), math.sqrt(8 * math.log(K) / steps) / M
    options = {"step_size": eta_x, "weights_step_size": eta_w if moves else 1e-12, "evaluate_every": 1}
    excess = excesses(exact(tasks, np.ones(1), "descent-ascent", options, steps, domain=mo.Box(-1.0, 1.0)), 0.0)
    broken = any(e > ascent_bound(t, eta_x, eta_w, G, R, M, K) + 1e-12 for t, e in enumerate(excess) if t)
    assert broken != moves


def test_options_without_their_constants_are_refused():
    with pytest.raises(ValueError, match="`lipschitz` must be given for step_size='theory'"):
        Accelerated(step_size="theory")
    for options, missing in [
        ({"smoothing": "theory", "lipschitz": 1.0, "radius": 1.0}, "horizon"),
        ({"smoothing": "theory", "horizon": 3, "radius": 1.0}, "lipschitz"),
        ({"step_size": "theory", "lipschitz": 1.0}, "smoothness"),
    ]:
        with pytest.raises(ValueError, match=f"`{missing}` must be given"):
            mo.minimize_max(tight(1.0), method="softmax-gd", options=options)
    for options, missing in [
        ({"step_size": "theory", "horizon": 3, "radius": 1.0}, "lipschitz"),
        ({"weights_step_size": "theory"}, "spread"),
    ]:
        with pytest.raises(ValueError, match=f"`{missing}` must be given"):
            mo.minimize_max(tight(1.0), method="descent-ascent", options=options)
