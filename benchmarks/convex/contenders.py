"""Who is timed: our solve to a level, and a peer at a tolerance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

import minimax_opt as mo
from benchmarks.common import measure
from benchmarks.convex import judge
from benchmarks.convex.data import Data
from benchmarks.convex.judge import LEVELS
from benchmarks.convex.peers import Peer, Solve
from minimax_opt import lapack, native

BRIEF, RUNS_A_TURN = 0.02, 3
HOPELESS = 10.0  # times ours to the last level, above which a peer's first run is its only one
PATIENCE = 1.0  # CPU seconds after which a contender gets no further repetition


class CountingLibrary:
    """The solvers in C, whose factorisations are added to the one entry of a list: each returns their number last."""

    def __init__(self, library: Any, count: list[int]) -> None:
        self.library, self.count = library, count

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            outcome = getattr(self.library, name)(*arguments)
            self.count[0] += outcome[-1]
            return outcome

        return call


@contextmanager
def counted(*names: str) -> Iterator[list[int]]:
    """Count the calls of LAPACK functions that this package makes meanwhile, in C too, in the one entry of the list."""
    originals, count = {name: getattr(lapack, name) for name in names}, [0]
    library = native.library
    counting_library = None if library() is None else CountingLibrary(library(), count)

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            count[0] += 1
            return function(*arguments, **named)

        return call

    try:
        for name, function in originals.items():
            setattr(lapack, name, counting(function))
        native.library = lambda: counting_library  # type: ignore[assignment]
        yield count
    finally:
        native.library = library
        for name, function in originals.items():
            setattr(lapack, name, function)


class Ours:
    """Our solve to one level, and what it reports."""

    def __init__(self, data: Data, level: float, method: str) -> None:
        self.data, self.level, self.method = data, level, method
        self.seconds: list[float] = []
        self.statement: list[float] = []
        self.result: Any = None
        self.factorisations: int | None = None

    def run(self) -> None:
        seconds, tasks = measure.timed(self.data.tasks)
        self.statement.append(seconds)
        seconds, self.result = measure.timed(self.solve, tasks)
        self.seconds.append(seconds)

    def count(self) -> None:
        """Solve once more, off the clock, to count the Cholesky factorisations of every size."""
        with counted("dpotrf", "dposv") as count:
            self.solve(self.data.tasks())
        self.factorisations = count[0]

    def solve(self, tasks: mo.Tasks) -> Any:
        return mo.minimize_max(tasks, tol=self.level, method=self.method, **self.data.arguments())

    def row(self) -> dict[str, Any]:
        res = self.result
        return {
            "seconds": measure.spread(self.seconds),
            "statement": float(np.median(self.statement)),
            "method": res.method,
            "certified": bool(res.success and np.isfinite(res.gap)),
            "status": str(res.status.name),
            "gap": res.gap / max(abs(res.fun), 1e-300),
            "lower_bound": res.lower_bound,
            "work": {
                "nit": res.nit,
                "values": res.nfev,
                "jacobians": res.njev,
                "hessians": res.nhev,
                "factorisations": self.factorisations,
            },
        }


class Contender:
    """A peer at one tolerance; without `solve` it has had its only run."""

    def __init__(self, data: Data, peer: Peer, tolerance: float, megabytes: float | None, solve: Solve | None = None) -> None:
        self.data, self.peer, self.solve, self.tolerance, self.megabytes = data, peer, solve, tolerance, megabytes
        self.seconds: list[float] = []
        self.value = float("inf")
        self.work: dict[str, int] = {}

    def run(self) -> None:
        if self.solve is not None:
            seconds, found = measure.timed(self.solve, self.tolerance)
            self.note(seconds, found.x, found.work)

    def note(self, seconds: float, x: np.ndarray, work: dict[str, int]) -> None:
        """Keep the outcome of a run."""
        self.seconds.append(seconds)
        self.value, self.work = judge.value(self.data, x), work

    def row(self, best: float) -> dict[str, Any]:
        return {
            "peer": self.peer.name,
            "tolerance": self.tolerance,
            "modelled": self.peer.modelled,
            "whole": self.peer.whole,
            "reduced": self.peer.reduced,
            "seconds": measure.spread(self.seconds),
            "error": (self.value - best) / max(abs(best), 1e-300),
            "levels": [level for level in LEVELS if judge.reached(self.data, self.value, best, level)],
            "work": self.work,
            "megabytes": self.megabytes,
        }


def interleave(ours: list[Ours], peers: list[Contender], repeat: int) -> None:
    """Rounds in which each has its turn: a run, or a few in a row of what takes milliseconds, each timed; the first run of a turn is warm-up."""
    active = [*ours, *(peer for peer in peers if peer.solve is not None)]
    for _ in range(repeat):
        for entrant in active:
            if sum(entrant.seconds) < PATIENCE:
                _turn(entrant, PATIENCE)


def _turn(entrant: Ours | Contender, limit: float) -> None:
    slow = bool(entrant.seconds) and entrant.seconds[-1] > BRIEF
    entrant.run()
    if not slow and entrant.seconds[-1] < limit / 2:  # cold caches are no matter above
        entrant.seconds.pop()
        for _ in range(RUNS_A_TURN if entrant.seconds and entrant.seconds[-1] < BRIEF else 1):
            entrant.run()
