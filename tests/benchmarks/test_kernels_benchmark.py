"""The benchmark of the kernels, on stand-ins: what it measures, what it says, and that it goes on where it stopped."""

from __future__ import annotations

import dataclasses
import math
import time

import numpy as np
import pytest
import torch

from benchmarks.common.store import Store, load
from benchmarks.kernels import compare, measure, report, suite, trial
from benchmarks.kernels.ceilings import ceilings
from benchmarks.kernels.suite import Case, Target
from benchmarks.kernels.trial import Plan
from tests import kernel_cases
from tests.kernel_cases import capture

CPU = torch.device("cpu")
ROWS, BIG = kernel_cases.CASES
PLAN = Plan("cpu", 21, 3, 10.0)
RATES = {"copy": 1e10, "matmul float32": 1e11, "matmul bfloat16": 1e12}


def test_cases_are_found_by_family_place_and_size():
    assert suite.chosen(["tests.kernel_cases"], "cpu", quick=False) == [("tests.kernel_cases", ROWS), ("tests.kernel_cases", BIG)]
    assert [case.name for _, case in suite.chosen(["tests.kernel_cases"], "cpu", quick=True)] == [ROWS.name]
    assert [case.name for _, case in suite.chosen(["tests.kernel_cases"], "cuda", quick=False)] == [ROWS.name]
    assert suite.find("tests.kernel_cases", BIG.name) is BIG
    with pytest.raises(ValueError, match="no family 'simples'"):
        suite.load(["simples"])


def test_a_family_without_quick_cases_gives_its_first(monkeypatch):
    monkeypatch.setattr(kernel_cases, "CASES", [BIG, dataclasses.replace(BIG, name="another")])
    assert suite.chosen(["tests.kernel_cases"], "cpu", quick=True) == [("tests.kernel_cases", BIG)]


def test_names_are_unique(monkeypatch):
    monkeypatch.setattr(kernel_cases, "CASES", [ROWS, ROWS])
    monkeypatch.setitem(__import__("sys").modules, "some.cases", kernel_cases)
    with pytest.raises(ValueError, match="Two cases"):
        suite.load(["some.cases"])


def test_the_families_keep_the_contract():
    for family, cases in suite.load().items():
        assert cases, family
        for case in cases:
            assert suite.OURS in case.contenders, case.name
            assert set(case.on) <= set(suite.PLACES), case.name
            assert case.bytes_moved > 0 or case.flops > 0, case.name
            for target in case.targets:
                assert {target.rival, target.ours} <= {*case.contenders, suite.FASTEST}, case.name
        for place in suite.PLACES:
            assert suite.chosen([family], place, quick=True), (family, place)


def test_the_floor_is_the_larger_of_traffic_and_products():
    case = Case("c", kernel_cases.make_rows, {}, None, bytes_moved=2e10, flops=1e12, shape={"dtype": "bfloat16"})
    assert case.floor(RATES) == 2.0
    assert Case("c", kernel_cases.make_rows, {}, None, bytes_moved=1e10, flops=1e12).floor(RATES) == 10.0
    assert Case("c", kernel_cases.make_rows, {}, None).floor(RATES) is None


def test_the_clock_counts_processor_time_and_repeats_short_calls():
    clock, calls = measure.CpuClock(), []
    run = lambda: calls.append(sum(range(1000)))  # noqa: E731
    seconds = clock(run)
    assert len(calls) > 10
    assert seconds < 1e-3
    assert clock(lambda: time.sleep(1e-3)) < 5e-4


def test_contenders_take_turns_and_sit_out_when_over_budget():
    order, runs = [], {name: lambda: None for name in "ab"}
    names = {id(run): name for name, run in runs.items()}
    clock = lambda run: order.append(names[id(run)]) or 1.0  # noqa: E731
    assert measure.interleave(runs, clock, 3) == {"a": [1.0] * 3, "b": [1.0] * 3}
    assert "".join(order) == "abbaab"

    def heavy(run):
        time.sleep(0.02 if run is runs["b"] else 0.0)
        return 1.0

    seconds = measure.interleave(runs, heavy, 5, budget=0.03)
    assert [len(seconds[name]) for name in "ab"] == [5, 2]
    assert measure.paired([1.0, 2.0, 4.0], [3.0, 4.0])["median"] == 2.5


def test_errors_are_relative_to_the_largest_true_entry():
    truth = (torch.tensor([1.0, -4.0], dtype=torch.float64), torch.tensor([-math.inf, 2.0]))
    assert measure.errors({"a": np.float32([1.0, -3.0]), "b": torch.tensor([-math.inf, 2.0])}, truth) == [0.25, 0.0]
    assert measure.errors((torch.tensor([1.0, math.nan]), truth[1]), truth) == [math.inf, 0.0]
    assert measure.errors(torch.zeros(0), torch.zeros(0)) == [0.0]
    with pytest.raises(ValueError, match="shape"):
        measure.errors(torch.zeros(2), torch.zeros(3))


def test_repeatability_is_bitwise():
    values = iter([0.0] * 7 + [-0.0] * 20)
    assert measure.repeatable(lambda: torch.full((2,), math.nan))
    assert not measure.repeatable(lambda: torch.tensor(next(values)))
    latest = torch.zeros(1)
    assert not measure.repeatable(lambda: latest.add_(1.0)), "a call that writes into what it returned before"


def test_a_fresh_process_shows_the_peak_of_a_call():
    found = trial.host_peak("tests.kernel_cases", BIG, "ours", 0, 10.0)
    assert found is None or 7.0 < found < 12.0, "twice four megabytes, the inputs apart"


def test_ceilings_are_plausible(monkeypatch):
    monkeypatch.setattr("benchmarks.kernels.ceilings.COPIED", {"cpu": 2**22})
    monkeypatch.setattr("benchmarks.kernels.ceilings.SIDE", {"cpu": 128})
    found = ceilings(CPU, rounds=2)
    assert set(found) == {"copy", "matmul float32"}
    assert 1e8 < found["copy"] < 1e12
    assert 1e8 < found["matmul float32"] < 1e13


def test_a_row_says_who_is_how_fast_right_and_there():
    row = trial.measured("tests.kernel_cases", ROWS, PLAN)
    assert set(row["contenders"]) == {"ours", "slow", "numpy", "wrong"}
    assert set(row["absent"]) == {"absent", "gone"}
    assert "trouble" in row["failed"]["broken"]
    assert row["contenders"]["slow"]["ratio"]["median"] > 3
    assert report.worst(row["contenders"]["ours"]) < 1e-6
    assert not report.right(row, "wrong")
    assert report.fastest(row) == "numpy"
    assert all(contender["repeatable"] for contender in row["contenders"].values())


def test_on_a_gpu_a_row_has_launches_waits_and_the_time_in_a_graph(monkeypatch):
    """The parts that need a device are replaced; what is done with their answers is not."""
    monkeypatch.setattr(trial.Plan, "device", CPU)
    for name, answer in (("launches", 2), ("synchronisations", 0), ("cuda_peak", 1.0), ("captured", None)):
        monkeypatch.setattr(measure, name, capture if answer is None else lambda run, answer=answer: answer)
    row = trial.measured("tests.kernel_cases", ROWS, Plan("cuda", 21, 2, 10.0))
    ours = row["contenders"]["ours"]
    assert (ours["launches"], ours["synchronisations"], ours["megabytes"]) == (2, 0, 1.0)
    assert ours["graph_seconds"] > 0
    monkeypatch.setattr(measure, "synchronisations", lambda run: 1)
    row = trial.measured("tests.kernel_cases", ROWS, Plan("cuda", 21, 2, 10.0))
    assert row["contenders"]["ours"]["graph_seconds"] is None


def test_our_own_failure_is_a_result_and_is_tried_again(tmp_path, capsys):
    def fails(inputs):
        raise RuntimeError("no")

    path = tmp_path / "r.json"
    store = Store(path, {"seed": 1})
    store.put("ceilings", "rates", RATES)
    bad = Case("c", kernel_cases.make_rows, {"ours": fails}, None, bytes_moved=1.0)
    compare.run_cases(store, [("f", bad)], PLAN)
    assert "RuntimeError: no" in load(path)["cases"]["c"]["failure"]
    good = Case("c", kernel_cases.make_rows, {"ours": kernel_cases.ours}, None, bytes_moved=1.0)
    compare.run_cases(store, [("f", good)], PLAN)
    compare.run_cases(store, [("f", bad)], PLAN)
    assert "contenders" in load(path)["cases"]["c"]
    assert "FAILED" in capsys.readouterr().out


def contender(seconds, ratio, errors=(1e-7,), **more):
    found = {"median": seconds, "quartiles": [seconds, seconds]}
    ratio = {"median": ratio, "quartiles": [ratio, ratio]}
    return {"seconds": found, "ratio": ratio, "errors": list(errors), "repeatable": True, "output_megabytes": 1.0, **more}


def made_row(**contenders):
    row = {"family": "simplex", "floor": 0.5e-3, "targets": [Target(3.0)._asdict(), Target(0.8, "floor")._asdict()]}
    return {**row, "contenders": {"ours": contender(1e-3, 1.0), **contenders}, "absent": {"p": "not installed"}, "failed": {}}


def test_the_page_says_where_we_lose_and_what_was_reached(tmp_path, monkeypatch, capsys):
    lost = made_row(peer=contender(0.5e-3, 0.5), liar=contender(1e-5, 0.01, [0.5]), floor=contender(0.9e-3, 0.9))
    won = made_row(peer=contender(8e-3, 8.0, ["inf"]), other=contender(8e-3, 8.0))
    graph = {"graph_seconds": 1e-3, "launches": 2, "synchronisations": 0, "megabytes": 3.0}
    on_gpu = {**won, "contenders": {name: {**found, **graph} for name, found in won["contenders"].items()}}
    paths = []
    for place, cases in (
        ("cpu", {"lost": lost, "won": won, "broken": {"family": "reduce", "failure": "E"}}),
        ("cuda", {"c": on_gpu}),
    ):
        made = {
            "seed": 1,
            "rounds": 2,
            "budget": 3.0,
            "quick": True,
            "place": place,
            "device": f"a {place}",
            "python": "3",
            "versions": {},
        }
        store = Store(tmp_path / f"{place}.json", made)
        store.put("ceilings", "rates", RATES)
        for name, row in cases.items():
            store.put("cases", name, row)
        paths.append(store.path)
    monkeypatch.setattr("sys.argv", ["report", *map(str, paths)])
    report.main()
    text = paths[0].with_suffix(".md").read_text()
    assert text in capsys.readouterr().out
    assert "| simplex | **2.00** (0.50 to 8.00) | 2 | 0.50 | 1 |" in text
    assert "| lost | fastest peer / ours | 3 | 0.5 | **missed** |" in text
    assert "| lost | floor / ours | 0.8 | 0.9 | met |" in text
    assert "| won | floor / ours | 0.8 | - | not measured |" in text
    assert "| lost | peer | 0.5 | 1 | 0.50 |" in text
    assert "liar (wrong)" in text
    assert "| won | 1 (1 to 1) | 50% | other, 8 | **8.00** (8 to 8) |" in text
    assert "| broken | failed: E |" in text
    assert "| 1 | 2 | 0 |" in text
    assert "## a cuda" in text
    for table in text.split("\n\n"):
        assert len({line.count("|") for line in table.splitlines() if line.startswith("|")}) <= 1, table
