"""Everything that a machine with a GPU can tell, in one go: ``python -m benchmarks.kernels.gpu --output DIR [--quick]``.

First the ops whose blocks hand results to each other are replayed ten thousand times, then the tests of the kernels run compiled, then all ops
are replayed, then they are timed beside their peers. Writes DIR/gpu.json after every step, DIR/gpu.md and DIR/tests.log. After `--minutes` it stops
between two steps; the same command continues where it stopped. ``--device cpu`` emulates the kernels on the host, at sizes of a few programs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.common.measure import one_thread
from benchmarks.common.store import Store
from benchmarks.kernels.compare import add_arguments, plan_of, run_cases, settings
from benchmarks.kernels.report import page
from benchmarks.kernels.stress import contenders, stressed
from benchmarks.kernels.suite import Case, chosen
from benchmarks.kernels.trial import Plan, backend_for

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "kernels"
ORDERING = 1000  # cases with as many replays are about the order of memory accesses: they come first
EMULATED = 3  # replays of any op that is emulated
TESTING = 240.0  # seconds that the tests of one folder may take
SPARE = 20.0  # seconds before the end at which no step begins


class Step(NamedTuple):
    """Something to do whose result is one row."""

    section: str
    key: str
    work: Any


def steps(cases: list[tuple[str, Case]], plan: Plan, log: Path, left: Any) -> Iterator[Step]:
    """All of them, the most telling first."""
    replayed = [(case, name) for _, case in cases for name in contenders(case)]
    ordering = [pair for pair in replayed if pair[0].replays >= ORDERING]
    yield from (_stress_step(case, name, plan) for case, name in ordering)
    for path in [
        TESTS,
        *(TESTS / family for family in dict.fromkeys(family for family, _ in cases) if (TESTS / family).is_dir()),
    ]:
        yield Step("tests", path.relative_to(ROOT).as_posix(), lambda path=path: run_tests(path, plan, log, min(left(), TESTING)))
    yield from (_stress_step(case, name, plan) for case, name in replayed if (case, name) not in ordering)


def _stress_step(case: Case, name: str, plan: Plan) -> Step:
    def work() -> dict[str, Any]:
        with backend_for(plan.place):
            return stressed(case, name, plan.seed, plan.device, EMULATED if plan.place == "interpreter" else case.replays)

    return Step("stress", f"{case.name}: {name}", work)


def run_tests(path: Path, plan: Plan, log: Path, seconds: float) -> dict[str, Any]:
    """The tests in a folder, and not below it, in a process of their own."""
    files = sorted(str(file) for file in path.glob("test_*.py") if file.name != "test_compilation.py")
    environment = os.environ | {"TRITON_INTERPRET": "1" if plan.place == "interpreter" else "0"}
    try:
        import xdist  # noqa: F401

        workers = ["-n", str(min(8, os.cpu_count() or 1))]
    except ImportError:
        workers = []
    command = [sys.executable, "-m", "pytest", *files, "-p", "no:cacheprovider", *workers]
    started = time.perf_counter()
    try:
        run = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=max(seconds, 1.0), check=False
        )
        output, code = run.stdout + run.stderr, run.returncode
    except subprocess.TimeoutExpired as error:
        output, code = str(error.stdout or b"", "utf-8"), -1
    with log.open("a") as file:
        file.write(f"$ {' '.join(command)}\n{output}\n")
    last = (output.strip().splitlines() or [""])[-1]
    return {"passed": code == 0, "code": code, "last": last[:300], "seconds": time.perf_counter() - started}


def failed(section: str, row: dict[str, Any]) -> bool:
    """Whether a row is bad news."""
    return "failure" in row or (section == "tests" and not row["passed"]) or (section == "stress" and row["differing"] > 0)


def describe(section: str, row: dict[str, Any]) -> str:
    """One row for the terminal."""
    if "failure" in row:
        return f"FAILED: {row['failure']}"
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


def everything(arguments: argparse.Namespace, left: Any) -> int:
    """Do what the store lacks while there is time; the number of bad results."""
    plan = plan_of(arguments, "cuda" if arguments.device == "cuda" else "interpreter")
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "gpu.json"
    store = Store(path, settings(plan, arguments.quick))
    cases = chosen(arguments.families, plan.place, arguments.quick)
    bad = 0
    for section, key, work in steps(cases, plan, arguments.output / "tests.log", left):
        row = store.rows(section).get(key)
        if (row is None or failed(section, row)) and left() > SPARE:
            try:
                row = work()
            except Exception as error:  # the other steps can still tell something
                row = {"failure": f"{type(error).__name__}: {error}"[:500]}
            store.put(section, key, row)
        if row is not None:
            bad += failed(section, row)
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
