r"""Log-log slopes of the gap against the horizon, where the theory predicts one, and what no method can beat.

On f_1 = x, f_2 = -b x the smoothed minimum lies at x_s = s/(1+b) ln b, where F - F* = s b ln(1/b)/(1+b): with the smoothing of the theory the gap
goes as s itself, like T^(-1/2) for gradient descent and like 1/T for the accelerated method. The averages of mirror-prox go like 1/T exactly, since
the logarithm of its weights' ratio adds up the x_h. For descent-ascent the theory bounds the gap by c T^(-1/2): a one-sided statement.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.arrays import Array, Host
from minimax_opt.figures.theory_limits import draw_limits
from minimax_opt.figures.theory_rates import draw_rates
from minimax_opt.reproduce.experiment import Claim, Experiment
from minimax_opt.reproduce.first_order import METHODS, THEOREMS, prepare
from minimax_opt.solvers.descent_ascent import DescentAscent
from minimax_opt.solvers.mirror_prox import MirrorProx
from minimax_opt.tasks import AffineTasks
from minimax_opt.theory.constants import Constants
from minimax_opt.theory.limits import LIMITS
from minimax_opt.theory.mirror import descent_ascent_optimum, mirror_prox_scale
from minimax_opt.theory.trajectory import states

PREDICTED = {"softmax-gd": -0.5, "accelerated": -1.0, "mirror-prox": -1.0}
FINITE = 0.02  # what the exponent may still be off by at these horizons
LEVEL = 0.001 / 3  # Bonferroni over the three slopes


def compute(quick: bool, seed: int) -> dict[str, Any]:
    """Gaps at horizons 128, 256, ... of random instances, and for descent-ascent on f = +-x, where it circles, at many horizons."""
    horizons = 2 ** np.arange(7, 11 if quick else 13)
    rng = np.random.default_rng(seed)
    gaps: dict[str, list[list[float]]] = {method: [] for method in METHODS}
    for _ in range(4 if quick else 8):
        b, x0 = rng.uniform(0.05, 0.3), rng.uniform(0.5, 2.0)
        for method in ("softmax-gd", "accelerated", "mirror-prox"):
            gaps[method].append(_gaps(method, b, x0, horizons))
    late = np.unique(np.logspace(1.5, 3.0 if quick else 3.7, 20 if quick else 40).astype(int))
    gaps["descent-ascent"].append([_descent_ascent(int(T)) for T in late])
    slopes = {method: _slope(horizons, np.array(gaps[method])) for method in PREDICTED}
    bound = [descent_ascent_optimum(horizon=int(T), radius=1.0, lipschitz=1.0, spread=2.0, n_tasks=2) for T in late]
    accuracies = np.logspace(-5, -0.5, 40)
    unit = {method: _gaps(method, 0.1, 1.0, horizons) for method in ("softmax-gd", "accelerated", "mirror-prox")}
    return {
        "horizons": horizons.tolist(),
        "late_horizons": late.tolist(),
        "gaps": gaps,
        "slopes": slopes,
        "descent_ascent_bound": bound,
        "unit": unit,
        "accuracies": accuracies.tolist(),
        "limits": {limit.name: np.asarray(limit.calls(accuracies)[1]).tolist() for limit in LIMITS[:3]},
        "upper": np.asarray(LIMITS[1].calls(accuracies)[0]).tolist(),
    }


def _gaps(method: str, b: float, x0: float, horizons: Array) -> list[float]:
    """F - F* after each horizon, the steps chosen for it; mirror-prox needs no horizon, so that one run has them all."""
    tasks, constants = AffineTasks([[1.0], [-b]], [0.0, 0.0]), Constants(0.0, 1.0, 1.0 + b)
    start = np.array([x0])
    if method == "mirror-prox":
        scale = mirror_prox_scale(radius=x0, n_tasks=2)
        solver = MirrorProx(step_size=2 / (1 + b), scale=scale, restart=False, evaluate_every=int(horizons[0]))
        wanted = set(horizons.tolist())
        return [state.point.value for t, state in enumerate(states(solver, tasks, start, int(horizons[-1]))) if t in wanted]
    found = []
    for T in horizons:
        run = prepare(method, horizon=int(T), radius=x0, n_tasks=2, constants=constants, spread=1.0)
        found.append(run.values(tasks, start, int(T))[0][-1])
    return found


def _descent_ascent(horizon: int) -> float:
    """The gap of the average on f = +-x from x_0 = R = 1, with the steps that the theory recommends."""
    run = prepare("descent-ascent", horizon=horizon, radius=1.0, n_tasks=2, constants=Constants(0.0, 1.0, 2.0), spread=2.0)
    assert isinstance(run.solver, DescentAscent)
    run.solver.evaluate_every = horizon
    *_, last = states(run.solver, AffineTasks([[1.0], [-1.0]], [0.0, 0.0]), np.array([1.0]), horizon)
    return float(last.point.value)


def _slope(horizons: Array, gaps: Host) -> dict[str, float]:
    """Least squares of log gap on log T, an intercept for each instance, with a confidence interval of level 1 - LEVEL."""
    from scipy.stats import t

    x, y = np.log(horizons), np.log(gaps)
    x, y = x - x.mean(), y - y.mean(1, keepdims=True)
    squares = len(y) * float(x @ x)
    slope = float((y @ x).sum()) / squares
    freedom = y.size - len(y) - 1
    error = float(np.sqrt(((y - slope * x) ** 2).sum() / freedom / squares))
    half = float(t.ppf(1 - LEVEL / 2, freedom)) * error
    return {"slope": slope, "low": slope - half, "high": slope + half}


def claims(result: dict[str, Any]) -> list[Claim]:
    """Two-sided where the exponent is derived, one-sided for descent-ascent."""
    found = []
    for method, predicted in PREDICTED.items():
        fit, count = result["slopes"][method], len(result["gaps"][method])
        near = predicted - FINITE <= fit["high"] and fit["low"] <= predicted + FINITE and fit["high"] - fit["low"] <= 0.1
        found.append(
            Claim(
                f"({THEOREMS[method]}) {method} on f = (x, -b x), {count} random b and x_0: gap of order T^({predicted:g})",
                f"exponent {predicted:g} +- {FINITE:g} (two-sided)",
                f"{fit['slope']:.4f}, 99.967 % interval [{fit['low']:.4f}, {fit['high']:.4f}]",
                near,
            )
        )
    share = max(
        gap / bound for gap, bound in zip(result["gaps"]["descent-ascent"][0], result["descent_ascent_bound"], strict=True)
    )
    statement = f"(M1) descent-ascent on f = (x, -x) at {len(result['late_horizons'])} horizons: gap at most (G R + M sqrt(ln K/2)) T^(-1/2)"
    found.append(Claim(statement, "ratio at most 1 (one-sided: no exponent is predicted)", f"at most {share:.3f}", share <= 1.0))
    return found


EXPERIMENT = Experiment(
    "rates", "Rates, and what no method can beat", compute, claims, {"rates": draw_rates, "limits": draw_limits}
)

__all__ = ["EXPERIMENT"]
