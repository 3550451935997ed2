"""One problem: rows in groups, a loss, an ambiguity set, and the two models that are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import minimax_opt as mo
from minimax_opt.arrays import Host
from minimax_opt.comparison.adversaries import Adversary
from minimax_opt.comparison.groups import GroupedRows
from minimax_opt.comparison.losses import FAMILIES, Loss


@dataclass(frozen=True)
class Case:
    """One problem: min_x max_{w in W} <w, f(x)> + ridge/2 |x|^2 + l1 |x|_1.

    Attributes
    ----------
    name, title : str
        The title says what is predicted from what, never the ambiguity set, which :func:`with_adversary` may replace.
    load : callable
        Returns the :class:`~minimax_opt.comparison.groups.GroupedRows`.
    loss : Loss
    adversary : Adversary
        W; only the simplex for the Chebyshev fit, whose tasks the solver sees as two signed errors each: the larger of the two is
        the absolute error, but no other mixture of signed errors is one of absolute errors.
    ridge, l1 : float
        Strengths of the regularisers; 0 for none.
    free_intercept : bool
        Whether the coefficients of the first column, that of ones, are left out of both penalties.

    Raises
    ------
    ValueError
        For a Chebyshev fit under another set.
    """

    name: str
    title: str
    load: Callable[[], GroupedRows]
    loss: Loss
    adversary: Adversary
    ridge: float = 0.0
    l1: float = 0.0
    free_intercept: bool = False

    def __post_init__(self) -> None:
        if not self.takes(self.adversary):
            raise ValueError(
                f"The problem {self.name!r} is about the largest absolute error, so its ambiguity set must be simplex, got "
                f"{self.adversary}. Leave {self.name!r} out, or choose simplex."
            )

    def takes(self, adversary: Adversary) -> bool:
        """Whether the problem is defined under this adversary."""
        return self.loss.kind != "chebyshev" or adversary.kind == "simplex"

    def tasks(self, data: GroupedRows) -> Any:
        """The K tasks of the worst-case model (2 N affine ones for the Chebyshev fit)."""
        if self.loss.kind == "chebyshev":
            return mo.ChebyshevTasks(np.vstack(data.matrices), np.concatenate(data.targets))
        return FAMILIES[self.loss.kind].tasks(data.matrices, data.targets, self.loss)

    def ambiguity(self, data: GroupedRows) -> Any:
        """W over the K tasks of :meth:`tasks`, centred (where it has a centre) at the share of each task in the rows."""
        return self.adversary.ambiguity(data.shares)

    def worst(self, raw: Host, data: GroupedRows) -> float:
        """max_{w in W} <w, f> at losses f of :meth:`tasks`; over W without its floor, so that it is what its name says."""
        return float(mo.worst_case(raw, replace(self.adversary, floor=0.0).ambiguity(data.shares)))

    def average_problem(self, data: GroupedRows) -> tuple[Any, Any]:
        """(tasks, ambiguity) of the average model: the mean loss over all rows; least squares for the Chebyshev fit."""
        if self.loss.kind == "chebyshev":
            return mo.LeastSquaresTasks([np.vstack(data.matrices)], [np.concatenate(data.targets)]), mo.Simplex()
        return self.tasks(data), mo.CVaR(1.0, prior=data.shares.tolist())

    def n_variables(self, data: GroupedRows) -> int:
        """Length of x: a coefficient for each column, and for each class where there are classes."""
        return len(data.features) * self.loss.n_classes

    def penalised(self, data: GroupedRows) -> Host:
        """1 for each entry of x that the penalties see, 0 for a free intercept, shape (n,)."""
        seen = np.ones(self.n_variables(data))
        seen[: self.loss.n_classes if self.free_intercept else 0] = 0.0
        return seen

    def regularizer(self, data: GroupedRows) -> Any:
        """The penalties as :func:`minimax_opt.minimize_max` takes them; None where there are none."""
        seen: Any = self.penalised(data) if self.free_intercept else 1.0
        ridge = mo.Ridge(self.ridge * seen) if self.ridge else None
        lasso = mo.L1(self.l1 * seen) if self.l1 else None
        return ridge + lasso if ridge is not None and lasso is not None else ridge or lasso

    def penalty(self, x: Host, data: GroupedRows) -> float:
        """ridge/2 |x|^2 + l1 |x|_1 over the penalised entries."""
        x = x * self.penalised(data)
        return self.ridge / 2 * float(x @ x) + self.l1 * float(np.abs(x).sum())

    def per_task(self, raw: Host, combine: Callable[[Host, Host], Host]) -> Host:
        """Fold the two sides +-(a'x - b) of the Chebyshev fit into one number per task; others pass unchanged."""
        return combine(*np.split(raw, 2)) if self.loss.kind == "chebyshev" else raw

    def mean(self, losses: Host, shares: Host) -> float:
        """Mean loss over all rows; the root of the mean square for the Chebyshev fit, which is what least squares minimises."""
        return float(np.sqrt(shares @ losses**2) if self.loss.kind == "chebyshev" else shares @ losses)
