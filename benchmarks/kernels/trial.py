"""One case: everyone who can do it is timed in turns, and examined."""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.common.measure import one_thread, probe, settle, spread
from benchmarks.kernels import measure
from benchmarks.kernels.suite import FLOOR, OURS, Case, Run, find

REPEATS = {"cpu": 20, "cuda": 20, "interpreter": 3}  # calls whose bits are compared
LEAST = 4.0  # megabytes of inputs and outputs from which on the peak of memory says something


@dataclass(frozen=True)
class Plan:
    """How a run measures: where, from which seed, how often, and how many seconds a contender may take at a case."""

    place: str
    seed: int
    rounds: int
    budget: float

    @property
    def device(self) -> torch.device:
        return torch.device("cuda" if self.place == "cuda" else "cpu")


def measured(family: str, case: Case, plan: Plan) -> dict[str, Any]:
    """The row of a case."""
    with backend_for(plan.place), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peers' own
        if "torch._dynamo" in sys.modules:
            torch._dynamo.reset()  # or torch.compile would make sizes variables after the first case, and code slower
        inputs = case.make(plan.seed, plan.device)
        runs, absent, failed = _admit(case, inputs, plan.place)
        truth = None if case.reference is None else case.reference(inputs)
        clock = measure.clock_of(plan.device)
        settle()
        seconds = measure.interleave(runs, clock, plan.rounds, plan.budget)
        rows = {}
        for name, run in runs.items():
            rows[name] = {"seconds": spread(seconds[name]), "ratio": measure.paired(seconds[OURS], seconds[name])}
            rows[name] |= _examined(run, None if name.startswith(FLOOR) else truth, REPEATS[plan.place])
            if plan.place == "cuda":
                rows[name] |= _examined_on_cuda(run, clock, plan.rounds)
            elif plan.place == "cpu" and rows[name]["output_megabytes"] + measure.megabytes(_held(inputs)) >= LEAST:
                rows[name]["megabytes"] = host_peak(family, case, name, plan.seed, plan.budget)
    return {
        "family": family,
        "shape": dict(case.shape),
        "bytes_moved": case.bytes_moved,
        "flops": case.flops,
        "targets": [target._asdict() for target in case.targets],
        "contenders": rows,
        "absent": absent,
        "failed": failed,
    }


@contextmanager
def backend_for(place: str) -> Iterator[None]:
    """Under the interpreter "auto" means Triton; elsewhere it is left as it is."""
    before = os.environ.get("MINIMAX_OPT_BACKEND")
    if place == "interpreter":
        os.environ["MINIMAX_OPT_BACKEND"] = "triton"
    try:
        yield
    finally:
        if place == "interpreter":
            os.environ.pop("MINIMAX_OPT_BACKEND")
            if before is not None:
                os.environ["MINIMAX_OPT_BACKEND"] = before


def _admit(case: Case, inputs: dict[str, Any], place: str) -> tuple[dict[str, Run], dict[str, str], dict[str, str]]:
    """The calls of those who can, each made once; why others are absent or failed. Our own failure is raised. Emulated are only ours."""
    runs, absent, failed = {}, {}, {}
    for name in case.contenders:
        if place == "interpreter" and not name.startswith(OURS):
            continue
        try:
            run = case.prepare(name, inputs)
            run()
            runs[name] = run
        except (ImportError, NotImplementedError) as error:
            absent[name] = f"{error}"[:200]
        except Exception as error:
            if name == OURS:
                raise
            failed[name] = f"{type(error).__name__}: {error}"[:300]
    return runs, absent, failed


def _examined(run: Run, truth: Any, repeats: int) -> dict[str, Any]:
    outputs = measure.fresh(run)()
    row: dict[str, Any] = {"output_megabytes": measure.megabytes(outputs), "errors": None}
    if truth is not None:
        row["errors"] = [error if math.isfinite(error) else "inf" for error in measure.errors(outputs, truth)]
    del outputs
    row["repeatable"] = measure.repeatable(run, repeats)
    return row


def _examined_on_cuda(run: Run, clock: Any, rounds: int) -> dict[str, Any]:
    row: dict[str, Any] = {"launches": measure.launches(run), "synchronisations": measure.synchronisations(run)}
    row |= {"megabytes": measure.cuda_peak(run), "graph_seconds": None}
    if row["synchronisations"] == 0:  # a call that waits cannot be captured
        try:
            replay, outputs = measure.captured(run)
            row["graph_seconds"] = spread(measure.interleave({"graph": replay}, clock, rounds)["graph"])["median"]
            del outputs
        except RuntimeError as error:
            row["graph_failure"] = f"{error}"[:200]
    return row


def _held(inputs: dict[str, Any]) -> list[torch.Tensor]:
    return [entry for entry in inputs.values() if isinstance(entry, torch.Tensor)]


class InProcess:
    """A contender's call in a fresh process, for the peak of its memory there."""

    def __init__(self, family: str, case: str, contender: str, seed: int) -> None:
        self.family, self.case, self.contender, self.seed = family, case, contender, seed
        self.run: Run = lambda: None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "run"}

    def prepare(self) -> None:
        """Make the inputs and call once: what is loaded, compiled and kept for later calls is not counted."""
        one_thread()
        warnings.simplefilter("ignore")
        case = find(self.family, self.case)
        self.run = case.prepare(self.contender, case.make(self.seed, torch.device("cpu")))
        self.run()

    def __call__(self) -> None:
        self.run()


def host_peak(family: str, case: Case, contender: str, seed: int, budget: float) -> float | None:
    """Megabytes of memory that a call on the CPU takes at its peak, its outputs among them."""
    trial = InProcess(family, case.name, contender, seed)
    return probe(trial, trial.prepare, 60.0 + 10 * budget, start="spawn").megabytes
