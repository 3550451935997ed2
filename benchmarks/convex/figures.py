"""The three figures of the report: performance profile, convergence, growth. Colours of Okabe and Ito, each with its own line style or marker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.convex.judge import LEVELS
from benchmarks.convex.statistics import profile, times
from minimax_opt.figures.style import FAINT, INK, STYLE, WORST_CASE, render

OTHERS = ("#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6D00", "#6F6F6F")
DASHES: tuple[Any, ...] = (
    (0, (5, 1.5)),
    (0, (1, 1.2)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
    (0, (8, 2)),
    (0, (2, 2)),
    "-",
)
MARKERS = ("s", "^", "D", "v", "P", "X", "<")
SHOWN = 7  # peers in the profile, those that solve most


def draw_all(content: dict[str, Any], folder: Path) -> list[Path]:
    """Draw what the results hold; the paths of the files."""
    drawn = []
    for name, section, draw in (
        ("profile", "cases", draw_profile),
        ("convergence", "convergence", draw_convergence),
        ("growth", "growth", draw_growth),
    ):
        if content.get(section):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{name}.png"
            path.write_bytes(render(draw(content[section]), "png"))
            drawn.append(path)
    return drawn


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.05))


def draw_profile(cases: dict[str, Any]) -> Any:
    """One panel a level: the share of cases solved within a factor of the fastest."""
    import matplotlib as mpl

    factors = np.geomspace(1, 100, 400)
    solved = times(cases, LEVELS[-1])
    peers = sorted((name for name in solved if name != "ours"), key=lambda name: (-len(solved[name]), name))[:SHOWN]
    with mpl.rc_context(STYLE):
        figure = _figure(10.5, 4.0)
        panels = figure.subplots(1, len(LEVELS), sharey=True)
        for axes, level in zip(panels, LEVELS, strict=True):
            curves = profile(cases, level, factors)
            for name, colour, dash in zip(peers, OTHERS, DASHES, strict=False):
                if name in curves:
                    axes.step(factors, curves[name], where="post", color=colour, linestyle=dash, linewidth=1.6, label=name)
            axes.step(factors, curves["ours"], where="post", color=WORST_CASE, linewidth=2.6, label="minimax_opt, certified")
            axes.set(
                xscale="log",
                xlim=(1, 100),
                ylim=(0, 1.02),
                xlabel="CPU time / that of the fastest [1]",
                title=f"relative gap {_power(level)}",
            )
            axes.set_xticks([1, 2, 5, 10, 20, 50, 100], ["1", "2", "5", "10", "20", "50", "100"])
            axes.grid(color=FAINT, linewidth=0.4)
        panels[0].set_ylabel(f"share of the {len(cases)} cases solved [1]")
        handles, labels = panels[-1].get_legend_handles_labels()
        figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=4, handlelength=3.2)
    return figure


def draw_convergence(rows: dict[str, Any]) -> Any:
    """Two rows of panels, one column a case: the true gap against passes over the data, and against CPU time."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        figure = _figure(3.7 * len(rows) + 0.4, 8.2)
        panels = figure.subplots(2, len(rows), squeeze=False, sharey=True)
        styles = _curve_styles([name for row in rows.values() for name in row["curves"]], rows)
        for column, (name, row) in enumerate(rows.items()):
            for axes, quantity, label in zip(
                panels[:, column], ("passes", "seconds"), ("passes over the data [1]", "time of one thread [s]"), strict=True
            ):
                for method, curve in row["curves"].items():
                    if "refused" not in curve:
                        axes.plot(curve[quantity], np.maximum(curve["gaps"], 1e-12), label=method, **styles[method])
                axes.set(xscale="log", yscale="log", ylim=(3e-12, 300), xlabel=label)
                axes.grid(color=FAINT, linewidth=0.4)
                for level in LEVELS:
                    axes.axhline(level, color=INK, linewidth=0.6, linestyle=(0, (1, 3)))
            panels[1, column].set_xlim(left=3e-4)
            panels[0, column].set_title(name)
        for axes in panels[:, 0]:
            axes.set_ylabel("true relative gap of the best iterate [1]")
        found: dict[str, Any] = {}
        for axes in panels[0]:
            handles, labels = axes.get_legend_handles_labels()
            found.update(zip(labels, handles, strict=True))
        ordered = [method for method in styles if method in found]
        figure.legend(
            [found[method] for method in ordered],
            ordered,
            loc="outside lower center",
            ncols=4,
            handlelength=3.4,
            fontsize=8,
            title="full lines: minimax_opt; dashed lines: others, with the best of three step sizes",
            title_fontsize=8,
        )
    return figure


def _curve_styles(names: list[str], rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Ours are thick and full, theirs thin and dashed; each has its colour and its marker."""
    from itertools import cycle

    owners = {
        name: curve.get("ours", True) for row in rows.values() for name, curve in row["curves"].items() if "refused" not in curve
    }
    palette = (WORST_CASE, *OTHERS)
    marks = ("o", *MARKERS)
    styles: dict[str, dict[str, Any]] = {}
    for ours in (True, False):
        members = [name for name in dict.fromkeys(names) if owners.get(name) is ours]
        for name, colour, marker in zip(members, cycle(palette), cycle(marks)):
            styles[name] = {
                "color": colour,
                "marker": marker,
                "markersize": 3.6,
                "markevery": 0.17,
                "markerfacecolor": colour if ours else "white",
                "linewidth": 1.9 if ours else 1.1,
                "linestyle": "-" if ours else (0, (4, 1.6)),
            }
    return styles


def draw_growth(rows: dict[str, Any]) -> Any:
    """One panel an axis: CPU time against size, with the slope in the legend."""
    import matplotlib as mpl

    columns = 3
    with mpl.rc_context(STYLE):
        figure = _figure(3.7 * columns, 3.1 * -(-len(rows) // columns))
        panels = figure.subplots(-(-len(rows) // columns), columns, squeeze=False).ravel()
        names = list(dict.fromkeys(name for row in rows.values() for name in row["seconds"] if name != "ours"))
        for axes, row in zip(panels, rows.values(), strict=False):
            for index, name in enumerate(["ours", *names]):
                seconds = row["seconds"].get(name)
                if seconds is None:
                    continue
                steep = row["slopes"][name]
                label = ("minimax_opt" if name == "ours" else name) + ("" if steep is None else f": {steep:.1f}")
                look: dict[str, Any] = {"color": WORST_CASE, "marker": "o", "linewidth": 2.4}
                if name != "ours":
                    look = {
                        "color": OTHERS[index - 1],
                        "marker": MARKERS[index - 1],
                        "linewidth": 1.2,
                        "linestyle": DASHES[index - 1],
                    }
                axes.plot(row["sizes"], [np.nan if took is None else took for took in seconds], label=label, markersize=4, **look)
            axes.set(xscale="log", yscale="log", title=row["title"], xlabel=f"{_axis(row['symbol'])} [1]")
            axes.set_xticks(row["sizes"], [f"{size // 1000}k" if size >= 1000 else str(size) for size in row["sizes"]])
            axes.set_xticks([], minor=True)
            axes.grid(color=FAINT, linewidth=0.4)
            axes.legend(fontsize=7, title="slope", title_fontsize=7, loc="upper left", handlelength=2.6)
            low, high = axes.get_ylim()
            axes.set_ylim(low, high * (high / low) ** 0.45)  # room for the legend
        for axes in panels[len(rows) :]:
            axes.set_visible(False)
        for axes in panels[::columns]:
            axes.set_ylabel("CPU time of one thread [s]")
    return figure


def _axis(symbol: str) -> str:
    return {"K": "tasks K", "n": "variables n", "m": "rows of a task m"}[symbol]


def _power(value: float) -> str:
    return f"$10^{{{round(np.log10(value))}}}$"
