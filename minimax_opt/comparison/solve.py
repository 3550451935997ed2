"""Solve one case: the average model, the worst-case model, and what the second costs and gains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import minimax_opt as mo
from minimax_opt.arrays import Host, to_host
from minimax_opt.comparison.case import Case
from minimax_opt.comparison.groups import GroupedRows
from minimax_opt.result import MinimaxResult, Status


def solve_case(case: Case, data: GroupedRows, tol: float, record: dict[str, Any], announce: Callable[[str], None]) -> None:
    """Solve both models of a case into `record`, in what JSON can hold.

    Parameters
    ----------
    case : Case
    data : GroupedRows
        ``case.load()``.
    tol : float
        Certified relative gap to reach.
    record : dict
        Filled in step by step, so that an interrupt leaves what is known: what the case is, then ``average`` and ``worst_case``
        (one model each) and ``summary``.
    announce : callable
        Told what is about to be done.
    """
    record.update(describe(case, data))
    tasks = case.tasks(data)
    regularizer = case.regularizer(data)

    announce("average model")
    average_tasks, average_set = case.average_problem(data)
    average = mo.minimize_max(average_tasks, ambiguity=average_set, regularizer=regularizer, tol=tol)
    record["average"] = _model(case, data, average, to_host(tasks(average.x)))
    if average.status == Status.INTERRUPTED:
        return

    announce("worst-case model")
    worst_case = mo.minimize_max(tasks, ambiguity=case.ambiguity(data), regularizer=regularizer, tol=tol)
    record["worst_case"] = _model(case, data, worst_case, to_host(worst_case.losses))
    record["worst_case"]["weights"] = case.per_task(to_host(worst_case.weights), np.add).tolist()
    record["summary"] = _summary(record["average"], record["worst_case"])


def describe(case: Case, data: GroupedRows) -> dict[str, Any]:
    """What the case is and where its data comes from."""
    return {
        "name": case.name,
        "title": case.title,
        "loss": {"kind": case.loss.kind, "label": case.loss.label, "unit": case.loss.unit, "mean": case.loss.mean},
        "ambiguity": str(case.adversary),
        "floor": case.adversary.floor,
        "adversary": case.adversary.sentence(*data.noun),
        "worst": case.adversary.worst(*data.noun),
        "ridge": case.ridge,
        "l1": case.l1,
        "free_intercept": case.free_intercept,
        "noun": list(data.noun),
        "tasks": list(data.names),
        "rows": list(data.rows),
        "features": list(data.features),
        "data": data.provenance()
        | {
            "rows_read": data.rows_read,
            "rows_used": data.n_rows,
            "rows_dropped": data.rows_read - data.n_rows,
            "dropped": data.dropped,
        },
    }


def _model(case: Case, data: GroupedRows, result: MinimaxResult, raw: Host) -> dict[str, Any]:
    """One solved model; `raw` are the losses of ``case.tasks(data)`` at its x."""
    x, losses = to_host(result.x), case.per_task(raw, np.maximum)
    return {
        "x": x.tolist(),
        "losses": losses.tolist(),
        "worst": case.worst(raw, data),
        "mean": case.mean(losses, data.shares),
        "penalty": case.penalty(x, data),
        "fun": result.fun,
        "lower_bound": result.lower_bound,
        "gap": result.gap,
        "relative_gap": result.gap / max(abs(result.fun), np.finfo(float).tiny),
        "certificate": {"kind": result.certificate.kind, "sentence": str(result.certificate)},
        "success": bool(result.success),
        "certified": bool(result.success and np.isfinite(result.gap)),
        "status": Status(result.status).name,
        "message": result.message,
        "method": result.method,
        "nit": result.nit,
        "nfev": result.nfev,
        "seconds": result.seconds,
    }


def _summary(average: dict[str, Any], worst_case: dict[str, Any]) -> dict[str, float]:
    """What the worst-case model gains at the worst and costs on average, as fractions of the average model's values."""
    return {
        "gain": -relative_change(average["worst"], worst_case["worst"]),
        "price": relative_change(average["mean"], worst_case["mean"]),
    }


def relative_change(old: float, new: float) -> float:
    """(new - old) / abs(old); 0 where nothing changes, infinite where `old` is zero.

    Examples
    --------
    >>> relative_change(4.0, 3.0), relative_change(0.0, 0.0), relative_change(0.0, 1.0)
    (-0.25, 0.0, inf)
    """
    if old == new:
        return 0.0
    return (new - old) / abs(old) if old else float("inf")
