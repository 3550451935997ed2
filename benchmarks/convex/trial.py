"""Try a peer in a process of its own: which of its tolerances matter, what its statement costs, how much memory it takes."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import IO, Any, NamedTuple

import numpy as np

from benchmarks.common import measure
from benchmarks.convex import judge
from benchmarks.convex.data import Data
from benchmarks.convex.families import affine, least_squares, logistic
from benchmarks.convex.judge import LEVELS
from benchmarks.convex.peers import Peer, Solve, peers_of

BRIEF = 0.3  # CPU seconds up to which a statement or a solve is done twice; the faster counts


class Run(NamedTuple):
    """One solve: its tolerance, CPU seconds, x, the work that the peer reports, and CPU seconds of the statement before it."""

    tolerance: float
    seconds: float
    x: np.ndarray
    work: dict[str, int]
    statement: float


@dataclass(frozen=True)
class Trial:
    """What the process found: CPU seconds of the statement, the runs from loose to tight, peak memory; or why there is nothing."""

    statement: float = float("nan")
    runs: list[Run] = field(default_factory=list)
    megabytes: float | None = None
    error: str | None = None


def attempt(data: Data, peer: Peer, best: float, budget: float) -> Trial:
    """Solve at the peer's tolerances from loose to tight, until one reaches the last of the levels or the budget is spent.

    A tighter one costs more and has nothing left to reach. The runs are written to a file one by one, so that they outlive the process.
    """
    load_libraries()
    with tempfile.TemporaryFile() as file:
        made: list[Any] = []
        tried = measure.probe(lambda: _runs(data, peer, best, *made, file), lambda: made.extend(_twice(peer.prepare)), budget)
        file.seek(0)
        runs = list(_written(file))
    if not runs:
        return Trial(error=tried.error)
    return Trial(runs[0].statement, runs, tried.megabytes)


def needed(data: Data, runs: list[Run], best: float) -> list[Run]:
    """The runs that are, for some level, the fastest to reach it; where none reaches any, the last."""
    kept: list[Run] = []
    values = [judge.value(data, run.x) for run in runs]
    for level in LEVELS:
        able = [run for run, value in zip(runs, values, strict=True) if judge.reached(data, value, best, level)]
        first = min(able, key=lambda run: run.seconds, default=None)
        if first is not None and not any(first is run for run in kept):
            kept.append(first)
    return kept or runs[-1:]


@cache
def load_libraries() -> None:
    """Let every peer solve something tiny, so that no later statement or solve pays for loading its library."""
    for maker in (least_squares(3, 2, 5), affine(20, 2), logistic(3, 2, 5)):
        for peer in peers_of(maker("tiny", 0)):
            peer.prepare()(peer.tolerances[0])
    measure.settle()


def _runs(data: Data, peer: Peer, best: float, statement: float, solve: Solve, file: IO[bytes]) -> None:
    for tolerance in peer.tolerances:
        seconds, answer = _twice(lambda t=tolerance: solve(t))
        pickle.dump(Run(tolerance, seconds, answer.x, answer.work, statement), file)
        file.flush()
        if judge.reached(data, judge.value(data, answer.x), best, LEVELS[-1]):
            return


def _written(file: IO[bytes]) -> Iterator[Run]:
    """The runs in the file, up to one that was cut off."""
    while True:
        try:
            yield pickle.load(file)
        except (EOFError, pickle.UnpicklingError):
            return


def _twice(function: Callable[[], Any]) -> tuple[float, Any]:
    seconds, outcome = measure.timed(function)
    if seconds < BRIEF:
        again, outcome = measure.timed(function)
        seconds = min(seconds, again)
    return seconds, outcome
