"""Model B: downstream ridge regression from the mean of the tasks and from the centre of their smallest enclosing ball."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from minimax_opt.figures.theory_shared_weights import draw_shared_weights
from minimax_opt.reproduce.experiment import Claim, Experiment
from minimax_opt.reproduce.laws import compare, law_claim
from minimax_opt.theory.bayes import bayes_samples
from minimax_opt.theory.shared_weights import average_weights, minimax_weights, ridge_cdf, ridge_excess, shrinkage
from minimax_opt.theory.simulation import simulate_ridge

DIMENSION, NOISE, FREQUENT = 40, 2.0, 11
SAMPLES = (40, 80, 160, 320)
CONFIDENCE = 1 - 0.001 / 16  # two statements at four numbers of samples for two starts


def compute(quick: bool, seed: int) -> dict[str, Any]:
    """Eleven frequent tasks in a cluster and a rare one apart, in a plane of R^40."""
    generator = np.random.default_rng(0)  # one picture whatever the seed
    tasks = np.zeros((FREQUENT + 1, DIMENSION))
    tasks[:FREQUENT, :2] = 0.35 * generator.standard_normal((FREQUENT, 2))
    tasks[FREQUENT, :2] = 2.2, 0.9
    prior = np.array([0.95 / FREQUENT] * FREQUENT + [0.05])
    starts = {"average": average_weights(tasks, prior), "minimax": minimax_weights(tasks)}
    result: dict[str, Any] = {"plane": tasks[:, :2].tolist(), "lower_bound": starts["minimax"].lower_bound, "starts": {}}
    for index, (name, start) in enumerate(starts.items()):
        distance = float(start.distances.max())
        result["starts"][name] = {
            "center": start.center[:2].tolist(),
            "distances": start.distances.tolist(),
            "objective": float(prior @ start.distances**2 / 2),
            "rows": [_row(tasks[-1], start.center, distance, n, 2000 if quick else 20_000, (seed, index)) for n in SAMPLES],
        }
    grid = np.geomspace(0.01, 5.0, 60)
    result["excess"] = grid.tolist()
    for start in result["starts"].values():
        setting: Any = {"distance": max(start["distances"]), "noise": NOISE, "dimension": DIMENSION}
        start["samples"] = bayes_samples(**setting, excess=grid).tolist()
        fine = np.geomspace(DIMENSION, 1000, 60)  # designs with X'X = n I have n >= d
        start["curve"] = {
            "n": fine.tolist(),
            "excess": ridge_excess(**setting, tuned_for=setting["distance"], n_samples=fine).tolist(),
        }
    return result


def _row(theta: Any, start: Any, distance: float, n: int, trials: int, seed: tuple[int, int]) -> dict[str, float]:
    """Ridge tuned for `distance`: formula, simulation, distance from the law."""
    setting: Any = {"distance": distance, "noise": NOISE, "dimension": DIMENSION, "n_samples": n}
    excess = simulate_ridge(
        theta, start, shrinkage=shrinkage(**setting), noise=NOISE, n_samples=n, n_trials=trials, seed=(*seed, n)
    )
    formula = ridge_excess(**setting, tuned_for=distance)
    return {"n": n, **compare(excess, formula, partial(ridge_cdf, **setting, tuned_for=distance), CONFIDENCE)}


def claims(result: dict[str, Any]) -> list[Claim]:
    """B."""
    average, minimax = (result["starts"][name] for name in ("average", "minimax"))
    radius, far = max(minimax["distances"]), max(average["distances"])
    laws = [
        law_claim(
            f"(B) E excess = 1/(1/D^2 + n/(d sigma^2)), and its law, of the rare task from the {name} weights, "
            f"n = {', '.join(map(str, SAMPLES))}",
            result["starts"][name]["rows"],
        )
        for name in ("average", "minimax")
    ]
    saved = DIMENSION * NOISE**2 * (1 / radius**2 - 1 / far**2)
    largest = max(a - m for a, m in zip(average["samples"], minimax["samples"], strict=True))
    return [
        Claim(
            "(B) minimax pre-training is the centre of the smallest enclosing ball",
            f"radius at least {result['lower_bound']:.9f} (certified)",
            f"{radius:.9f}; the mean has {far:.4f}",
            result["lower_bound"] <= radius <= result["lower_bound"] * (1 + 1e-8) and radius < far,
        ),
        *laws,
        Claim(
            "(B) the samples saved are at most d sigma^2 (1/R^2 - 1/D^2), for every eps",
            f"{saved:.3f}",
            f"{largest:.3f} at most on the grid",
            largest <= saved * (1 + 1e-9),
        ),
    ]


EXPERIMENT = Experiment(
    name="shared-weights",
    title="Shared weights: the mean of the tasks, or the centre of their smallest enclosing ball",
    compute=compute,
    claims=claims,
    figures={"shared-weights": draw_shared_weights},
)

__all__ = ["EXPERIMENT"]
