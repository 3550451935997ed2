"""The true gap of the best iterate against passes over the data and CPU seconds, for every first-order and stochastic method, ours and theirs, with
second-order ones for contrast: ``python -m benchmarks.convex.convergence [--cases NAME ...] [--seconds T] [--output FILE]``.

Prints the passes that each needs to a true relative gap of 1e-3, 1e-6 and 1e-9. A pass is one evaluation of all losses with their gradients (a
Jacobian, or one weighted gradient); of a mini-batch it is the fraction of rows. Step sizes of theirs are picked by a short run of each
from a grid, group DRO's with the rate of its weights; ours have none to pick. Evaluations of the value that a method does not make itself are off
the clock.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import minimax_opt as mo
from benchmarks.common import measure
from benchmarks.common.store import Store
from benchmarks.convex import judge
from benchmarks.convex.command import add_arguments, settings
from benchmarks.convex.data import LOSSES, Data
from benchmarks.convex.judge import LEVELS
from benchmarks.convex.peers.epigraph import Epigraph
from benchmarks.convex.suite import case, chosen
from benchmarks.convex.trajectories import ADVERSARIES, BATCH, THEIRS, Item

CASES = ("lsq_K20_n50_m200", "log_K20_n50_m500", "cheb_m500_n20")
STEPS = (0.1, 0.3, 1.0)  # over the largest curvature of a task
LENGTHS = (0.003, 0.03, 0.3)  # for Adam
RATES = (0.01, 0.1, 1.0)  # of group DRO's weights, with losses scaled to a worst of 1
POINTS = 60  # kept of each curve, evenly in the logarithm of the work
MINI = {"batch_size": BATCH, "evaluate_every": 50}
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "softmax-gd": ("softmax-gd", {}),
    "softmax-gd, batches": ("softmax-gd", MINI),
    "descent-ascent": ("descent-ascent", {}),
    "descent-ascent, batches": ("descent-ascent", MINI),
    "mirror-prox": ("mirror-prox", {}),
    "accelerated": ("accelerated", {}),
    "sqp": ("sqp", {}),
    "interior-point": ("interior-point", {}),
}


class Curve:
    """Best value so far against work and time."""

    def __init__(self) -> None:
        self.passes: list[float] = []
        self.seconds: list[float] = []
        self.values: list[float] = []

    def add(self, passes: float, seconds: float, value: float) -> None:
        best = min(value, self.values[-1]) if self.values else value
        self.passes.append(passes)
        self.seconds.append(seconds)
        self.values.append(best if math.isfinite(best) else float("inf"))

    def row(self, best: float, ours: bool) -> dict[str, Any]:
        gaps = (np.array(self.values) - best) / abs(best)
        reached = {f"{level:g}": next((i for i, gap in enumerate(gaps) if gap <= level), None) for level in LEVELS}
        count = len(gaps)
        kept = sorted(
            {min(int(i), count - 1) for i in np.geomspace(1, count, POINTS) - 1} | {i for i in reached.values() if i is not None}
        )
        return {
            "ours": ours,
            "passes": [self.passes[i] for i in kept],
            "seconds": [self.seconds[i] for i in kept],
            "gaps": [max(float(gaps[i]), 1e-16) for i in kept],
            "passes_to": {level: None if i is None else self.passes[i] for level, i in reached.items()},
            "seconds_to": {level: None if i is None else self.seconds[i] for level, i in reached.items()},
        }


def our_curve(data: Data, method: str, options: dict[str, Any], seconds: float) -> Curve:
    """From the trace; its clock is the wall's, that of one thread on a machine with nothing else to do."""
    res = mo.minimize_max(
        data.tasks(), method=method, options=options, tol=1e-11, max_iter=10**7, time_limit=seconds, **data.arguments()
    )
    fraction = options.get("batch_size", 0) * data.n_tasks / data.n_rows  # mini-batches are not in njev
    curve = Curve()
    for row in res.trace:
        curve.add(max(row.njev, row.nfev) + fraction * row.nit, row.seconds, row.fun)
    return curve


def their_curve(data: Data, steps: Iterator[Item], seconds: float) -> Curve:
    """Run an iteration of theirs for so many CPU seconds."""
    curve, spent, passes, due = Curve(), 0.0, 0.0, 1.0
    while spent < seconds:
        started = time.process_time()
        item = next(steps)
        spent += time.process_time() - started
        passes += item.passes
        if item.value is not None:
            curve.add(passes, spent, item.value)
        elif passes >= due or spent >= seconds:
            curve.add(passes, spent, judge.value(data, item.x.detach().numpy()))
            due = 1.1 * passes
        if not math.isfinite(curve.values[-1] if curve.values else 0.0) and passes > 10:
            break
    return curve


def slsqp_curve(data: Data, seconds: float) -> Curve:
    """scipy's SLSQP on the epigraph form; work as it counts Jacobians."""
    from scipy.optimize import minimize

    form, curve = Epigraph(data), Curve()
    spent, jacobians, started = 0.0, 0, time.process_time()

    def jacobian(v: np.ndarray) -> np.ndarray:
        nonlocal jacobians
        jacobians += 1
        return form.margin_jacobian(v)

    def callback(v: np.ndarray) -> None:
        nonlocal spent, started
        spent += time.process_time() - started
        curve.add(jacobians, spent, judge.value(data, form.x(v)))
        if spent > seconds:
            raise StopIteration
        started = time.process_time()

    constraint = {"type": "ineq", "fun": form.margin, "jac": jacobian}
    start = form.start()
    curve.add(1, 0.0, judge.value(data, form.x(start)))
    minimize(
        form.objective,
        start,
        jac=True,
        method="SLSQP",
        constraints=constraint,
        callback=callback,
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    return curve


def curves(data: Data, seconds: float) -> dict[str, Any]:
    """All curves of one case."""
    if not isinstance(data.ambiguity, mo.Simplex) or data.l1 or data.box or data.sparse:
        raise ValueError(f"{data.name}: curves are for the simplex, dense rows and a ridge at most; choose another case.")
    best = mo.minimize_max(data.tasks(), tol=1e-12, **data.arguments()).fun
    rows: dict[str, Any] = {}
    for name, (method, options) in OURS.items():
        _try(rows, name, lambda method=method, options=options: our_curve(data, method, options, seconds).row(best, True))
    for name, (steps, length) in THEIRS.items():
        adversary = name in ADVERSARIES
        _try(rows, name, lambda s=steps, n=length, a=adversary: _best_step(data, s, n, a, seconds, best))
    _try(rows, "SLSQP", lambda: slsqp_curve(data, seconds).row(best, False))
    return {"best": best, "curves": rows}


def _best_step(
    data: Data, steps: Callable[..., Iterator[Item]], length: bool, adversary: bool, seconds: float, best: float
) -> dict[str, Any]:
    """The curve of the step, and rate of the adversary where it has one, whose short run ends lowest."""
    lengths = LENGTHS if length else [c / curvature(data) for c in STEPS]
    grid = [(step, *rate) for step in lengths for rate in ([(rate,) for rate in RATES] if adversary else [()])]
    pilots = [their_curve(data, steps(data, *chosen), seconds / 5).values[-1] for chosen in grid]
    return their_curve(data, steps(data, *grid[int(np.argmin(pilots))]), seconds).row(best, False)


def curvature(data: Data) -> float:
    """A bound on the largest eigenvalue of a task's Hessian; for affine tasks, that of the largest squared gradient."""
    at_zero = LOSSES[data.loss].curvature(np.zeros(1), np.zeros(1))[0]  # the largest, for the losses that are compared here
    if data.n_rows == data.n_tasks:
        return float((data.A**2).sum(1).max())
    return float(max(np.linalg.norm(A, 2) ** 2 / len(b) for A, b in data.groups) * at_zero + data.ridge)


def _try(rows: dict[str, Any], name: str, make: Callable[[], dict[str, Any]]) -> None:
    try:
        rows[name] = make()
    except (ValueError, ImportError, RuntimeError) as error:  # a method that refuses the problem, or a library that is not there
        rows[name] = {"refused": f"{type(error).__name__}: {error}"[:300]}


def table(row: dict[str, Any]) -> str:
    """Passes and CPU seconds to each level, as Markdown."""
    head = " | ".join(f"passes to {level:g}" for level in LEVELS)
    lines = [f"| method | {head} | CPU seconds to {LEVELS[0]:g} |", "|---|" + "---|" * (len(LEVELS) + 1)]
    for name, curve in row["curves"].items():
        if "refused" in curve:
            lines.append(f"| {name} | {curve['refused']} |" + " |" * len(LEVELS))
            continue
        passes = [_number(curve["passes_to"][f"{level:g}"]) for level in LEVELS]
        lines.append(f"| {name} | {' | '.join(passes)} | {_number(curve['seconds_to'][f'{LEVELS[0]:g}'])} |")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def run_curves(store: Store, names: list[str], seed: int, seconds: float) -> None:
    """Draw the curves that the store lacks; print all tables."""
    for name in names:
        if name not in store.rows("convergence"):
            store.put("convergence", name, curves(case(name, seed), seconds))
        print(f"\n{name}, seed {seed}, {seconds:g} s a method\n\n{table(store.rows('convergence')[name])}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES))
    parser.add_argument("--seconds", type=float, default=2.0, help="of each method")
    add_arguments(parser)
    arguments = parser.parse_args()
    measure.one_thread()
    measure.quiet()
    store = Store(arguments.output, settings(arguments))
    run_curves(store, chosen(arguments.cases), arguments.seed, arguments.seconds)


if __name__ == "__main__":
    main()
