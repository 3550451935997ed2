"""From a data frame to a certified worst-case model, with the average model beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minimax_opt.comparison.adversaries import parse_adversary
from minimax_opt.comparison.case import Case
from minimax_opt.comparison.run import Progress, run_cases
from minimax_opt.tabular.choose import listed
from minimax_opt.tabular.evaluate import evaluate
from minimax_opt.tabular.extras import TableError
from minimax_opt.tabular.model import Model
from minimax_opt.tabular.prepare import Prepared, Recipe, prepare

REFERENCE_CELLS = 200_000  # entries of the matrix up to which cvxpy takes seconds
IDLE = 1e-3  # weight below which only the penalty decides a group's loss
RIDGE, TOLERANCE, L1_TOLERANCE = 1e-4, 1e-8, 1e-6


@dataclass(frozen=True)
class Solution:
    """What :func:`solve_table` returns.

    Attributes
    ----------
    model : Model or None
        None where an interrupt came before both models were known.
    report : dict
        See :mod:`minimax_opt.comparison.report`; one problem, with ``held_out`` where rows were held out.
    """

    model: Model | None
    report: dict[str, Any]


def solve_table(
    frame: Any,
    target: str,
    groups: str | Sequence[str],
    *,
    loss: str = "auto",
    ambiguity: str = "simplex",
    floor: float = 0.0,
    ridge: float = RIDGE,
    l1: float = 0.0,
    features: Sequence[str] = (),
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    positive: str | None = None,
    min_group_size: int = 1,
    max_levels: int = 50,
    test: Any = None,
    holdout: float = 0.0,
    seed: int = 0,
    tol: float | None = None,
    reference: bool | None = False,
    progress: Progress | None = None,
    show: Callable[[dict[str, Any]], None] | None = None,
    name: str = "table",
    source: str = "a data frame",
) -> Solution:
    """Fit a linear model to a table whose worst group is as good as it can be, and the average model beside it.

    Parameters
    ----------
    frame : pandas.DataFrame
        Not changed.
    target : str
        The column to predict. Rows without it are dropped.
    groups : str or sequence of str
        The columns whose values are the groups, or ``"COL:BINS"`` for bins of a number; several make intersections. They are no
        features unless `features` names them. Rows without a group are dropped.
    loss : str
        "auto" (by the target), "least-squares", "logistic", "multinomial", "poisson", "huber" or "huber:DELTA", "quantile" or
        "quantile:QUANTILE".
    ambiguity : str
        "simplex" (the worst group), "cvar:TAIL_FRACTION", "kl:RADIUS" or "chi-square:RADIUS".
    floor : float
        In [0, 1): this share of the adversary's weights stays at the groups' shares of the rows (at even shares, for CVaR). A small one
        also fits the groups that do not hold the worst case, which otherwise may be as bad as it for the sake of a smaller penalty.
    ridge, l1 : float
        Strengths of (ridge/2) |x|^2 and l1 |x|_1 over the coefficients of the standardised columns; the intercept is free.
    features, drop, categorical : sequence of str
        Columns to use (default: all), to leave out, and to read as categories.
    positive : str, optional
        The class whose probability a logistic loss models; the last one in order by default.
    min_group_size : int
        Groups with fewer rows are merged into one.
    max_levels : int
        Categories of a column beyond this many, the rarest, share one coefficient.
    test : pandas.DataFrame, optional
        Rows to judge both models on.
    holdout : float
        Instead of `test`: the share of each group's rows, in [0, 1), that is held out, drawn with `seed`.
    tol : float, optional
        Certified relative gap to reach: 1e-8, or 1e-6 with `l1`, which only first-order methods take where the table is large.
    reference : bool or None
        Compare with cvxpy where it is installed. None: if the problem is small.
    progress : Progress, optional
    show : callable, optional
        Called with the record of the solved problem.
    name, source : str
        What the table is called, and where it comes from.

    Returns
    -------
    Solution

    Raises
    ------
    TableError
        For whatever cannot be used, naming the column or the option.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"dose": [1.0, 2, 3, 1, 2, 3], "effect": [1.0, 2, 3, 2, 3, 4], "site": list("aaabbb")})
    >>> solution = solve_table(frame, target="effect", groups="site", ridge=0.0)
    >>> solution.model.predict(frame).round(6).tolist()
    [1.5, 2.5, 3.5, 1.5, 2.5, 3.5]
    >>> problem = solution.report["problems"][0]
    >>> problem["worst_case"]["certified"], round(problem["worst_case"]["worst"], 6)
    (True, 0.25)
    """
    if test is not None and holdout:
        raise TableError("`--test` and `--holdout` are two ways to the same end. Pass one of them.")
    recipe = Recipe(
        target=target,
        groups=(groups,) if isinstance(groups, str) else tuple(groups),
        loss=loss,
        features=tuple(features),
        drop=tuple(drop),
        categorical=tuple(categorical),
        positive=positive,
        min_group_size=min_group_size,
        max_levels=max_levels,
        holdout=holdout,
        seed=seed,
    )
    try:
        adversary = replace(parse_adversary(ambiguity), floor=floor)
        adversary.ambiguity(np.ones(1))  # let the set itself judge its floor
    except ValueError as error:
        raise TableError(f"`--ambiguity`: {error}") from None
    prepared = prepare(frame, recipe, source)
    if l1 and prepared.loss.kind == "quantile":
        raise TableError(
            "`--l1` with `--loss quantile`: no method certifies a sum of kinks and a 1-norm. Pass `--ridge` instead, or "
            "`--loss huber`, whose losses are smooth."
        )
    rows = prepared.rows
    by = " and ".join(column.name for column in prepared.grouping.columns)
    title = f"{target} by {by}"
    case = Case(name, title, lambda: rows, prepared.loss, adversary, ridge=ridge, l1=l1, free_intercept=True)
    compared = rows.n_rows * case.n_variables(rows) <= REFERENCE_CELLS if reference is None else reference

    def finish(record: dict[str, Any]) -> None:
        held_out, where = (
            (prepared.held_out, f"{holdout:.3g} of each group, seed {seed}") if test is None else (test, "test table")
        )
        if held_out is not None:
            record["held_out"] = evaluate(_model(prepared, record), held_out, adversary, where)
        record["data"]["notes"] += _idle_groups(record)
        if reference is None and not compared:
            record["reference_left_out"] = "left out, since the table is large; --reference asks for it"
        if show is not None:
            show(record)

    tol = (L1_TOLERANCE if l1 else TOLERANCE) if tol is None else tol
    report = run_cases([case], tol, compared, progress, finish, command="solve", seed=seed if holdout else None)
    record = report["problems"][0] if report["problems"] else {}
    return Solution(_model(prepared, record) if "worst_case" in record else None, report)


def _idle_groups(record: dict[str, Any]) -> list[list[str]]:
    """A warning where groups are as bad as the worst one though the adversary does not hold them: only the penalty chose that."""
    model, plain = record["worst_case"], not record["floor"] and record["ambiguity"] == "simplex"
    idle = [
        name
        for name, loss, weight in zip(record["tasks"], model["losses"], model["weights"], strict=True)
        if weight < IDLE and loss >= model["worst"] * (1.0 - 1e-6)
    ]
    if not plain or not idle:
        return []
    text = f"{listed(idle, 5)}: as bad as the worst group at almost no weight, for a smaller penalty; --floor 0.01 fits them too"
    return [["warning", text]]


def _model(prepared: Prepared, record: dict[str, Any]) -> Model:
    """The model of a solved problem's record."""
    shape = (len(prepared.encoding.names), prepared.loss.n_classes)
    x = {which: np.array(record[which]["x"]).reshape(shape) for which in ("worst_case", "average")}
    return Model(prepared.loss, prepared.target, prepared.grouping, prepared.encoding, x)
