"""The text of a report: one block a problem, one line a problem at the end."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable
from typing import Any

WIDTH = 100


def problem_text(problem: dict[str, Any], max_tasks: int = 10) -> str:
    """Everything about one solved problem, as a block of text.

    Parameters
    ----------
    problem : dict
        One entry of ``report["problems"]`` with both models.
    max_tasks : int
        Show at most this many tasks: those with weight first, then those with the largest loss under either model.
    """
    singular, plural = problem["noun"]
    data, loss = problem["data"], problem["loss"]
    head = f"{problem['name']} · {problem['title']}"
    dropped = f", {data['rows_dropped']:,} dropped ({data['dropped']})" if data["rows_dropped"] else ""
    lines = [
        head,
        "─" * len(head),
        *entry(
            "data",
            f"{data['rows_used']:,} rows{dropped}, {len(problem['tasks'])} {plural}, {len(problem['average']['x'])} coefficients",
        ),
        *entry("source", _source(data)),
        *(line for label, text in data.get("notes", []) for line in entry(label, text)),
        *entry("loss", f"{loss['label']} [{loss['unit']}]{_penalty(problem)}"),
        *entry("adversary", problem["adversary"]),
        "",
        *_task_table(problem, singular, plural, max_tasks),
        "",
        *_verdict(problem),
    ]
    return "\n".join(lines)


def _source(data: dict[str, Any]) -> str:
    return f"{data['source']} ({data['package']} {data['version']}; {data['licence']})" if "package" in data else data["source"]


def _penalty(problem: dict[str, Any]) -> str:
    """What is added to the loss, as a formula."""
    ridge = f" + {problem['ridge'] / 2:g} |x|²" if problem["ridge"] else ""
    l1 = f" + {problem['l1']:g} |x|₁" if problem.get("l1") else ""
    return ridge + l1 + (", without the intercept" if problem.get("free_intercept") and ridge + l1 else "")


def summary_text(report: dict[str, Any]) -> str:
    """One line a problem: worst case under both models, price, certified gap, distance to the reference, seconds."""
    rows = [
        (
            problem["name"],
            f"{problem['average']['worst']:#.4g} → {problem['worst_case']['worst']:#.4g}",
            percent(-problem["summary"]["gain"]),
            percent(problem["summary"]["price"]),
            _gap(problem["worst_case"]),
            _scientific(abs(problem["reference"]["difference"])) if problem.get("reference") else "–",
            f"{problem['worst_case']['seconds']:.3f}",
        )
        for problem in report["problems"]
        if "worst_case" in problem
    ]
    header = ("problem", "worst case", "change", "mean", "certified gap", "vs cvxpy", "seconds")
    return "\n".join(align([header, *rows], left=1))


def _task_table(problem: dict[str, Any], singular: str, plural: str, max_tasks: int) -> list[str]:
    average, worst = problem["average"]["losses"], problem["worst_case"]["losses"]
    weights = problem["worst_case"]["weights"]
    order = sorted(range(len(weights)), key=lambda k: (weights[k] < 5e-5, -max(average[k], worst[k])))
    shown = sorted(order[:max_tasks], key=lambda k: -average[k])
    show = form(max(average[k] for k in shown), 4)
    rows = [
        (
            problem["tasks"][k],
            f"{problem['rows'][k]:,}",
            show(average[k]),
            show(worst[k]),
            f"{weights[k]:.4f}" if weights[k] >= 5e-5 else "·",
            "█" * round(20 * weights[k] / max(weights)),
        )
        for k in shown
    ]
    header = (singular, "rows", "average model", "worst-case model", "adversary's weight", "")
    table = ["  " + line for line in align([header, *rows], left=1, last_left=True)]
    hidden = len(order) - len(shown)
    if hidden:
        table.append(f"  … and {hidden} more {plural}, in the report")
    return table


def _verdict(problem: dict[str, Any]) -> list[str]:
    average, worst, summary = problem["average"], problem["worst_case"], problem["summary"]
    show = form(average["worst"], 6)
    lines = [
        *entry(problem["worst"], f"{show(average['worst'])} → {show(worst['worst'])}   ({percent(-summary['gain'])})"),
        *entry(
            "price", f"{show(average['mean'])} → {show(worst['mean'])}   ({percent(summary['price'])}), {problem['loss']['mean']}"
        ),
        *entry("value", f"{worst['fun']:.12g}"),
        *entry("lower bound", f"{worst['lower_bound']:.12g}, relative gap {_scientific(worst['relative_gap'])}"),
        *entry("certificate", _certificate(worst)),
        *entry(
            "solved by",
            f"{worst['method']} in {worst['seconds']:.3f} s (average model: {average['method']}, {average['seconds']:.3f} s)",
        ),
    ]
    return lines + entry("reference", problem.get("reference_left_out") or reference_sentence(problem.get("reference")))


def _certificate(model: dict[str, Any]) -> str:
    """What is proven, or why nothing is: a stopping test that is met without a lower bound is not a failure to meet it."""
    sentence = str(model["certificate"]["sentence"])
    if model["certified"]:
        return sentence
    if model["success"]:
        return f"NOT CERTIFIED. The model is stationary, but no lower bound is known. {sentence}"
    return f"NOT REACHED. {model['message']} {sentence}"


def _gap(model: dict[str, Any]) -> str:
    return _scientific(model["relative_gap"]) + (
        "" if model["certified"] else " NOT CERTIFIED" if model["success"] else " NOT REACHED"
    )


def reference_sentence(reference: dict[str, Any] | None) -> str:
    """How the worst-case model compares with the reference, or why there is none."""
    if reference is None:
        return "none (cvxpy is not installed, or --no-reference)"
    if not math.isfinite(reference["value"]):
        return f"{reference['solver']} failed ({reference['status']})"
    verdict = (
        "agrees"
        if reference["agrees"]
        else "its accuracy is too low for a verdict"
        if reference["agrees"] is None
        else "DISAGREES"
    )
    side = "above" if reference["difference"] > 0 else "below"
    apart = f"ours is {_scientific(abs(reference['difference']))} {side}"
    if reference["agrees"] and not reference.get("resolved", True):
        apart = "to the rounding of the data and the reference's own tolerance"
    return (
        f"{reference['value']:.12g} by {reference['solver']} ({reference['status']}, {reference['seconds']:.2f} s): {verdict}, "
        f"{apart}"
    )


def entry(label: str, text: str) -> list[str]:
    """A labelled paragraph with a hanging indent."""
    lead = f"  {label:<22} "
    return textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_long_words=False)


def align(rows: list[tuple[str, ...]], left: int, last_left: bool = False) -> list[str]:
    """Rows as text with aligned columns: the first `left` ones to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    n = len(widths)
    return [
        "  ".join(
            c.ljust(w) if i < left or (last_left and i == n - 1) else c.rjust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def form(largest: float, decimals: int) -> Callable[[float], str]:
    """How numbers up to `largest` are written: with so many decimals, or, where that is too few or too many, significant digits.

    Examples
    --------
    >>> form(17.2, 4)(9.4), form(0.003, 4)(0.0024), form(3e11, 4)(2.1e11)
    ('9.4000', '0.002400', '2.1e+11')
    """
    if 0.01 <= largest < 1e6:
        return f"{{:.{decimals}f}}".format
    return f"{{:#.{decimals}g}}".format if largest < 0.01 else f"{{:.{decimals + 1}g}}".format


def percent(fraction: float) -> str:
    """A change in per cent, with its sign."""
    return f"{100 * fraction:+.1f} %".replace("-", "−")


def _scientific(value: float) -> str:
    return "none" if not math.isfinite(value) else f"{value:.1e}"
