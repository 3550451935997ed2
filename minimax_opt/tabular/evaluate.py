"""How both models do on rows that neither was trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

import minimax_opt as mo
from minimax_opt.arrays import Host, to_host
from minimax_opt.comparison.adversaries import Adversary
from minimax_opt.comparison.losses import FAMILIES
from minimax_opt.comparison.solve import relative_change
from minimax_opt.comparison.table import align, entry, form, percent
from minimax_opt.tabular.choose import require_column
from minimax_opt.tabular.extras import TableError
from minimax_opt.tabular.model import Model
from minimax_opt.tabular.prepare import split_rows


def evaluate(model: Model, frame: Any, adversary: Adversary, source: str) -> dict[str, Any]:
    """Losses of both models on a table that has the target and the groups, by group.

    Returns
    -------
    dict
        ``tasks`` (the groups of training that have rows), ``rows``, ``rows_dropped``, ``strange`` (groups that training did not have,
        with their rows), ``notes``, and for ``average`` and ``worst_case`` the ``losses``, the ``worst`` case over these groups and
        the ``mean`` over their rows.
    """
    require_column(frame, model.target.name, "test")
    frame = frame.reset_index(drop=True)
    matrix, told = model.encoding.encode(frame)
    target, labels = model.target.encode(frame[model.target.name]), model.grouping.labels(frame)
    usable = np.isfinite(target)
    if FAMILIES[model.loss.kind].target == "count":
        usable &= ~(target < 0)
    known = usable & np.array([label in model.grouping.groups for label in labels])
    strange = [label for label, use in zip(labels, usable & ~known, strict=True) if use and label is not None]
    labels[~known] = None
    data = split_rows(matrix, target, labels, model.grouping.groups, model.encoding.names, rows_read=len(frame))
    if not data.names:
        raise TableError(f"{source}: no row has a target `{model.target.name}` and a group that training had.")
    tasks = FAMILIES[model.loss.kind].tasks(data.matrices, data.targets, model.loss)
    ambiguity = replace(adversary, floor=0.0).ambiguity(data.shares)
    record: dict[str, Any] = {
        "source": source,
        "tasks": list(data.names),
        "rows": list(data.rows),
        "rows_dropped": len(frame) - data.n_rows,
        "strange": {name: strange.count(name) for name in dict.fromkeys(strange)},
        "notes": told,
    }
    for which, x in model.coefficients.items():
        losses = to_host(tasks(x.ravel()))
        worst = float(mo.worst_case(losses, ambiguity))
        record[which] = {"losses": losses.tolist(), "worst": worst, "mean": _mean(losses, data.shares)}
    return record


def held_out_text(problem: dict[str, Any], max_tasks: int = 10) -> str:
    """The table of ``problem["held_out"]``, with the training losses beside what it summarises."""
    record = problem["held_out"]
    average, worst = record["average"], record["worst_case"]
    order = sorted(range(len(record["tasks"])), key=lambda k: -max(average["losses"][k], worst["losses"][k]))[:max_tasks]
    show = form(max(average["losses"]), 4)
    rows = [(record["tasks"][k], f"{record['rows'][k]:,}", show(average["losses"][k]), show(worst["losses"][k])) for k in order]
    hidden = len(record["tasks"]) - len(order)
    head = f"Held out · {sum(record['rows']):,} rows · {record['source']}"
    strange = ", ".join(f"{name} ({rows:,} rows)" for name, rows in list(record["strange"].items())[:5])
    return "\n".join(
        [
            head,
            "─" * len(head),
            *("  " + line for line in align([("group", "rows", "average model", "worst-case model"), *rows], left=1)),
            *([f"  … and {hidden} more groups, in the report"] if hidden else []),
            "",
            *_compared(problem["worst"], problem, "worst"),
            *_compared("mean", problem, "mean"),
            *(
                entry("dropped", f"{record['rows_dropped']:,} rows without a target or a known group")
                if record["rows_dropped"]
                else []
            ),
            *(entry("not in training", strange) if strange else []),
            *(line for sentence in record["notes"] for line in entry("note", sentence)),
        ]
    )


def _compared(label: str, problem: dict[str, Any], key: str) -> list[str]:
    old, new = (problem["held_out"][which][key] for which in ("average", "worst_case"))
    before, after = (problem[which][key] for which in ("average", "worst_case"))
    show = form(max(old, before), 6)
    change = percent(relative_change(old, new))
    return entry(label, f"{show(old)} → {show(new)}   ({change}); in training {show(before)} → {show(after)}")


def _mean(losses: Host, shares: Host) -> float:
    return float(shares @ losses)
