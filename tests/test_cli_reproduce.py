"""``minimax-opt reproduce``, as a user meets it."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import reproduce_fakes as fakes

from minimax_opt import cli, reproduce
from minimax_opt.cli.reproduce import EXIT_CODES
from minimax_opt.reproduce import processes

ROOT = Path(__file__).parent.parent


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run the command on these experiments in this process: (exit code, stdout, stderr)."""
    inside = processes.run_experiments

    def here(experiments, job, done, number, announce):
        assert number >= 1
        inside(experiments, job, done, 0, announce)

    monkeypatch.setattr(processes, "run_experiments", here)

    def command(experiments, *options, output=tmp_path):
        monkeypatch.setattr(reproduce, "EXPERIMENTS", tuple(experiments))
        code = cli.main(["reproduce", "--output", str(output), *options])
        return code, *capsys.readouterr()

    return command


def records(folder):
    """Every result without the time that it took."""
    return {path.name: json.loads(path.read_text()) | {"seconds": 0} for path in folder.glob("*.json")}


def test_a_run_writes_results_figures_and_a_report(run, tmp_path):
    code, out, err = run([fakes.SQUARES, fakes.OTHER], "--quick")
    assert (code, err) == (0, "")
    assert [line[:29] for line in out.splitlines()[:2]] == ["squares  1 of 1 claims hold  ", "other    1 of 1 claims hold  "]
    assert "All 2 claims hold." in out
    assert out.endswith(f"Wrote {tmp_path / 'report.html'}\n")
    names = ["other.json", "report.html", "squares-drawn.pdf", "squares-drawn.png", "squares.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert f"minimax-opt reproduce --quick --output {tmp_path}" in (tmp_path / "report.html").read_text()


def test_a_rerun_computes_nothing_unless_it_is_asked_to(run, tmp_path):
    run([fakes.SQUARES], "--quick")
    before = (tmp_path / "squares.json").read_bytes()
    code, out, err = run([fakes.SQUARES], "--quick")
    assert (code, err) == (0, "")
    assert "(saved before)" in out
    assert (tmp_path / "squares.json").read_bytes() == before
    assert "(saved before)" not in run([fakes.SQUARES], "--quick", "--fresh")[1]


def test_an_interrupted_run_goes_on_to_the_same_results(run, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    run([fakes.SQUARES, fakes.OTHER], "--quick", "--seed", "5", output=whole)
    stopped = [fakes.SQUARES, replace(fakes.OTHER, compute=fakes.is_interrupted)]
    code, out, err = run(stopped, "--quick", "--seed", "5", "--fresh", output=parts)
    assert code == 130
    assert out.startswith("squares  1 of 1 claims hold")
    again = f"minimax-opt reproduce --quick --seed 5 --output {parts}"
    assert err == f"Interrupted: 1 of 2 experiments are done, their results are in {parts}. Continue with: {again}\n"
    kept = (parts / "squares.json").read_bytes()
    code, out, _ = run([fakes.SQUARES, fakes.OTHER], "--quick", "--seed", "5", output=parts)
    assert code == 0
    assert out.count("(saved before)") == 1
    assert (parts / "squares.json").read_bytes() == kept
    assert records(parts) == records(whole)
    assert (parts / "squares-drawn.png").read_bytes() == (whole / "squares-drawn.png").read_bytes()


def test_a_claim_that_does_not_hold_is_exit_code_1(run, tmp_path):
    code, out, _ = run([fakes.WRONG, fakes.OTHER], "--quick")
    assert code == 1
    assert "DOES NOT HOLD (wrong): 3 < 2\n  bound:    < 2\n  measured: 3" in out
    assert "2 of 3 claims hold. DOES NOT HOLD: wrong." in out
    assert "does not hold" in (tmp_path / "report.html").read_text()


def test_an_experiment_that_fails_does_not_lose_the_others(run, tmp_path):
    code, out, _ = run([fakes.RAISES, fakes.SQUARES], "--quick")
    assert code == 1
    assert "raises   FAILED: ValueError: the sum of <weights> is 0.9\n" in out
    assert "1 of 1 claims hold. FAILED with an error: raises." in out
    assert (tmp_path / "squares.json").exists()


def test_a_file_that_is_kept_is_told(run, tmp_path):
    (tmp_path / "other.json").write_text("mine")
    code, _, err = run([fakes.OTHER], "--quick")
    assert code == 0
    assert err.startswith("other: other.json is damaged")
    assert (tmp_path / "other.old-1.json").read_text() == "mine"


def test_names_choose_and_unknown_ones_are_told(run, tmp_path):
    known = [fakes.SQUARES, fakes.OTHER]
    assert run(known, "--quick", "other", output=tmp_path / "new")[0] == 0
    assert list(records(tmp_path / "new")) == ["other.json"]
    code, out, err = run(known, "othr", output=tmp_path / "none")
    assert (code, out) == (2, "")
    text = "unknown experiment: 'othr'. Did you mean 'other'? Known: 'squares', 'other'."
    assert err == f"minimax-opt reproduce: {text}\n"
    assert not (tmp_path / "none").exists()


def test_list_names_every_experiment(run, tmp_path):
    code, out, _ = run([fakes.SQUARES, fakes.OTHER], "--list")
    assert (code, out) == (0, "squares  Mean of squares\nother    Once more\n")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told_before_the_work(run, tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "squares.json").mkdir()
    never = replace(fakes.SQUARES, compute=lambda quick, seed: pytest.fail("computed first"))
    for folder in (tmp_path / "file", tmp_path):
        code, out, err = run([never], output=folder)
        assert (code, out) == (2, "")
        assert err.startswith(f"minimax-opt reproduce: {folder}: ")
        assert "`--output` must be a folder where report.html, squares.json, squares-drawn.png, squares-drawn.pdf can be" in err


def test_no_figure_draws_nothing(run, tmp_path):
    assert run([fakes.SQUARES], "--quick", "--no-figure")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "squares.json"]
    assert "--no-figure" in (tmp_path / "report.html").read_text()


def test_help_says_what_is_optional_and_how_it_ends(capsys):
    with pytest.raises(SystemExit):
        cli.main(["reproduce", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert 'pip install "minimax_opt[theory]"' in text
    assert " ".join(EXIT_CODES.split()) in text


@pytest.mark.parametrize("page", ["README.md", "docs/theory/README.md"])
def test_the_documented_commands_are_understood(page):
    found = re.findall(r"^ *(minimax-opt reproduce\b.*)$|`(minimax-opt reproduce\b.*?)`", (ROOT / page).read_text(), flags=re.M)
    commands = [shlex.split(block or inline)[1:] for block, inline in found]
    assert ["reproduce", "--quick"] in commands
    for command in commands:
        assert cli._parser().parse_args(command).command == "reproduce"


def start_and_wait(folder):
    """The command in a process group of its own, with an experiment that is done and one that never ends: (command, the latter's process)."""
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import reproduce_fakes as fakes\nfrom dataclasses import replace\nfrom minimax_opt import cli, reproduce\n"
        "asleep = replace(fakes.RAISES, name='asleep', compute=fakes.waits_for_ctrl_c)\n"
        "reproduce.EXPERIMENTS = (fakes.OTHER, asleep)\n"
        f"sys.exit(cli.main(['reproduce', '--quick', '--jobs', '1', '--output', {str(folder)!r}]))"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "kernels"), str(ROOT / "tests")])
    command = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    return command, int(command.stderr.readline().removeprefix("running "))


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups")
def test_ctrl_c_in_a_terminal_ends_all_processes_and_says_how_to_go_on(tmp_path):
    """A terminal sends SIGINT to the whole group: the command answers once, without any traceback, and nobody stays."""
    command, worker = start_and_wait(tmp_path)
    os.killpg(command.pid, signal.SIGINT)
    out, err = command.communicate(timeout=60)
    assert command.returncode == 130
    assert out.startswith("other   1 of 1 claims hold")
    assert err.startswith("Interrupted: 1 of 2 experiments are done")
    assert "Traceback" not in err
    assert [entry.name for entry in tmp_path.iterdir()] == ["other.json"]
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups")
def test_nobody_works_on_for_a_command_that_was_killed(tmp_path):
    command, _ = start_and_wait(tmp_path)
    command.kill()
    command.communicate(timeout=30)  # ends when nobody holds the pipes: the sleeper alone would hold them for a minute
    assert [entry.name for entry in tmp_path.iterdir()] == ["other.json"]
