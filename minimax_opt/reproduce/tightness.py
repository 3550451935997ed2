"""How far the bounds are from the truth: instances that meet them, and exact worst cases by semidefinite programming."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.figures.theory_tightness import draw_tightness
from minimax_opt.reproduce.experiment import Claim, Experiment
from minimax_opt.solvers.accelerated import Accelerated
from minimax_opt.solvers.softmax_gd import SoftmaxGD
from minimax_opt.theory.accelerated import accelerated_bound, momentum
from minimax_opt.theory.gradient_descent import gradient_descent_bound
from minimax_opt.theory.performance_estimation import accelerated_worst_case, gradient_descent_exact, gradient_descent_worst_case
from minimax_opt.theory.smoothing import curvature
from minimax_opt.theory.trajectory import states
from minimax_opt.theory.worst_case import opposite_slopes, slow_accelerated, slow_gradient_descent

S, G = 0.1, 1.0  # smoothing and slope of the instances: units only
ACCURACY = 1e-6  # of the semidefinite programmes, asked for at 1e-8


def compute(quick: bool, seed: int) -> dict[str, Any]:
    """Ratios to the bounds. Nothing is random."""
    horizons = [1, 2, 5, 10, 20, 50, 100, 200, 500] + ([] if quick else [1000, 2000, 5000])
    return {
        "curvature_ratio": _curvature_ratio(),
        "horizons": horizons,
        "instances": {
            "softmax-gd": [_slow_descent(T) for T in horizons],
            "accelerated": [_slow_accelerated(T) for T in horizons],
        },
        "worst_cases": _worst_cases(6 if quick else 20),
    }


def _curvature_ratio() -> float:
    """The difference quotient of grad F_s at 0 over L + D^2/(4 s)."""
    step = 1e-5 * S
    at = opposite_slopes(G).at(np.array([step]))
    weights = np.exp(at.losses / S)
    return float(at.gradient(weights / weights.sum())[0] / step / curvature(smoothness=0.0, smoothing=S, diameter=2 * G))


def _slow_descent(horizon: int) -> float:
    tasks, x0, _ = slow_gradient_descent(horizon=horizon, smoothing=S, lipschitz=G)
    reached = list(states(SoftmaxGD(smoothing=S, step_size=S / G**2), tasks, x0, horizon))[-1].point.value
    return float(reached) / float(
        gradient_descent_bound(horizon=horizon, smoothing=S, radius=x0[0], n_tasks=2, smoothness=0.0, lipschitz=G)
    )


def _slow_accelerated(horizon: int) -> float:
    tasks, x0, _ = slow_accelerated(horizon=horizon, smoothing=S, lipschitz=G)
    solver = Accelerated(smoothing=S, step_size=S / G**2, continuation=False, restart=False)
    reached = list(states(solver, tasks, x0, horizon))[-1].point.value
    return float(reached) / float(
        accelerated_bound(horizon=horizon, smoothing=S, radius=x0[0], n_tasks=2, smoothness=0.0, lipschitz=G)
    )


def _worst_cases(largest: int) -> dict[str, Any] | None:
    """Exact worst cases beside the bounds, in units of M R^2; None without PEPit."""
    horizons = [horizon for horizon in (1, 2, 3, 4, 5, 6, 8, 10, 15, 20) if horizon <= largest]
    try:
        exact = {
            "softmax-gd": [gradient_descent_worst_case(T) for T in horizons],
            "accelerated": [accelerated_worst_case(T) for T in horizons],
        }
    except ImportError:
        return None
    bounds = {"softmax-gd": [1 / (2 * T) for T in horizons], "accelerated": [0.5 / float(momentum(T)) ** 2 for T in horizons]}
    return {"horizons": horizons, "exact": exact, "bound": bounds}


def claims(result: dict[str, Any]) -> list[Claim]:
    """A3, the two slow instances, and the table of worst cases."""
    last, slow = result["horizons"][-1], result["instances"]
    found = [
        Claim(
            "(A3) the curvature L + D^2/(4 s) = G^2/s is met by f = +-Gx at 0",
            "ratio 1",
            f"{result['curvature_ratio']:.9f}",
            abs(result["curvature_ratio"] - 1.0) <= 1e-8,
        ),
        Claim(
            "(A4) an instance on which gradient descent reaches half of its bound, for T to infinity",
            f"at most 1; at least 0.49 after {last} steps",
            f"{slow['softmax-gd'][-1]:.4f}",
            max(slow["softmax-gd"]) <= 1.0 and slow["softmax-gd"][-1] >= 0.49,
        ),
        Claim(
            "(A5) an instance on which the accelerated method reaches all of its bound, for T to infinity",
            f"at most 1; at least 0.98 after {last} steps",
            f"{slow['accelerated'][-1]:.4f}",
            max(slow["accelerated"]) <= 1.0 and slow["accelerated"][-1] >= 0.98,
        ),
    ]
    table = result["worst_cases"]
    if table is None:
        missing = "not computed: pip install pepit"
        return [*found, Claim("(A4, A5) exact worst cases by semidefinite programming", "needs PEPit and cvxpy", missing, True)]
    for method, theorem, constant in (("softmax-gd", "A4", "1/(2T)"), ("accelerated", "A5", "1/(2 t_T^2)")):
        factors = [bound / exact for bound, exact in zip(table["bound"][method], table["exact"][method], strict=True)]
        found.append(
            Claim(
                f"({theorem}) {constant} is at least the exact worst case over all smooth convex functions, T <= {table['horizons'][-1]}",
                "factor at least 1",
                f"off by a factor {factors[0]:.3f} at T = 1, {factors[-1]:.3f} at T = {table['horizons'][-1]}",
                min(factors) >= 1.0,
            )
        )
    wrong = max(
        abs(e - float(gradient_descent_exact(T))) for e, T in zip(table["exact"]["softmax-gd"], table["horizons"], strict=True)
    )
    found.append(
        Claim(
            "(A4') the exact worst case of gradient descent is M R^2/(4T+2)",
            f"difference at most {ACCURACY:g}",
            f"{wrong:.1e}",
            wrong <= ACCURACY,
        )
    )
    return found


EXPERIMENT = Experiment("tightness", "How tight the bounds are", compute, claims, {"tightness": draw_tightness})

__all__ = ["EXPERIMENT"]
