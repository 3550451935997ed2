from __future__ import annotations

import copy
import json
import math
import os

import pytest

from minimax_opt.comparison.files import prepare_folder, write_atomically
from minimax_opt.comparison.report import SCHEMAS, all_certified, read_report, write_report


def test_a_report_survives_the_round_trip(report, tmp_path):
    before = copy.deepcopy(report)
    assert read_report(write_report(tmp_path / "report.json", report)) == report == before


def test_nan_is_written_as_null_and_read_as_nan(report, tmp_path):
    worst = report["problems"][0]["worst_case"]
    worst["lower_bound"] = worst["gap"] = worst["relative_gap"] = math.nan
    path = write_report(tmp_path / "report.json", report)
    strict = json.loads(path.read_text(), parse_constant=lambda token: pytest.fail(f"{token} is not JSON"))
    assert strict["problems"][0]["worst_case"]["lower_bound"] is None
    assert math.isnan(read_report(path)["problems"][0]["worst_case"]["lower_bound"])


def test_a_report_says_what_made_it(report):
    assert report["schema"] == SCHEMAS["demo"]
    assert report["versions"]["numpy"]
    assert report["versions"]["torch"]
    assert report["tol"] == 1e-9


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"schema": "other/1"}', "\udcff"])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "report.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=r"Pass the report\.json"):
        read_report(path)


def test_certified_means_complete_certified_and_no_disagreement(report):
    assert all_certified(report)
    for change in (
        lambda r: r.update(status="interrupted"),
        lambda r: r["problems"][0]["average"].update(certified=False),
        lambda r: r["problems"][0]["worst_case"].update(certified=False),
        lambda r: r["problems"][0]["reference"].update(agrees=False),
    ):
        changed = copy.deepcopy(report)
        change(changed)
        assert not all_certified(changed)
    report["problems"][0]["reference"]["agrees"] = None  # the reference failed
    assert all_certified(report)
    del report["problems"][0]["reference"]
    assert all_certified(report)


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    assert write_atomically(path, "grün") == path
    assert path.read_text(encoding="utf-8") == "grün"
    write_atomically(path, b"\x00\x01")
    assert path.read_bytes() == b"\x00\x01"
    assert os.listdir(path.parent) == ["a.txt"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path, monkeypatch, failing):
    path = write_atomically(tmp_path / "a.txt", "old")

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda r: r.pop("problems"), "problems"),
        (lambda r: r.update(problems={}), "problems"),
        (lambda r: r.update(problems=[3]), r"problems\[0\]"),
        (lambda r: r["problems"][0].pop("average"), r"problems\[0\]\.average"),
        (lambda r: r["problems"][0].update(average=[]), r"problems\[0\]\.average"),
        (lambda r: r["problems"][0].pop("noun"), r"problems\[0\]\.noun"),
        (lambda r: r["problems"][0]["worst_case"].pop("weights"), r"worst_case\.weights"),
        (lambda r: r["problems"][0]["worst_case"].update(losses=[1.0, "two", 3.0]), r"worst_case\.losses\[1\]"),
        (lambda r: r["problems"][0]["average"].update(losses=[1.0]), "do not fit together"),
    ],
)
def test_a_damaged_report_says_what_is_missing(report, tmp_path, damage, named):
    damage(report)
    with pytest.raises(ValueError, match=rf"is damaged: .*{named}.*Pass the report\.json"):
        read_report(write_report(tmp_path / "report.json", report))


def test_a_report_cut_short_is_whole(report, tmp_path):
    report["problems"].append({"name": "digits", "average": {"fun": None}})
    assert len(read_report(write_report(tmp_path / "report.json", report))["problems"]) == 2


def test_a_folder_is_tried_before_the_work(tmp_path):
    prepare_folder(tmp_path / "new" / "folder", ["report.json"])
    assert os.listdir(tmp_path / "new" / "folder") == []
    (tmp_path / "report.json").mkdir()
    with pytest.raises(IsADirectoryError, match=r"report\.json"):
        prepare_folder(tmp_path, ["report.json"])
    write_atomically(tmp_path / "file", "")
    with pytest.raises(FileExistsError):
        prepare_folder(tmp_path / "file", [])
    if os.path.isdir("/proc"):  # a folder that exists and takes no file, even from root
        with pytest.raises(OSError, match="/proc"):
            prepare_folder("/proc", ["report.json"])
