from __future__ import annotations

import copy
import itertools
import re

import numpy as np
import pytest

from minimax_opt.figures.comparison import draw_comparison
from minimax_opt.figures.style import AVERAGE, WORST_CASE, render

pytest.importorskip("matplotlib")
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text


def luminance(colour: str) -> float:
    """CIE relative luminance of an sRGB colour, 0 to 1."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def drawn_points(axes):
    """The y values of the two series of tasks, in the order drawn."""
    average, worst = (line.get_ydata() for line in axes.lines if line.get_marker() == "o")
    return list(average), list(worst)


def test_the_panel_shows_the_report(report):
    losses, weights = draw_comparison(report).axes
    problem = report["problems"][0]
    average, worst = drawn_points(losses)
    assert average == [4.0, 1.0, 1.0] == sorted(problem["average"]["losses"], reverse=True)
    assert worst == [2.5, 2.5, 2.0]
    assert [bar.get_height() for bar in weights.patches] == [0.75, 0.25, 0.0]
    assert [label.get_text() for label in weights.get_xticklabels()] == ["Utah", "Ohio", "Iowa"]
    levels = [line.get_ydata()[0] for line in losses.lines if len(set(line.get_ydata())) == 1 and line.get_marker() == "None"]
    assert levels == [4.0, 2.5]


def test_the_bound_is_drawn_where_it_is_proven(report):
    worst = report["problems"][0]["worst_case"]
    worst.update(lower_bound=2.4, penalty=0.25)
    losses, _ = draw_comparison(report).axes
    (triangle,) = [line for line in losses.lines if line.get_marker() == "<"]
    assert triangle.get_ydata() == pytest.approx([2.15])
    worst["lower_bound"] = worst["relative_gap"] = float("nan")
    losses, _ = draw_comparison(report).axes
    assert not [line for line in losses.lines if line.get_marker() == "<"]
    assert any("not certified" in text.get_text() for text in losses.texts)


def test_every_axis_says_what_it_shows_and_in_which_unit(report):
    losses, weights = draw_comparison(report).axes
    assert losses.get_ylabel() == "mean squared error\n[m²]"
    assert weights.get_ylabel() == "adversary's\nweight [1]"
    assert "largest loss under the average model first" in weights.get_xlabel()
    assert losses.get_title(loc="left") == "Weekly income"


def test_many_tasks_name_only_the_heavy_ones(report):
    problem = report["problems"][0]
    n_tasks = 40
    problem["tasks"] = [f"task {k}" for k in range(n_tasks)]
    for model in ("average", "worst_case"):
        problem[model]["losses"] = np.linspace(1.0, 2.0, n_tasks).tolist()
    problem["worst_case"]["weights"] = [0.0] * 35 + [0.3, 0.3, 0.2, 0.1, 0.1]
    _, weights = draw_comparison(report).axes
    lines = weights.get_xlabel().replace("\u00a0", " ").splitlines()
    assert lines[1:] == ["task 36 0.300, task 35 0.300, task 37 0.200, 2 more"]


@pytest.mark.parametrize("n_problems", [1, 2, 4])
def test_any_number_of_problems_fits(report, n_problems):
    report["problems"] = [copy.deepcopy(report["problems"][0]) for _ in range(n_problems)] + [{"name": "cut short"}]
    figure = draw_comparison(report)
    assert len(figure.axes) == 2 * n_problems
    assert render(figure, "png", dpi=40).startswith(b"\x89PNG")  # an impossible layout would warn, and warnings are errors


def test_files_are_reproducible(report):
    for form, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        first, second = (render(draw_comparison(report), form, dpi=40) for _ in range(2))
        assert first == second
        assert first.startswith(magic)


def test_the_report_is_not_changed(report):
    before = copy.deepcopy(report)
    draw_comparison(report)
    assert report == before


def test_nothing_to_draw_is_said():
    with pytest.raises(ValueError, match="nothing to draw"):
        draw_comparison({"problems": [{"name": "cut short"}]})


def test_the_two_models_differ_in_grayscale():
    contrast = (luminance(AVERAGE) + 0.05) / (luminance(WORST_CASE) + 0.05)
    assert contrast > 2.0


def extents(figure):
    """Every text that is shown, with its box in pixels, after layout."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    return [(text.get_text(), text.get_window_extent(renderer)) for text in shown]


@pytest.mark.parametrize("worst", ["worst mix of family sizes", "worst 12.3 % of family sizes"])
def test_no_text_is_cut_off_or_covers_another_or_a_bar(report, worst):
    problem, n_tasks = report["problems"][0], 51
    problem.update(worst=worst, tasks=[f"District of Columbia {k}" for k in range(n_tasks)])
    for model in ("average", "worst_case"):
        problem[model].update(losses=np.linspace(0.5, 1.0, n_tasks).tolist(), worst=0.5646)
    problem["worst_case"]["weights"] = [1 / n_tasks] * n_tasks
    report["problems"] = [copy.deepcopy(problem) for _ in range(3)]
    figure = draw_comparison(report)
    boxes = extents(figure)
    for text, box in boxes:
        assert box.x0 >= 0 <= box.y0, text
        assert box.x1 <= figure.bbox.x1, text
        assert box.y1 <= figure.bbox.y1, text
        assert not any(box.overlaps(bar.get_window_extent()) for axes in figure.axes[1::2] for bar in axes.patches), text
    for (text, box), (other, at) in itertools.combinations(boxes, 2):
        assert not box.overlaps(at), (text, other)


@pytest.mark.parametrize(
    ("change", "label"),
    [
        ({}, r", certified gap \$4"),
        ({"certified": False, "success": False, "relative_gap": 0.3}, r", NOT REACHED, gap \$3\\cdot 10\^\{-1\}\$ of the value$"),
        ({"certified": False, "success": False, "relative_gap": float("nan")}, ", NOT REACHED$"),
        ({"certified": False, "success": True, "relative_gap": float("nan")}, ", not certified$"),
    ],
)
def test_a_gap_is_called_certified_only_where_it_was_reached(report, change, label):
    report["problems"][0]["worst_case"].update(change)
    (headline,) = draw_comparison(report).axes[0].texts
    assert re.search(label, headline.get_text())


def test_the_legend_claims_no_more_than_is_proven(report):
    def claim():
        (legend,) = draw_comparison(report).legends
        return " ".join(legend.get_texts()[-1].get_text().split())

    assert claim() == "certified lower bound: no model of this kind has a lower worst case"
    report["problems"][0]["ridge"] = 1e-4
    assert claim() == "certified lower bound: no model of this kind with no larger penalty has a lower worst case"
