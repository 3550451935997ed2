"""Gaps against horizons with their fitted exponents."""

from __future__ import annotations

from typing import Any

from minimax_opt.figures.style import STYLE
from minimax_opt.figures.theory_style import COLOURS, MARKERS


def draw_rates(result: dict[str, Any]) -> Any:
    """Draw the slopes of the experiment ``rates``, one marker for each instance and horizon.

    Parameters
    ----------
    result : dict
        What :mod:`minimax_opt.reproduce.rates` computes.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 3.4), layout="constrained")
        axes = figure.subplots()
        for method, fit in result["slopes"].items():
            horizons = result["horizons"]
            label = f"{method}: −{-fit['slope']:.4f} ± {(fit['high'] - fit['low']) / 2:.1g}"
            for i, gaps in enumerate(result["gaps"][method]):
                axes.plot(
                    horizons,
                    gaps,
                    color=COLOURS[method],
                    marker=MARKERS[method],
                    markersize=4,
                    linewidth=0.8,
                    label=None if i else label,
                )
        style: dict[str, Any] = {"color": COLOURS["descent-ascent"], "linewidth": 0.8}
        late = result["late_horizons"]
        axes.plot(
            late,
            result["gaps"]["descent-ascent"][0],
            marker=MARKERS["descent-ascent"],
            markersize=3.5,
            label="descent-ascent",
            **style,
        )
        axes.plot(late, result["descent_ascent_bound"], linestyle="--", label="its bound, exponent −1/2", **style)
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="horizon $T$ [iterations]",
            ylabel="worst loss above the minimum\n[unit of the losses]",
        )
        figure.legend(fontsize=8, title="fitted exponent, 99.967 % interval", title_fontsize=8, loc="outside right upper")
    return figure


__all__ = ["draw_rates"]
