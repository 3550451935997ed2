"""The one command for a machine with a GPU, on a machine without: stress tests, order of work, what is reported, and that it goes on."""

from __future__ import annotations

import json
from argparse import Namespace
from types import SimpleNamespace

import pytest
import torch

from benchmarks.kernels import checks, gpu, stress
from benchmarks.kernels.suite import Case
from tests import kernel_cases
from tests.kernel_cases import capture

CPU = torch.device("cpu")
ROWS = kernel_cases.CASES[0]


def test_replays_on_changing_inputs_are_compared_to_the_first():
    found = stress.stressed(ROWS, "ours", 0, CPU, 20)
    assert (found["replays"], found["differing"], found["inputs"]) == (20, 0, 8)
    assert found["error"] < 1e-6
    calls = iter(range(100))

    def racing(inputs):
        return lambda: inputs["x"].sum() + (1.0 if next(calls) == 17 else 0.0)

    case = Case("c", kernel_cases.make_rows, {"ours": racing}, lambda inputs: inputs["x"].double().sum())
    assert stress.stressed(case, "ours", 0, CPU, 20)["differing"] == 1


def test_a_graph_is_seen_to_leave_parts_unwritten_and_to_differ_from_calls():
    found = stress.stressed(ROWS, "ours", 0, CPU, 5, capture)
    assert found["differing"] == 0
    assert found["as_eager"]
    assert not found["obstacle"]

    def partial(run):
        outputs = run()
        return lambda: outputs[0].copy_(run()[0]), outputs

    found = stress.stressed(ROWS, "ours", 0, CPU, 5, partial)
    assert not found["as_eager"]
    assert found["error"] > 1e-3, "what is not written is rubbish"

    def fails(run):
        raise RuntimeError("operation not permitted when stream is capturing")

    found = stress.stressed(ROWS, "ours", 0, CPU, 5, fails)
    assert found["differing"] == 0
    assert "capturing" in found["obstacle"]


def arguments(folder, **more):
    options = {"families": ["tests.kernel_cases"], "quick": True, "seed": 21, "rounds": None, "budget": 5.0, "device": "cpu"}
    return Namespace(output=folder, **{**options, **more})


def test_the_gpu_command_runs_emulated_and_goes_on(tmp_path, monkeypatch, capsys):
    ran = []
    run = SimpleNamespace(returncode=0, stdout="3 passed\n", stderr="")
    monkeypatch.setattr(checks.subprocess, "run", lambda command, **more: ran.append(command) or run)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert gpu.everything(arguments(tmp_path), lambda: 1.0) == 0, "no time left: nothing is done"
    assert "Run the same command again" in capsys.readouterr().out
    assert gpu.everything(arguments(tmp_path), lambda: 500.0) == 0
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert content["settings"]["place"] == "interpreter"
    assert content["tests"]["tests/kernels"]["passed"]
    assert content["stress"][f"{ROWS.name}: ours"]["replays"] == gpu.EMULATED
    assert set(content["cases"]) == {ROWS.name}
    text = (tmp_path / "gpu.md").read_text()
    assert "all the same bits" in text
    assert "3 passed" in text
    assert "All done" in capsys.readouterr().out
    again = len(ran)
    gpu.everything(arguments(tmp_path), lambda: 500.0)
    assert len(ran) == again, "what is done is not done again"


def test_the_gpu_command_reports_failures(tmp_path, monkeypatch):
    def late(command, **more):
        raise checks.subprocess.TimeoutExpired(command, 1.0, output=b"half")

    monkeypatch.setattr(checks.subprocess, "run", late)
    monkeypatch.setattr(gpu, "stressed", lambda *a: 1 / 0)
    assert gpu.everything(arguments(tmp_path), lambda: 500.0) == 2
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert content["tests"]["tests/kernels"]["output"][0] == "half"
    assert gpu.describe("stress", {"absent": "no cap here"}) == "cannot: no cap here"
    assert "ZeroDivisionError" in content["stress"][f"{ROWS.name}: ours"]["failure"]


def test_the_sanitizer_watches_every_small_op(tmp_path, monkeypatch, capsys):
    ran = []
    run = SimpleNamespace(returncode=9, stdout="Invalid __global__ read", stderr="")
    monkeypatch.setattr(checks.subprocess, "run", lambda command, **more: ran.append((command, more["env"])) or run)
    monkeypatch.setattr(checks.shutil, "which", lambda name: f"/bin/{name}")
    row = checks.run_sanitizer("memcheck", ["tests.kernel_cases"], "cuda", tmp_path / "log", 5.0)
    assert not row["passed"]
    assert "Invalid" in (tmp_path / "log").read_text()
    command, environment = ran[0]
    assert environment["PYTORCH_NO_CUDA_MEMORY_CACHING"] == "1"
    called = command[command.index("benchmarks.kernels.checks") + 1 :]
    monkeypatch.setattr("sys.argv", ["checks", *(word.replace("cuda", "interpreter") for word in called)])
    checks.main()
    assert "was called" in capsys.readouterr().out


def test_the_gpu_command_needs_a_gpu(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["gpu", "--output", "nowhere"])
    with pytest.raises(SystemExit):
        gpu.main()
    assert "--device cpu emulates" in capsys.readouterr().err
