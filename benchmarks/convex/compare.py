"""Side by side with the peers, in one run: ``python -m benchmarks.convex.compare [--cases NAME ...] [--seed S] [--repeat R] [--output FILE]``.

CPU seconds of one thread, runs interleaved after one for warm-up, fresh tasks in each. Ours: until *certified* to 1e-3, 1e-6, 1e-9. A peer's: its
solver alone, statement and compilation apart, at several of its tolerances; for each level, the fastest run whose x is, in the eyes of the judge,
within that relative distance of the best known value. Peers need no certificate. Each is first tried in a process of its own, loosest tolerance
first, until one reaches 1e-9, which shows its peak memory and ends it if it is over the budget; a run that took 10 times ours is not repeated.

With --output the row of each case is saved when it is done, and the same command continues where it stopped.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from benchmarks.common import measure
from benchmarks.common.store import Store
from benchmarks.convex import judge
from benchmarks.convex.command import add_arguments, settings
from benchmarks.convex.contenders import HOPELESS, PATIENCE, Contender, Ours, interleave
from benchmarks.convex.data import Data
from benchmarks.convex.judge import LEVELS
from benchmarks.convex.peers import peers_of, reduce
from benchmarks.convex.statistics import fastest, ratio
from benchmarks.convex.suite import case, chosen
from benchmarks.convex.trial import attempt, load_libraries, needed

REFERENCE = 1e-12  # the accuracy of the value that all are measured against
AMPLE, MANIFOLD = 2.0, 30.0  # CPU seconds, and times ours, that a peer gets at least, within the budget
LEAST = 4.0  # times ours that it gets whatever the budget


def compare(data: Data, repeat: int = 5, method: str = "auto", budget: float = 20.0, peers: bool = True) -> dict[str, Any]:
    """One case: our solves beside those of all peers, interleaved."""
    if peers:
        load_libraries()
    ours = [Ours(data, level, method) for level in LEVELS]
    measure.settle()
    memory = _our_memory(data, method, budget)
    reference = Ours(data, REFERENCE, method)
    reference.run()
    ours[-1].run()
    entrants, statements, left_out = _admit(data, budget, ours[-1], reference) if peers else ([], {}, {})
    ours[-1].seconds.clear()
    ours[-1].statement.clear()
    measure.settle()
    interleave(ours, entrants, repeat)
    for each in ours:
        each.count()
    values = [judge.value(data, np.asarray(each.result.x)) for each in (*ours, reference)] + [each.value for each in entrants]
    best = min(values)
    bounds = [each.result.lower_bound for each in (*ours, reference)]
    return {
        "n_tasks": data.n_tasks,
        "n_variables": data.n_variables,
        "n_rows": data.n_rows,
        "data_megabytes": data.megabytes,
        "best": best,
        "valid": all(not bound > best * (1 + 1e-13 * np.sign(best)) + judge.slack(data) for bound in bounds),
        "ours": {
            f"{each.level:g}": {**each.row(), "error": (v - best) / max(abs(best), 1e-300)}
            for each, v in zip(ours, values, strict=False)
        },
        "memory": memory,
        "statements": statements,
        "reduction": _reduction(data) if any(each.peer.reduced for each in entrants) else 0.0,
        "peers": [each.row(best) for each in entrants],
        "left_out": left_out,
    }


def _our_memory(data: Data, method: str, budget: float) -> float | None:
    """Megabytes of our solve to the last level, above what the tasks hold when it starts; small imports are done before."""
    ours = Ours(data, LEVELS[-1], method)
    tasks = data.tasks()
    warm = Ours(case("lsq_K5_n10_m50", 0), LEVELS[-1], "auto")
    return measure.probe(lambda: ours.solve(tasks).fun, warm.run, 10 * budget).megabytes


def _reduction(data: Data) -> float:
    """CPU seconds of the QR factors of all groups."""
    seconds: list[float] = []
    while len(seconds) < 5 and sum(seconds) < PATIENCE:
        seconds.append(measure.timed(reduce, data)[0])
    return float(np.median(seconds[1:] or seconds))


def _admit(data: Data, budget: float, ours: Ours, reference: Ours) -> tuple[list[Contender], dict[str, float], dict[str, str]]:
    """The peers within budget, at those of their tolerances that are the fastest for some level; CPU seconds of their statements; who was left out.

    Whoever takes over `HOPELESS` times as long as we do to the last level is not run again: the run of the trial counts.
    """
    best = min(judge.value(data, np.asarray(each.result.x)) for each in (ours, reference))
    ample = max(min(budget, max(AMPLE, MANIFOLD * ours.seconds[-1])), LEAST * ours.seconds[-1])
    entrants, statements, left_out = [], {}, {}
    for peer in peers_of(data):
        tried = attempt(data, peer, best, ample)
        if tried.error is not None:
            left_out[peer.name] = f"{tried.error} ({ample:.3g} s) at {peer.tolerances[0]:g}"
            continue
        statements[peer.name], solve = tried.statement, None
        for run in needed(data, tried.runs, best):
            entrant = Contender(data, peer, run.tolerance, tried.megabytes)
            if run.seconds > HOPELESS * ours.seconds[-1]:
                entrant.note(run.seconds, run.x, run.work)
            else:
                solve = peer.prepare() if solve is None else solve
                entrant.solve = solve
            entrants.append(entrant)
    return entrants, statements, left_out


def line(name: str, row: dict[str, Any]) -> str:
    """One case for the terminal."""
    if "failed" in row:
        return f"{name:<28}FAILED: {row['failed']}"
    last = row["ours"][f"{LEVELS[-1]:g}"]
    times = " ".join(f"{1e3 * row['ours'][f'{level:g}']['seconds']['median']:9.2f}" for level in LEVELS)
    ratios = " ".join("      -" if (r := ratio(row, level)) is None else f"{r:7.2f}" for level in LEVELS)
    peer = fastest(row, LEVELS[-1])
    rival = "no peer reached 1e-9" if peer is None else f"{peer[0]} {1e3 * peer[1]:.2f} ms"
    mark = "" if row["valid"] else "  INVALID BOUND"
    mark += "" if last["certified"] else f"  NOT CERTIFIED ({last['status']}, gap {last['gap'] or float('nan'):.0e})"
    return f"{name:<28}{last['method']:<16}{last['work']['nit']:>4} {times} ms {ratios}  {rival}{mark}"


def run_cases(store: Store, names: list[str], arguments: argparse.Namespace) -> None:
    """Measure the cases that the store lacks; print all."""
    print(f"{'case':<28}{'method':<16}{'nit':>4} {'ours to a certified 1e-3, 1e-6, 1e-9':>32} {'fastest peer / ours':>23}")
    for name in names:
        if name not in store.rows("cases"):
            try:
                row = compare(case(name, arguments.seed), arguments.repeat, arguments.method, arguments.budget)
            except Exception as error:  # our own failure is a result too
                row = {"failed": f"{type(error).__name__}: {error}"[:300]}
            store.put("cases", name, row)
        print(line(name, store.rows("cases")[name]), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=["small"], help="small (default), large, all, or names of the suite")
    add_arguments(parser)
    arguments = parser.parse_args()
    measure.one_thread()
    measure.quiet()
    names = chosen(arguments.cases)
    store = Store(arguments.output, settings(arguments))
    run_cases(store, names, arguments)


if __name__ == "__main__":
    main()
