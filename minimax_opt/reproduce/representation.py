"""Model C: what average and minimax pre-training leave of each task, and the downstream samples that it costs (C0 to C5)."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from minimax_opt.figures.theory_representation import draw_excess, draw_residuals, draw_samples
from minimax_opt.reproduce.experiment import Experiment
from minimax_opt.reproduce.laws import compare
from minimax_opt.reproduce.representation_claims import claims
from minimax_opt.theory.bayes import bayes_excess, bayes_samples, minimax_samples
from minimax_opt.theory.confidence import mean_interval
from minimax_opt.theory.downstream import least_squares_cdf, least_squares_excess, least_squares_samples
from minimax_opt.theory.hull import representativeness, residual_bound
from minimax_opt.theory.rare_task import RareTask
from minimax_opt.theory.relaxation import MinimaxRepresentation, minimax_representation
from minimax_opt.theory.representation import average_representation, residuals
from minimax_opt.theory.simulation import simulate_bayes, simulate_least_squares

FAMILY = RareTask(common=1.5, frequent=0.3, hard=1.0, hard_share=0.05)
DIMENSION, NOISE, EXCESS = 200, 0.5, 0.12
SAMPLES = (10, 20, 80, 320)
TRIALS = (4000, 3000, 1500, 500)  # of a quick run: about as much work for each number of samples
# of each of 18 random statements; a normal interval of so skew a law misses up to 4 times as often as it says
CONFIDENCE = 1 - 0.001 / 40


def compute(quick: bool, seed: int) -> dict[str, Any]:
    """Everything below; the downstream part dominates."""
    tasks = FAMILY.task_vectors(DIMENSION)
    average = average_representation(tasks, 2, FAMILY.prior)
    minimax = minimax_representation(tasks, 2, seed=seed)
    bases = {"minimax": minimax, "average": average}
    return {
        "excess_allowed": EXCESS,
        "confidence": CONFIDENCE,
        "dimension": DIMENSION,
        "hard": FAMILY.hard**2,
        "upstream": _upstream(minimax, average.residuals, FAMILY.prior),
        "t": FAMILY.minimax_residual,
        "price": FAMILY.price,
        "curves": {
            name: _curve(tasks[2], found.basis, float(found.residuals[2]), 1 if quick else 8, (seed, index))
            for index, (name, found) in enumerate(bases.items())
        },
        "samples": _samples_by_dimension(quick, seed),
        "best_learner": _best_learner(seed),
        "many_tasks": _many_tasks(seed),
        "nine_directions": _nine_directions(seed),
        "hull": _hull(seed),
    }


def _upstream(minimax: MinimaxRepresentation, average_residuals: Any, prior: Any) -> dict[str, Any]:
    return {
        "prior": prior.tolist(),
        "average": average_residuals.tolist(),
        "minimax": minimax.residuals.tolist(),
        "worst": minimax.worst,
        "lower_bound": minimax.lower_bound,
        "eigenvalues": minimax.eigenvalues.tolist(),
        "weights": minimax.weights.tolist(),
    }


def _curve(theta: Any, basis: Any, residual: float, factor: int, seed: tuple[int, int]) -> list[dict[str, float]]:
    """Excess of the hard task with n samples: formula, simulation, and distance from the law."""
    rows = []
    for n, trials in zip(SAMPLES, TRIALS, strict=True):
        setting: Any = {"residual": residual, "noise": NOISE, "rank": 2, "n_samples": n}
        excess = simulate_least_squares(theta, basis, noise=NOISE, n_samples=n, n_trials=factor * trials, seed=(*seed, n))
        formula = least_squares_excess(**setting)
        rows.append({"n": n, **compare(excess, formula, partial(least_squares_cdf, **setting), CONFIDENCE)})
    return rows


def _samples_by_dimension(quick: bool, seed: int) -> dict[str, Any]:
    """Samples for the excess eps of the hard task, against the dimension."""
    d = np.unique(np.geomspace(5, 1000, 40).astype(int))
    unknown: Any = {"distance": FAMILY.hard, "noise": NOISE, "dimension": d - 2, "excess": EXCESS}
    measured = [10, 20, 50, 100] + [200, 400] * (not quick)
    return {
        "dimension": d.tolist(),
        "minimax": least_squares_samples(residual=FAMILY.minimax_residual, noise=NOISE, rank=2, excess=EXCESS),
        "any_learner": bayes_samples(**unknown).tolist(),
        "any_learner_worst": [minimax_samples(**{**unknown, "dimension": size - 2}) for size in d.tolist()],
        "all_features": [least_squares_samples(residual=0.0, noise=NOISE, rank=size, excess=EXCESS) for size in d.tolist()],
        "measured_dimension": measured,
        "measured_bound": bayes_samples(**{**unknown, "dimension": np.array(measured) - 2}).tolist(),
        "best_learner": [_samples_of_the_best(size - 2, seed) for size in measured],
    }


def _samples_of_the_best(dimension: int, seed: int) -> int:
    """The least n at which the Bayes risk of the best learner is eps, its expectation over designs replaced by a mean over some; by bisection."""
    low = int(bayes_samples(distance=FAMILY.hard, noise=NOISE, dimension=dimension, excess=EXCESS))
    high, trials = 4 * low + 8, max(8, 2000 // dimension)
    while high - low > 1:
        middle = (low + high) // 2
        risk = simulate_bayes(
            distance=FAMILY.hard, noise=NOISE, dimension=dimension, n_samples=middle, n_trials=trials, seed=seed
        )[1].mean()
        low, high = (low, middle) if risk <= EXCESS else (middle, high)
    return high


def _best_learner(seed: int) -> dict[str, Any]:
    """The best learner without the direction u: one sample short of the bound on Gaussian designs, and its law on orthogonal ones."""
    unknown: Any = {"distance": FAMILY.hard, "noise": NOISE, "dimension": DIMENSION - 2}
    least = int(np.ceil(bayes_samples(**unknown, excess=EXCESS) * (1 - 1e-12)))
    risk = mean_interval(simulate_bayes(**unknown, n_samples=least - 1, n_trials=40, seed=seed)[1], CONFIDENCE)
    small: Any = {**unknown, "dimension": 20, "n_samples": 40}
    exact = mean_interval(simulate_bayes(**small, n_trials=20_000, seed=seed, orthogonal=True)[0], CONFIDENCE)
    row = {"least": least, "short_low": risk.low, "short_high": risk.high}
    return {**row, "orthogonal": bayes_excess(**small), "orthogonal_low": exact.low, "orthogonal_high": exact.high}


def _many_tasks(seed: int) -> dict[str, Any]:
    """Ten random tasks with shares like 1/k, three features: where the relaxation is not a projector."""
    tasks = np.random.default_rng(seed).standard_normal((10, 30)) / np.sqrt(30)
    prior = 1.0 / np.arange(1, 11)
    prior /= prior.sum()
    average, minimax = average_representation(tasks, 3, prior), minimax_representation(tasks, 3, tol=1e-4, seed=seed)
    mixture = np.linalg.eigvalsh((tasks.T * minimax.weights) @ tasks)
    fields = {"n_fractional": minimax.n_fractional, "left_of_mixture": float(mixture[:-3].sum())}
    return {**_upstream(minimax, average.residuals, prior), **fields}


def _nine_directions(seed: int) -> dict[str, float]:
    axes, s = np.eye(3), 0.5**0.5
    tasks = np.array([*axes, *(s * (axes[i] + q * axes[j]) for i in range(3) for j in range(i) for q in (1, -1))])
    found = minimax_representation(tasks, 1, seed=seed)
    return {"lower_bound": found.lower_bound, "worst": found.worst, "best": 1 - 1 / (13 + 6 * 2**0.5)}


def _hull(seed: int) -> dict[str, Any]:
    """Downstream tasks in the hull of six upstream tasks, and random ones: the largest quotient of residual and bound."""
    generator = np.random.default_rng(seed)
    tasks = generator.standard_normal((6, 20))
    covered = (generator.dirichlet(np.ones(6), 50) * generator.choice([-1.0, 1.0], (50, 6))) @ tasks
    targets = np.concatenate([covered, generator.standard_normal((50, 20))])
    learned = average_representation(tasks, 3)
    found, left, worst = representativeness(tasks, targets), residuals(targets, learned.basis), float(learned.residuals.max())
    bound = residual_bound(gauge=found.gauge, outside=found.outside, worst=worst)
    return {
        "covered": int(found.covered()[:50].sum()),
        "others_covered": int(found.covered()[50:].sum()),
        "largest_covered": float(left[:50].max() / worst),
        "largest_quotient": float((left / bound).max()),
    }


EXPERIMENT = Experiment(
    name="representation",
    title="Downstream samples after average and after minimax pre-training of a representation",
    compute=compute,
    claims=claims,
    figures={
        "representation-samples": draw_samples,
        "representation-excess": draw_excess,
        "representation-residuals": draw_residuals,
    },
)

__all__ = ["EXPERIMENT"]
