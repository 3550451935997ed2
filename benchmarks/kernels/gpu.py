"""Everything that a machine with a GPU can tell, in one go: ``python -m benchmarks.kernels.gpu --output DIR [--quick]``.

First the ops whose blocks hand results to each other are replayed ten thousand times, then the tests of the kernels run compiled, then all ops
are called under the sanitizer and replayed, then they are timed beside their peers. Writes DIR/gpu.json after every step, DIR/gpu.md and
DIR/tests.log. After `--minutes` it stops between two steps; the same command continues where it stopped. ``--device cpu`` emulates the kernels on the
host, at sizes of a few programs.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.common.measure import one_thread
from benchmarks.common.store import Store
from benchmarks.kernels.checks import ROOT, folders, run_sanitizer, run_tests
from benchmarks.kernels.compare import add_arguments, plan_of, run_cases, settings
from benchmarks.kernels.report import page
from benchmarks.kernels.stress import contenders, stressed
from benchmarks.kernels.suite import Case, chosen
from benchmarks.kernels.trial import Plan, backend_for

ORDERING = 1000  # cases with as many replays are about the order of memory accesses: they come first
EMULATED = 3  # replays of any op that is emulated
TESTING = 240.0  # seconds that the tests of one folder may take
SANITIZING = 60.0  # seconds for the sanitizer, which slows everything down
SPARE = 20.0  # seconds before the end at which no step begins


class Step(NamedTuple):
    """Something to do whose result is one row."""

    section: str
    key: str
    work: Any


def steps(cases: list[tuple[str, Case]], plan: Plan, log: Path, left: Callable[[], float]) -> Iterator[Step]:
    """All of them, the most telling first."""
    families = list(dict.fromkeys(family for family, _ in cases))
    replayed = [(case, name) for _, case in cases for name in contenders(case)]
    ordering = [pair for pair in replayed if pair[0].replays >= ORDERING]
    yield from (_stress_step(case, name, plan) for case, name in ordering)
    for path in folders(families):
        work = partial(run_tests, path, plan.place, log)
        yield Step("tests", path.relative_to(ROOT).as_posix(), lambda work=work: work(min(left(), TESTING)))
    for tool in ("memcheck", "racecheck"):
        work = partial(run_sanitizer, tool, families, plan.place, log)
        yield Step("tests", tool, lambda work=work: work(min(left(), SANITIZING)))
    yield from (_stress_step(case, name, plan) for case, name in replayed if (case, name) not in ordering)


def _stress_step(case: Case, name: str, plan: Plan) -> Step:
    def work() -> dict[str, Any]:
        with backend_for(plan.place):
            return stressed(case, name, plan.seed, plan.device, EMULATED if plan.place == "interpreter" else case.replays)

    return Step("stress", f"{case.name}: {name}", work)


def failed(row: dict[str, Any]) -> bool:
    """Whether a row is bad news."""
    return "failure" in row or not row.get("passed", True) or row.get("differing", 0) > 0


def describe(section: str, row: dict[str, Any]) -> str:
    """One row for the terminal."""
    if "failure" in row:
        return f"FAILED: {row['failure']}"
    if "absent" in row:
        return f"cannot: {row['absent']}"
    if section == "tests":
        return f"{'passed' if row['passed'] else 'FAILED'}, {row['seconds']:.0f} s: {row['last']}"
    kind = f"calls ({row['obstacle']})" if row["obstacle"] else "replays of a graph"
    mark = f"{row['differing']} DIFFER" if row["differing"] else "all the same bits"
    mark += "" if row["as_eager"] else ", others than outside of the graph"
    return f"{row['replays']} {kind} on {row['inputs']} inputs: {mark}; largest error {row['error']:.1e}; {row['seconds']:.1f} s"


def checks(content: dict[str, Any]) -> str:
    """The tests and the stress tests, for the page."""
    parts = []
    for section, title in (("tests", "Tests, compiled"), ("stress", "Replays")):
        rows = content.get(section, {})
        parts += [f"## {title}", "\n".join(f"- {key}: {describe(section, row)}" for key, row in rows.items()) or "None."]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--minutes", type=float, default=9.0)
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU here. --device cpu emulates the kernels at small sizes.")
    if arguments.device == "cpu":
        os.environ["TRITON_INTERPRET"] = "1"  # before any kernel is defined
    one_thread()
    started = time.perf_counter()

    def left() -> float:
        return 60.0 * arguments.minutes - (time.perf_counter() - started)

    return everything(arguments, left)


def everything(arguments: argparse.Namespace, left: Callable[[], float]) -> int:
    """Do what the store lacks while there is time; the number of bad results."""
    plan = plan_of(arguments, "cuda" if arguments.device == "cuda" else "interpreter")
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "gpu.json"
    store = Store(path, settings(plan, arguments.quick))
    cases = chosen(arguments.families, plan.place, arguments.quick)
    bad = 0
    for section, key, work in steps(cases, plan, arguments.output / "tests.log", left):
        row = store.rows(section).get(key)
        if (row is None or failed(row)) and left() > SPARE:
            try:
                row = work()
            except (ImportError, NotImplementedError) as error:
                row = {"absent": f"{error}"[:200]}
            except Exception as error:  # the other steps can still tell something
                row = {"failure": f"{type(error).__name__}: {error}"[:500]}
            store.put(section, key, row)
        if row is not None:
            bad += failed(row)
            print(f"[{left():4.0f} s left] {section:<7}{key:<50}{describe(section, row)}", flush=True)
    for pair in cases:
        if left() > SPARE or pair[1].name in store.rows("cases"):
            run_cases(store, [pair], plan)
    (arguments.output / "gpu.md").write_text(page({path: store.content}) + "\n" + checks(store.content))
    missing = [case.name for _, case in cases if case.name not in store.rows("cases")]
    bad += sum("failure" in row for row in store.rows("cases").values())
    print(f"{bad} failed. " + (f"Not timed yet: {', '.join(missing)}. Run the same command again." if missing else "All done."))
    return bad


if __name__ == "__main__":
    sys.exit(min(main(), 1))
