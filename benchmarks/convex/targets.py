"""The targets of the comparison, and whether a run met them."""

from __future__ import annotations

from typing import Any

from benchmarks.common.statistics import geometric_mean
from benchmarks.convex.judge import LEVELS
from benchmarks.convex.statistics import ratios
from benchmarks.convex.tune import held_out

LAST = LEVELS[-1]
DENSE = (
    "lsq_",
    "log_",
    "hub_",
    "cheb",
    "aff_",
    "breast_cancer",
    "digits",
    "wine",
    "diabetes",
    "hugeK",
)  # dense rows, max over tasks
CHANGED = ("cvar", "kl", "chi2", "l1", "box", "multi_q4")
WORST = 0.7  # a tie on a shared machine
MEGABYTE = 2**20
MEGABYTES_SPARE = 1.0  # what an interpreter allocates on the way, and pages round up


def dense_simplex(cases: dict[str, Any]) -> dict[str, Any]:
    """The cases with dense rows and the maximum over the tasks: those that the targets are about."""
    return {name: row for name, row in cases.items() if name.startswith(DENSE) and not name.endswith(CHANGED)}


def targets(content: dict[str, Any]) -> str:
    """One line a target, with the numbers behind it."""
    cases = dense_simplex(content["cases"])
    lines = ["| target | found |", "|---|---|"]
    lines += [f"| {title} | {found} |" for title, found in (*_times(cases), _memory(content["cases"]), *_growth(content))]
    return "\n".join(lines)


def _times(cases: dict[str, Any]) -> list[tuple[str, str]]:
    found = ratios(cases, LAST)
    whole = ratios(cases, LAST, "modelled")
    if not found:
        return []
    slow = sorted((ratio, name) for name, ratio in found.items() if ratio < WORST)
    rows = [
        (
            f"geometric mean of fastest peer / ours at {LAST:g}, dense rows and the simplex",
            f"{geometric_mean([*found.values()])[0]:.2f} over {len(found)} of {len(cases)} cases",
        ),
        (f"no case below {WORST}", ", ".join(f"{name} {ratio:.2f}" for ratio, name in slow) or "met"),
    ]
    if whole:
        least = min(whole, key=lambda name: whole[name])
        mean = geometric_mean([*whole.values()])[0]
        rows.append(
            (
                f"one-off, cvxpy (compile and solve) / ours (statement and solve) at {LAST:g}",
                f"geometric mean {mean:.1f}, smallest {whole[least]:.2f} ({least})",
            )
        )
    outside = {name: ratio for name, ratio in found.items() if held_out(name)}
    if outside:
        rows.append(
            ("the same mean over those held out from tuning", f"{geometric_mean([*outside.values()])[0]:.2f} over {len(outside)}")
        )
    return rows


def _memory(cases: dict[str, Any]) -> tuple[str, str]:
    over = []
    measured = {name: row for name, row in cases.items() if row.get("memory") is not None}
    for name, row in measured.items():
        allowed = 2 * row["data_megabytes"] + row["n_tasks"] * row["n_variables"] ** 2 * 8 / MEGABYTE + MEGABYTES_SPARE
        took = row["memory"] + row["data_megabytes"]
        if took > allowed:
            over.append((took / allowed, f"{name} {took:.1f} MB against {allowed:.1f}"))
    title = f"the data and the peak of the solve above it at most twice the data + K n^2 doubles (+ {MEGABYTES_SPARE:g} MB)"
    listed = "; ".join(text for _, text in sorted(over, reverse=True))
    return title, f"met in {len(measured) - len(over)} of {len(measured)}" + (f"; not in {listed}" if over else "")


def _growth(content: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for row in content.get("growth", {}).values():
        steep = {name: slope for name, slope in row["slopes"].items() if slope is not None}
        mine, theirs = steep.pop("ours", None), ", ".join(f"{name} {slope:.2f}" for name, slope in steep.items())
        rows.append(
            (
                f"growth in {row['symbol']}: {row['title']}",
                f"ours {'-' if mine is None else f'{mine:.2f}'}; {theirs or 'no peer'}",
            )
        )
    return rows
