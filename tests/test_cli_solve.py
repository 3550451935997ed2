"""``minimax-opt solve`` and ``minimax-opt predict``, as a user meets them."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest

import minimax_opt as mo
from minimax_opt import cli

pd = pytest.importorskip("pandas")

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "docs" / "solve.md"]


def run(capsys, *arguments):
    """(exit code, stdout, stderr)."""
    code = cli.main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


@pytest.fixture
def table(tmp_path):
    """A file of 60 rows in two groups with another slope each, one of them with a missing number."""
    rng = np.random.default_rng(3)
    group = np.array(["a", "b"])[np.arange(60) % 2]
    x = rng.normal(size=60)
    frame = pd.DataFrame(
        {"id": np.arange(60), "x": x, "group": group, "y": np.where(group == "a", 1.0, -0.5) * x + rng.normal(size=60)}
    )
    frame["sick"] = np.where(frame["y"] > 0, "yes", "no")
    frame.loc[0, "x"] = None
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def solve(capsys, table, tmp_path):
    """Run solve on the table; extra arguments."""
    return lambda *extra: run(capsys, "solve", table, "--output", tmp_path / "out", *(extra or BASIC))


BASIC = ("--target", "y", "--group", "group", "--drop", "sick")
FAST = (*BASIC, "--no-reference", "--no-figure", "--quiet")


def test_solve_tells_writes_and_predict_reads(solve, capsys, table, tmp_path):
    code, out, err = solve(*BASIC, "--holdout", "0.2")
    assert (code, err) == (0, "")
    for part in (
        "table · y by group",
        "x: standardised",
        "id (numbers its rows",
        "filled with the median",
        "worst group",
        "Held out · 12 rows",
    ):
        assert part in out
    assert "certificate" in out
    folder = tmp_path / "out"
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "report.json", "solve.pdf", "solve.png"]
    report = json.loads((folder / "report.json").read_text())
    assert report["schema"] == "minimax_opt.solve/1"
    assert report["problems"][0]["held_out"]["rows"] == [6, 6]

    code, out, err = run(capsys, "predict", folder / "model.json", table, "--keep", "id", "group")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "id,group,prediction"
    assert len(lines) == 61
    code, out, _ = run(capsys, "predict", folder / "model.json", table, "--output", tmp_path / "p.csv", "--average")
    assert code == 0
    assert out == f"Wrote {tmp_path / 'p.csv'}: 60 predictions of y\n"
    average = pd.read_csv(tmp_path / "p.csv")["prediction"]
    assert not np.allclose(average, [float(line.split(",")[2]) for line in lines[1:]])


def test_the_table_of_losses_is_that_of_the_predictions(solve, capsys, table, tmp_path):
    solve(*FAST)
    run(capsys, "predict", tmp_path / "out" / "model.json", table, "--output", tmp_path / "p.csv")
    frame = pd.read_csv(table)
    errors = ((pd.read_csv(tmp_path / "p.csv")["prediction"] - frame["y"]) ** 2).groupby(frame["group"]).mean()
    problem = json.loads((tmp_path / "out" / "report.json").read_text())["problems"][0]
    np.testing.assert_allclose(problem["worst_case"]["losses"], errors[problem["tasks"]], rtol=1e-9)


def test_classes_get_probabilities(solve, capsys, table, tmp_path):
    solve("--target", "sick", "--group", "group", "--drop", "y", "--no-reference", "--no-figure")
    code, out, _ = run(capsys, "predict", tmp_path / "out" / "model.json", table)
    assert code == 0
    header, *rows = out.splitlines()
    assert header == "prediction,probability of no,probability of yes"
    for row in rows:
        label, no, yes = row.split(",")
        assert label == ("yes" if float(yes) >= 0.5 else "no")
        assert float(no) + float(yes) == pytest.approx(1.0)


def test_the_figure_is_drawn_again_from_the_report(solve, capsys, tmp_path):
    solve(*BASIC, "--quiet", "--no-reference")
    code, out, _ = run(capsys, "figure", tmp_path / "out" / "report.json", "--output", tmp_path / "again")
    assert code == 0
    assert "solve.png" in out
    assert (tmp_path / "again" / "solve.png").read_bytes() == (tmp_path / "out" / "solve.png").read_bytes()


def test_quiet_and_progress(solve, tmp_path):
    out = tmp_path / "out"
    assert solve(*FAST) == (0, f"Wrote {out / 'model.json'}\nWrote {out / 'report.json'}\n", "")
    _, _, err = solve(*FAST, "--progress")
    assert [line.split(" ")[0] for line in err.splitlines()] == ["reading", "reading", "[1/1]", "[1/1]"]


def test_what_new_rows_have_is_told_on_stderr(solve, capsys, tmp_path):
    solve(*FAST)
    new = tmp_path / "new.csv"
    new.write_text("x,group\n1.5,c\n,a\n")
    code, out, err = run(capsys, "predict", tmp_path / "out" / "model.json", new)
    assert code == 0
    assert len(out.splitlines()) == 3
    assert err == (
        "minimax-opt predict: 1 rows are of groups that training did not have ('c'): its worst case says nothing about them.\n"
    )


def test_the_test_file_is_judged(solve, table):
    _, out, _ = solve(*BASIC, "--test", table, "--no-figure")
    assert "Held out · 60 rows · test table" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "z", "--group", "group"], "the table has no column 'z'"),
        (["--target", "y", "--group", "y"], "distinct numbers make no groups. Bin them: `--group y:4`"),
        (["--target", "sick", "--group", "group", "--loss", "huber"], "pass `--loss logistic`"),
        (["--target", "y", "--group", "group", "--loss", "hinge"], "`--loss` must be one of auto"),
        (["--target", "y", "--group", "group", "--ambiguity", "cvar:2"], "tail_fraction"),
        (["--target", "y", "--group", "group", "--separator", ";"], "pass `--separator ','`"),
        (["--target", "y", "--group", "group", "--test", "absent.csv"], "absent.csv: there is no such file"),
    ],
)
def test_mistakes_are_told_without_a_traceback(solve, monkeypatch, arguments, message):
    monkeypatch.setattr(mo, "minimize_max", lambda *a, **k: pytest.fail("solved first"))
    code, out, err = solve(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("minimax-opt solve: ")
    assert message in err


def test_mistakes_of_predict_are_told_without_a_traceback(solve, capsys, table, tmp_path):
    solve(*FAST)
    model = tmp_path / "out" / "model.json"
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    for arguments, message in (
        ([tmp_path / "none.json", table], "No such file"),
        ([table, table], "is not JSON"),
        ([model, other], "lacks columns that the model was trained on: x"),
        ([model, table, "--keep", "ID"], "`--keep`: the table has no column 'ID'. Did you mean 'id'?"),
    ):
        code, out, err = run(capsys, "predict", *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("minimax-opt predict: ")
        assert message in err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--holdout", "1.5"], "between 0 and 1"),
        (["--ridge", "-1"], "finite number of at least 0"),
        (["--seed", "-1"], "whole number of at least 0"),
        (["--min-group-size", "0"], "at least 1"),
        (["--holdout", "0.2", "--test", "x.csv"], "not allowed with"),
    ],
)
def test_wrong_options_exit_with_2(solve, capsys, option, message):
    with pytest.raises(SystemExit) as stop:
        solve(*BASIC, *option)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_without_pandas_the_pip_command_is_named(solve, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    code, _, err = solve(*FAST)
    assert code == 2
    assert 'pip install "minimax_opt[tabular]"' in err


def test_an_interrupt_leaves_a_report_and_no_model(solve, capsys, tmp_path, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(mo, "minimize_max", interrupt)
    code, _, err = solve(*FAST)
    assert code == 130
    assert "Interrupted" in err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report.json"]


def test_an_output_that_cannot_be_written_is_told_before_the_work(capsys, table, tmp_path, monkeypatch):
    monkeypatch.setattr(mo, "minimize_max", lambda *a, **k: pytest.fail("solved first"))
    code, _, err = run(capsys, "solve", table, *FAST, "--output", table)
    assert code == 2
    assert "`--output` must be a folder where model.json, report.json can be written" in err


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_documented_commands_run(page, capsys, tmp_path, monkeypatch):
    """The page's Python blocks make the files that its commands read. `reproduce` takes longer than a test may: `.ci/run` runs it."""
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {}
    commands = []
    for language, block in re.findall(r"^```(python|bash)\n(.*?)^```", page.read_text(), flags=re.M | re.S):
        if language == "python":
            exec(compile(block, str(page), "exec"), scope)
        lines = block.splitlines() if language == "bash" else []
        commands = [shlex.split(line) for line in lines if re.match("minimax-opt (?!reproduce)", line)]
        for command in commands:
            code, _, err = run(capsys, *command[1:])
            assert (code, err) == (0, ""), command


def test_predictions_replace_neither_the_model_nor_the_table(solve, capsys, table, tmp_path):
    solve(*FAST)
    model = tmp_path / "out" / "model.json"
    before = model.read_bytes(), table.read_bytes()
    for output, message in (
        (model, "would overwrite MODEL"),
        (tmp_path / "out" / ".." / table.name, "would overwrite FILE"),
        (tmp_path, "must be a file, but is a folder"),
    ):
        code, out, err = run(capsys, "predict", model, table, "--output", output)
        assert (code, out) == (2, "")
        assert message in err
    assert before == (model.read_bytes(), table.read_bytes())


def test_short_rows_are_told_on_stderr(solve, table):
    with table.open("a") as file:
        file.write("60,0.5,a\n")
    code, _, err = solve(*FAST)
    assert code == 0
    assert err.startswith("minimax-opt solve: ")
    assert "1 of 61 rows have fewer entries than the header" in err


def test_values_of_rounding_size_are_said_to_agree(solve, table):
    frame = pd.read_csv(table)
    frame.assign(y=1000 + 3 * frame["x"]).to_csv(table, index=False)
    code, out, _ = solve(*BASIC, "--ridge", "0", "--no-figure")
    assert code == 0
    assert "agrees, to the rounding of the data" in " ".join(out.split())
