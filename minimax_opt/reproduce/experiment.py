"""What an experiment of ``minimax-opt reproduce`` is: numbers that it computes, claims that they decide, figures that are drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Claim:
    """One statement of the theory beside what was measured.

    Attributes
    ----------
    statement : str
        In words and symbols, as in ``docs/theory/``, with the number of its theorem: "(A4) F(x_T) - F* <= (L + G^2/s) R^2/(2T) + s ln K".
    bound : str
        What the theory says, as numbers.
    measured : str
        What was seen, with its confidence interval where it is random.
    holds : bool
        The verdict, decided by numbers: never by eye.
    """

    statement: str
    bound: str
    measured: str
    holds: bool


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes
    ----------
    name : str
        What the command calls it; lower case, with hyphens.
    title : str
    compute : callable
        ``compute(quick, seed) -> dict``: all numbers, of the kinds that JSON has (lists, floats, strings). `quick` asks for seconds on one
        core, else for a few minutes at most. The same `seed`, the same numbers.
    claims : callable
        ``claims(result) -> list of Claim``.
    figures : mapping of str to callable
        ``draw(result) -> matplotlib.figure.Figure`` by the name of the file.
    """

    name: str
    title: str
    compute: Callable[[bool, int], dict[str, Any]]
    claims: Callable[[dict[str, Any]], list[Claim]]
    figures: Mapping[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)


__all__ = ["Claim", "Experiment"]
