"""What a peer is to the benchmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from benchmarks.convex.data import Data


class Answer(NamedTuple):
    """A peer's x, and the work that it reports itself: iterations, evaluations, factorisations."""

    x: np.ndarray
    work: dict[str, int]


CONIC_TOLERANCES = (1e-4, 1e-7, 1e-9, 1e-10, 1e-11)

Solve = Callable[[float], Answer]


@dataclass(frozen=True)
class Peer:
    """A solver that can state a case.

    Attributes
    ----------
    name : str
    prepare : callable, () -> Solve
        States the problem; its cost is what a one-off user pays besides the solve. The solve takes the solver's own tolerance.
    tolerances : tuple of float
        From loose to tight; for each level of accuracy the fastest that reaches it counts.
    modelled : bool
        Through cvxpy: the statement is compiled, and its cost is reported as compile time.
    reduced : bool
        The statement replaces the rows of each group by their QR factor. That is arithmetic on the data, which ours does within its time, and
        is counted as a peer's time too.
    whole : bool
        The library offers statement and solve only as one call, so that its time holds both.
    """

    name: str
    prepare: Callable[[], Solve] = field(repr=False)
    tolerances: tuple[float, ...] = CONIC_TOLERANCES
    modelled: bool = False
    reduced: bool = False
    whole: bool = False


def answer(data: Data, x: Any, **work: Any) -> Answer:
    """The first n entries of a solver's vector; no vector is nan, which the judge calls infinite."""
    found = np.full(data.n_variables, np.nan) if x is None else np.asarray(x, dtype=float).ravel()[: data.n_variables]
    return Answer(found, {name: int(count) for name, count in work.items() if count is not None})
