"""A1, A2, A3 and A7: the smoothed worst case, its gradient, its curvature, and what it costs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from theory.checks import holds_for_gradient_descent
from theory.problems import any_tasks

import minimax_opt as mo
from minimax_opt.solvers import SoftmaxGD
from minimax_opt.theory import accelerated as nesterov
from minimax_opt.theory import gradient_descent as descent
from minimax_opt.theory import smoothing as theory
from minimax_opt.theory import worst_case
from minimax_opt.theory.constants import constants_on_ball
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


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6), st.floats(0.01, 1e4), st.integers(0, 99))
def test_a1_tends_to_the_average_at_a_rate(losses, s, seed):
    """The average is a lower bound, and within (range of the losses)^2/(8 s): met by two coins to first order."""
    losses, prior = np.array(losses), np.random.default_rng(seed).dirichlet(np.ones(len(losses))) * 0.9 + 0.1 / len(losses)
    above = smoothed(losses + s * np.log(prior), s) - prior @ losses
    assert -1e-11 * (5 + s) <= above <= np.ptp(losses) ** 2 / (8 * s) + 1e-11 * (5 + s)
    coins = smoothed(np.array([-1.0, 1.0]) - s * np.log(2), s)
    assert s < 10 or coins > 0.99 * 2**2 / (8 * s)  # the broken twin


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=8), positive)
def test_a1_what_is_lower_in_the_smoothed_is_lower_up_to_s_ln_k(pairs, s):
    """The losses at two points x and u: F_s(x) <= F_s(u) implies F(x) <= F(u) + s ln K. Met where one task alone equals K equal ones."""
    here, there = np.array(pairs).T
    K = len(here)
    if smoothed(here, s) > smoothed(there, s):
        here, there = there, here
    assert here.max() <= there.max() + theory.bias(smoothing=s, n_tasks=K) + 1e-12 * (5 + s)
    alone = np.append(s * np.log(K), np.full(K - 1, -1e3 * s))
    assert smoothed(alone, s) == pytest.approx(smoothed(np.zeros(K), s), abs=1e-12 * (1 + s))
    assert alone.max() == pytest.approx(theory.bias(smoothing=s, n_tasks=K))


@settings(max_examples=30)
@given(
    any_tasks(("logistic", "huber", "poisson", "affine", "quadratic", "least squares")), st.floats(0.1, 2.0), st.integers(0, 999)
)
def test_a2_a_step_is_a_gradient_step_on_the_smoothed_worst_case(tasks, s, seed):
    """The library's step over its length, against difference quotients of F_s; of F_2s, the broken twin, it is no gradient. F_s is convex."""
    rng = np.random.default_rng(seed)
    x = 0.3 * rng.standard_normal(tasks.n_variables)
    direction = rng.standard_normal(tasks.n_variables)
    direction /= np.linalg.norm(direction)
    _, after = states(SoftmaxGD(smoothing=s, step_size=1e-3), tasks, x, 1)
    slope = (x - after.point.x) @ direction / 1e-3

    def along(t, smoothing=s):
        return smoothed(tasks(x + t * direction), smoothing)

    h = 1e-5
    curvature = constants_on_ball(tasks, x, 1e-3).lipschitz ** 2 / s + 1.0
    assert slope == pytest.approx((along(h) - along(-h)) / (2 * h), abs=1e-6 * (1 + abs(slope) + curvature))
    assert along(1.0) + along(-1.0) >= 2 * along(0.0) - 1e-12 * (1 + abs(along(1.0)) + abs(along(-1.0)))


def test_a2_of_another_smoothing_is_another_gradient():
    tasks, x, s = mo.AffineTasks([[1.0], [-1.0]], [0.5, 0.0]), np.array([0.1]), 0.3
    _, after = states(SoftmaxGD(smoothing=s, step_size=1e-3), tasks, x, 1)
    slope = (x - after.point.x)[0] / 1e-3
    quotients = [(smoothed(tasks(x + 1e-6), t) - smoothed(tasks(x - 1e-6), t)) / 2e-6 for t in (s, 2 * s)]
    assert slope == pytest.approx(quotients[0], rel=1e-6)
    assert abs(slope - quotients[1]) > 0.1


@settings(max_examples=30)
@given(any_tasks(("logistic", "huber", "affine", "quadratic", "least squares")), st.floats(0.05, 2.0), st.integers(0, 999))
def test_a3_curvature(tasks, s, seed):
    """Gradients of F_s along random chords of a ball, against L + G^2/s and L + D^2/(4 s)."""
    rng = np.random.default_rng(seed)
    found = constants_on_ball(tasks, np.zeros(tasks.n_variables), 1.0)
    bound = theory.curvature(smoothness=found.smoothness, smoothing=s, diameter=found.diameter)
    assert bound <= theory.curvature(smoothness=found.smoothness, smoothing=s, lipschitz=found.lipschitz) * (1 + 1e-12)

    def gradient(x):
        at = tasks.at(x)
        weights = np.exp((at.losses - at.losses.max()) / s)
        return at.gradient(weights / weights.sum())

    for _ in range(10):
        x, y = (v / max(np.linalg.norm(v), 1.0) for v in rng.standard_normal((2, tasks.n_variables)))
        assert np.linalg.norm(gradient(x) - gradient(y)) <= bound * np.linalg.norm(x - y) + 1e-12 * (1 + found.lipschitz)


@pytest.mark.parametrize("s", [0.1, 10.0])
def test_a3_keeps_the_curvature_of_the_tasks(s):
    """Equal quadratics, opposite slopes: F_s'' = L + D^2/(4 s) at 0, so that neither part may be smaller."""
    tasks = mo.QuadraticTasks(np.stack([np.eye(1)] * 2), [[1.0], [-1.0]], [0.0, 0.0])
    bound = theory.curvature(smoothness=1.0, smoothing=s, diameter=2.0)
    step = 1e-4 * s
    at = tasks.at(np.array([step]))
    weights = np.exp(at.losses / s) / np.exp(at.losses / s).sum()
    assert at.gradient(weights)[0] / step == pytest.approx(bound, rel=1e-7)


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


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: theory.bias(smoothing=0.0, n_tasks=2), "`smoothing`"),
        (lambda: theory.bias(smoothing=1.0, n_tasks=2.5), "`n_tasks`"),
        (
            lambda: theory.restarted_schedule(accuracy=1, radius=1, n_tasks=2, strong_convexity=2, smoothness=1, diameter=1),
            "`smoothness`",
        ),
        (lambda: theory.bias(smoothing=1.0, n_tasks=2, n_close=3), "`n_close`"),
        (lambda: theory.prior_bias(smoothing=1.0, prior=2.0), "`prior`"),
        (lambda: theory.curvature(smoothness=1.0, smoothing=1.0), "`lipschitz` or `diameter`"),
        (lambda: descent.gradient_descent_smoothing(horizon=1, radius=1, n_tasks=1, lipschitz=1), "`n_tasks`"),
        (lambda: nesterov.momentum(0), "`horizon`"),
    ],
)
def test_what_is_refused(call, named):
    with pytest.raises(ValueError, match=named):
        call()
    with pytest.raises(TypeError, match="`smoothness`"):
        theory.curvature(smoothness="a", smoothing=1.0, lipschitz=1.0)
