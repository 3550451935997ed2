"""The bias of smoothing against the smoothing, measured and bounded."""

from __future__ import annotations

from typing import Any

from minimax_opt.figures.style import INK, STYLE, WORST_CASE

ORANGE, GREEN = "#D55E00", "#009E73"


def draw_bias(result: dict[str, Any]) -> Any:
    """Draw the experiment ``bias``, a panel a problem.

    Parameters
    ----------
    result : dict
        What :mod:`minimax_opt.reproduce.bias` computes.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 3.1), layout="constrained")
        panels = figure.subplots(1, len(result["problems"]), squeeze=False)[0]
        for axes, problem in zip(panels, result["problems"].values(), strict=True):
            rows = problem["rows"]
            s = [row["smoothing"] for row in rows]
            every = max(len(s) // 8, 1)
            axes.plot(s, [row["bound"] for row in rows], color=INK, linestyle="--", linewidth=1.1, label=r"bound $s \ln K$ (A1)")
            axes.plot(
                s,
                [row["refined"] for row in rows],
                color=GREEN,
                linestyle=":",
                linewidth=1.8,
                label="refined bound (A1), best $m$",
            )
            axes.plot(
                s,
                [row["value_bias"] for row in rows],
                color=WORST_CASE,
                marker="o",
                markersize=4,
                markevery=every,
                linestyle="none",
                label=r"$F_s(x^*) - F^*$",
            )
            gaps = [(row["smoothing"], row["gap"]) for row in rows if row["gap"] > 10 * problem["certified"]]
            axes.plot(
                *zip(*gaps, strict=True),
                color=ORANGE,
                marker="s",
                markersize=4,
                markevery=every,
                linewidth=1.2,
                label=r"$F(x_s) - F^*$",
            )
            axes.set(xscale="log", yscale="log", xlabel="smoothing $s$ [unit of the losses]")
            axes.set_title(f"{problem['title']}\n{problem['active']} of them active", fontsize=9)
        panels[0].set_ylabel("bias [unit of the losses]")
        panels[0].legend(fontsize=7.5, loc="upper left", handlelength=2.4)
    return figure


__all__ = ["draw_bias"]
