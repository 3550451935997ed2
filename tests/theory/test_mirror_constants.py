"""M1 and M3 from the other side: instances that meet their constants, what moves last, and what the pages remark on the iterates."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from theory.problems import any_tasks, good_point

import minimax_opt as mo
from minimax_opt.solvers import DescentAscent, MirrorProx
from minimax_opt.theory import mirror
from minimax_opt.theory.batch_model import AffineSamples
from minimax_opt.theory.constants import constants_on_ball
from minimax_opt.theory.trajectory import states
from minimax_opt.theory.worst_case import crowded_pair

STILL = {"radius": 0.0, "lipschitz": 1.0, "step_size": 1e-12}  # x hardly moves: what is left of M1 is the regret of the weights


def regret(losses, eta, first):
    """max_w sum_t <w - w_t, f_t> over T, the weights moved before or after they are used."""
    sums = np.cumsum(losses, axis=0)
    weights = softmax(eta * (sums if first else sums - losses), axis=1)
    return (sums[-1].max() - (weights * losses).sum()) / len(losses)


@pytest.mark.parametrize("first", [False, True])
def test_m1_ln_k_over_eta_is_met_by_losses_that_stay(first):
    losses, eta = np.tile([1.0, 0.0, 0.0, 0.0, 0.0], (20_000, 1)), 0.002
    bound = mirror.descent_ascent_bound(horizon=20_000, n_tasks=5, weights_step_size=eta, spread=None if first else 1.0, **STILL)
    late = 0.0 if first else eta / 8
    assert 0.98 * (bound - late) < regret(losses, eta, first) <= bound


def test_m1_the_late_term_is_met_by_losses_that_alternate():
    """Regret eta M^2/8 a step with the weights last; with the weights first none, and without that term the bound is false."""
    T, eta, M = 1_000_000, 0.01, 2.0
    losses = np.tile([[M, 0.0], [0.0, M]], (T // 2, 1))
    last, first = (
        mirror.descent_ascent_bound(horizon=T, n_tasks=2, weights_step_size=eta, spread=spread, **STILL) for spread in (M, None)
    )
    assert first < 0.98 * (last - first) < regret(losses, eta, first=False) <= last
    assert regret(losses, eta, first=True) <= first


def test_m1_is_met_with_equality_by_one_affine_task():
    """f = Gx, u = 0, T steps that end at u."""
    G, eta, T = 2.0, 0.05, 40
    x0 = np.array([eta * G * T])
    *_, last = states(DescentAscent(step_size=eta, weights_step_size=1.0, evaluate_every=1), mo.AffineTasks([[G]], [0.0]), x0, T)
    keywords = {"lipschitz": G, "n_tasks": 1, "step_size": eta, "weights_step_size": 1.0}
    assert last.point.value == pytest.approx(mirror.descent_ascent_bound(horizon=T, radius=x0[0], **keywords), rel=1e-12)


@settings(max_examples=20)
@given(st.integers(0, 9999), st.floats(0.01, 1.0), st.floats(0.01, 20.0))
def test_m1_with_the_weights_last(seed, eta_x, eta_w):
    """The library's mini-batches of tasks without noise move the weights last, and are exact. Any u."""
    rng = np.random.default_rng(seed)
    K, n = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    tasks = AffineSamples(rng.standard_normal((K, 1, n)), rng.standard_normal((K, 1)))
    x0, u = rng.standard_normal((2, n))
    solver = DescentAscent(step_size=eta_x, weights_step_size=eta_w, batch_size=1, evaluate_every=1)
    path = list(states(solver, tasks, x0, 60))
    assert solver.batch_size == 1
    bound = mirror.descent_ascent_bound(
        horizon=np.arange(1, 61),
        radius=np.linalg.norm(x0 - u),
        lipschitz=np.linalg.norm(tasks.A, axis=1).max(),
        n_tasks=K,
        step_size=eta_x,
        weights_step_size=eta_w,
        spread=max(np.ptp(tasks(state.x)) for state in path),
    )
    gaps = np.array([state.point.value for state in path[1:]]) - tasks(u).max()
    assert (gaps <= bound + 1e-10).all()


def test_m1_a_long_step_of_the_weights_follows_the_largest_sum_of_losses():
    """And not the largest loss: it is no subgradient method on F."""
    tasks, x0, seen = mo.AffineTasks([[1.0], [-1.0]], [0.0, 0.0]), np.array([1.0]), []
    path = list(states(DescentAscent(step_size=0.3, weights_step_size=6.0, evaluate_every=1), tasks, x0, 40))
    sums = np.cumsum([tasks(state.x) for state in path[:-1]], axis=0)
    for total, before, after in zip(sums, path[:-1], path[1:], strict=True):
        chosen = int(total.argmax())
        assert after.adversary.anchor[chosen] > 0.5
        seen.append(chosen != int(tasks(before.x).argmax()))
    assert sum(seen) > 10


@settings(max_examples=20)
@given(any_tasks(("huber", "affine")), st.floats(0.01, 1.0), st.floats(0.01, 5.0), st.integers(0, 99))
def test_m1_the_iterates_go_no_further_than_remarked(tasks, eta_x, eta_w, seed):
    """|x_t - x*|^2 <= R^2 + t eta_x^2 G^2 + 2 eta_x ln K/eta_w, and 2 t eta_x gamma more round a point of gap gamma."""
    x0 = np.random.default_rng(seed).standard_normal(tasks.n_variables)
    u, fun, lower = good_point(tasks, 1e-4)
    G, t = constants_on_ball(tasks, x0, 1e6).lipschitz, np.arange(61)
    path = list(states(DescentAscent(step_size=eta_x, weights_step_size=eta_w), tasks, x0, 60))
    squares = np.array([((state.x - u) ** 2).sum() for state in path])
    allowed = ((x0 - u) ** 2).sum() + t * eta_x**2 * G**2 + 2 * eta_x * np.log(tasks.n_tasks) / eta_w
    assert (squares <= (allowed + 2 * t * eta_x * (fun - lower)) * (1 + 1e-9)).all()


@given(st.integers(0, 9999), st.floats(0.0, 0.99), st.floats(0.01, 5.0))
def test_forgetting_smooths_an_average_of_the_losses(seed, keep, eta):
    """w <- w^rho e^(eta f), normalised, from uniform weights: the response to the average with weights rho^j at s = (1-rho)/(eta (1-rho^t))."""
    losses = np.random.default_rng(seed).standard_normal((30, 4))
    anchor = np.full(4, 0.25)
    for t in range(1, 31):
        weights = mo.respond(losses[t - 1], mo.Simplex(), smoothing=1 / eta, anchor=anchor)
        anchor = softmax(keep * np.log(np.maximum(weights, 1e-300)))
        shares = keep ** np.arange(t - 1, -1, -1.0)
        average, s = shares @ losses[:t] / shares.sum(), (1 - keep) / (eta * (1 - keep**t))
        np.testing.assert_allclose(weights, mo.respond(average, mo.Simplex(), smoothing=s), atol=1e-9)


def test_m3_is_met_in_x_by_one_affine_task():
    """f = Gx and u = 0, T steps that end at u: half of x_0 on average, a share 1 - 1/T of the bound."""
    T, eta, scale = 100, 0.1, 2.0
    x0 = np.array([eta * scale * T])
    solver = MirrorProx(step_size=eta, scale=scale, restart=False, evaluate_every=1)
    *_, last = states(solver, mo.AffineTasks([[1.0]], [0.0]), x0, T)
    bound = mirror.mirror_prox_bound(total_step=eta * T, scale=scale, radius=x0[0], n_tasks=1)
    assert last.point.value == pytest.approx((1 - 1 / T) * bound, rel=1e-9)


@pytest.mark.parametrize(("n_tasks", "share"), [(10, 0.41), (100, 0.54), (1000, 0.62)])
def test_m3_in_the_weights_is_met_up_to_the_share_of_a7(n_tasks, share):
    """x and K - 1 copies of -x/ln K, started at the solution: the average times T tends to tau/(eta (1+b)) ln(b (K-1))."""
    T, b = 4000, 1 / np.log(n_tasks)
    tasks = crowded_pair(n_tasks=n_tasks, smoothing=1.0, slope=b).tasks
    solver = MirrorProx(step_size=2 / (1 + b), scale=1.0, restart=False, evaluate_every=T)
    *_, last = states(solver, tasks, np.zeros(1), T)
    bound = mirror.mirror_prox_bound(total_step=2 / (1 + b) * T, scale=1.0, radius=0.0, n_tasks=n_tasks)
    assert share * bound < last.point.value <= (share + 0.02) * bound
