"""N2 and M2 on the library's own solvers: seeded runs, intervals that hold at every sample size, twins that are refuted."""

from __future__ import annotations

import math

import numpy as np
import pytest

import minimax_opt as mo
from minimax_opt.problem import Problem
from minimax_opt.reproduce.minibatch import excess_of_runs, mean_step
from minimax_opt.solvers.base import Target
from minimax_opt.solvers.descent_ascent import DescentAscent
from minimax_opt.theory import minibatch as theory
from minimax_opt.theory.batch_model import NoiseTradeOff
from minimax_opt.theory.confidence import bounded_mean_interval
from minimax_opt.theory.minibatch_methods import (
    batch_descent_bound,
    batch_descent_step_size,
    gradient_deviation,
    stochastic_ascent_bound,
)
from minimax_opt.theory.mirror import descent_ascent_steps

CENTRE = np.array([0.5, 0.5])


def refuted(bound, excess, largest):
    """Whether the mean excess exceeds `bound` with 99.95 % confidence; every run lies in [0, largest] but for the certified gap."""
    return bounded_mean_interval(excess, -1e-6, largest).low > bound


class Logistic:
    """Tasks of ten rows on a ball that holds the unconstrained optimum; constants of single rows over the ball."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        K, m, n = 3, 10, 2
        A = rng.standard_normal((K, m, n))
        b = np.where(rng.random((K, m)) < 0.5, 1.0, -1.0)
        self.tasks = mo.LogisticTasks(A, b)
        solved = mo.minimize_max(self.tasks, tol=1e-9)
        assert solved.success
        self.fun, radius = solved.fun, float(np.linalg.norm(solved.x)) + 0.5
        self.domain, self.x0 = mo.Ball(radius), rng.uniform(-0.3, 0.3, n)
        longest = float(np.linalg.norm(A, axis=2).max())
        self.spread = longest * radius  # ln(1 + e^z) over |z| <= |a| radius
        self.worst_excess = 2 * radius * longest
        distance = float(np.linalg.norm(self.x0 - solved.x))
        self.shape = {"lipschitz": longest, "radius": distance, "n_tasks": K}
        noise = {"gradient_noise": math.sqrt(K) * longest, "loss_noise": self.spread / 2}
        self.constants = {**self.shape, **noise, "smoothness": longest**2 / 4}


class TradeOff:
    def __init__(self, seed):
        problem = NoiseTradeOff(n_tasks=5 + seed, price=0.25)
        self.tasks, self.fun, self.domain, self.x0 = problem.tasks, problem.fun, problem.domain, CENTRE
        self.spread, self.worst_excess, self.constants = problem.spread, problem.worst_excess, problem.constants(CENTRE)
        self.shape = {name: self.constants[name] for name in ("lipschitz", "radius", "n_tasks")}


PROBLEMS = pytest.mark.parametrize("make", [Logistic, TradeOff])


@PROBLEMS
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("rule", ["best", "of full batches"])
@pytest.mark.parametrize(("size", "smoothing"), [(1, 0.5), (16, 0.1)])
def test_descent_on_batches_keeps_its_bound(make, seed, rule, size, smoothing):
    problem, T = make(seed), 80
    constants = {**problem.constants, "horizon": T, "smoothing": smoothing, "batch_size": size}
    step = 1 / (constants["smoothness"] + constants["lipschitz"] ** 2 / smoothing)
    step = batch_descent_step_size(**constants) if rule == "best" else step
    options = {"batch_size": size, "smoothing": smoothing, "step_size": step}
    excess = excess_of_runs(problem, "softmax-gd", options, T, range(8), x0=problem.x0)
    assert not refuted(batch_descent_bound(step_size=step, **constants), excess, problem.worst_excess)


def on_the_edge():
    """Only u is free: all that holds it up is the noise of the weights."""
    problem = NoiseTradeOff(price=0.6)
    x0, edge = np.array([0.9, 2 / 3]), mo.Box([0.0, 2 / 3], [1.0, 2 / 3])
    constants = {**problem.constants(x0), "horizon": 200, "smoothing": 0.02, "batch_size": 4}
    step = batch_descent_step_size(**constants)
    options = {"batch_size": 4, "smoothing": 0.02, "step_size": step}
    excess = excess_of_runs(problem, "softmax-gd", options, 200, range(20), domain=edge, x0=x0)
    return problem, constants, step, excess


def test_the_bound_on_descent_without_inflation_is_refuted():
    problem, constants, step, excess = on_the_edge()
    bound = batch_descent_bound(step_size=step, **constants)
    bias = theory.batch_bias(**{name: constants[name] for name in ("loss_noise", "batch_size", "smoothing", "n_tasks")})
    assert not refuted(bound, excess, problem.price)
    assert refuted(bound - bias + 0.02 * math.log(problem.n_tasks), excess, problem.price)


@PROBLEMS
@pytest.mark.parametrize("size", [1, 64])
def test_below_the_least_smoothing_the_bound_gains_nothing(make, size):
    """The bound of the best step never rises with s up to nu/sqrt(2 B ln K), whatever the horizon."""
    constants = {**make(0).constants, "batch_size": size}
    least = theory.least_smoothing(**{name: constants[name] for name in ("loss_noise", "batch_size", "n_tasks")})
    for horizon in (10.0, 1e3, 1e6, 1e9):
        s = least * np.geomspace(1e-3, 1.0, 50)
        steps = batch_descent_step_size(horizon=horizon, smoothing=s, **constants)
        bounds = batch_descent_bound(horizon=horizon, step_size=steps, smoothing=s, **constants)
        assert (np.diff(bounds) <= 1e-12 * bounds[:-1]).all()
    noise = {name: constants[name] for name in ("loss_noise", "batch_size", "n_tasks")}
    floor = theory.noise_floor(**noise)
    assert theory.batch_bias(smoothing=least, **noise) == pytest.approx(floor)
    assert theory.batch_bias(smoothing=1.1 * least, **noise) > 1.001 * floor
    above = batch_descent_bound(horizon=1e12, step_size=1e-6, smoothing=2 * least, **constants)
    assert above > batch_descent_bound(horizon=1e12, step_size=1e-6, smoothing=least, **constants)


@PROBLEMS
@pytest.mark.parametrize("T", [10.0, 1e7])
def test_the_steps_give_the_bounds_in_closed_form(make, T):
    """The two terms of the theorem, and what each of the three steps makes of its own."""
    constants = {**make(0).constants, "batch_size": 10_000, "smoothing": 0.3}
    G, R, beta = constants["lipschitz"], constants["radius"], constants["smoothness"] + constants["lipschitz"] ** 2 / 0.3
    noise = {name: constants[name] for name in ("loss_noise", "batch_size", "smoothing", "n_tasks")}
    sigma = gradient_deviation(lipschitz=G, gradient_noise=constants["gradient_noise"], **noise)
    assert sigma < G

    def bound(step):
        return batch_descent_bound(horizon=T, step_size=step, **constants) - theory.batch_bias(**noise)

    def rough(step):
        return R**2 / (2 * step * T) + step * G**2 / 2

    def smooth(step):
        return (G * R + R**2 / (2 * step)) / T + sigma**2 / (2 * (1 / step - beta))

    first, second, full = R / (G * math.sqrt(T)), 1 / (beta + sigma * math.sqrt(T) / R), 1 / beta
    for step in (first, second, 0.1 * second):
        assert bound(step) == pytest.approx(min(rough(step), smooth(step) if step < full else math.inf), rel=1e-9)
    assert bound(full) == pytest.approx(rough(full))
    assert rough(first) == pytest.approx(G * R / math.sqrt(T))
    assert smooth(second) == pytest.approx((G * R + beta * R**2 / 2) / T + sigma * R / math.sqrt(T))
    assert rough(full) <= beta * R**2 / (2 * T) + 0.15 * (1 + 1e-12)
    assert bound(batch_descent_step_size(horizon=T, **constants)) == min(bound(first), bound(second))


@PROBLEMS
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("size", [1, 16])
def test_ascent_on_batches_keeps_its_bound(make, seed, size):
    problem, T = make(seed), 80
    options = {name: problem.shape[name] for name in ("lipschitz", "radius")}
    options.update(step_size="theory", weights_step_size="theory", horizon=T, spread=problem.spread, batch_size=size)
    excess = excess_of_runs(problem, "descent-ascent", options, T, range(8), x0=problem.x0)
    bound = stochastic_ascent_bound(horizon=T, spread=problem.spread, batch_size=size, **problem.shape)
    assert not refuted(bound, excess, problem.worst_excess)


@pytest.mark.parametrize("moves", [True, False])
def test_an_adversary_that_does_not_move_is_refuted(moves):
    problem, T = NoiseTradeOff(price=0.25), 200
    x0, quiet = np.array([0.0, 0.0]), mo.Box([0.0, 0.0], [0.0, 1.0])  # the average falls to v = 0, where F is 1
    constants = problem.constants(x0)
    shape = {name: constants[name] for name in ("lipschitz", "radius", "n_tasks")}
    steps = descent_ascent_steps(horizon=T, spread=problem.spread, **shape)
    options = {"step_size": steps[0], "weights_step_size": steps[1] if moves else 1e-12, "batch_size": 4}
    excess = excess_of_runs(problem, "descent-ascent", options, T, range(20), domain=quiet, x0=x0)
    bound = stochastic_ascent_bound(horizon=T, spread=problem.spread, batch_size=4, **shape)
    assert refuted(bound, excess, 2 / 3 + 1e-9) != moves


def test_the_theorys_steps_are_those_of_the_solver():
    """Bit for bit: the same runs."""
    problem = TradeOff(0)
    shape = {name: problem.shape[name] for name in ("lipschitz", "radius")}
    steps = descent_ascent_steps(horizon=30, spread=problem.spread, **problem.shape)
    named = {"step_size": "theory", "weights_step_size": "theory", "horizon": 30, "spread": problem.spread, **shape}
    for size in (1, 8):
        runs = [
            excess_of_runs(problem, "descent-ascent", {**options, "batch_size": size}, 30, range(2))
            for options in (named, {"step_size": steps[0], "weights_step_size": steps[1]})
        ]
        np.testing.assert_array_equal(*runs)


def test_ascent_moves_x_with_the_weights_from_before_the_batch():
    """From uniform weights, with a long step of the weights: the mean move is the mean gradient; with same-batch weights it is not."""
    problem, x, solver = NoiseTradeOff(), np.array([0.2, 0.6]), DescentAscent(step_size=1.0, weights_step_size=10.0, batch_size=4)
    whole = Problem(problem.tasks, problem.n_tasks, 2, mo.Simplex())
    state = solver.init(whole, whole.at(x), None, Target(0.0, 0.0), 0)
    slopes = problem.tasks.sample_slopes[..., 0]
    moves = [x[0] - solver.step(whole, state).x[0] for _ in range(2000)]
    assert bounded_mean_interval(moves, slopes.min(), slopes.max()).contains(problem.tasks.A[:, 0].mean())
    same = mean_step(problem, x, 4, 0.1, 2000, seed=0)[:, 0]
    assert bounded_mean_interval(same, slopes.min(), slopes.max()).high < problem.tasks.A[:, 0].mean()


@pytest.mark.parametrize("T", [1, 7])
def test_the_averages_are_those_of_the_points_that_the_gradients_were_taken_at(T):
    """Both theorems are about the mean of x_0 ... x_{T-1}: after one step it is x_0 still."""
    problem = TradeOff(0)
    for method, options in [("softmax-gd", {"smoothing": 0.1, "step_size": 1e-3}), ("descent-ascent", {"step_size": 1e-3})]:
        excess = excess_of_runs(problem, method, {**options, "batch_size": 2}, T, range(1))
        start = float(problem.tasks(CENTRE).max()) - problem.fun
        assert (excess[0] == pytest.approx(start, abs=1e-15)) == (T == 1)


def test_closed_forms_of_the_bound_on_ascent():
    shape = {"lipschitz": 2.0, "radius": 0.5, "spread": 3.0, "n_tasks": 7}
    at_one = stochastic_ascent_bound(horizon=400, **shape)
    assert at_one == pytest.approx(2.0 * 0.5 / 20 + 3.0 * math.sqrt(2 * math.log(7) / 400))
    full = stochastic_ascent_bound(horizon=400, batch_size=1e30, **shape)
    assert full == pytest.approx(2.0 * 0.5 / 20 + 3.0 * math.sqrt(math.log(7) / 800))
    eta_x, eta_w = descent_ascent_steps(horizon=400, **shape)
    descent, ascent = 0.5**2 / (2 * eta_x * 400) + eta_x * 4.0 / 2, math.log(7) / (eta_w * 400) + eta_w * 9.0 / 8
    assert full == pytest.approx(descent + ascent)
