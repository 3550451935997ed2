"""What `minimax-opt reproduce` needs of every experiment."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

from minimax_opt.reproduce import EXPERIMENTS


def test_names_are_unique_and_of_one_form():
    names = [experiment.name for experiment in EXPERIMENTS]
    figures = [name for experiment in EXPERIMENTS for name in experiment.figures]
    for kind in (names, figures):
        assert len(set(kind)) == len(kind)
        assert all(re.fullmatch(r"[a-z0-9]+([-_][a-z0-9]+)*", name) for name in kind), kind
    assert "report" not in names + figures


def test_another_process_can_run_them():
    """Functions at the top of a module, not lambdas, so that a new process finds them."""
    for experiment in EXPERIMENTS:
        assert pickle.loads(pickle.dumps(experiment)) == experiment


def test_the_index_of_the_theory_names_them_all():
    index = (Path(__file__).parents[2] / "docs" / "theory" / "README.md").read_text()
    for experiment in EXPERIMENTS:
        assert f"`{experiment.name}`" in index, experiment.name
