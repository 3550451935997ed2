"""Calls against accuracy: three limits, and what the library's methods take on one instance."""

from __future__ import annotations

from typing import Any

from minimax_opt.figures.style import INK, STYLE
from minimax_opt.figures.theory_style import COLOURS, MARKERS

LINES = (
    ("subgradient", r"$1/\epsilon^2$: black-box subgradients of $F$", "-"),
    ("matrix games", r"$\epsilon^{-2/3}$: lower bound with all $f_k$, $\nabla f_k$ (up to logs)", ":"),
)
CALLS = {"mirror-prox": 2}  # of the losses and one weighted gradient in a step, else 1
SIZES = {"softmax-gd": 5, "accelerated": 9, "mirror-prox": 4}  # of markers: those of the last two lie on top of each other


def draw_limits(result: dict[str, Any]) -> Any:
    """Draw the limits of the experiment ``rates`` (R = G = 1, constants left out).

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
        figure = Figure(figsize=(6.3, 4.2), layout="constrained")
        axes = figure.subplots()
        eps = result["accuracies"]
        curves = [(result["limits"][name], label, dash) for name, label, dash in LINES]
        curves.insert(1, (result["upper"], r"$\sqrt{\ln K}/\epsilon$: smoothing and mirror-prox", "--"))
        for calls, label, dash in curves:
            axes.plot(eps, calls, color=INK, linestyle=dash, linewidth=1.4, label=label)
        for method, gaps in result["unit"].items():
            axes.plot(
                gaps,
                [CALLS.get(method, 1) * horizon for horizon in result["horizons"]],
                color=COLOURS[method],
                marker=MARKERS[method],
                markersize=SIZES[method],
                markerfacecolor="white" if method == "accelerated" else COLOURS[method],
                linewidth=0.8,
                label=f"{method}, measured",
            )
        axes.set(
            xscale="log",
            yscale="log",
            xlabel=r"accuracy $\epsilon$ [unit of the losses; $G R = 1$]",
            ylabel="calls [evaluations of all losses and one gradient]",
            ylim=(1.0, 1e8),
        )
        axes.invert_xaxis()
        axes.legend(fontsize=8, loc="upper left")
    return figure


__all__ = ["draw_limits"]
