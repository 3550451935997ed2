"""The report of a run: ``python -m benchmarks.convex.report [FILE.json] [--images FOLDER] [--table FILE.md]``.

Prints ratios, geometric means, where we lose, and every table; writes the Markdown page beside the results, and the figures.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from benchmarks.common.statistics import geometric_mean
from benchmarks.common.store import load
from benchmarks.convex import convergence, growth
from benchmarks.convex.compare import AMPLE, LEAST, MANIFOLD
from benchmarks.convex.contenders import HOPELESS
from benchmarks.convex.figures import draw_all
from benchmarks.convex.judge import LEVELS
from benchmarks.convex.peers import (
    CONIC_ENTRIES,
    EXPONENTIAL_ROWS,
    EXPONENTIAL_ROWS_SPARSE,
    MODELLED_ENTRIES,
    SECOND_ORDER_VARIABLES,
)
from benchmarks.convex.statistics import fastest, peer_seconds, ratio, ratios, unpaired, winners
from benchmarks.convex.targets import targets
from benchmarks.convex.tune import held_out

LAST = LEVELS[-1]
HOW = """\
CPU time of one thread, medians of interleaved runs with fresh tasks in each. Ours is the time to a **certified** relative gap; a peer's is that of
its solver alone, at the fastest of two to five tolerances whose x is within the level of the best known value in the eyes of a judge that is the
definition of the problem in NumPy. Peers need no certificate. Statement and compilation are apart, except that the QR factors which replace the rows
of least squares in the cone solvers' forms count as solving, as our Gram matrices do (without: see the summary). Every peer was tried first in a
process of its own with {manifold:g} times our time, but {ample:g} s at least and {budget:g} s (or {least:g} times ours) at most; one that took over
{hopeless:g} times ours was not run again. The thresholds of `auto` were tuned on synthetic generators (`tune.py`, GRID, with other seeds); the cases
that are none of those families are in the summary as held out. Peak memory is that of one solve in a process of its own, above what was
resident when it started: the data and the statement. Ratios are fastest peer / ours; between 0.7 and 1.4 is a tie on a shared machine."""
CANNOT = f"""\
- `dro` states the simplex over groups of rows, and CVaR, KL and chi-square over single rows, for squared and logistic losses without a penalty. It
  states, compiles and solves in one call and at one accuracy, so that it stands among the one-off times.
- `cooper` states min t subject to f_k(x) <= t; its Lagrangian optimisers are among the convergence curves.
- `torchjd` does not state the minimax problem: STCH is a smoothed maximum at a fixed smoothing, and Jacobian descent (MGDA, UPGrad, ...) looks for
  Pareto-stationary points, which need not be minimax. STCH and MGDA are among the curves; UPGrad needs an extra QP package and is left out.
- scipy's methods state the simplex and CVaR here, with smooth losses. PIQP and HiGHS state what is linear. SCS runs where there is nothing but
  Clarabel.
- Not tried, because they take minutes there: cvxpy and the cone solvers with more than {MODELLED_ENTRIES:g} numbers in the constraints
  ({CONIC_ENTRIES:g} with cones) or more than {EXPONENTIAL_ROWS} rows with an exponential ({EXPONENTIAL_ROWS_SPARSE} where they are sparse),
  trust-constr with n + K > {SECOND_ORDER_VARIABLES}, and SLSQP with more than 5000 tasks or 1000 sparse variables."""


def summary(content: dict[str, Any]) -> str:
    """Geometric means of the ratios, with and without what a one-off user pays, and the cases that have no ratio."""
    cases = content["cases"]
    head = "| ratio of times, fastest peer / ours | geometric mean (95 % interval over cases) | cases | smallest | below 1 | below 0.7 "
    lines = [head + "| only we reached it | only a peer did |", "|---|---|---|---|---|---|---|---|"]
    questions = [(f"certified {level:g} against an uncertified {level:g}", level, "", True) for level in LEVELS]
    questions.append((f"the same at {LAST:g}, peers' QR factors for free", LAST, "", False))
    questions += [(f"one-off, all peers: statement + solve, at {level:g}", level, "all", True) for level in LEVELS]
    questions += [(f"one-off, with what cvxpy's user waits for, at {level:g}", level, "modelled", True) for level in LEVELS]
    held = {name: row for name, row in cases.items() if held_out(name)}
    rows = [(cases, *question) for question in questions]
    rows += [(held, f"held out from tuning `auto`, certified {level:g}", level, "", True) for level in LEVELS]
    for chosen, title, level, whole, reduction in rows:
        found = list(ratios(chosen, level, whole, reduction).values())
        if found:
            mean, low, high = geometric_mean(found)
            below = f"{sum(r < 1 for r in found)} | {sum(r < 0.7 for r in found)}"
            alone, missed = (len(names) for names in unpaired(chosen, level, whole))
            value = f"**{mean:.2f}** ({low:.2f} to {high:.2f})"
            lines.append(f"| {title} | {value} | {len(found)} | {min(found):.2f} | {below} | {alone} | {missed} |")
    return "\n".join(lines)


def verdicts(content: dict[str, Any]) -> str:
    """What is not in the ratios: cases that only one side solved, failures, bounds that are not valid."""
    cases = content["cases"]
    solved = {name: row for name, row in cases.items() if "failed" not in row}
    alone, _ = unpaired(cases, LAST)
    missed = [name for name, row in solved.items() if not row["ours"][f"{LAST:g}"]["certified"]]
    lines = [
        f"{len(cases)} cases. Fastest peer at {LAST:g}: "
        + ", ".join(f"{name} {count}" for name, count in winners(cases, LAST).items())
        + ".",
        f"Only we reached {LAST:g}: {_list(alone)}.",
        f"We have no certified {LAST:g}: {_list(missed)}.",
        f"Failed: {_list([name for name in cases if name not in solved])}.",
        f"Lower bounds above the best known value: {_list([name for name, row in solved.items() if not row['valid']])}.",
    ]
    return "\n".join(lines)


def losses(content: dict[str, Any]) -> str:
    """The cases where a peer is faster at any level, worst first."""
    lines = ["| case | level | ours | peer | peer / ours |", "|---|---|---|---|---|"]
    found = [(value, name, level) for level in LEVELS for name, value in ratios(content["cases"], level).items() if value < 1]
    for value, name, level in sorted(found):
        row = content["cases"][name]
        peer, seconds = fastest(row, level)  # type: ignore[misc]
        ours = row["ours"][f"{level:g}"]
        lines.append(
            f"| {name} | {level:g} | {ours['method']}, {_ms(ours['seconds']['median'])} | {peer}, {_ms(seconds)} | {value:.2f} |"
        )
    return "\n".join(lines) if found else "Nowhere."


def main_table(content: dict[str, Any]) -> str:
    """One line a case."""
    head = "| case | K, n, rows | method, iterations | our statement [ms] | ours to 1e-3, 1e-6, 1e-9 [ms] "
    head += "| quartiles at 1e-9 | fastest peer at 1e-9 [ms] | ratio at 1e-3 | 1e-6 | 1e-9 | one-off, all | one-off, cvxpy |"
    lines = [head, "|---" * 12 + "|"]
    for name, row in content["cases"].items():
        if "failed" in row:
            lines.append(f"| {name} | failed: {row['failed']} |" + " |" * 10)
            continue
        last, peer = row["ours"][f"{LAST:g}"], fastest(row, LAST)
        ours = [row["ours"][f"{level:g}"] for level in LEVELS]
        times = ", ".join(f"{1e3 * each['seconds']['median']:.3g}{'' if each['certified'] else ' (no)'}" for each in ours)
        quartiles = " to ".join(f"{1e3 * edge:.3g}" for edge in last["seconds"]["quartiles"])
        rival = "none reached it" if peer is None else f"{peer[0]}, {1e3 * peer[1]:.3g}"
        cells = [_ratio(ratio(row, level)) for level in LEVELS] + [
            _ratio(ratio(row, LAST, "all")),
            _ratio(ratio(row, LAST, "modelled")),
        ]
        size = f"{row['n_tasks']}, {row['n_variables']}, {row['n_rows']}"
        stated = f"{1e3 * last['statement']:.3g}"
        made = f"{last['method']}, {last['work']['nit']}"
        lines.append(f"| {' | '.join([name, size, made, stated, times, quartiles, rival, *cells])} |")
    return "\n".join(lines)


def work_table(content: dict[str, Any]) -> str:
    """Work to 1e-9, ours and the fastest peer's, and peak memory."""
    head = "| case | ours: values, Jacobians, Hessians, factorisations | fastest peer's own count | data [MB] "
    head += "| ours, peak above the start [MB] | fastest peer [MB] | least of any peer [MB] |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    for name, row in content["cases"].items():
        if "failed" in row:
            continue
        work = row["ours"][f"{LAST:g}"]["work"]
        mine = ", ".join(str(work[key]) for key in ("values", "jacobians", "hessians", "factorisations"))
        reached = [peer for peer in row["peers"] if LAST in peer["levels"] and not peer["whole"]]
        best = min(reached, key=lambda peer: peer_seconds(row, peer), default=None)
        theirs = "-" if best is None else f"{best['peer']}: " + ", ".join(f"{key} {count}" for key, count in best["work"].items())
        least = min((peer["megabytes"] for peer in reached if peer["megabytes"] is not None), default=None)
        cells = [row["data_megabytes"], row["memory"], best and best["megabytes"], least]
        lines.append(
            f"| {name} | {mine} | {theirs} | " + " | ".join("-" if cell is None else f"{cell:.1f}" for cell in cells) + " |"
        )
    return "\n".join(lines)


def left_out(content: dict[str, Any]) -> str:
    """Who was tried and left out, and why."""
    lines = [
        f"- {name}: " + "; ".join(f"{peer}: {why}" for peer, why in row["left_out"].items())
        for name, row in content["cases"].items()
        if row.get("left_out")
    ]
    return "\n".join(lines) or "Nobody."


def page(content: dict[str, Any], path: Path, images: str) -> str:
    """The whole page."""
    made = content["settings"]
    versions = ", ".join(f"{name} {number}" for name, number in made["versions"].items())
    options = f"--seed {made['seed']} --repeat {made['repeat']} --budget {made['budget']:g}" + (
        "" if made["method"] == "auto" else f" --method {made['method']}"
    )
    commands = [
        f"python -m benchmarks.convex.{module} {options} --output {path.as_posix()}"
        for module in ("compare --cases all", "convergence", "growth")
    ]
    parts = [
        "# Convex solvers beside their peers",
        "Made by\n\n```\n" + "\n".join([*commands, f"python -m benchmarks.convex.report {path.as_posix()}"]) + "\n```",
        f"Seed {made['seed']}, {made['repeat']} rounds, {made['processor']}, Python {made['python']}. {versions}.",
    ]
    if content.get("cases"):
        parts += [
            "## Summary",
            summary(content),
            verdicts(content),
            "## Targets",
            targets(content),
            f"![Performance profile]({images}/profile.png)",
        ]
        parts += [
            "## How it is measured",
            HOW.format(budget=made["budget"], manifold=MANIFOLD, ample=AMPLE, hopeless=HOPELESS, least=LEAST),
            "## Where we lose",
            losses(content),
        ]
        parts += ["## Every case", main_table(content), "## Work and memory", work_table(content)]
        parts += ["## Who cannot state what", CANNOT, "Tried and left out:", left_out(content)]
    if content.get("convergence"):
        parts += ["## Convergence", f"![Convergence]({images}/convergence.png)"]
        parts += [f"{name}:\n\n{convergence.table(row)}" for name, row in content["convergence"].items()]
    if content.get("growth"):
        parts += ["## Growth", f"![Growth]({images}/growth.png)", *(growth.table(row) for row in content["growth"].values())]
    return "\n\n".join(parts) + "\n"


def _list(names: list[str]) -> str:
    return ", ".join(names) if names else "none"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", nargs="?", type=Path, default=Path("docs/benchmarks/convex.json"))
    parser.add_argument("--table", type=Path, help="the page; beside the results by default")
    parser.add_argument("--images", type=Path, help="folder of the figures; ../images from the page by default")
    arguments = parser.parse_args()
    content = load(arguments.results)
    target = arguments.table or arguments.results.with_suffix(".md")
    images = arguments.images or target.parent.parent / "images"
    text = page(content, arguments.results, Path(os.path.relpath(images, target.parent)).as_posix())
    target.write_text(text)
    print(text)
    for path in (target, *draw_all(content, images)):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
