"""The demo's problems: a data set, a loss, an ambiguity set."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import Any

import numpy as np

import minimax_opt as mo
from minimax_opt.arrays import Host
from minimax_opt.demo import datasets
from minimax_opt.demo.adversaries import Adversary
from minimax_opt.demo.datasets import Dataset


@dataclass(frozen=True)
class Loss:
    """How a task's loss is measured.

    Attributes
    ----------
    kind : {"least-squares", "logistic", "chebyshev"}
    label, unit : str
        For axes and tables.
    mean : str
        What the average over all rows is called.
    """

    kind: str
    label: str
    unit: str
    mean: str


@dataclass(frozen=True)
class Case:
    """One problem of the demo: min_x max_{w in W} <w, f(x)> + ridge/2 |x|^2.

    Attributes
    ----------
    name, title : str
        The title says what is predicted from what, never the ambiguity set, which :func:`with_adversary` may replace.
    load : callable
        Returns the :class:`~minimax_opt.demo.datasets.Dataset`.
    loss : Loss
    adversary : Adversary
        W; only the simplex for the Chebyshev fit, whose tasks the solver sees as two signed errors each: the larger of the two is
        the absolute error, but no other mixture of signed errors is one of absolute errors.
    ridge : float
        Strength of the regulariser; 0 for none.

    Raises
    ------
    ValueError
        For a Chebyshev fit under another set.
    """

    name: str
    title: str
    load: Callable[[], Dataset]
    loss: Loss
    adversary: Adversary
    ridge: float = 0.0

    def __post_init__(self) -> None:
        if not self.takes(self.adversary):
            raise ValueError(
                f"The problem {self.name!r} is about the largest absolute error, so its ambiguity set must be simplex, got "
                f"{self.adversary}. Leave {self.name!r} out, or choose simplex."
            )

    def takes(self, adversary: Adversary) -> bool:
        """Whether the problem is defined under this adversary."""
        return self.loss.kind != "chebyshev" or adversary.kind == "simplex"

    def tasks(self, data: Dataset) -> Any:
        """The K tasks of the worst-case model (2 N affine ones for the Chebyshev fit)."""
        if self.loss.kind == "least-squares":
            return mo.LeastSquaresTasks(data.matrices, data.targets)
        if self.loss.kind == "logistic":
            return mo.LogisticTasks(data.matrices, data.targets)
        return mo.ChebyshevTasks(np.vstack(data.matrices), np.concatenate(data.targets))

    def ambiguity(self, data: Dataset) -> Any:
        """W over the K tasks of :meth:`tasks`, centred (where it has a centre) at the share of each task in the rows."""
        return self.adversary.ambiguity(data.shares)

    def average_problem(self, data: Dataset) -> tuple[Any, Any]:
        """(tasks, ambiguity) of the average model: the mean loss over all rows; least squares for the Chebyshev fit."""
        if self.loss.kind == "chebyshev":
            return mo.LeastSquaresTasks([np.vstack(data.matrices)], [np.concatenate(data.targets)]), mo.Simplex()
        return self.tasks(data), mo.CVaR(1.0, prior=data.shares.tolist())

    def per_task(self, raw: Host, combine: Callable[[Host, Host], Host]) -> Host:
        """Fold the two sides +-(a'x - b) of the Chebyshev fit into one number per task; others pass unchanged."""
        return combine(*np.split(raw, 2)) if self.loss.kind == "chebyshev" else raw

    def mean(self, losses: Host, shares: Host) -> float:
        """Mean loss over all rows; the root of the mean square for the Chebyshev fit, which is what least squares minimises."""
        return float(np.sqrt(shares @ losses**2) if self.loss.kind == "chebyshev" else shares @ losses)


WAGE_LOSS = Loss("least-squares", "mean squared error", "(log weekly income)²", "mean over all people")
LOG_LOSS = Loss("logistic", "mean log loss", "nats", "mean over all rows")
PRICE_LOSS = Loss("chebyshev", "absolute error", "$1000", "root mean square over all houses")

CASES = (
    Case("wages", "Weekly income, US census 2000", datasets.census_wages, WAGE_LOSS, Adversary("simplex", nan)),
    Case("wages-tail", "Weekly income, US census 2000", datasets.census_wages, WAGE_LOSS, Adversary("cvar", 0.1)),
    Case("digits", "Odd or even, handwritten digits", datasets.digit_parity, LOG_LOSS, Adversary("simplex", nan), ridge=1e-4),
    Case("contraception", "Use of contraception, Botswana 1988", datasets.contraception, LOG_LOSS, Adversary("simplex", nan)),
    Case("mortgages", "Mortgage approval, Boston 1990", datasets.mortgage_approval, LOG_LOSS, Adversary("kl", 0.5)),
    Case("houses", "Largest error of a house price, Boston 1990", datasets.house_prices, PRICE_LOSS, Adversary("simplex", nan)),
)


def find_cases(names: list[str] | tuple[str, ...]) -> tuple[Case, ...]:
    """The cases of these names, in the given order and without repeats; all of them for an empty list.

    Raises
    ------
    ValueError
        For an unknown name; the message suggests the nearest known one.

    Examples
    --------
    >>> [case.name for case in find_cases(["digits", "houses"])]
    ['digits', 'houses']
    """
    known = {case.name: case for case in CASES}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"Did you mean {near[0]!r}? " if near else ""
            raise ValueError(f"There is no demo problem {name!r}. {hint}The problems are: {', '.join(known)}.")
    return tuple(known[name] for name in dict.fromkeys(names)) or CASES


def with_adversary(cases: Sequence[Case], adversary: Adversary, skip: bool = False) -> tuple[tuple[Case, ...], list[str]]:
    """The cases under another ambiguity set, and a sentence for each that is left out: it repeats an earlier one, or `skip`.

    Parameters
    ----------
    cases : sequence of Case
    adversary : Adversary
    skip : bool
        Leave out a case that the set does not fit.

    Raises
    ------
    ValueError
        For a case that the set does not fit, without `skip`.

    Examples
    --------
    >>> kept, left_out = with_adversary(CASES, Adversary("kl", 0.1), skip=True)
    >>> [case.name for case in kept]
    ['wages', 'digits', 'contraception', 'mortgages']
    >>> left_out[0]
    "'wages-tail' is left out: under kl:0.1 it is the same problem as 'wages'."
    """
    kept: dict[Any, Case] = {}
    left_out = []
    for case in cases:
        problem = (case.load, case.loss, case.ridge)
        if skip and not case.takes(adversary):
            left_out.append(f"{case.name!r} is left out: its ambiguity set must be simplex.")
        elif problem in kept:
            left_out.append(f"{case.name!r} is left out: under {adversary} it is the same problem as {kept[problem].name!r}.")
        else:
            kept[problem] = replace(case, adversary=adversary)
    return tuple(kept.values()), left_out
