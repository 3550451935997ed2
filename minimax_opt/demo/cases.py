"""The demo's problems: a data set, a loss, an ambiguity set."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from math import nan
from typing import Any

from minimax_opt.comparison.adversaries import Adversary
from minimax_opt.comparison.case import Case
from minimax_opt.comparison.losses import Loss
from minimax_opt.demo import datasets

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
