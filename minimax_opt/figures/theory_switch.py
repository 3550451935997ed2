"""Figures of the two ways to lose the rare task: it is too rare for the average (C3), or others are too noisy for the maximum (C6)."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.figures.style import ADVERSARY, AVERAGE, INK, STYLE, WORST_CASE


def draw_switch(result: dict[str, Any]) -> Any:
    """Residual of the hard task, and mean residual, against the share of the hard tasks upstream.

    Parameters
    ----------
    result : dict
        Of the experiment ``switch``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows = result["rows"]
    share = np.array([row["share"] for row in rows])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2)
        for axes, average, minimax in (
            (left, [row["hard"] for row in rows], np.full(len(rows), result["minimax_residuals"][2])),
            (right, [row["objective"] for row in rows], [row["minimax_objective"] for row in rows]),
        ):
            axes.plot(
                share, average, color=AVERAGE, linestyle=(0, (5, 2)), marker="o", markersize=3, markevery=max(1, len(rows) // 40)
            )
            axes.plot(share, minimax, color=WORST_CASE, linewidth=1.8)
            axes.axvline(result["switch"], color=INK, linewidth=0.8, linestyle=":")
            axes.set_xlabel("share $p$ of the hard tasks upstream [1]")
        left.set(
            ylabel="residual of the hard task\n[squared unit of $y$]", title="What is left of the hard task", ylim=(-0.04, 1.12)
        )
        right.set(ylabel="mean residual [squared unit of $y$]", title="The price (C5)", ylim=(-0.01, 1.12 * result["t"]))
        left.annotate(
            "$p^* = \\beta^2/(\\beta^2+\\gamma^2)$", (result["switch"], 0.7), (6, 0), textcoords="offset points", fontsize=8.5
        )
        right.fill_between(
            share,
            [row["objective"] for row in rows],
            [row["minimax_objective"] for row in rows],
            color=WORST_CASE,
            alpha=0.12,
            linewidth=0,
        )
        right.annotate("what minimax adds\nto the mean", (0.97, 0.7 * result["t"]), ha="right", fontsize=8.5)
        handles = [left.lines[0], left.lines[1]]
        figure.legend(
            handles, ["average pre-training", "minimax pre-training"], loc="outside lower center", ncols=2, fontsize=8.5
        )
    return figure


def draw_failure(result: dict[str, Any]) -> Any:
    """Residual of the rare task, and its downstream samples, against the noise of the frequent tasks.

    Parameters
    ----------
    result : dict
        Of the experiment ``failure``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows = result["rows"]
    difference = np.array([row["difference"] for row in rows])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 3.3), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        every = max(1, len(rows) // 14)
        left.plot(
            difference, [row["formula"] for row in rows], color=AVERAGE, linestyle=(0, (5, 2)), label="raw losses: formula C6"
        )
        left.plot(
            difference,
            [row["raw"] for row in rows],
            "o",
            color=AVERAGE,
            markerfacecolor="white",
            markevery=every,
            label="raw losses: solved",
        )
        left.plot(
            difference,
            [row["excess"] for row in rows],
            "s-",
            color=WORST_CASE,
            markersize=4,
            markevery=every,
            label="excess losses: solved",
        )
        left.axvline(result["hard"], color=INK, linewidth=0.8, linestyle=":")
        left.annotate("$\\gamma^2$", (result["hard"], 0.05), (4, 0), textcoords="offset points", fontsize=9)
        left.set(ylabel="residual of the rare task\n[squared unit of $y$]", title="What is left of the rare task", ylim=(0, 1.45))
        left.legend(fontsize=8, loc="upper left")
        fine = np.array(result["fine"])
        samples = np.array([np.nan if n is None else n for n in result["samples_raw"]], dtype=float)
        right.plot(fine, samples, "--", color=AVERAGE, label="raw losses")
        right.plot(fine, np.full(len(fine), result["samples_excess"]), "-", color=WORST_CASE, label="excess losses")
        lost = fine[np.isnan(samples)]
        if len(lost):
            right.axvspan(lost[0], difference[-1], color=ADVERSARY, alpha=0.15, linewidth=0)
            right.annotate(
                "no number\nof samples\nis enough",
                ((lost[0] + difference[-1]) / 2, 0.45),
                xycoords=("data", "axes fraction"),
                ha="center",
                fontsize=8.5,
            )
        right.legend(fontsize=8, loc="upper left")
        right.set(
            yscale="log", ylabel="samples of the rare task [samples]", title=f"Samples for excess {result['excess_allowed']:.2g}"
        )
        for axes in (left, right):
            axes.set_xlabel("noise difference $\\Delta$ [squared unit of $y$]")
            axes.set_xlim(-0.03, difference[-1] + 0.03)
    return figure


__all__ = ["draw_failure", "draw_switch"]
