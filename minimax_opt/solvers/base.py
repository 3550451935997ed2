"""The anatomy that every algorithm shares: ``init``, ``step``, and a state that the one loop reads.

An algorithm is a dataclass whose fields are its options, with two methods. It never loops, counts, prints or stops by itself:
:mod:`minimax_opt.solvers.loop` does. Where it wants a stop of its own (no progress left, a direction of unbounded descent), it sets
``state.status``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from minimax_opt.arrays import Array
from minimax_opt.certificate import Certificate
from minimax_opt.problem import Point, Problem
from minimax_opt.result import Status

COARSEST = 1e-3  # relative gap that passes for rounding


@dataclass
class State:
    """What an algorithm shows the loop after each step; algorithms add their own fields by subclassing.

    Attributes
    ----------
    point : Point
        The candidate minimiser of this iterate.
    weights : array, shape (K,)
        The candidate adversary: a point of W.
    certify : bool
        Whether a certificate of (point, weights) is worth its cost now. The loop certifies the last iterate anyway.
    status : Status or None
        The algorithm's own reason to stop.
    certificate : Certificate or None
        A lower bound that :func:`minimax_opt.certificate.certify` has already proven for `weights`, on part of the problem, say.
    """

    point: Point
    weights: Array
    certify: bool = False
    status: Status | None = None
    certificate: Certificate | None = None


@dataclass
class Target:
    """The accuracy asked for, so that an algorithm need not work beyond it.

    Attributes
    ----------
    tol, atol : float
        Converged means gap <= max(tol * |fun|, atol).
    automatic : bool
        Whether `atol` is the level of rounding, at the latest point that was asked. Then it counts in full only for values that are
        themselves no larger, an exact fit, and otherwise up to ``COARSEST`` times |fun|.
    """

    tol: float
    atol: float
    automatic: bool = False

    def gap(self, fun: float) -> float:
        """The gap at which the loop stops, max(tol * |fun|, atol)."""
        capped = self.automatic and abs(fun) > self.atol
        return max(self.tol * abs(fun), min(self.atol, COARSEST * abs(fun)) if capped else self.atol)

    def look(self, point: Point, weights: Array) -> None:
        """Set an automatic `atol` to what rounding lets anyone certify at this point; that of tasks without rows stays what it is at x0."""
        if self.automatic and point.problem.tasks.n_rows is not None:
            wrong = point.rounding(weights)
            self.atol = 4.0 * (wrong.value + wrong.newton**2)


class Solver(ABC):
    """One algorithm; a subclass is a dataclass of its options."""

    name: ClassVar[str]
    on_host: ClassVar[bool] = False  # True: x, weights and losses are NumPy float64 whatever the tasks' space
    max_iter: ClassVar[int] = 1000  # default iteration limit
    certifies_itself: ClassVar[bool] = False  # True: `State.certify` alone says when; the loop adds no certificates of its own

    def refuses(self, problem: Problem) -> str | None:
        """Why this method cannot solve `problem`, with a hint on what to do; None where it can."""
        return None

    @abstractmethod
    def init(self, problem: Problem, point: Point, weights0: Array | None, target: Target, seed: int) -> Any:
        """The first state, at x0 (`point`, already evaluated)."""

    def finish(self, problem: Problem, state: Any) -> Any:
        """The state with whatever is still to be evaluated, once the loop has ended: an average, say."""
        return state

    @abstractmethod
    def step(self, problem: Problem, state: Any) -> Any:
        """One iteration."""
