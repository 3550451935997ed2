"""A0, A4, A5 and A6: gradient descent and the accelerated method at every iterate, and where the iterates go."""

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
from minimax_opt.theory.constants import constants_on_ball
from minimax_opt.theory.trajectory import states

positive = st.floats(0.01, 10.0)


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
    found = constants_on_ball(tasks, x0, ball)
    best = descent.gradient_descent_smoothing if check is holds_for_gradient_descent else nesterov.accelerated_smoothing
    s = best(horizon=300, radius=np.linalg.norm(u), n_tasks=tasks.n_tasks, diameter=found.diameter)
    assert fun - lower <= 1e-5 * abs(fun)
    assert check(tasks, x0, u, lower + (fun - lower), 300, s, ball=ball)


@settings(max_examples=12)
@given(any_tasks(("quadratic",)), st.floats(0.1, 1.0), st.booleans())
def test_the_iterates_stay_in_the_ball_round_the_smoothed_minimiser(tasks, s, accelerated):
    """A0, all of x, y and z: no further than |x_0 - x_s*| from x_s*, so that constants over B(x_0, 2 |x_0 - x_s*|) do."""
    x0 = np.ones(tasks.n_variables)
    last = list(states(Accelerated(smoothing=s, continuation=False), tasks, x0, 200))[-1]
    star = last.point.x
    residual = np.linalg.norm(last.point.gradient(last.smoothed.weights(last.point.losses)))
    error = residual / tasks.strong_convexity  # |x - x_s*| <= |grad F_s(x)|/mu
    distance = np.linalg.norm(x0 - star) + error
    path, _ = first_order(tasks, x0, 100, s, accelerated=accelerated, ball=2 * distance + 1e-9)
    points = [x for state in path for x in ([state.point.x, state.y.x, state.z] if accelerated else [state.point.x])]
    assert max(np.linalg.norm(x - star) for x in points) <= distance + error + 1e-9


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


@settings(max_examples=15)
@given(st.builds(shared_curvature, st.integers(0, 999)), st.sampled_from([0.3, 0.03]))
def test_a6_restarts_reach_the_accuracy(tasks, accuracy):
    x0 = np.ones(tasks.n_variables)
    u, fun, lower = good_point(tasks, 1e-8)
    mu = tasks.strong_convexity
    s = theory.smoothing_for(accuracy=accuracy / 2, n_tasks=tasks.n_tasks)
    # |x_s* - x*|^2 <= 2 s ln K/mu, and x* is near u
    radius = np.linalg.norm(x0 - u) + np.sqrt(2 * max(fun - lower, 0.0) / mu) + np.sqrt(2 * s * np.log(tasks.n_tasks) / mu)
    found = constants_on_ball(tasks, x0, 2 * radius)
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


@given(st.floats(1e-4, 1.0), positive, st.integers(2, 99), positive, st.floats(1.0, 50.0), positive)
def test_a6_schedule_is_the_least_that_its_proof_allows(accuracy, R, K, mu, condition, G):
    """Each run halves F_s - F_s*, as 2 M/(N+1)^2 <= mu/4; the runs end within eps/2, the bias is eps/2. No shorter run, no start less would do."""
    L = condition * mu
    s, length, starts = theory.restarted_schedule(
        accuracy=accuracy, radius=R, n_tasks=K, strong_convexity=mu, smoothness=L, lipschitz=G
    )
    M = theory.curvature(smoothness=L, smoothing=s, lipschitz=G)
    assert theory.bias(smoothing=s, n_tasks=K) == pytest.approx(accuracy / 2)
    assert 2 * M / (length + 1) ** 2 <= mu / 4 * (1 + 1e-12) < 2 * M / length**2
    left = mu * R**2 / 4 * 0.5 ** (starts - 1)  # after the first run mu R^2/4, halved by each other
    assert left <= accuracy / 2 * (1 + 1e-12)
    assert starts == 1 or 2 * left > accuracy / 2 * (1 - 1e-12)


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
