"""Figures of model C: samples against the dimension, excess against samples, residuals of each task."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.figures.style import ADVERSARY, AVERAGE, INK, STYLE, WORST_CASE

HOLLOW: Any = {"markerfacecolor": "white", "markeredgewidth": 1.3, "linestyle": "none"}


def draw_samples(result: dict[str, Any]) -> Any:
    """Samples for one excess against the dimension: minimax flat, every learner after average pre-training linear.

    Parameters
    ----------
    result : dict
        Of the experiment ``representation``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    samples = result["samples"]
    d = np.array(samples["dimension"])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.5, 3.9), layout="constrained")
        axes = figure.subplots()
        axes.plot(d, samples["all_features"], color=ADVERSARY, linestyle=":", label="least squares on all $d$ variables")
        measured: Any = {"marker": "o", "markersize": 5.5, "color": AVERAGE, "zorder": 4, **HOLLOW}
        axes.plot(
            samples["measured_dimension"],
            samples["best_learner"],
            **measured,
            label="the best learner after average pre-training, simulated",
        )
        axes.plot(
            d,
            samples["any_learner"],
            color=AVERAGE,
            linestyle=(0, (5, 2)),
            label="lower bound for any learner, Gaussian $u$ (C4)",
        )
        worst = np.array(samples["any_learner_worst"])
        axes.plot(d[worst >= 1], worst[worst >= 1], color=AVERAGE, linestyle="-.", label="lower bound, worst $u$ (C4′)")
        axes.plot(
            d,
            np.full(len(d), samples["minimax"]),
            color=WORST_CASE,
            linewidth=2.0,
            label="least squares after minimax pre-training (C1)",
        )
        axes.set(
            xscale="log", yscale="log", xlabel="dimension $d$ of the inputs [1]", ylabel="samples of the hard task [samples]"
        )
        axes.set_ylim(2.0, 2.0 * samples["all_features"][-1])
        axes.set_title(f"Samples for excess risk {result['excess_allowed']:g} of the hard task")
        axes.legend(loc="upper left", fontsize=8)
    return figure


def draw_excess(result: dict[str, Any]) -> Any:
    """Excess risk of the hard task against the number of samples: formula and simulation.

    Parameters
    ----------
    result : dict
        Of the experiment ``representation``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    looks: Any = {"average": (AVERAGE, (0, (5, 2)), "o"), "minimax": (WORST_CASE, "-", "s")}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.5, 3.4), layout="constrained")
        axes = figure.subplots()
        fine = np.geomspace(6, 500, 100)
        for name, (color, line, marker) in looks.items():
            rows = result["curves"][name]
            b, factor = _curve(rows)
            axes.plot(fine, b + factor / (fine - 3), color=color, linestyle=line, label=f"{name}: formula C1")
            axes.axhline(b, color=color, linestyle=":", linewidth=0.9)
            n, mean = [row["n"] for row in rows], np.array([row["mean"] for row in rows])
            bars = [mean - [row["low"] for row in rows], np.array([row["high"] for row in rows]) - mean]
            style: Any = {
                "color": color,
                "marker": marker,
                "markersize": 5,
                "capsize": 3,
                "linestyle": "none",
                "markerfacecolor": "white",
            }
            axes.errorbar(n, mean, bars, **style, label=f"{name}: simulated, {100 * result['confidence']:g} % interval")
            axes.annotate(f"$b$ = {b:.3g}", (6, b), (2, 3), textcoords="offset points", ha="left", fontsize=8, color=INK)
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="samples of the hard task $n$ [samples]",
            ylabel="excess risk [squared unit of $y$]",
        )
        axes.set_ylim(0.06, 4.0)
        axes.set_title(f"Least squares on two features, $d$ = {result['dimension']}")
        axes.legend(fontsize=8, ncols=2, loc="upper right")
    return figure


def _curve(rows: list[dict[str, float]]) -> tuple[float, float]:
    """The two numbers b and (sigma^2 + b) r of b + (sigma^2 + b) r/(n - 3), from two points of the curve."""
    first, last = rows[0], rows[-1]
    factor = (first["formula"] - last["formula"]) / (1 / (first["n"] - 3) - 1 / (last["n"] - 3))
    return first["formula"] - factor / (first["n"] - 3), factor


def draw_residuals(result: dict[str, Any]) -> Any:
    """What each kind of pre-training leaves of each task, and the price in the mean.

    Parameters
    ----------
    result : dict
        Of the experiment ``representation``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.8, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.7))
        names = ["frequent +", "frequent −", "hard +", "hard −"]
        _draw_residuals(left, result["upstream"], names, "Two pairs (C3), $r$ = 2")
        _draw_residuals(right, result["many_tasks"], [str(k + 1) for k in range(10)], "Ten random tasks, $r$ = 3")
        left.set_ylabel("residual $b_k$ [squared unit of $y$]")
        right.set_xlabel("task, most frequent first")
        handles, labels = right.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _draw_residuals(axes: Any, upstream: dict[str, Any], names: list[str], title: str) -> None:
    at, prior = np.arange(len(names)), np.array(upstream["prior"])
    average, minimax = np.array(upstream["average"]), np.array(upstream["minimax"])
    axes.vlines(at, np.minimum(average, minimax), np.maximum(average, minimax), color="#C8C8C8", linewidth=1.1, zorder=1)
    axes.plot(at, average, "o", markersize=6, color=AVERAGE, **{**HOLLOW, "zorder": 3}, label="average pre-training")
    axes.plot(at, minimax, "s", markersize=5, color=WORST_CASE, zorder=4, label="minimax pre-training, rounded")
    axes.axhline(
        upstream["lower_bound"],
        color=INK,
        linewidth=0.9,
        linestyle=":",
        label="certified bound of the worst",
    )
    axes.set_xticks(at, names, rotation=30 if len(names) == 4 else 0, ha="right" if len(names) == 4 else "center")
    axes.set_ylim(bottom=-0.03 * max(average.max(), minimax.max()))
    price, worst = (prior @ minimax) - (prior @ average), average.max()
    axes.set_title(
        f"{title}\nworst {worst:.2g} → {minimax.max():.2g}\nmean {prior @ average:.2g} → {prior @ average + price:.2g}",
        fontsize=9,
    )


__all__ = ["draw_excess", "draw_residuals", "draw_samples"]
