import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from theory.checks import holds_for_descent_ascent, holds_for_mirror_prox
from theory.problems import GLOBAL, any_tasks, good_point, real_tasks, shared_curvature

import minimax_opt as mo
from minimax_opt.solvers import DescentAscent
from minimax_opt.theory import mirror
from minimax_opt.theory.constants import constants_on_ball
from minimax_opt.theory.trajectory import states
from minimax_opt.theory.worst_case import opposite_slopes

positive = st.floats(0.01, 10.0)


def start_and_comparator(tasks, seed):
    rng = np.random.default_rng(seed)
    x0 = rng.standard_normal(tasks.n_variables)
    u = rng.standard_normal(tasks.n_variables) if seed % 2 else good_point(tasks, 1e-4)[0]
    return x0, u, tasks(u).max()


@settings(max_examples=40)
@given(any_tasks((*GLOBAL, "quantile")), st.floats(0.01, 1.0), st.floats(0.01, 5.0), st.integers(0, 99))
def test_m1_at_every_average(tasks, eta_x, eta_w, seed):
    """Any steps: the theorem has no optimal ones in its proof."""
    x0, u, fun = start_and_comparator(tasks, seed)
    assert holds_for_descent_ascent(tasks, x0, u, fun, 60, (eta_x, eta_w))


@settings(max_examples=15)
@given(any_tasks(("quadratic", "least squares", "poisson")), st.floats(0.01, 0.1), st.integers(0, 99))
def test_m1_with_a_domain(tasks, eta, seed):
    """In a ball of radius 1 every constant is finite; u must lie in it too."""
    rng = np.random.default_rng(seed)
    u = rng.uniform(-1, 1, tasks.n_variables) / tasks.n_variables**0.5
    domain, x0 = mo.Ball(1.0), np.zeros(tasks.n_variables)
    assert holds_for_descent_ascent(tasks, x0, u, tasks(u).max(), 60, (eta, 1.0), domain=domain, ball=1.0 + 1e-9)


@pytest.mark.parametrize("name", ["diabetes", "cancer", "wine"])
@pytest.mark.parametrize("horizon", [10, 300])
def test_m1_on_real_data_with_the_steps_of_the_theory(name, horizon):
    tasks = real_tasks(name)
    x0, (u, fun, _) = np.zeros(tasks.n_variables), good_point(tasks)
    found = constants_on_ball(tasks, x0, 1e6)
    limits = {
        "horizon": horizon,
        "radius": np.linalg.norm(u),
        "lipschitz": found.lipschitz,
        "spread": 2.0,
        "n_tasks": tasks.n_tasks,
    }
    steps = mirror.descent_ascent_steps(**limits)
    assert holds_for_descent_ascent(tasks, x0, u, fun, horizon, steps)
    optimum = mirror.descent_ascent_optimum(**limits)
    without = {key: value for key, value in limits.items() if key != "spread"}
    assert optimum == pytest.approx(mirror.descent_ascent_bound(**limits, **steps._asdict()))
    last = optimum - limits["spread"] * np.sqrt(np.log(tasks.n_tasks) / (8 * horizon))  # M1': the weights move first
    assert last == pytest.approx(mirror.descent_ascent_bound(**without, **steps._asdict()))
    solver = DescentAscent(
        step_size="theory", weights_step_size="theory", evaluate_every=1, horizon=horizon, lipschitz=found.lipschitz,
        radius=limits["radius"], spread=2.0,
    )  # fmt: skip
    path = list(states(solver, tasks, x0, horizon))
    spread = max(float(np.ptp(state.here.losses)) for state in path)
    assert spread <= 2.0  # else M was none
    assert path[-1].point.value - fun <= last


@settings(max_examples=30)
@given(any_tasks(GLOBAL), st.floats(0.05, 5.0), st.booleans(), st.integers(0, 99))
def test_m3_at_every_average(tasks, scale, adaptive, seed):
    x0, u, fun = start_and_comparator(tasks, seed)
    assert holds_for_mirror_prox(tasks, x0, u, fun, 40, scale, adaptive)


@pytest.mark.parametrize("name", ["diabetes", "cancer", "wine"])
@pytest.mark.parametrize("adaptive", [False, True])
def test_m3_on_real_data(name, adaptive):
    tasks = real_tasks(name)
    x0, (u, fun, _) = np.zeros(tasks.n_variables), good_point(tasks)
    scale = mirror.mirror_prox_scale(radius=np.linalg.norm(u), n_tasks=tasks.n_tasks)
    assert holds_for_mirror_prox(tasks, x0, u, fun, 200, scale, adaptive)


@given(any_tasks(GLOBAL), st.floats(0.05, 5.0), st.integers(0, 999))
def test_m3_lipschitz_constant_of_the_operator(tasks, scale, seed):
    """|Phi(z) - Phi(z')|_* <= Lambda |z - z'|, the dual norm taken modulo constants in f."""
    rng = np.random.default_rng(seed)
    found = constants_on_ball(tasks, np.zeros(tasks.n_variables), 10.0)
    Lambda = mirror.operator_constant(smoothness=found.smoothness, diameter=found.diameter, scale=scale)
    assert Lambda <= (found.smoothness * scale + found.diameter / 2) * (1 + 1e-12)
    for size in (1e-3, 1.0):
        x = rng.standard_normal(tasks.n_variables)
        y = x + size * rng.standard_normal(tasks.n_variables)
        w, v = rng.dirichlet(np.ones(tasks.n_tasks), 2)
        at, to = tasks.at(x), tasks.at(y)
        in_x = np.linalg.norm(at.gradient(w) - to.gradient(v))
        in_w = np.ptp(at.losses - to.losses) / 2
        change = np.sqrt(scale * in_x**2 + in_w**2 / scale)
        distance = np.sqrt(((x - y) ** 2).sum() / scale + scale * abs(w - v).sum() ** 2)
        assert change <= Lambda * distance * (1 + 1e-9)


@pytest.mark.parametrize(("L", "scale"), [(0.0, 1.0), (1.5, 0.7), (10.0, 2.0)])
def test_m3_lipschitz_constant_is_met(L, scale):
    """L x^2/2 +- 3x, from x = 0 and equal weights along the eigenvector of the lemma's matrix. The broken twin, 0.99 Lambda, is violated."""
    tasks = mo.QuadraticTasks(np.full((2, 1, 1), L), [[3.0], [-3.0]], [0.0, 0.0])
    Lambda = mirror.operator_constant(smoothness=L, diameter=6.0, scale=scale)
    p, q = 0.1 * Lambda, 0.1 * 3.0  # of x and of the weights; the second row of the matrix gives D p/2 = Lambda q
    x, w = np.array([np.sqrt(scale) * p]), np.array([0.5, 0.5]) + np.array([0.5, -0.5]) * q / np.sqrt(scale)
    at, to = tasks.at(np.zeros(1)), tasks.at(x)
    in_x = np.linalg.norm(to.gradient(w) - at.gradient(np.full(2, 0.5)))
    change = np.sqrt(scale * in_x**2 + (np.ptp(to.losses - at.losses) / 2) ** 2 / scale)
    assert change == pytest.approx(Lambda * np.hypot(p, q), rel=1e-9)


def test_m3_adaptive_steps_are_no_shorter_than_the_theory_asks():
    """The local test accepts 1/Lambda, so that backtracking by 0.6 stays above 0.6/Lambda."""
    tasks = real_tasks("diabetes")
    found = constants_on_ball(tasks, np.zeros(tasks.n_variables), 1e6)
    Lambda = mirror.operator_constant(smoothness=found.smoothness, diameter=found.diameter, scale=1.0)
    solver = mo.solvers.MirrorProx(scale=1.0, restart=False, evaluate_every=1, step_size="backtracking")
    path = list(states(solver, tasks, np.zeros(tasks.n_variables), 100))
    steps = np.diff([0.0] + [state.average_x.total for state in path[1:]])
    assert steps[20:].min() >= 0.6 / Lambda


def test_broken_twins():
    """A bound without its first half, one that is too small, and a step that is too long are each caught."""
    tasks, x0, u = opposite_slopes(1.0), np.ones(1), np.zeros(1)
    assert holds_for_descent_ascent(tasks, x0, u, 0.0, 100, (0.1, 1.0))
    assert not holds_for_descent_ascent(tasks, x0, u, 0.0, 100, (0.1, 1.0), factor=0.15)
    scale = mirror.mirror_prox_scale(radius=1.0, n_tasks=2)
    assert holds_for_mirror_prox(tasks, x0, u, 0.0, 200, scale, adaptive=False)
    assert not holds_for_mirror_prox(tasks, x0, u, 0.0, 200, scale, adaptive=False, factor=0.3)
    curved = shared_curvature(0)
    start, best = np.full(curved.n_variables, 3.0), good_point(curved)[:2]
    assert holds_for_mirror_prox(curved, start, *best, 100, 1.0, adaptive=False)
    with pytest.raises(AssertionError):  # with 4/Lambda the iterates leave every ball
        holds_for_mirror_prox(curved, start, *best, 60, 1.0, adaptive=False, stretch=4.0)


@given(st.integers(1, 500), positive, st.integers(2, 40), positive, positive)
def test_the_best_scale(T, R, K, L, D):
    tau = mirror.mirror_prox_scale(radius=R, n_tasks=K)
    total = T / (L * tau + D / 2)
    bound = mirror.mirror_prox_bound(total_step=total, scale=tau, radius=R, n_tasks=K)
    assert bound == pytest.approx(mirror.mirror_prox_optimum(horizon=T, radius=R, n_tasks=K, smoothness=L, diameter=D), rel=1e-9)
    others = mirror.mirror_prox_bound(total_step=total, scale=tau * np.array([0.5, 0.9, 1.1, 2.0]), radius=R, n_tasks=K)
    assert (others > bound).all()


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: mirror.mirror_prox_scale(radius=0.0, n_tasks=2), "`radius`"),
        (lambda: mirror.mirror_prox_scale(radius=1.0, n_tasks=1), "`n_tasks`"),
        (lambda: mirror.operator_constant(smoothness=-1.0, diameter=1.0, scale=1.0), "`smoothness`"),
        (lambda: mirror.mirror_prox_bound(total_step=0.0, scale=1.0, radius=1.0, n_tasks=2), "`total_step`"),
        (lambda: mirror.descent_ascent_steps(horizon=0, radius=1, lipschitz=1, spread=1, n_tasks=2), "`horizon`"),
    ],
)
def test_what_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()
