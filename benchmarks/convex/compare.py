"""Side by side with the peers, in one run: ``python -m benchmarks.convex.compare [CASE ...] [--seed S] [--repeat R] [--output FILE]``.

CPU seconds of one thread, runs interleaved after one for warm-up, medians. Ours: until *certified* to 1e-9. A peer's: its solver alone, statement and
compilation apart, and it counts as having reached 1e-9 if the worst-case loss of its x, evaluated by the judge below, is within 1e-9
of the best known value. The judge is the definition of the problem in NumPy, not a solver.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import minimax_opt as mo
from benchmarks.convex.peers import peers_of
from benchmarks.convex.suite import SMALL, SUITE, Data

ACCURACY = 1e-9


def judge(data: Data, x: np.ndarray) -> float:
    """The worst-case loss of x plus the ridge, from the definition."""
    z = data.A @ x
    rows = {"affine": z - data.b, "least squares": (z - data.b) ** 2, "logistic": np.logaddexp(0.0, -data.b * z)}[data.loss]
    losses = np.add.reduceat(rows, data.starts[:-1]) / np.diff(data.starts)
    return float(mo.worst_case(losses, data.ambiguity)) + data.ridge / 2 * float(x @ x)


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    outcome = function()
    return time.process_time() - started, outcome


def compare(data: Data, repeat: int = 5, method: str = "auto") -> dict[str, Any]:
    """One case: our solve beside each peer's, interleaved."""
    prepared, times, values = {}, {"ours": []}, {}
    compile_seconds: dict[str, float] = {}
    for name, prepare in peers_of(data).items():
        try:
            compile_seconds[name], prepared[name] = timed(prepare)
        except Exception as error:  # a peer that cannot state a problem is a fact to report, not a failure of ours
            print(f"  {name} cannot state {data.name}: {type(error).__name__}", file=sys.stderr)
        times[name] = []
    result = None
    for attempt in range(repeat + 1):  # the first is warm-up, for all alike
        tasks = data.tasks()  # fresh: nothing cached from the run before
        seconds, result = timed(
            lambda tasks=tasks: mo.minimize_max(
                tasks, ambiguity=data.ambiguity, regularizer=data.regularizer(), tol=ACCURACY, method=method
            )
        )
        times["ours"].append(seconds)
        for name, solve in prepared.items():
            if times[name] and sum(times[name]) > 20.0:
                continue
            try:
                seconds, x = timed(solve)
                times[name].append(seconds)
                values[name] = judge(data, x)
            except Exception as error:
                print(f"  {name} failed on {data.name}: {type(error).__name__}", file=sys.stderr)
        if attempt == 0:
            times = {name: [] for name in times}
    assert result is not None
    values["ours"] = judge(data, result.x)
    best = min([v for v in values.values() if np.isfinite(v)])
    row: dict[str, Any] = {
        "case": data.name,
        "method": result.method,
        "nit": result.nit,
        "certified": bool(result.success),
        "gap": result.gap / abs(result.fun),
        "certificate": result.certificate.kind,
        "ours": statistics.median(times["ours"]),
        "valid": bool(result.lower_bound <= best * (1 + 1e-13) + 1e-300),
        "peers": {
            name: {
                "seconds": statistics.median(times[name]),
                "compile": compile_seconds[name],
                "error": (values[name] - best) / abs(best),
            }
            for name in prepared
            if times[name] and name in values
        },
    }
    reached = {name: peer for name, peer in row["peers"].items() if peer["error"] <= ACCURACY}
    row["fastest"] = min(reached, key=lambda name: reached[name]["seconds"], default=None)
    row["ratio"] = reached[row["fastest"]]["seconds"] / row["ours"] if reached else None
    return row


def line(row: dict[str, Any]) -> str:
    ratio = "     -" if row["ratio"] is None else f"{row['ratio']:6.2f}"
    peers = ", ".join(f"{n} {1e3 * p['seconds']:.1f} ms ({p['error']:.0e})" for n, p in row["peers"].items())
    mark = "" if row["certified"] and row["valid"] else "  NOT CERTIFIED" if row["valid"] else "  INVALID BOUND"
    return f"{row['case']:<28}{row['method']:<16}{row['nit']:>4}{1e3 * row['ours']:>10.1f} ms {ratio}  {peers}{mark}"


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table, with the geometric mean of the ratios below."""
    lines = ["| case | method, iterations | ours, certified | fastest peer at 1e-9 | ratio |", "|---|---|---|---|---|"]
    for row in rows:
        fastest = row["fastest"]
        peer = "none reached it" if fastest is None else f"{fastest} {1e3 * row['peers'][fastest]['seconds']:.1f} ms"
        ratio = "-" if row["ratio"] is None else f"{row['ratio']:.2f}"
        mark = "" if row["certified"] else " (not certified)"
        lines.append(f"| {row['case']} | {row['method']}, {row['nit']} | {1e3 * row['ours']:.1f} ms{mark} | {peer} | {ratio} |")
    return "\n".join([*lines, "", summary(rows)])


def summary(rows: list[dict[str, Any]]) -> str:
    """One sentence on the ratios."""
    ratios = [row["ratio"] for row in rows if row["ratio"] is not None]
    if not ratios:
        return "No peer reached 1e-9."
    mean = np.exp(np.mean(np.log(ratios)))
    return (
        f"Geometric mean of {len(ratios)} ratios: {mean:.2f}; smallest {min(ratios):.2f}; below 1: {sum(r < 1 for r in ratios)}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help="names of the suite; all small ones by default, 'all' for every one")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--method", default="auto")
    parser.add_argument("--output", type=Path, help="FILE.json with everything and FILE.md with the table")
    arguments = parser.parse_args()
    names = list(SUITE) if arguments.cases == ["all"] else arguments.cases or SMALL
    rows = []
    print(f"{'case':<28}{'method':<16}{'nit':>4}{'ours':>13} {'peer/us':>7}  peers (relative error reached)")
    for name in names:
        rows.append(compare(SUITE[name](name, arguments.seed), arguments.repeat, arguments.method))
        print(line(rows[-1]), flush=True)
    print(summary(rows))
    if arguments.output:
        arguments.output.with_suffix(".json").write_text(
            json.dumps({"seed": arguments.seed, "repeat": arguments.repeat, "rows": rows}, indent=1)
        )
        arguments.output.with_suffix(".md").write_text(
            f"Seed {arguments.seed}, {arguments.repeat} interleaved runs.\n\n{table(rows)}\n"
        )


if __name__ == "__main__":
    main()
