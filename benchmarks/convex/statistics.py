"""What a table of times says: ratios, winners, performance profiles."""

from __future__ import annotations

from typing import Any

import numpy as np


def peer_seconds(row: dict[str, Any], peer: dict[str, Any], whole: str = "", reduction: bool = True) -> float:
    """A peer's time: its solve and the reduction of its data; with `whole`, all that a one-off user pays (the reduction is in the statement)."""
    if whole:
        return float(peer["seconds"]["median"] + (0.0 if peer["whole"] else row["statements"][peer["peer"]]))
    return float(peer["seconds"]["median"] + (row["reduction"] if peer["reduced"] and reduction else 0.0))


def fastest(row: dict[str, Any], level: float, whole: str = "", reduction: bool = True) -> tuple[str, float] | None:
    """The fastest peer that reached `level`, and its time.

    `whole` counts what a one-off user waits for, statement and solve: of "all" peers, or of those that are "modelled" through cvxpy. Without,
    those that offer both only in one call are left out.
    """
    fits = {
        "": lambda peer: not peer["whole"],
        "all": lambda peer: True,
        "modelled": lambda peer: peer["modelled"] or peer["whole"],
    }[whole]
    allowed = [peer for peer in row["peers"] if level in peer["levels"] and fits(peer)]
    times = [(peer["peer"], peer_seconds(row, peer, whole, reduction)) for peer in allowed]
    return min(times, key=lambda pair: pair[1], default=None)


def ratio(row: dict[str, Any], level: float, whole: str = "", reduction: bool = True) -> float | None:
    """Seconds of the fastest peer / ours; None where no peer reached the level or ours has no certificate."""
    if "failed" in row:
        return None
    ours, peer = row["ours"][f"{level:g}"], fastest(row, level, whole, reduction)
    if peer is None or not ours["certified"]:
        return None
    return peer[1] / (ours["seconds"]["median"] + (ours["statement"] if whole else 0.0))


def ratios(cases: dict[str, Any], level: float, whole: str = "", reduction: bool = True) -> dict[str, float]:
    """Fastest peer / ours of each case where both reached the level."""
    found = {name: ratio(row, level, whole, reduction) for name, row in cases.items()}
    return {name: value for name, value in found.items() if value is not None}


def unpaired(cases: dict[str, Any], level: float, whole: str = "") -> tuple[list[str], list[str]]:
    """The cases that have no ratio because only we reached the level, and because only a peer did."""
    alone, missed = [], []
    for name, row in cases.items():
        if "failed" in row:
            continue
        ours, peer = row["ours"][f"{level:g}"]["certified"], fastest(row, level, whole) is not None
        alone += [name] if ours and not peer else []
        missed += [name] if peer and not ours else []
    return alone, missed


def times(cases: dict[str, Any], level: float) -> dict[str, dict[str, float]]:
    """Seconds of each contender on each case where it reached the level; ours under the name "ours"."""
    found: dict[str, dict[str, float]] = {"ours": {}}
    for name, row in cases.items():
        if "failed" in row:
            continue
        ours = row["ours"][f"{level:g}"]
        if ours["certified"]:
            found["ours"][name] = ours["seconds"]["median"]
        for peer in row["peers"]:
            if level in peer["levels"] and not peer["whole"]:
                mine = found.setdefault(peer["peer"], {})
                mine[name] = min(mine.get(name, np.inf), peer_seconds(row, peer))
    return found


def profile(cases: dict[str, Any], level: float, factors: np.ndarray) -> dict[str, np.ndarray]:
    """rho(factor): the share of all cases that a contender solves within `factor` times the least time of any (Dolan and More, 2002).

    Dolan and More, "Benchmarking optimization software with performance profiles", Math. Program. 91 (2002).
    """
    contenders = times(cases, level)
    least: dict[str, float] = {}
    for mine in contenders.values():
        for name, seconds in mine.items():
            least[name] = min(least.get(name, np.inf), seconds)
    curves = {}
    for contender, mine in contenders.items():
        within = np.array([seconds / least[name] for name, seconds in mine.items()])
        curves[contender] = (
            (within[:, None] <= factors * (1 + 1e-12)).sum(0) / len(cases) if len(within) else np.zeros(len(factors))
        )
    return curves


def winners(cases: dict[str, Any], level: float) -> dict[str, int]:
    """How often each peer is the fastest that reached the level."""
    counts: dict[str, int] = {}
    for row in cases.values():
        best = None if "failed" in row else fastest(row, level)
        if best is not None:
            counts[best[0]] = counts.get(best[0], 0) + 1
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))
