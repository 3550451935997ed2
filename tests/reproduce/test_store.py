from __future__ import annotations

import json
import math

import numpy as np
import pytest

from minimax_opt.reproduce import store
from minimax_opt.reproduce.store import StaleError, origin, read_record, set_aside, write_record

MADE = origin(quick=True, seed=3)


@pytest.fixture
def path(tmp_path):
    return write_record(tmp_path / "bias.json", "bias", MADE, 1.23456, {"x": [1.0, 0.1 + 0.2]})


def change(path, **entries):
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def test_a_record_survives_the_round_trip(path):
    record = read_record(path, "bias", MADE)
    assert record["result"] == {"x": [1.0, 0.1 + 0.2]}
    assert record["seconds"] == 1.235
    assert {key: record[key] for key in MADE} == MADE
    assert set(MADE) == {"format", "quick", "seed", "versions", "source"}
    assert {"minimax_opt", "numpy", "scipy", "torch"} <= set(MADE["versions"])


def test_no_file_is_no_record(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_record(tmp_path / "bias.json", "bias", MADE)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"{}", b'{"format": "other"}', b'"text"'])
def test_damaged_and_foreign_files_are_stale(tmp_path, content):
    (tmp_path / "bias.json").write_bytes(content)
    with pytest.raises(StaleError, match=r"is damaged|is no result of bias"):
        read_record(tmp_path / "bias.json", "bias", MADE)


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"experiment": "rates"}, "is no result of bias"),
        ({"format": "minimax_opt.reproduce/0"}, "is no result of bias in the format minimax_opt.reproduce/1"),
        ({"quick": False}, "was made without --quick"),
        ({"seed": 4}, "was made with seed 4, not 3"),
        ({"versions": MADE["versions"] | {"numpy": "1.0"}}, "was made with numpy 1.0, not 2"),
        ({"versions": None}, "was made by another version"),
        ({"versions": MADE["versions"] | {"extra": "1"}}, "was made with other packages"),
        ({"source": "0"}, "was made by another version of the code"),
        ({"result": None}, "is damaged"),
        ({"seconds": None}, "is damaged"),
    ],
)
def test_another_origin_is_stale_and_says_why(path, entries, reason):
    change(path, **entries)
    with pytest.raises(StaleError, match=reason):
        read_record(path, "bias", MADE)


def test_every_part_of_the_origin_is_compared(path):
    for key, other in (("quick", False), ("seed", 0), ("versions", {}), ("source", "")):
        with pytest.raises(StaleError):
            read_record(path, "bias", MADE | {key: other})


@pytest.mark.parametrize("value", [math.nan, math.inf, np.ones(2), np.int64(1), {1, 2}])
def test_what_json_has_not_is_refused_and_leaves_no_file(tmp_path, value):
    with pytest.raises((TypeError, ValueError)):
        write_record(tmp_path / "bias.json", "bias", MADE, 1.0, {"value": value})
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_record(path, monkeypatch):
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_record(path, "bias", MADE, 1.0, {})
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["bias.json"]


def test_files_set_aside_never_replace_each_other(tmp_path):
    path = tmp_path / "bias.json"
    for number in (1, 2, 3):
        path.write_text(str(number))
        assert set_aside(path) == tmp_path / f"bias.old-{number}.json"
    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == {f"bias.old-{n}.json": str(n) for n in (1, 2, 3)}


def test_the_digest_follows_the_code_that_computes_and_no_other(tmp_path, monkeypatch):
    class Package:
        __path__ = (str(tmp_path / "package"),)

    def digest():
        store._source.cache_clear()
        return store._source()

    monkeypatch.setattr(store, "minimax_opt", Package)
    monkeypatch.setattr(store, "minimax_kernels", Package)
    for name in ("solve.py", "theory/bounds.py", "figures/draw.py", "cli/run.py", "notes.txt"):
        (tmp_path / "package" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "package" / name).write_text("one")
    first = digest()
    for name in ("figures/draw.py", "cli/run.py", "notes.txt"):
        (tmp_path / "package" / name).write_text("two")
    assert digest() == first
    seen = {first}
    for name in ("solve.py", "theory/bounds.py", "theory/new.py", "native.so"):
        (tmp_path / "package" / name).write_text("two")
        seen.add(digest())
    assert len(seen) == 5
    store._source.cache_clear()
