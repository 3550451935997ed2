"""Paths against separate cold calls: ``python -m benchmarks.convex.paths [--seed S] [--repeat R]``.

Ten points each to a certified 1e-9: Ridge(1 ... 1e-3), CVaR(1 ... 0.15), KLBall and ChiSquareBall(1e-3 ... 1). CPU seconds of one thread, the two
interleaved, medians; iterations of all points together.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

import minimax_opt as mo

POINTS = 10
RADII = np.logspace(-3, 0, POINTS)
PATHS = {
    "ridge": {"regularizer": [mo.Ridge(s) for s in np.logspace(0, -3, POINTS)]},
    "cvar": {"ambiguity": [mo.CVaR(t) for t in np.linspace(1, 0.15, POINTS)]},
    "kl": {"ambiguity": [mo.KLBall(r) for r in RADII], "regularizer": mo.Ridge(1e-3)},
    "chi-square": {"ambiguity": [mo.ChiSquareBall(r) for r in RADII], "regularizer": mo.Ridge(1e-3)},
}
FAMILIES = {"least squares": mo.LeastSquaresTasks, "logistic": mo.LogisticTasks}


def random_tasks(family: str, n_tasks: int, n: int, rows: int, seed: int) -> mo.Tasks:
    rng = np.random.default_rng(seed)
    A, centre = rng.standard_normal((n_tasks, rows, n)), rng.standard_normal(n)
    b = np.stack([A[k] @ (centre + rng.standard_normal(n) / np.sqrt(n)) for k in range(n_tasks)])
    b = b + 0.5 * rng.standard_normal(b.shape)
    return FAMILIES[family](A, np.where(b > 0, 1.0, -1.0) if family == "logistic" else b)


def cold(tasks: mo.Tasks, varied: dict) -> int:
    points = [dict(zip(varied, values, strict=True)) for values in zip(*map(_each, varied.values()), strict=True)]
    return sum(mo.minimize_max(tasks, tol=1e-9, **point).nit for point in points)


def _each(part: object) -> list:
    return part if isinstance(part, list) else [part] * POINTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    print("| tasks | path | cold: time, iterations | path: time, iterations | cold / path |\n|---|---|---|---|---|")
    for family, *sizes in (("least squares", 20, 50, 200), ("logistic", 20, 50, 200), ("logistic", 5, 10, 100)):
        tasks = random_tasks(family, *sizes, arguments.seed)
        mo.minimize_max(tasks)  # warm-up: what the first solve of a process loads, and the Hessians that all share
        for name, varied in PATHS.items():
            times: tuple[list[float], list[float]] = [], []
            for _ in range(arguments.repeat):
                t0 = time.process_time()
                cold_nit = cold(tasks, varied)
                t1 = time.process_time()
                path = mo.minimize_max_path(tasks, tol=1e-9, **varied)
                times[0].append(t1 - t0)
                times[1].append(time.process_time() - t1)
                assert path.success
            apart, together = map(statistics.median, times)
            label = "{}, K={} n={} m={}".format(family, *sizes)
            print(
                f"| {label} | {name} | {1e3 * apart:.1f} ms, {cold_nit} | {1e3 * together:.1f} ms, {path.nit} | {apart / together:.2f} |"
            )


if __name__ == "__main__":
    main()
