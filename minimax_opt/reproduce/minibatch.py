"""What mini-batches cost: N1, N2, N3 and M2 of ``docs/theory/mini-batches.md``, exactly where sums can say it, else by seeded runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.ambiguity import Simplex, respond
from minimax_opt.arrays import Host
from minimax_opt.domains import Box
from minimax_opt.figures.theory_minibatch import draw_inflation, draw_noise_floor
from minimax_opt.minimize import minimize_max
from minimax_opt.problem import Problem
from minimax_opt.reproduce.experiment import Experiment
from minimax_opt.reproduce.minibatch_claims import claims
from minimax_opt.solvers.base import Target
from minimax_opt.solvers.softmax_gd import SoftmaxGD
from minimax_opt.theory import minibatch as theory
from minimax_opt.theory.batch_model import NoiseTradeOff, expected_batch
from minimax_opt.theory.confidence import bounded_mean_interval
from minimax_opt.theory.minibatch_methods import batch_descent_bound, batch_descent_step_size, stochastic_ascent_bound

START = np.array([0.5, 0.5])
SURE = 0.999  # of all random claims together


def compute(quick: bool, seed: int) -> dict[str, Any]:
    """All numbers."""
    return {
        "unbiased": _unbiased(2000 if quick else 20_000, seed),
        "chain": _chain(60 if quick else 600, seed),
        "inflation": _inflation(100 if quick else 1000),
        "floor": _floor([4, 64] if quick else [4, 16, 64], 5 if quick else 8, 3 if quick else 6, 150 if quick else 500, seed),
        "needed": _needed(20 if quick else 40, 200, seed),
        "ascent": _ascent(10 if quick else 30, 200 if quick else 1000, seed),
        "same": _same_batch(),
    }


def mean_step(problem: NoiseTradeOff, x: Host, batch_size: int, smoothing: float, draws: int, seed: int) -> Host:
    """Gradients that `draws` independent steps of ``softmax-gd`` from `x` follow, shape (draws, n)."""
    solver = SoftmaxGD(smoothing=smoothing, step_size=1.0, batch_size=batch_size, evaluate_every=draws + 1)
    whole = Problem(problem.tasks, problem.n_tasks, len(x), Simplex())
    state = solver.init(whole, whole.at(x), None, Target(0.0, 0.0), seed)
    return np.array([x - solver.step(whole, state).x for _ in range(draws)])


def excess_of_runs(
    problem: NoiseTradeOff, method: str, options: dict[str, Any], horizon: int, seeds: range, **keywords: Any
) -> Host:
    """F(mean of x_0 ... x_{T-1}) - F* of one run for each seed, T the horizon."""
    options = {"evaluate_every": horizon, **options}
    keywords = {"domain": problem.domain, "x0": START, "tol": 0.0, "atol": 0.0, "max_iter": horizon, **keywords}
    runs = [minimize_max(problem.tasks, method=method, options=options, seed=seed, **keywords) for seed in seeds]
    return np.array([run.trace[-1].value for run in runs]) - problem.fun


def _unbiased(draws: int, seed: int) -> dict[str, Any]:
    """N1: the mean step beside the exact gradients of F^B_s and of F_s."""
    problem, x, size, s = NoiseTradeOff(), np.array([0.2, 0.6]), 4, 0.1
    steps = mean_step(problem, x, size, s, draws, seed)
    low, high = problem.tasks.sample_slopes.min((0, 1)), problem.tasks.sample_slopes.max((0, 1))
    weights = respond(problem.tasks(x), Simplex(), smoothing=s)
    return {
        "steps": {"mean": steps.mean(0).tolist(), "draws": draws},
        "intervals": [_ends(steps[:, i], low[i], high[i], 2) for i in range(2)],
        "batch_gradient": _expected(problem, x, size, s).gradient.tolist(),
        "gradient": (weights @ problem.tasks.A).tolist(),
    }


def _ends(values: Host, low: float, high: float, intervals: int) -> list[float]:
    """One of `intervals` intervals for the means that a claim is about: four claims are random, and share 0.1 %."""
    _, below, above = bounded_mean_interval(values, low, high, confidence=1.0 - (1.0 - SURE) / (4 * intervals))
    return [below, above]


def _expected(problem: NoiseTradeOff, x: Host, batch_size: int, smoothing: float) -> Any:
    return expected_batch(*map(list, problem.tasks.at_samples(x)), batch_size=batch_size, smoothing=smoothing)


def _chain(models: int, seed: int) -> dict[str, Any]:
    """N1 and N3 on random finite models, exactly: the least slack of each inequality, the largest share of each bound."""
    rng, slack, inflation, bias = np.random.default_rng(seed), [], [], []
    for _ in range(models):
        K, size, s = int(rng.integers(2, 6)), int(rng.integers(1, 6)), float(np.exp(rng.uniform(-3, 1)))
        losses, slopes = rng.standard_normal((K, 3)), rng.standard_normal((K, 3, 2))
        batch = expected_batch(list(losses), list(slopes), batch_size=size, smoothing=s)
        means, gradients = losses.mean(1), slopes.mean(1)
        size_of = np.exp((means - means.max()) / s)
        smoothed = float(means.max() + s * np.log(size_of.sum()))
        noise: dict[str, Any] = {
            "loss_noise": float(np.ptp(losses, axis=1).max() / 2),
            "batch_size": size,
            "smoothing": s,
            "n_tasks": K,
        }
        slack += [smoothed - means.max(), batch.value - smoothed]
        inflation.append((batch.value - smoothed) / theory.batch_inflation(**noise))
        diameter = float(np.linalg.norm(gradients[:, None] - gradients, axis=2).max())
        missed = np.linalg.norm((batch.weights - size_of / size_of.sum()) @ gradients)
        bias.append(float(missed) / theory.independent_weights_bias(diameter=diameter, **noise))
    return {"models": models, "slack": min(slack), "inflation": max(inflation), "bias": max(bias)}


def _inflation(n_tasks: int) -> dict[str, Any]:
    """N1: F^B_s - F_s of K independent tasks with equal losses, samples +-1."""
    s, coin, flat = 0.1, np.array([-1.0, 1.0]), np.zeros((2, 1))

    def measured(K: int, size: int, smoothing: float) -> float:
        return expected_batch([coin] * K, [flat] * K, batch_size=size, smoothing=smoothing).value - smoothing * float(np.log(K))

    curves, sizes = [], [1, 2, 4, 8, 16, 32, 64, 128, 256]
    for K in (2, 10, 100):
        bound = theory.batch_inflation(loss_noise=1.0, batch_size=sizes, smoothing=s, n_tasks=K)
        curves.append({"n_tasks": K, "measured": [measured(K, size, s) for size in sizes], "bound": bound.tolist()})
    tight = measured(n_tasks, 1, 10.0) / theory.batch_inflation(loss_noise=1.0, batch_size=1, smoothing=10.0, n_tasks=n_tasks)
    return {"smoothing": s, "batch_sizes": sizes, "curves": curves, "tight": {"n_tasks": n_tasks, "ratio": tight}}


def _floor(sizes: list[int], points: int, runs: int, horizon: int, seed: int) -> dict[str, Any]:
    """N2: excess against smoothing, with the step of full batches, 1/(L + G^2/s), and with R/(G sqrt(T)) or better."""
    problem, smoothings, curves = NoiseTradeOff(price=0.25), np.geomspace(0.01, 1.0, points), []
    constants = problem.constants(START)
    for size in sizes:
        for rule in ("theory", "best"):
            noise = {**constants, "horizon": horizon, "batch_size": size, "smoothing": smoothings}
            steps = batch_descent_step_size(**noise) if rule == "best" else smoothings / constants["lipschitz"] ** 2
            options = [
                {"batch_size": size, "smoothing": s, "step_size": eta} for s, eta in zip(smoothings.tolist(), steps, strict=True)
            ]
            seeds = range(seed, seed + runs)
            excess = [excess_of_runs(problem, "softmax-gd", option, horizon, seeds) for option in options]
            intervals = 2 * points * len(sizes)
            curve = {
                "batch_size": size,
                "rule": rule,
                "excess": [runs_at.tolist() for runs_at in excess],
                "lower": [_ends(runs_at, 0.0, problem.worst_excess, intervals)[0] for runs_at in excess],
                "bound": batch_descent_bound(step_size=steps, **noise).tolist(),
                "least_smoothing": theory.least_smoothing(loss_noise=problem.noise, batch_size=size, n_tasks=problem.n_tasks),
            }
            curves.append(curve)
    finer = np.geomspace(0.01, 1.0, 4 * points - 3)
    limits = {"smoothings": finer.tolist(), "excess": [[_limit(problem, size, s) for s in finer] for size in sizes]}
    return {"smoothings": smoothings.tolist(), "horizon": horizon, "batch_sizes": sizes, "curves": curves, "limits": limits}


def _limit(problem: NoiseTradeOff, batch_size: int, smoothing: float) -> float:
    """F - F* at the minimiser of F^B_s: where the method ends after infinitely many infinitely short steps."""
    from scipy.optimize import minimize

    def value_and_gradient(x: Host) -> tuple[float, Host]:
        batch = _expected(problem, x, batch_size, smoothing)
        return batch.value, batch.gradient

    found = minimize(value_and_gradient, problem.solution, jac=True, bounds=[(0.0, 1.0)] * 2, method="L-BFGS-B")
    return float(problem.tasks(found.x).max() - problem.fun)


def _needed(runs: int, horizon: int, seed: int) -> dict[str, Any]:
    """N2 without its inflation is false: on the edge v = 2/3 the method goes for less noise, not for a smaller F."""
    problem, s, size = NoiseTradeOff(price=0.6), 0.02, 4
    edge, x0 = Box([0.0, 2 / 3], [1.0, 2 / 3]), np.array([0.9, 2 / 3])
    constants = {**problem.constants(x0), "horizon": horizon, "smoothing": s, "batch_size": size}
    step = batch_descent_step_size(**constants)
    options = {"batch_size": size, "smoothing": s, "step_size": step}
    excess = excess_of_runs(problem, "softmax-gd", options, horizon, range(seed, seed + runs), domain=edge, x0=x0)
    bound, noise = batch_descent_bound(step_size=step, **constants), {"loss_noise": problem.noise, "batch_size": size}
    bias = theory.batch_bias(smoothing=s, n_tasks=problem.n_tasks, **noise)
    interval = _ends(excess, 0.0, problem.price, 1)
    return {"interval": interval, "bound": bound, "without": bound - bias + s * float(np.log(problem.n_tasks)), "runs": runs}


def _ascent(runs: int, horizon: int, seed: int) -> dict[str, Any]:
    """M2."""
    problem, size = NoiseTradeOff(price=0.25), 4
    constants = problem.constants(START)
    options = {name: constants[name] for name in ("lipschitz", "radius")}
    options.update(step_size="theory", weights_step_size="theory", horizon=horizon, spread=problem.spread, batch_size=size)
    excess = excess_of_runs(problem, "descent-ascent", options, horizon, range(seed, seed + runs))
    shape: dict[str, Any] = {"n_tasks": problem.n_tasks, "batch_size": size, "spread": problem.spread, "horizon": horizon}
    bound = stochastic_ascent_bound(lipschitz=constants["lipschitz"], radius=constants["radius"], **shape)
    interval = _ends(excess, 0.0, problem.worst_excess, 1)
    return {"interval": interval, "mean": float(excess.mean()), "bound": bound, "horizon": horizon, "runs": runs}


def _same_batch() -> dict[str, Any]:
    """N3 is false of weights from the same batch, N3' holds: exact, at a smoothing so large that the two orders 1/s and 1/s^2 differ."""
    problem, x, size, s = NoiseTradeOff(), np.array([0.2, 0.6]), 4, 20.0
    weights = respond(problem.tasks(x), Simplex(), smoothing=s)
    missed = float(np.linalg.norm(_expected(problem, x, size, s).gradient - weights @ problem.tasks.A))
    noise: dict[str, Any] = {
        "loss_noise": problem.noise,
        "batch_size": size,
        "smoothing": s,
        "n_tasks": problem.n_tasks,
        "diameter": problem.diameter,
    }
    same = theory.same_batch_bias(gradient_noise=problem.constants(x)["gradient_noise"], **noise)
    return {"missed": missed, "independent": theory.independent_weights_bias(**noise), "same": same}


EXPERIMENT = Experiment(
    name="minibatch",
    title="What mini-batches cost",
    compute=compute,
    claims=claims,
    figures={"minibatch-floor": draw_noise_floor, "minibatch-inflation": draw_inflation},
)

__all__ = ["EXPERIMENT", "excess_of_runs", "mean_step"]
