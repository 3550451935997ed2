import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from theory.checks import first_order, holds_for_accelerated, holds_for_gradient_descent
from theory.problems import GLOBAL, any_tasks, good_point, real_tasks, shared_curvature

import minimax_opt as mo
from minimax_opt.solvers import Accelerated
from minimax_opt.theory import accelerated as nesterov
from minimax_opt.theory import gradient_descent as descent
from minimax_opt.theory import smoothing as theory
from minimax_opt.theory import worst_case
from minimax_opt.theory.constants import constants
from minimax_opt.theory.trajectory import states

positive = st.floats(0.01, 10.0)


def smoothed(losses, s):
    top = losses.max()
    return top + s * np.log(np.exp((losses - top) / s).sum())


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), positive, st.floats(0, 3))
def test_a1_bias(losses, s, margin):
    losses = np.array(losses)
    close = int((losses > losses.max() - margin).sum()) or 1
    value, top, slack = smoothed(losses, s), losses.max(), 1e-12 * (5 + s)
    refined = theory.bias(smoothing=s, n_tasks=len(losses), n_close=close, margin=margin)
    assert top - slack <= value <= top + refined + slack
    assert refined <= theory.bias(smoothing=s, n_tasks=len(losses)) + slack


def test_a1_is_met_and_no_smaller_bias_would_do():
    losses = np.array([1.0, 1.0, 0.5, 0.5, 0.5])
    value = smoothed(losses, 0.2) - 1.0
    exact = theory.bias(smoothing=0.2, n_tasks=5, n_close=2, margin=0.5)
    assert value == pytest.approx(exact, rel=1e-12)
    assert value > 0.999 * exact  # the broken twin
    assert value > theory.bias(smoothing=0.2, n_tasks=5, n_close=1, margin=0.5)  # as is a task that was not counted


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6), positive, st.integers(0, 99))
def test_a1_with_a_prior(losses, s, seed):
    losses, prior = np.array(losses), np.random.default_rng(seed).dirichlet(np.ones(len(losses))) * 0.9 + 0.1 / len(losses)
    value = smoothed(losses + s * np.log(prior), s)
    worst = int(losses.argmax())
    assert (
        losses.max() - theory.prior_bias(smoothing=s, prior=prior[worst]) - 1e-12 * (5 + s)
        <= value
        <= losses.max() + 1e-12 * (5 + s)
    )
    assert value == pytest.approx(
        float(mo.ambiguity.worst_case(losses, mo.Simplex(prior=prior), smoothing=s)), abs=1e-12 * (5 + s)
    )


@settings(max_examples=30)
@given(any_tasks(("logistic", "huber", "affine", "quadratic", "least squares")), st.floats(0.05, 2.0), st.integers(0, 999))
def test_a3_curvature(tasks, s, seed):
    """Gradients of F_s along random chords of a ball, against L + G^2/s and L + D^2/(4 s)."""
    rng = np.random.default_rng(seed)
    found = constants(tasks, np.zeros(tasks.n_variables), 1.0)
    bound = theory.curvature(smoothness=found.smoothness, smoothing=s, diameter=found.diameter)
    assert bound <= theory.curvature(smoothness=found.smoothness, smoothing=s, lipschitz=found.lipschitz) * (1 + 1e-12)

    def gradient(x):
        at = tasks.at(x)
        weights = np.exp((at.losses - at.losses.max()) / s)
        return at.gradient(weights / weights.sum())

    for _ in range(10):
        x, y = (v / max(np.linalg.norm(v), 1.0) for v in rng.standard_normal((2, tasks.n_variables)))
        assert np.linalg.norm(gradient(x) - gradient(y)) <= bound * np.linalg.norm(x - y) + 1e-12 * (1 + found.lipschitz)


@settings(max_examples=40)
@given(any_tasks(GLOBAL), st.floats(0.01, 1.0), st.booleans(), st.integers(0, 99))
def test_a4_at_every_iterate(tasks, s, sharp, seed):
    """Any comparator u: here a random one, or a near-minimiser."""
    rng = np.random.default_rng(seed)
    x0 = 2 * rng.standard_normal(tasks.n_variables)
    u = rng.standard_normal(tasks.n_variables) if seed % 2 else good_point(tasks, 1e-4)[0]
    assert holds_for_gradient_descent(tasks, x0, u, tasks(u).max(), 60, s, sharp=sharp)


@settings(max_examples=40)
@given(any_tasks(GLOBAL), st.floats(0.01, 1.0), st.booleans(), st.integers(0, 99))
def test_a5_at_every_iterate(tasks, s, sharp, seed):
    rng = np.random.default_rng(seed)
    x0 = 2 * rng.standard_normal(tasks.n_variables)
    u = rng.standard_normal(tasks.n_variables) if seed % 2 else good_point(tasks, 1e-4)[0]
    assert holds_for_accelerated(tasks, x0, u, tasks(u).max(), 60, s, sharp=sharp)


@pytest.mark.parametrize("name", ["diabetes", "squares", "cancer", "wine"])
@pytest.mark.parametrize("check", [holds_for_gradient_descent, holds_for_accelerated])
def test_a4_and_a5_on_real_data(name, check):
    """With the smoothing that the theory recommends for 300 steps; the gap to F* is proven, since F* >= lower."""
    tasks = real_tasks(name)
    x0, (u, fun, lower) = np.zeros(tasks.n_variables), good_point(real_tasks(name))
    ball = 3 * np.linalg.norm(u) + 1.0
    found = constants(tasks, x0, ball)
    best = descent.gradient_descent_smoothing if check is holds_for_gradient_descent else nesterov.accelerated_smoothing
    s = best(horizon=300, radius=np.linalg.norm(u), n_tasks=tasks.n_tasks, diameter=found.diameter)
    assert fun - lower <= 1e-5 * abs(fun)
    assert check(tasks, x0, u, lower + (fun - lower), 300, s, ball=ball)


@settings(max_examples=12)
@given(any_tasks(("quadratic",)), st.floats(0.1, 1.0), st.booleans())
def test_the_iterates_stay_in_the_ball_round_the_smoothed_minimiser(tasks, s, accelerated):
    """Both methods: |x_t - x_s*| <= |x_0 - x_s*|, so that constants over B(x_0, 2 |x_0 - x_s*|) do."""
    x0 = np.ones(tasks.n_variables)
    last = list(states(Accelerated(smoothing=s, continuation=False), tasks, x0, 200))[-1]
    star = last.point.x
    residual = np.linalg.norm(last.point.gradient(last.smoothed.weights(last.point.losses)))
    error = residual / tasks.strong_convexity  # |x - x_s*| <= |grad F_s(x)|/mu
    distance = np.linalg.norm(x0 - star) + error
    path, _ = first_order(tasks, x0, 100, s, accelerated=accelerated, ball=2 * distance + 1e-9)
    assert max(np.linalg.norm(state.point.x - star) for state in path) <= distance + error + 1e-9


def test_broken_twins_of_a4_and_a5():
    """A step too long, a lost s ln K, and half of the smooth part are each caught."""
    T, s = 50, 0.1
    slow = worst_case.slow_gradient_descent(horizon=T, smoothing=s)
    assert holds_for_gradient_descent(slow.tasks, slow.x0, np.zeros(1), 0.0, T, s)
    assert not holds_for_gradient_descent(slow.tasks, slow.x0, np.zeros(1), 0.0, T, s, factor=0.45)
    near = np.array([0.5 * s])
    assert holds_for_gradient_descent(slow.tasks, near, np.zeros(1), 0.0, T, s)
    assert not holds_for_gradient_descent(slow.tasks, near * 4, np.zeros(1), 0.0, 400, s, stretch=8.0)
    slow = worst_case.slow_accelerated(horizon=T, smoothing=s)
    assert holds_for_accelerated(slow.tasks, slow.x0, np.zeros(1), 0.0, T, s)
    assert not holds_for_accelerated(slow.tasks, slow.x0, np.zeros(1), 0.0, T, s, factor=0.9)
    quadratic = mo.QuadraticTasks(np.stack([np.eye(1)] * 2))
    for check in (holds_for_gradient_descent, holds_for_accelerated):
        assert check(quadratic, np.ones(1), np.zeros(1), 0.0, T, s, ball=3.0)
        with pytest.raises(AssertionError):  # with 2.5/M the iterates leave every ball
            check(quadratic, np.ones(1), np.zeros(1), 0.0, T, s, ball=3.0, stretch=2.5)


def test_a7_no_bias_below_s_ln_k_would_do():
    """Started at the minimiser of F_s, where it stays, the gap is a growing share of s ln K, whatever T."""
    shares = []
    for K in (10, 100, 1000):
        instance = worst_case.crowded_pair(n_tasks=K, smoothing=0.5, slope=1 / np.log(K))
        shares.append(instance.value / theory.bias(smoothing=0.5, n_tasks=K))
        at = instance.tasks.at(instance.x0)
        weights = np.exp((at.losses - at.losses.max()) / 0.5)
        assert abs(at.gradient(weights / weights.sum())) <= 1e-12
        assert at.losses.max() == pytest.approx(instance.value)
    assert 0.2 < shares[0] < shares[1] < shares[2] < 1.0
    assert shares[2] > 0.6
    assert holds_for_gradient_descent(instance.tasks, instance.x0, np.zeros(1), 0.0, 20, 0.5)
    assert instance.value > 0.6 * theory.bias(smoothing=0.5, n_tasks=1000)  # the broken twin: 0.6 s ln K is violated
    assert theory.smoothing_for(accuracy=1.0, n_tasks=K) * np.log(K) == pytest.approx(1.0)


@settings(max_examples=15)
@given(st.builds(shared_curvature, st.integers(0, 999)), st.sampled_from([0.3, 0.03]))
def test_a6_restarts_reach_the_accuracy(tasks, accuracy):
    x0 = np.ones(tasks.n_variables)
    u, fun, lower = good_point(tasks, 1e-8)
    mu = tasks.strong_convexity
    s = theory.smoothing_for(accuracy=accuracy / 2, n_tasks=tasks.n_tasks)
    # |x_s* - x*|^2 <= 2 s ln K/mu, and x* is near u
    radius = np.linalg.norm(x0 - u) + np.sqrt(2 * max(fun - lower, 0.0) / mu) + np.sqrt(2 * s * np.log(tasks.n_tasks) / mu)
    found = constants(tasks, x0, 2 * radius)
    s, length, starts = theory.restarted_schedule(
        accuracy=accuracy,
        radius=radius,
        n_tasks=tasks.n_tasks,
        strong_convexity=mu,
        smoothness=found.smoothness,
        diameter=found.diameter,
    )
    M = theory.curvature(smoothness=found.smoothness, smoothing=s, diameter=found.diameter)
    x = x0
    for _ in range(starts):
        solver = Accelerated(smoothing=s, step_size=1 / M, continuation=False, restart=False)
        x = list(states(solver, tasks, x, length))[-1].point.x
    assert tasks(x).max() - lower <= accuracy + 1e-9


@given(st.integers(1, 1000), positive, st.integers(2, 50), positive, positive)
def test_the_best_smoothing_is_the_best(T, R, K, G, L):
    """No other s gives a smaller bound, and the optimum is the bound there (A5: of the form with (T+1)^2)."""
    gd = {"horizon": T, "radius": R, "n_tasks": K}
    s = descent.gradient_descent_smoothing(**gd, lipschitz=G)
    least = descent.gradient_descent_bound(**gd, smoothing=s, smoothness=L, lipschitz=G)
    assert least == pytest.approx(descent.gradient_descent_optimum(**gd, smoothness=L, lipschitz=G), rel=1e-9)
    around = descent.gradient_descent_bound(**gd, smoothing=s * np.array([0.5, 0.9, 1.1, 2.0]), smoothness=L, lipschitz=G)
    assert (around > least * (1 - 1e-12)).all()
    s = nesterov.accelerated_smoothing(**gd, lipschitz=G)
    plain = 2 * (L + G**2 / s) * R**2 / (T + 1) ** 2 + s * np.log(K)
    assert plain == pytest.approx(nesterov.accelerated_optimum(**gd, smoothness=L, lipschitz=G), rel=1e-9)
    assert nesterov.accelerated_bound(**gd, smoothing=s, smoothness=L, lipschitz=G) <= plain * (1 + 1e-12)


def test_the_solver_uses_the_same_formulas():
    options = {"lipschitz": 2.0, "radius": 3.0, "horizon": 50, "smoothing": "theory", "step_size": "theory", "smoothness": 1.0}
    solver = mo.solvers.SoftmaxGD(**options)
    state = next(states(solver, worst_case.opposite_slopes(2.0), np.ones(1), 0))
    s = descent.gradient_descent_smoothing(horizon=50, radius=3.0, n_tasks=2, lipschitz=2.0)
    assert state.smoothed.smoothing == pytest.approx(s)
    assert state.curvature == pytest.approx(theory.curvature(smoothness=1.0, smoothing=s, lipschitz=2.0))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: theory.bias(smoothing=0.0, n_tasks=2), "`smoothing`"),
        (lambda: theory.bias(smoothing=1.0, n_tasks=2.5), "`n_tasks`"),
        (lambda: theory.bias(smoothing=1.0, n_tasks=2, n_close=3), "`n_close`"),
        (lambda: theory.prior_bias(smoothing=1.0, prior=2.0), "`prior`"),
        (lambda: theory.curvature(smoothness=1.0, smoothing=1.0), "`lipschitz` or `diameter`"),
        (lambda: theory.curvature(smoothness="a", smoothing=1.0, lipschitz=1.0), "`smoothness`"),
        (lambda: descent.gradient_descent_smoothing(horizon=1, radius=1, n_tasks=1, lipschitz=1), "`n_tasks`"),
        (lambda: nesterov.momentum(0), "`horizon`"),
    ],
)
def test_what_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()
