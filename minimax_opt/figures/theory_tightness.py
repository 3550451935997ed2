"""What share of its bound a method can be made to reach, against iterations."""

from __future__ import annotations

from typing import Any

from minimax_opt.figures.style import FAINT, STYLE
from minimax_opt.figures.theory_style import COLOURS, MARKERS, TITLES


def draw_tightness(result: dict[str, Any]) -> Any:
    """Draw the experiment ``tightness``: slow instances at the left, exact worst cases over all functions at the right.

    Parameters
    ----------
    result : dict
        What :mod:`minimax_opt.reproduce.tightness` computes.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 2.9), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for method, shares in result["instances"].items():
            style: dict[str, Any] = {"color": COLOURS[method], "marker": MARKERS[method], "markersize": 4.5, "linewidth": 1.2}
            left.plot(result["horizons"], shares, label=TITLES[method], **style)
            table = result["worst_cases"]
            if table is not None:
                exact = [e / b for e, b in zip(table["exact"][method], table["bound"][method], strict=True)]
                right.plot(table["horizons"], exact, **style)
        for axes in (left, right):
            axes.axhline(1.0, color=FAINT, linewidth=1.0, zorder=0)
            axes.set(xlabel="iterations", ylim=(0.0, 1.06))
        left.set_xscale("log")
        right.set_xticks([1, 5, 10, 15, 20])
        right.set_xlim(0.0, 1.0 + max(result["worst_cases"]["horizons"] if result["worst_cases"] else [20]))
        left.set_title("$f = \\pm Gx$ from far away", fontsize=9)
        right.set_title("worst smooth convex function (PEPit)", fontsize=9)
        if result["worst_cases"] is None:
            right.text(0.5, 0.5, "not computed:\npip install pepit", transform=right.transAxes, ha="center")
        left.set_ylabel("share of the bound reached [1]")
        left.legend(fontsize=8, loc="lower right")
    return figure


__all__ = ["draw_tightness"]
