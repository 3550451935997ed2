"""What the rule behind ``method="auto"`` was set by, and how good its choices are elsewhere: ``python -m benchmarks.convex.tune [--held-out]``.

Every method that does not refuse a problem solves it to a certified 1e-9, interleaved; CPU seconds, medians. The rule's thresholds were
chosen on the synthetic families of `GRID`; ``--held-out`` runs the suite's cases that are none of them: real data, sparse rows, other losses,
other sets. The regret of a choice is its time over that of the fastest method; the last line is their geometric mean and their largest.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import numpy as np

import minimax_opt as mo
from benchmarks.common.measure import one_thread, timed
from benchmarks.convex.data import Data
from benchmarks.convex.families import affine, chebyshev, least_squares, logistic, outliers
from benchmarks.convex.suite import SUITE, case

METHODS = ("interior-point", "dual-newton", "sqp", "working-set")
LONGEST = 2.0  # seconds; a problem that takes some method longer is solved once by each

GRID = {
    **{f"affine K={K} n={n}": affine(K, n) for n in (10, 20, 50) for K in (200, 1000, 2000, 5000, 20000)},
    **{f"chebyshev m={m} n={n}": chebyshev(m, n) for n in (10, 30) for m in (250, 1000, 4000)},
    **{f"lsq K={K} n={n} m={m}": least_squares(K, n, m) for n in (10, 50, 200) for K in (5, 50, 500) for m in (20, 200)},
    **{f"log K={K} n={n} m={m}": logistic(K, n, m) for n in (10, 50, 200) for K in (5, 50, 500) for m in (20, 200)},
    **{f"log K={K} n=20 m=100": logistic(K, 20, 100) for K in (200, 1000, 3000)},
    **{f"huber K={K} n={n} m=100": outliers(K, n, 100) for n in (10, 50) for K in (5, 50)},
}
TUNED_ON = ("lsq_K", "lsq_ill", "lsq_big", "log_K", "log_big", "hub_", "cheb", "aff_", "hugeK_aff")


def problems(outside: bool, seed: int) -> Iterator[Data]:
    """The grid, or the rest of the suite."""
    if not outside:
        for name, maker in GRID.items():
            yield maker(name, seed)
        return
    for name in SUITE:
        if held_out(name):
            yield case(name, seed)


def held_out(name: str) -> bool:
    """Whether a case of the suite is of no family, set or penalty that `GRID` has."""
    return not name.startswith(TUNED_ON) or name.endswith(("cvar", "kl", "chi2", "l1", "box"))


def seconds(data: Data, repeat: int) -> dict[str, float]:
    """Median seconds of each method that reaches a certified 1e-9, without those that it takes to build the tasks."""
    found: dict[str, list[float]] = {method: [] for method in METHODS}
    for _ in range(repeat + 1):
        for method in [*found]:
            tasks = data.tasks()
            try:
                took, result = timed(mo.minimize_max, tasks, tol=1e-9, method=method, time_limit=10.0, **data.arguments())
            except ValueError:  # the method refuses the problem
                del found[method]
                continue
            if not result.success:
                del found[method]
            else:
                found[method].append(took)
        if any(times[0] > LONGEST for times in found.values()):
            break
    return {method: float(np.median(times[1:] or times)) for method, times in found.items()}  # the first is for warming up


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    one_thread()
    regrets = []
    print("| problem | " + " | ".join(METHODS) + " | auto | regret |\n|---|" + "---|" * (len(METHODS) + 2))
    for data in problems(arguments.held_out, arguments.seed):
        times = seconds(data, arguments.repeat)
        chosen = mo.minimize_max(data.tasks(), max_iter=0, **data.arguments()).method
        regret = times[chosen] / min(times.values()) if chosen in times else float("nan")
        regrets.append(regret)
        cells = [f"{1e3 * times[method]:.2f} ms" if method in times else "-" for method in METHODS]
        print(f"| {data.name} | " + " | ".join(cells) + f" | {chosen} | {regret:.2f} |", flush=True)
    known = np.array([r for r in regrets if np.isfinite(r)])
    print(f"\nRegret over {len(known)} problems: geometric mean {np.exp(np.log(known).mean()):.3f}, largest {known.max():.2f}.")


if __name__ == "__main__":
    main()
