"""What mini-batches cost: the excess against smoothing, and the inflation of the smoothed worst case against the batch size."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.figures.style import ADVERSARY, AVERAGE, INK, STYLE, WORST_CASE

COLOURS, MARKERS = (AVERAGE, ADVERSARY, WORST_CASE), ("s", "^", "o")
DASHES: Any = ((0, (1, 1.2)), (0, (5, 2)), "-")
RULES = {"theory": "step $1/(L + G^2/s)$", "best": r"step $R/(G\sqrt{T})$ or better"}


def draw_noise_floor(result: dict[str, Any]) -> Any:
    """The excess of softmax-gd on mini-batches against smoothing, with its bounds, for both step rules.

    Parameters
    ----------
    result : dict
        Of the experiment ``minibatch``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    floor = result["floor"]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 4.2), layout="constrained")
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, rule in zip(panels, RULES, strict=True):
            for index, curve in enumerate(c for c in floor["curves"] if c["rule"] == rule):
                _draw_curve(axes, floor, curve, floor["limits"]["excess"][index], index)
            axes.set(xscale="log", yscale="log", xlabel="smoothing s [unit of the losses]", title=RULES[rule])
        panels[0].set_ylabel("excess $F - F^*$ [unit of the losses]")
        _legend(figure, floor)
    return figure


def _draw_curve(axes: Any, floor: dict[str, Any], curve: dict[str, Any], limit: list[float], index: int) -> None:
    colour, marker, dash = COLOURS[index], MARKERS[index], DASHES[index]
    smoothings, excess = np.array(floor["smoothings"]), np.array(curve["excess"])
    shifted = smoothings * 1.03 ** (index - 1)
    ends = np.abs(np.array([excess.min(1), excess.max(1)]) - excess.mean(1))
    axes.plot(smoothings, curve["bound"], color=colour, linestyle=dash, linewidth=1.6)
    axes.plot(floor["limits"]["smoothings"], limit, color=colour, linestyle=dash, linewidth=0.7)
    axes.errorbar(
        shifted, excess.mean(1), yerr=ends, color=colour, marker=marker, markersize=4.2, linestyle="none", elinewidth=0.8
    )
    low = axes.get_xaxis_transform()
    axes.plot(
        curve["least_smoothing"],
        0.0,
        marker,
        transform=low,
        color=colour,
        markersize=7,
        clip_on=False,
        zorder=5,
        markeredgecolor="white",
    )


def _legend(figure: Any, floor: dict[str, Any]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=COLOURS[i], marker=MARKERS[i], linestyle=DASHES[i], markersize=4.2, label=f"B = {size}")
        for i, size in enumerate(floor["batch_sizes"])
    ]
    handles += [
        Line2D([], [], color=INK, linewidth=1.6, label="bound (N2)"),
        Line2D([], [], color=INK, linewidth=0.7, label=r"exact, $T \to \infty$"),
        Line2D([], [], color=INK, marker="|", markersize=8, linestyle="none", label=f"runs, T = {floor['horizon']}: mean, range"),
        Line2D([], [], color=INK, marker="D", markersize=6, linestyle="none", label=r"marks on the axis: $\nu/\sqrt{2 B \ln K}$"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, fontsize=8.0, handlelength=2.6)


def draw_inflation(result: dict[str, Any]) -> Any:
    """F^B_s - F_s of equal independent tasks against the batch size, with its bound.

    Parameters
    ----------
    result : dict
        Of the experiment ``minibatch``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    inflation = result["inflation"]
    sizes = np.array(inflation["batch_sizes"], dtype=float)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.3, 3.6), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(sizes, 1 / (2 * sizes * inflation["smoothing"]), color=INK, linewidth=1.0, label=r"$\nu^2/(2Bs)$")
        for index, curve in enumerate(inflation["curves"]):
            colour, name = COLOURS[index], f"K = {curve['n_tasks']}"
            axes.plot(sizes, curve["bound"], color=colour, linestyle=DASHES[index], linewidth=1.6, label=f"{name}: bound (N1)")
            axes.plot(sizes, curve["measured"], MARKERS[index], color=colour, markersize=5, label=f"{name}: exact")
        axes.set(xscale="log", yscale="log", xlabel="batch size B [samples a task]", ylabel="$F^B_s - F_s$ [unit of the losses]")
        axes.set_xticks(sizes, [f"{int(size)}" for size in sizes])
        axes.minorticks_off()
        axes.set_title(f"Samples ±1 of equal, independent tasks, s = {inflation['smoothing']:g}")
        axes.legend(loc="lower left", fontsize=8.0, ncols=2)
    return figure


__all__ = ["draw_inflation", "draw_noise_floor"]
