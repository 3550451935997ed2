"""Growth of cost with K, n and the rows: ``python -m benchmarks.convex.growth [--axes NAME ...] [--output FILE]``.

One quantity grows, the others stay; CPU seconds to 1e-9 (ours certified, the peers at the loosest tolerance whose x is there), after one solve for
warm-up, and the slope of their logarithms over the upper half of the axis. A contender leaves an axis when one solve takes more than `LONGEST`
seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import minimax_opt as mo
from benchmarks.common import measure
from benchmarks.common.store import Store
from benchmarks.convex import judge
from benchmarks.convex.command import add_arguments, settings
from benchmarks.convex.data import Data
from benchmarks.convex.families import Maker, affine, least_squares, logistic
from benchmarks.convex.judge import LEVELS
from benchmarks.convex.peers import peers_of, reduce
from benchmarks.convex.trial import attempt

LONGEST = 2.5
RUNS = 3
PEERS = ("SLSQP", "SLSQP (Gram)", "ECOS native", "Clarabel native", "cvxpy CLARABEL", "PIQP dense", "HiGHS simplex")


@dataclass(frozen=True)
class Axis:
    """What grows (`symbol`, with its `unit`), and the problem of each size."""

    title: str
    symbol: str
    sizes: tuple[int, ...]
    make: Callable[[int], Maker]


AXES = {
    "lsq_K": Axis(
        "least squares, n = 50, 100 rows a task", "K", (10, 30, 100, 300, 1000, 3000), lambda K: least_squares(K, 50, 100)
    ),
    "lsq_n": Axis(
        "least squares, K = 10, 2n rows a task", "n", (25, 50, 100, 200, 400, 800), lambda n: least_squares(10, n, 2 * n)
    ),
    "lsq_m": Axis("least squares, K = 5, n = 50", "m", (100, 300, 1000, 3000, 10000, 30000), lambda m: least_squares(5, 50, m)),
    "log_K": Axis("logistic, n = 20, 100 rows a task", "K", (10, 30, 100, 300, 1000, 3000), lambda K: logistic(K, 20, 100)),
    "log_n": Axis("logistic, K = 10, 5n rows a task", "n", (25, 50, 100, 200, 400), lambda n: logistic(10, n, 5 * n)),
    "log_m": Axis("logistic, K = 5, n = 50", "m", (100, 300, 1000, 3000, 10000, 30000), lambda m: logistic(5, 50, m)),
    "aff_K": Axis("affine, n = 20", "K", (100, 300, 1000, 3000, 10000, 30000, 100000), lambda K: affine(K, 20)),
    "aff_n": Axis("affine, K = 2000", "n", (10, 20, 50, 100, 200), lambda n: affine(2000, n)),
}


def axis_rows(name: str, seed: int, method: str = "auto") -> dict[str, Any]:
    """Seconds of every contender at every size of one axis, None where it left or missed 1e-9."""
    axis = AXES[name]
    seconds: dict[str, list[float | None]] = {}
    methods: list[str] = []
    for position, size in enumerate(axis.sizes):
        data = axis.make(size)(f"{name}_{size}", seed)
        contenders = {"ours": None} | {peer.name: peer for peer in peers_of(data) if peer.name in PEERS}
        best = float("inf")
        for contender, peer in contenders.items():
            past = seconds.setdefault(contender, [None] * position)
            if position and past[-1] is None and any(entry is not None for entry in past):
                continue
            if peer is None:
                took, result = _ours(data, method)
                methods.append(result.method)
                best = judge.value(data, np.asarray(result.x))
            else:
                took = _theirs(data, peer, best)
            past.append(took if took is None or took <= LONGEST or contender == "ours" else None)
        for past in seconds.values():
            past.extend([None] * (position + 1 - len(past)))
    slopes = {contender: slope(axis.sizes, times) for contender, times in seconds.items()}
    kept = {contender: times for contender, times in seconds.items() if any(time is not None for time in times)}
    return {
        "title": axis.title,
        "symbol": axis.symbol,
        "sizes": axis.sizes,
        "methods": methods,
        "seconds": kept,
        "slopes": slopes,
    }


def _ours(data: Data, method: str) -> tuple[float, Any]:
    seconds: list[float] = []
    took, result = measure.timed(mo.minimize_max, data.tasks(), tol=LEVELS[-1], method=method, **data.arguments())  # warm-up
    if took > LONGEST / RUNS:
        return took, result
    while len(seconds) < RUNS and sum(seconds) < LONGEST:
        tasks = data.tasks()
        took, result = measure.timed(mo.minimize_max, tasks, tol=LEVELS[-1], method=method, **data.arguments())
        seconds.append(took)
    return float(np.median(seconds)), result


def _theirs(data: Data, peer: Any, best: float) -> float | None:
    """At the loosest of its tolerances that reaches 1e-9; None where none does."""
    tried = attempt(data, peer, best, 3 * LONGEST)
    if tried.error is not None or not judge.reached(data, judge.value(data, tried.runs[-1].x), best, LEVELS[-1]):
        return None
    solve, seconds, tolerance = peer.prepare(), [], tried.runs[-1].tolerance
    if tried.runs[-1].seconds < LONGEST / RUNS:
        solve(tolerance)  # warm-up, as ours
    while len(seconds) < RUNS and sum(seconds) < LONGEST:
        seconds.append(measure.timed(solve, tolerance)[0])
    return float(np.median(seconds)) + (measure.timed(reduce, data)[0] if peer.reduced else 0.0)


def slope(sizes: tuple[int, ...], seconds: list[float | None]) -> float | None:
    """d log(seconds) / d log(size) by least squares over the upper half of the sizes that were reached; None for fewer than three."""
    reached = [(size, took) for size, took in zip(sizes, seconds, strict=True) if took is not None]
    upper = reached[-max(3, (len(reached) + 1) // 2) :]
    if len(upper) < 3:
        return None
    x, y = np.log(np.array(upper)).T
    return float(np.polyfit(x, y, 1)[0])


def table(row: dict[str, Any]) -> str:
    """CPU milliseconds at each size, and the slope, as Markdown."""
    lines = [f"| {row['title']} | " + " | ".join(f"{row['symbol']} = {size}" for size in row["sizes"]) + " | slope |"]
    lines.append("|---|" + "---|" * (len(row["sizes"]) + 1))
    for name, times in row["seconds"].items():
        cells = ["-" if took is None else f"{1e3 * took:.3g} ms" for took in times]
        steep = row["slopes"][name]
        lines.append(f"| {name} | {' | '.join(cells)} | {'-' if steep is None else f'{steep:.2f}'} |")
    return "\n".join(lines)


def run_growth(store: Store, names: list[str], seed: int, method: str) -> None:
    """Measure the axes that the store lacks; print all tables."""
    for name in names:
        if name not in store.rows("growth"):
            store.put("growth", name, axis_rows(name, seed, method))
        print(f"\n{table(store.rows('growth')[name])}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--axes", nargs="+", choices=list(AXES), default=list(AXES))
    add_arguments(parser)
    arguments = parser.parse_args()
    measure.one_thread()
    measure.quiet()
    run_growth(Store(arguments.output, settings(arguments)), arguments.axes, arguments.seed, arguments.method)


if __name__ == "__main__":
    main()
