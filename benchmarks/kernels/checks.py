"""Checks that run in a process of their own: the kernels' tests, and each op under the sanitizer.

``python -m benchmarks.kernels.checks --device cuda FAMILY ...`` calls every small op once: what the sanitizer watches.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.kernels.stress import contenders
from benchmarks.kernels.suite import PLACES, chosen
from benchmarks.kernels.trial import Plan, backend_for

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests" / "kernels"
SANITIZER = "compute-sanitizer"
LINES = 40  # of an output that a row keeps


def folders(families: list[str]) -> list[Path]:
    """Where the tests of the kernels are: those of all, then those of each family."""
    return [TESTS, *(TESTS / family for family in families if any((TESTS / family).glob("test_*.py")))]


def run_tests(path: Path, place: str, log: Path, seconds: float) -> dict[str, Any]:
    """The tests in a folder, and not below it; those of the compilation apart, which needs no GPU."""
    files = sorted(str(file) for file in path.glob("test_*.py") if file.name != "test_compilation.py")
    workers = ["-n", str(min(8, os.cpu_count() or 1))] if find_spec("xdist") else []
    command = [sys.executable, "-m", "pytest", *files, "-p", "no:cacheprovider", *workers]
    return _run(command, {"TRITON_INTERPRET": "1" if place == "interpreter" else "0"}, log, seconds)


def run_sanitizer(tool: str, families: list[str], place: str, log: Path, seconds: float) -> dict[str, Any]:
    """Every small op once under compute-sanitizer, each tensor in an allocation of its own, so that an access past its end is seen."""
    found = shutil.which(SANITIZER)
    if found is None or place != "cuda":
        return {"passed": True, "last": f"no {SANITIZER} here", "seconds": 0.0}
    calls = [sys.executable, "-m", "benchmarks.kernels.checks", "--device", place, *families]
    command = [found, "--tool", tool, "--error-exitcode", "9", *calls]
    return _run(command, {"PYTORCH_NO_CUDA_MEMORY_CACHING": "1"}, log, seconds)


def _run(command: list[str], more: dict[str, str], log: Path, seconds: float) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        run = subprocess.run(
            command, cwd=ROOT, env=os.environ | more, capture_output=True, text=True, timeout=max(seconds, 1.0), check=False
        )
        output, passed = run.stdout + run.stderr, run.returncode == 0
    except subprocess.TimeoutExpired as error:
        kept = error.stdout or b""
        output, passed = (kept.decode() if isinstance(kept, bytes) else kept) + f"\nover {seconds:.0f} s", False
    with log.open("a") as file:
        file.write(f"$ {' '.join(command)}\n{output}\n")
    lines = [line for line in output.strip().splitlines() if line.strip()] or [""]
    row = {"passed": passed, "last": lines[-1].strip("= ")[:300], "seconds": time.perf_counter() - started}
    return row if passed else {**row, "output": lines[-LINES:]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="+")
    parser.add_argument("--device", choices=PLACES, required=True)
    arguments = parser.parse_args()
    plan = Plan(arguments.device, 21, 1, 0.0)
    with backend_for(plan.place):
        for _, case in chosen(arguments.families, plan.place, quick=True):
            for name in contenders(case):
                try:
                    case.prepare(name, case.make(plan.seed, plan.device))()
                except (ImportError, NotImplementedError):
                    continue
    print("Every small op was called.")


if __name__ == "__main__":
    main()
