"""Gaps and bounds against iterations, log-log: one panel a problem and method pair."""

from __future__ import annotations

from typing import Any

from minimax_opt.figures.style import STYLE
from minimax_opt.figures.theory_style import COLOURS, MARKERS, TITLES


def draw_convergence(result: dict[str, Any]) -> Any:
    """Draw the experiment ``convergence``: solid and marked the gap, dashed the bound.

    Parameters
    ----------
    result : dict
        What :mod:`minimax_opt.reproduce.convergence` computes.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 4.9), layout="constrained")
        grid = figure.subplots(2, 2, sharex=True, sharey="row", squeeze=False)
        pairs = (("softmax-gd", "accelerated"), ("descent-ascent", "mirror-prox"))
        for row, problem in zip(grid, result["problems"].values(), strict=True):
            for axes, methods in zip(row, pairs, strict=True):
                for method in methods:
                    _draw_method(axes, problem, method)
                axes.set(xscale="log", yscale="log")
                axes.set_title(problem["title"], fontsize=9)
            row[0].set_ylabel("worst loss above the minimum\n[unit of the losses]")
        for axes in grid[1]:
            axes.set_xlabel("iterations")
        for axes in grid[0]:
            axes.legend(fontsize=8, loc="lower left", handlelength=2.4)
        figure.suptitle("solid, full markers: measured; dashed, open markers: proven bound", fontsize=9)
    return figure


def _draw_method(axes: Any, problem: dict[str, Any], method: str) -> None:
    curve, iterations = problem["curves"][method], problem["iterations"]
    gaps = [gap if gap > problem["certified"] else None for gap in curve["gap"]]  # below, the minimum is not known
    shown = [(t, gap) for t, gap in zip(iterations, gaps, strict=True) if gap]
    every = max(len(iterations) // 9, 1)
    axes.plot(
        *zip(*shown, strict=True),
        color=COLOURS[method],
        marker=MARKERS[method],
        markevery=every,
        markersize=4,
        linewidth=1.3,
        label=TITLES[method],
    )
    axes.plot(iterations, curve["bound"], color=COLOURS[method], linestyle=(0, (4, 2)), marker=MARKERS[method], markevery=every, markersize=4,
              markerfacecolor="white", linewidth=1.1)  # fmt: skip


__all__ = ["draw_convergence"]
