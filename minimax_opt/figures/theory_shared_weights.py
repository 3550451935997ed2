"""The figure of model B: where the two kinds of pre-training start, and what the rare task costs from there."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.figures.style import ADVERSARY, AVERAGE, INK, STYLE, WORST_CASE

LOOKS: Any = {"average": (AVERAGE, (0, (5, 2)), "o"), "minimax": (WORST_CASE, "-", "s")}


def draw_shared_weights(result: dict[str, Any]) -> Any:
    """The tasks with the mean and the smallest enclosing ball; excess risk of the rare task against samples.

    Parameters
    ----------
    result : dict
        Of the experiment ``shared-weights``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.9, 3.4), layout="constrained")
        plane, curves = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _draw_plane(plane, result)
        for name, (color, line, marker) in LOOKS.items():
            start = result["starts"][name]
            curves.plot(start["curve"]["n"], start["curve"]["excess"], color=color, linestyle=line, label=f"{name}: formula")
            rows = start["rows"]
            mean = np.array([row["mean"] for row in rows])
            bars = [mean - [row["low"] for row in rows], np.array([row["high"] for row in rows]) - mean]
            style: Any = {
                "color": color,
                "marker": marker,
                "markersize": 7.5 if name == "average" else 4,
                "capsize": 3,
                "linestyle": "none",
                "markerfacecolor": "white",
            }
            curves.errorbar([row["n"] for row in rows], mean, bars, **style, label=f"{name}: simulated")
        curves.set(
            xscale="log",
            yscale="log",
            xlabel="samples of the rare task $n$ [samples]",
            ylabel="excess risk [squared unit of $y$]",
        )
        curves.set_title("Ridge from each start, rare task")
        curves.legend(fontsize=8, loc="lower left")
    return figure


def _draw_plane(axes: Any, result: dict[str, Any]) -> None:
    from matplotlib.patches import Circle

    points = np.array(result["plane"])
    axes.plot(points[:-1, 0], points[:-1, 1], ".", color=ADVERSARY, markersize=6, label="frequent tasks")
    axes.plot(*points[-1], "*", color=INK, markersize=10, linestyle="none", label="rare task")
    for name, (color, line, marker) in LOOKS.items():
        start = result["starts"][name]
        axes.plot(
            *start["center"],
            marker=marker,
            color=color,
            markersize=7,
            linestyle="none",
            label=f"{name}, farthest task {max(start['distances']):.2f}",
        )
        axes.add_patch(Circle(start["center"], max(start["distances"]), fill=False, color=color, linestyle=line, linewidth=1.2))
    center, radius = np.array(result["starts"]["average"]["center"]), max(result["starts"]["average"]["distances"])
    axes.set(
        xlim=(center[0] - 1.05 * radius, center[0] + 1.2 * radius), ylim=(center[1] - 1.05 * radius, center[1] + 1.75 * radius)
    )
    axes.set_aspect("equal")
    axes.set(xlabel="weight 1 [1]", ylabel="weight 2 [1]", title="Tasks and starts, in their plane")
    axes.legend(fontsize=8, loc="upper left", handletextpad=0.3)


__all__ = ["draw_shared_weights"]
