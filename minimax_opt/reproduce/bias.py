"""The bias of smoothing (A1): what F_s is above F, and what minimising F_s instead of F costs, against s."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from minimax_opt.arrays import Host, norm
from minimax_opt.figures.theory_bias import draw_bias
from minimax_opt.minimize import minimize_max
from minimax_opt.reproduce.experiment import Claim, Experiment
from minimax_opt.reproduce.first_order import diabetes, logistic
from minimax_opt.solvers.accelerated import Accelerated
from minimax_opt.tasks import Tasks
from minimax_opt.theory.smoothing import bias
from minimax_opt.theory.trajectory import states
from minimax_opt.theory.worst_case import crowded_pair


def compute(quick: bool, seed: int) -> dict[str, Any]:
    """F_s - F at the solution, F(x_s) - F*, the bound s ln K and the refined one, for a range of s."""
    steps, count = (400, 9) if quick else (1200, 17)
    problems = {"real": ("diabetes, 4 Huber tasks", diabetes()), "synthetic": ("synthetic, 6 logistic tasks", logistic(seed))}
    crowd = []
    for K in (10, 100, 1000, 10_000):
        instance = crowded_pair(n_tasks=K, smoothing=1.0, slope=1 / float(np.log(K)))
        crowd.append({"n_tasks": K, "gap": instance.value, "bound": bias(smoothing=1.0, n_tasks=K)})
    return {"problems": {name: _problem(title, tasks, steps, count) for name, (title, tasks) in problems.items()}, "crowd": crowd}


def _problem(title: str, tasks: Tasks, steps: int, count: int) -> dict[str, Any]:
    best = minimize_max(tasks, tol=1e-10)
    x, losses = best.x, np.sort(best.losses)[::-1]
    K, rows = len(losses), []
    for s in np.logspace(-4, 1, count) * abs(best.fun):
        value = _smoothed(losses, s) - best.fun
        margins = best.fun - np.append(losses[1:], -np.inf)  # with the m largest losses close, all others are this far below
        refined = min(
            [float(bias(smoothing=s, n_tasks=K, n_close=m, margin=margins[m - 1])) for m in range(1, K)] + [s * np.log(K)]
        )
        last = list(states(Accelerated(smoothing=s, continuation=False), tasks, x, steps))[-1]
        slope = norm(last.point.gradient(last.smoothed.weights(last.point.losses)))
        rows.append(
            {
                "smoothing": s,
                "value_bias": value,
                "gap": max(last.point.value - best.fun, 0.0),
                "lower": bool(_smoothed(last.point.losses, s) <= _smoothed(best.losses, s) + 1e-12 * abs(best.fun)),
                "slope": slope,
                "bound": bias(smoothing=s, n_tasks=K),
                "refined": refined,
            }
        )
    return {"title": title, "n_tasks": K, "active": len(best.active), "fun": best.fun, "certified": best.gap, "rows": rows}


def _smoothed(losses: Host, s: float) -> float:
    top = float(losses.max())
    return top + s * float(np.log(np.exp((losses - top) / s).sum()))


def claims(result: dict[str, Any]) -> list[Claim]:
    """A1 in both forms, what it implies for minimisers of F_s, and A7."""
    found = []
    for problem in result["problems"].values():
        rows, slack = problem["rows"], 1e-12 * abs(problem["fun"]) + problem["certified"]
        shares = [row["value_bias"] / row["refined"] for row in rows]
        found.append(
            Claim(
                f"(A1) {problem['title']}: 0 <= F_s - F <= s ln(m + (K-m) e^(-g/s)) <= s ln K at the solution, for every s and m",
                f"s ln K, K = {problem['n_tasks']}",
                f"between {min(shares):.3g} and {max(shares):.3g} of the refined bound over {len(rows)} values of s",
                all(
                    -slack <= row["value_bias"] <= row["refined"] + slack and row["refined"] <= row["bound"] * (1 + 1e-12)
                    for row in rows
                ),
            )
        )
        found.append(
            Claim(
                f"(A1) {problem['title']}: a point whose F_s is at most F_s(x*) has F - F* <= s ln K",
                "F - F* over s ln K at most 1",
                f"at most {max(row['gap'] / row['bound'] for row in rows):.3g}",
                all(row["lower"] and row["gap"] <= row["bound"] + slack for row in rows),
            )
        )
    shares = [row["gap"] / row["bound"] for row in result["crowd"]]
    sizes = [row["n_tasks"] for row in result["crowd"]]
    found.append(
        Claim(
            "(A7) with s = 1 only ln K is guaranteed: there are tasks whose F_1 is minimal where F - F* is a share of ln K that tends to 1",
            f"increasing, at most 1, for K = {', '.join(map(str, sizes))}",
            ", ".join(f"{share:.3f}" for share in shares),
            all(a < b for a, b in pairwise(shares)) and shares[-1] <= 1.0 and shares[-1] > 0.6,
        )
    )
    return found


EXPERIMENT = Experiment("bias", "What smoothing costs", compute, claims, {"bias": draw_bias})

__all__ = ["EXPERIMENT"]
