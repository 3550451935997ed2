from __future__ import annotations

import json
import multiprocessing
import os
from dataclasses import replace

import pytest
import reproduce_fakes as fakes

from minimax_opt.reproduce.processes import ONE_THREAD, run_experiments, usable_cores


def run(experiments, job, processes):
    outcomes = {}
    run_experiments(experiments, job, lambda outcome: outcomes.update({outcome.name: outcome}), processes)
    return outcomes


def test_processes_give_the_numbers_of_one_process(job, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    chosen = (fakes.SQUARES, fakes.THREADS, replace(fakes.RAISES, compute=fakes.dies))
    variables = {name: os.environ.get(name) for name in ONE_THREAD}
    outcomes = run(chosen, job, processes=2)
    assert {name: os.environ.get(name) for name in ONE_THREAD} == variables
    assert outcomes["squares"].holds
    assert outcomes["raises"].error == "its process ended with exit code 7, before it could say why"
    threads = json.loads((tmp_path / "threads.json").read_text())["result"]
    assert (threads["torch"], threads["blas"]) == (1, "1")
    assert threads["process"] != os.getpid()
    (tmp_path / "here").mkdir()
    alone = run([fakes.SQUARES], replace(job, folder=tmp_path / "here"), processes=0)["squares"]
    assert alone.claims == outcomes["squares"].claims
    here, there = (json.loads((folder / "squares.json").read_text()) for folder in (tmp_path / "here", tmp_path))
    assert here | {"seconds": 0} == there | {"seconds": 0}


def test_an_interrupt_ends_the_processes_and_keeps_what_is_saved(job, tmp_path):
    def stop(outcome):
        raise KeyboardInterrupt

    asleep = replace(fakes.RAISES, name="asleep", compute=fakes.sleeps)
    with pytest.raises(KeyboardInterrupt):
        run_experiments([fakes.SQUARES, asleep], job, stop, processes=2)
    assert not multiprocessing.active_children()
    assert [path.name for path in tmp_path.iterdir()] == ["squares.json"]


def test_one_process_tells_who_runs(job):
    told: list[list[str]] = []
    run_experiments([fakes.SQUARES, fakes.RAISES], job, lambda outcome: None, 0, told.append)
    assert told == [["squares"], ["raises"]]


def test_there_is_a_core():
    assert usable_cores() >= 1
