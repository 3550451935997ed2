"""Try a peer in a process of its own: which of its tolerances matter, what its statement costs, how much memory it takes."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from benchmarks.convex import judge, measure
from benchmarks.convex.data import Data
from benchmarks.convex.families import affine, least_squares, logistic
from benchmarks.convex.judge import LEVELS
from benchmarks.convex.peers import Peer, peers_of

BRIEF = 0.3  # CPU seconds up to which a statement or a solve is done twice; the faster counts
SLOWER = 3.0  # how much longer than the last the next tighter tolerance may take: it is not begun where that is over the budget


class Run(NamedTuple):
    """One solve: its tolerance, CPU seconds, x and the work that the peer reports."""

    tolerance: float
    seconds: float
    x: np.ndarray
    work: dict[str, int]


@dataclass(frozen=True)
class Trial:
    """What the process found: CPU seconds of the statement, the runs from loose to tight, peak memory; or why there is nothing."""

    statement: float = float("nan")
    runs: list[Run] = field(default_factory=list)
    megabytes: float | None = None
    error: str | None = None


def attempt(data: Data, peer: Peer, best: float, budget: float) -> Trial:
    """Solve at the peer's tolerances from loose to tight, until one reaches the last of the levels or the budget is spent.

    A tighter one costs more and has nothing left to reach. Where the process dies on the way, the loosest tolerance has a chance alone.
    """
    load_libraries()
    for tolerances in (peer.tolerances, peer.tolerances[:1]):
        found: dict[str, Any] = {}
        tried = measure.probe(
            lambda t=tolerances, f=found: _runs(data, peer, best, budget, t, f), lambda f=found: _state(peer, f), budget
        )
        if tried.error is None:
            statement, runs = tried.outcome
            return Trial(statement, runs, tried.megabytes)
        if tried.error != "over budget" or len(peer.tolerances) == 1:
            break
    return Trial(error=tried.error)


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


def _state(peer: Peer, found: dict[str, Any]) -> None:
    found["statement"], found["solve"] = _twice(peer.prepare)


def _runs(
    data: Data, peer: Peer, best: float, budget: float, tolerances: tuple[float, ...], found: dict[str, Any]
) -> tuple[float, list[Run]]:
    runs: list[Run] = []
    spent = 0.0 if len(tolerances) == 1 else found["statement"]
    for tolerance in tolerances:
        if runs and spent + SLOWER * runs[-1].seconds > budget:
            break
        seconds, answer = _twice(lambda t=tolerance: found["solve"](t))
        spent += (2 if seconds < BRIEF else 1) * seconds
        runs.append(Run(tolerance, seconds, answer.x, answer.work))
        gc.collect()
        if judge.reached(data, judge.value(data, answer.x), best, LEVELS[-1]):
            break
    return found["statement"], runs


def _twice(function: Callable[[], Any]) -> tuple[float, Any]:
    seconds, outcome = measure.timed(function)
    if seconds < BRIEF:
        again, outcome = measure.timed(function)
        seconds = min(seconds, again)
    return seconds, outcome
