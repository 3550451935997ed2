"""Gap and bound at every iterate, four methods on a real and a synthetic problem."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.arrays import norm
from minimax_opt.figures.theory_convergence import draw_convergence
from minimax_opt.minimize import minimize_max
from minimax_opt.reproduce.experiment import Claim, Experiment
from minimax_opt.reproduce.first_order import METHODS, THEOREMS, diabetes, logistic, prepare
from minimax_opt.tasks import Tasks
from minimax_opt.theory.constants import constants_on_ball

SHOWN = 80  # points of a curve that are kept


def compute(quick: bool, seed: int) -> dict[str, Any]:
    """The gap of every method after 1 ... T steps, beside its bound."""
    horizon = 300 if quick else 3000
    problems = {"real": ("diabetes, 4 Huber tasks", diabetes()), "synthetic": ("synthetic, 6 logistic tasks", logistic(seed))}
    return {"horizon": horizon, "problems": {name: _problem(title, tasks, horizon) for name, (title, tasks) in problems.items()}}


def _problem(title: str, tasks: Tasks, horizon: int) -> dict[str, Any]:
    """F* is known to within `certified`; x* stands for the certified near-minimiser in R and F(x*)."""
    best = minimize_max(tasks, tol=1e-9)
    x0, radius = np.zeros(len(best.x)), norm(best.x)
    ball, spread = 4 * radius, 1.0
    found = constants_on_ball(tasks, x0, ball)
    kept = np.unique(np.logspace(0, np.log10(horizon), SHOWN).astype(int))
    curves: dict[str, Any] = {}
    for method in METHODS:
        run = prepare(method, horizon=horizon, radius=radius, n_tasks=len(best.weights), constants=found, spread=spread)
        values, farthest = run.values(tasks, x0, horizon)
        gaps, bounds = np.array(values) - best.fun, np.asarray(run.bound(np.arange(1, horizon + 1)))
        curves[method] = {
            "gap": np.maximum(gaps[kept - 1], 0.0).tolist(),
            "bound": bounds[kept - 1].tolist(),
            "largest_ratio": float((gaps / bounds).max()),
            "inside": farthest <= ball,
        }
    return {
        "title": title,
        "n_tasks": len(best.weights),
        "radius": radius,
        "certified": best.gap,
        "constants": found._asdict(),
        "iterations": kept.tolist(),
        "curves": curves,
    }


def claims(result: dict[str, Any]) -> list[Claim]:
    """One for each method and problem."""
    found = []
    for problem in result["problems"].values():
        for method in METHODS:
            curve, horizon = problem["curves"][method], result["horizon"]
            found.append(
                Claim(
                    f"({THEOREMS[method]}) {method} on {problem['title']}: the gap is at most the bound after every one of {horizon} steps",
                    f"{curve['bound'][-1]:.3g} after {horizon} steps",
                    f"{curve['gap'][-1]:.3g}; at most {curve['largest_ratio']:.3g} of the bound at any step; "
                    f"all points visited {'are' if curve['inside'] else 'are NOT'} where the constants are proven",
                    curve["inside"] and curve["largest_ratio"] <= 1.0 and problem["certified"] <= 1e-3 * curve["gap"][0],
                )
            )
    return found


EXPERIMENT = Experiment(
    "convergence", "Every method stays below its bound, at every iterate", compute, claims, {"convergence": draw_convergence}
)

__all__ = ["EXPERIMENT"]
