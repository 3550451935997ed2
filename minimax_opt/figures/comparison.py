"""The figure of a comparison: each task's loss under the average model and under the worst-case model, and who the adversary picks."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import numpy as np

from minimax_opt.figures.style import ADVERSARY, AVERAGE, FAINT, INK, STYLE, WORST_CASE

NAMED = 10  # with more tasks than this, only those with weight are named
SHOWN = 3
LINE = 58  # characters that fit a panel's width
LABEL = 20  # and its height
COLUMNS = 3
NO_BREAK = "\u00a0"
DASHES = (0, (4, 2))


def draw_comparison(report: dict[str, Any]) -> Any:
    """Draw a report of ``minimax-opt demo`` or ``minimax-opt solve``.

    Parameters
    ----------
    report : dict
        See :mod:`minimax_opt.comparison.report`. Problems without both models (after an interrupt) are left out.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a problem: the losses above, the adversary's weights below.

    Raises
    ------
    ValueError
        If no problem has both models.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    problems = [problem for problem in report["problems"] if "worst_case" in problem]
    if not problems:
        raise ValueError(
            "The report holds no solved problem, so there is nothing to draw. Run the command to the end of a problem."
        )
    columns = min(COLUMNS, len(problems))
    rows = math.ceil(len(problems) / columns)
    with mpl.rc_context(STYLE):
        layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.05, hspace=0.02, wspace=0.04)
        figure = Figure(figsize=(4.5 * columns, 4.3 * rows + 0.5), layout=layout)
        grid = figure.add_gridspec(2 * rows, columns, height_ratios=(3.4, 1.0) * rows)
        for index, problem in enumerate(problems):
            row, column = divmod(index, columns)
            losses = figure.add_subplot(grid[2 * row, column])
            _draw_problem(losses, figure.add_subplot(grid[2 * row + 1, column], sharex=losses), problem)
        figure.align_ylabels()
        figure.legend(
            handles=_legend(any(problem["ridge"] or problem.get("l1") for problem in problems)),
            loc="outside upper center",
            ncols=min(columns, 3),
            fontsize=9.5,
            handlelength=2.8,
        )
    return figure


def _draw_problem(losses: Any, weights: Any, problem: dict[str, Any]) -> None:
    average, worst = (np.array(problem[model]["losses"]) for model in ("average", "worst_case"))
    share = np.array(problem["worst_case"]["weights"])
    order = np.argsort(-average, kind="stable")
    _draw_losses(losses, problem, average[order], worst[order])
    _draw_weights(weights, problem, share[order], [_plain(problem["tasks"][k]) for k in order])


def _draw_losses(axes: Any, problem: dict[str, Any], average: Any, worst: Any) -> None:
    at, size = np.arange(len(average)), 5.6 if len(average) <= NAMED else 3.6
    axes.axhline(problem["average"]["worst"], color=AVERAGE, linewidth=1.3, linestyle=DASHES, zorder=0)
    axes.axhline(problem["worst_case"]["worst"], color=WORST_CASE, linewidth=1.3, zorder=0)
    axes.vlines(at, np.minimum(average, worst), np.maximum(average, worst), color=FAINT, linewidth=1.1, zorder=1)
    axes.plot(at, average, "o", markersize=size, markerfacecolor="white", markeredgecolor=AVERAGE, markeredgewidth=1.4, zorder=3)
    axes.plot(at, worst, "o", markersize=size, color=WORST_CASE, markeredgewidth=0, zorder=4)
    # loss + r >= lower_bound at every x, hence loss >= lower_bound - r(x*) at every x with no larger penalty than x* has
    bound = problem["worst_case"]["lower_bound"] - problem["worst_case"]["penalty"]
    if math.isfinite(bound):
        axes.plot(
            1.0,
            bound,
            "<",
            transform=axes.get_yaxis_transform(),
            color=INK,
            markersize=6.5,
            markeredgewidth=0,
            clip_on=False,
            zorder=6,
        )
    text = _headline(problem)
    axes.set_title(_plain(problem["title"]), pad=9.0 + 13.0 * len(text.splitlines()))
    headline = axes.annotate(text, (0.0, 1.0), (0.0, 7.0), "axes fraction", "offset points", va="bottom", linespacing=1.35)
    headline.set_in_layout(False)  # the title's pad makes its room; its width must not push the panels apart
    axes.set_ylabel(_plain(textwrap.fill(problem["loss"]["label"], LABEL) + f"\n[{problem['loss']['unit']}]"))
    axes.margins(x=0.06 if len(average) <= NAMED else 0.03, y=0.08)
    axes.tick_params(axis="x", length=0, labelbottom=False)


def _plain(text: str) -> str:
    """A user's text, in which a dollar sign opens no formula."""
    return text.replace("$", r"\$")


def _headline(problem: dict[str, Any]) -> str:
    average, worst, summary = problem["average"], problem["worst_case"], problem["summary"]
    change = f"{problem['worst']} {average['worst']:#.4g} → {worst['worst']:#.4g} ({-100 * summary['gain']:+.1f} %)"
    verdict = f"mean {100 * summary['price']:+.1f} %, {_verdict(worst)}"
    return f"{textwrap.fill(change, LINE)}\n{verdict}".replace(" (-", " (−").replace("mean -", "mean −")


def _verdict(model: dict[str, Any]) -> str:
    """A gap is called certified only where it is as small as was asked for."""
    if not math.isfinite(model["relative_gap"]):
        return "not certified" if model["success"] else "NOT REACHED"
    gap = f"gap {_power(model['relative_gap'])} of the value"
    return f"certified {gap}" if model["certified"] else f"NOT REACHED, {gap}"


def _power(value: float) -> str:
    """A small number for the eye: 2 x 10^-10 in mathtext."""
    mantissa, exponent = f"{value:.0e}".split("e")
    return rf"${mantissa}\cdot 10^{{{int(exponent)}}}$" if value else "0"


def _draw_weights(axes: Any, problem: dict[str, Any], share: Any, names: list[str]) -> None:
    n_tasks, (singular, plural) = len(share), problem["noun"]
    axes.bar(np.arange(n_tasks), share, width=0.7, color=ADVERSARY, linewidth=0)
    axes.set_ylim(0.0, 1.12 * share.max())
    axes.set_ylabel("adversary's\nweight [1]")
    if n_tasks <= NAMED:
        axes.set_xticks(np.arange(n_tasks), names, rotation=30, ha="right", rotation_mode="anchor")
        axes.set_xlabel(f"{singular}, largest loss under the average model first")
        return
    axes.tick_params(axis="x", bottom=False, labelbottom=False)
    heavy = [k for k in np.argsort(-share, kind="stable") if share[k] > 1e-3]
    picked = [f"{names[k]} {share[k]:.3f}" for k in heavy[:SHOWN]] + [f"{len(heavy) - SHOWN} more"] * (len(heavy) > SHOWN)
    picked = [entry.replace(" ", NO_BREAK) for entry in picked]
    order = f"{n_tasks} {plural}, largest loss under the average model first"
    axes.set_xlabel(f"{order}\n{textwrap.fill(', '.join(picked), LINE)}")


def _legend(penalised: bool) -> list[Any]:
    from matplotlib.lines import Line2D

    # with a penalty the bound is on loss + penalty, so that it holds for the loss of every model with at most the penalty of ours
    models = "no model of this kind with\nno larger penalty " if penalised else "no model of this kind\n"
    circle: dict[str, Any] = {"marker": "o", "markersize": 5.5, "linewidth": 1.2}
    return [
        Line2D(
            [],
            [],
            color=AVERAGE,
            linestyle=DASHES,
            markerfacecolor="white",
            markeredgewidth=1.3,
            **circle,
            label="average model: tasks, worst case",
        ),
        Line2D([], [], color=WORST_CASE, **circle, label="worst-case model: tasks, worst case"),
        Line2D(
            [],
            [],
            color=INK,
            marker="<",
            linestyle="none",
            markersize=6,
            label=f"certified lower bound: {models}has a lower worst case",
        ),
    ]
