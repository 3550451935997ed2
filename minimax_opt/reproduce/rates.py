r"""Log-log slopes of the gap against the horizon, where the theory predicts one, and what no method can beat.

On f_1 = x, f_2 = -b x the smoothed minimum lies at x_s = s/(1+b) ln b, where F - F* = s b ln(1/b)/(1+b): with the smoothing of the theory the gap
goes as s itself, like T^(-1/2) for gradient descent and like 1/T for the accelerated method. The averages of mirror-prox go like 1/T exactly, since
the logarithm of its weights' ratio adds up the x_h. For descent-ascent the theory bounds the gap by c T^(-1/2): a one-sided statement.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.figures.theory_limits import draw_limits
from minimax_opt.figures.theory_rates import draw_rates
from minimax_opt.reproduce.experiment import Claim, Experiment
from minimax_opt.reproduce.first_order import METHODS, THEOREMS, prepare
from minimax_opt.solvers import DescentAscent, MirrorProx
from minimax_opt.tasks import AffineTasks
from minimax_opt.theory.constants import Constants
from minimax_opt.theory.limits import LIMITS
from minimax_opt.theory.mirror import descent_ascent_optimum, mirror_prox_scale
from minimax_opt.theory.trajectory import states

PREDICTED = {"softmax-gd": -0.5, "accelerated": -1.0, "mirror-prox": -1.0, "descent-ascent": -0.5}
FINITE = 0.02  # what the exponent may still be off by at these horizons
STARTS = 12
LEVEL = 0.001 / 4  # Bonferroni over the four slopes


def compute(quick: bool, seed: int) -> dict[str, Any]:
    """Gaps at horizons 128, 256, ...: of random instances, and for descent-ascent of the worst of many starts."""
    horizons = 2 ** np.arange(7, 11 if quick else 14)
    rng = np.random.default_rng(seed)
    gaps: dict[str, list[list[float]]] = {method: [] for method in METHODS}
    for _ in range(4 if quick else 8):
        b, x0 = rng.uniform(0.05, 0.3), rng.uniform(0.5, 2.0)
        for method in ("softmax-gd", "accelerated", "mirror-prox"):
            gaps[method].append(_gaps(method, b, x0, horizons))
    late = horizons[horizons <= (512 if quick else 2048)]
    gaps["descent-ascent"].append([max(_descent_ascent(0.3, x0, int(T)) for x0 in np.linspace(-1, 1, STARTS)) for T in late])
    slopes = {method: _slope(late if method == "descent-ascent" else horizons, np.array(gaps[method])) for method in METHODS}
    bound = [descent_ascent_optimum(horizon=int(T), radius=1.0, lipschitz=1.0, spread=1.3, n_tasks=2) for T in late]
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


def _gaps(method: str, b: float, x0: float, horizons: Host) -> list[float]:
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
        found.append(list(run.values(tasks, start, int(T)))[-1][0])
    return found


def _descent_ascent(b: float, x0: float, horizon: int) -> float:
    """The gap of the average, with the steps that the theory recommends for R = 1."""
    run = prepare("descent-ascent", horizon=horizon, radius=1.0, n_tasks=2, constants=Constants(0.0, 1.0, 1.0 + b), spread=1.0 + b)
    assert isinstance(run.solver, DescentAscent)
    run.solver.evaluate_every = horizon
    *_, last = states(run.solver, AffineTasks([[1.0], [-b]], [0.0, 0.0]), np.array([x0]), horizon)
    return last.point.value


def _slope(horizons: Host, gaps: Host) -> dict[str, float]:
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
        fit = result["slopes"][method]
        measured = f"{fit['slope']:.4f}, 99.975 % interval [{fit['low']:.4f}, {fit['high']:.4f}]"
        if method == "descent-ascent":
            statement = f"({THEOREMS[method]}) {method}, worst of {STARTS} starts with R = 1: no slower than T^(-1/2)"
            found.append(Claim(statement, "exponent at most -1/2 (one-sided)", measured, fit["low"] <= predicted))
            share = max(gap / bound for gap, bound in zip(result["gaps"][method][0], result["descent_ascent_bound"], strict=True))
            found.append(Claim("(M1) the worst of these starts stays below G R/sqrt(T) + M sqrt(ln K/(2T))", "ratio at most 1", f"{share:.3f}", share <= 1))
            continue
        near = predicted - FINITE <= fit["high"] and fit["low"] <= predicted + FINITE and fit["high"] - fit["low"] <= 0.1
        statement = f"({THEOREMS[method]}) {method} on f = (x, -b x), {len(result['gaps'][method])} random b and x_0: gap of order T^({predicted:g})"
        found.append(Claim(statement, f"exponent {predicted:g} +- {FINITE:g} (two-sided)", measured, near))
    return found


EXPERIMENT = Experiment("rates", "Rates, and what no method can beat", compute, claims, {"rates": draw_rates, "limits": draw_limits})

__all__ = ["EXPERIMENT"]
