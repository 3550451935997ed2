from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
import reproduce_fakes as fakes

from minimax_opt.reproduce.run import find_experiments, perform
from minimax_opt.reproduce.store import origin


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def numbers(folder, name="squares"):
    """All of the record but the time that it took."""
    record = json.loads((folder / f"{name}.json").read_text())
    del record["seconds"]
    return record


def test_an_experiment_is_computed_saved_and_judged(job, tmp_path):
    outcome = perform(fakes.SQUARES, job)
    assert (outcome.holds, outcome.held, outcome.reused, outcome.error, outcome.notes) == (True, 1, False, "", [])
    assert outcome.verdict == "1 of 1 claims hold"
    assert numbers(tmp_path)["result"] == fakes.mean_of_squares(True, 0)


def test_what_is_saved_is_used_again_to_the_byte(job, tmp_path):
    first = perform(fakes.SQUARES, job)
    before = files(tmp_path)
    again = perform(replace(fakes.SQUARES, compute=lambda quick, seed: pytest.fail("computed again")), job)
    assert again.reused
    assert again.seconds == pytest.approx(first.seconds, abs=1e-3)
    assert again.claims == first.claims
    assert files(tmp_path) == before


def test_fresh_computes_again_and_gets_the_same_numbers(job, tmp_path):
    perform(fakes.SQUARES, job)
    before = numbers(tmp_path)
    path = tmp_path / "squares.json"
    path.write_text(path.read_text().replace('"n": 1000', '"n": 999'))
    assert not perform(fakes.SQUARES, replace(job, fresh=True)).reused
    assert numbers(tmp_path) == before
    assert list(files(tmp_path)) == ["squares.json"]


def test_seed_and_size_reach_the_experiment(tmp_path, job):
    seen = set()
    for quick, seed in ((True, 0), (True, 1), (False, 0)):
        outcome = perform(fakes.SQUARES, replace(job, origin=origin(quick, seed)))
        assert outcome.holds
        seen.add(json.dumps(numbers(tmp_path)["result"]))
        assert numbers(tmp_path)["result"] == fakes.mean_of_squares(quick, seed)
    assert len(seen) == 3


@pytest.mark.parametrize("content", [b"{", b'{"mine": 1}'])
def test_a_file_that_is_no_result_is_kept_and_told(job, tmp_path, content):
    (tmp_path / "squares.json").write_bytes(content)
    outcome = perform(fakes.SQUARES, job)
    assert outcome.holds
    assert files(tmp_path)["squares.old-1.json"] == content
    assert numbers(tmp_path)["result"] == fakes.mean_of_squares(True, 0)
    assert len(outcome.notes) == 1
    assert outcome.notes[0].startswith("squares.json is ")
    assert "kept as squares.old-1.json" in outcome.notes[0]


def test_a_result_of_another_seed_is_kept(job, tmp_path):
    perform(fakes.SQUARES, job)
    before = files(tmp_path)["squares.json"]
    outcome = perform(fakes.SQUARES, replace(job, origin=origin(True, 1), fresh=True))
    assert outcome.notes == [
        "squares.json was made with seed 0, not 1: computed again, the old file is kept as squares.old-1.json."
    ]
    assert files(tmp_path)["squares.old-1.json"] == before


def test_an_error_leaves_what_was_there(job, tmp_path):
    (tmp_path / "raises.json").write_text("{")
    outcome = perform(fakes.RAISES, job)
    assert not outcome.holds
    assert outcome.error.startswith("ValueError: the sum of <weights> is 0.9\nTraceback")
    assert outcome.verdict == "FAILED: ValueError: the sum of <weights> is 0.9"
    assert files(tmp_path) == {"raises.json": b"{"}


@pytest.mark.parametrize("value", [float("nan"), {1}])
def test_a_result_that_json_cannot_hold_is_an_error(job, tmp_path, value):
    outcome = perform(replace(fakes.SQUARES, compute=lambda quick, seed: {"value": value}), job)
    assert not outcome.holds
    assert "JSON" in outcome.error
    assert not files(tmp_path)


def test_claims_and_figures_see_the_file_not_the_memory(job):
    def claims(result):
        seen.append(result)
        return []

    def draw(result):
        seen.append(result)
        return fakes.draw_squares(fakes.mean_of_squares(True, 0))

    seen: list[object] = []
    experiment = replace(fakes.SQUARES, compute=lambda quick, seed: {"pair": (1, 2), 3: 4}, claims=claims, figures={"f": draw})
    perform(experiment, replace(job, figures=True))
    assert seen == [{"pair": [1, 2], "3": 4}] * 2


def test_a_claim_that_fails_is_no_error(job):
    outcome = perform(fakes.WRONG, job)
    assert (outcome.holds, outcome.held, outcome.error) == (False, 1, "")
    assert outcome.verdict == "1 of 2 claims hold"


def test_figures_are_drawn_from_what_is_saved(job, tmp_path):
    outcome = perform(fakes.SQUARES, job)
    assert outcome.figures == {}
    outcome = perform(fakes.SQUARES, replace(job, figures=True))
    assert outcome.reused
    assert outcome.figures == {"squares-drawn": "squares-drawn.png"}
    first = files(tmp_path)
    assert first["squares-drawn.png"].startswith(b"\x89PNG")
    assert first["squares-drawn.pdf"].startswith(b"%PDF")
    perform(fakes.SQUARES, replace(job, figures=True))
    assert files(tmp_path) == first


def test_a_figure_that_fails_keeps_the_claims(job, tmp_path):
    outcome = perform(fakes.UNDRAWN, replace(job, figures=True))
    assert not outcome.holds
    assert outcome.held == 1
    assert outcome.error.startswith("RuntimeError: no such axis")
    assert list(files(tmp_path)) == ["undrawn.json"]


def test_without_matplotlib_the_claims_stand(job, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    def draw(result):
        import matplotlib as mpl

        return mpl

    outcome = perform(replace(fakes.SQUARES, figures={"f": draw, "g": draw}), replace(job, figures=True))
    assert outcome.holds
    assert outcome.notes == ['No figures: matplotlib is not installed. Run: pip install "minimax_opt[theory]"']


def test_a_missing_optional_package_names_the_extra(job):
    outcome = perform(replace(fakes.RAISES, compute=fakes.lacks_a_package), job)
    assert 'pip install "minimax_opt[theory]"' in outcome.verdict


def test_an_interrupt_is_not_swallowed(job, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        perform(replace(fakes.RAISES, compute=fakes.is_interrupted), job)
    assert not files(tmp_path)


def test_experiments_are_found_by_name():
    known = (fakes.SQUARES, fakes.OTHER, fakes.WRONG)
    assert find_experiments([], known) == known
    assert find_experiments(["wrong", "squares", "wrong"], known) == (fakes.SQUARES, fakes.WRONG)
    with pytest.raises(ValueError, match=r"Did you mean 'squares'.*'squares', 'other', 'wrong'"):
        find_experiments(["sqares"], known)
