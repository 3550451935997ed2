"""A mean and a whole law against simulated values, and the claim that they agree: for C1 and B."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from minimax_opt.arrays import Host
from minimax_opt.reproduce.experiment import Claim
from minimax_opt.theory.confidence import law_test, mean_interval


def compare(values: Host, mean: float, cdf: Callable[[Host], Any], confidence: float) -> dict[str, float]:
    """The mean that a theorem states beside an interval for it, and how far the empirical distribution lies from the stated one."""
    seen, law = mean_interval(values, confidence), law_test(values, cdf, confidence)
    row = {"formula": mean, "mean": seen.mean, "low": seen.low, "high": seen.high}
    return {**row, "law_distance": law.distance, "law_band": law.band}


def law_claim(statement: str, rows: Sequence[dict[str, float]]) -> Claim:
    """That every mean lies in its interval and every law within its band; `rows` are of :func:`compare`."""
    means = ", ".join(f"{row['formula']:.4f}" for row in rows)
    intervals = ", ".join(f"[{row['low']:.4f}, {row['high']:.4f}]" for row in rows)
    furthest = max(row["law_distance"] / row["law_band"] for row in rows)
    return Claim(
        statement,
        f"{means}; law: at most 1 of the band",
        f"{intervals}; {furthest:.2f} of the band",
        furthest <= 1.0 and all(row["low"] <= row["formula"] <= row["high"] for row in rows),
    )
