"""scipy's SLSQP and trust-constr on the epigraph form, with analytic derivatives from the definition of the losses.

Variables are (x, level) and, for a CVaR, one excess a task: min level + mean(excess)/tail_fraction, f_k(x) - excess_k <= level. An l1 penalty
splits x into its positive and negative part, so that everything is smooth.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import minimax_opt as mo
from benchmarks.convex.data import Data
from benchmarks.convex.peers.base import Answer, Solve, answer


class Epigraph:
    """min c'v + (ridge/2) |x|^2 subject to g(v) = level + excess - f(x) >= 0 and bounds on v; v = (x or x+, x-, level, excess)."""

    def __init__(self, data: Data) -> None:
        self.data, self.n, self.parts = data, data.n_variables, 2 if data.l1 else 1
        self.level = self.parts * self.n
        excess = data.n_tasks if isinstance(data.ambiguity, mo.CVaR) else 0
        self.size = self.level + 1 + excess
        self.cost = np.zeros(self.size)
        self.cost[: self.level] = data.l1
        self.cost[self.level] = 1.0
        if isinstance(data.ambiguity, mo.CVaR):
            self.cost[self.level + 1 :] = 1.0 / (data.n_tasks * data.ambiguity.tail_fraction)
        self.tail = np.hstack([np.ones((data.n_tasks, 1)), np.eye(data.n_tasks)[:, :excess]])
        self.key: bytes = b""

    def x(self, v: np.ndarray) -> np.ndarray:
        return v[: self.n] - v[self.n : 2 * self.n] if self.parts == 2 else v[: self.n]

    def start(self) -> np.ndarray:
        self.key = b""
        v = np.zeros(self.size)
        v[self.level] = self.data.losses(np.zeros(self.n)).max()
        return v

    def bounds(self) -> list[tuple[float | None, float | None]] | None:
        low, high = self.data.box or (None, None)
        if self.parts == 2:
            if self.data.box:
                raise ValueError("an l1 penalty and a box together are not stated here")
            low = 0.0
        if low is None and self.size == self.level + 1:
            return None
        return [(low, high)] * self.level + [(None, None)] + [(0.0, None)] * (self.size - self.level - 1)

    def objective(self, v: np.ndarray) -> tuple[float, np.ndarray]:
        x, gradient = self.x(v), self.cost.copy()
        if self.data.ridge:
            gradient[: self.n] += self.data.ridge * x
            if self.parts == 2:
                gradient[self.n : self.level] -= self.data.ridge * x
        return float(self.cost @ v) + self.data.ridge / 2 * float(x @ x), gradient

    def margin(self, v: np.ndarray) -> np.ndarray:
        return self.tail @ v[self.level :] - self.data.losses(self.x(v))

    def margin_jacobian(self, v: np.ndarray) -> np.ndarray:
        jacobian = self.data.jacobian(self.x(v))
        return np.hstack([-jacobian, jacobian, self.tail] if self.parts == 2 else [-jacobian, self.tail])

    def hessian(self, v: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        """That of the objective, or of <weights, g> where weights are given."""
        if weights is None:
            inner = self.data.ridge * np.eye(self.n)
        else:
            inner = -self.data.hessian(self.x(v), weights)
        full = np.zeros((self.size, self.size))
        signs = np.array([1.0, -1.0])[: self.parts]
        full[: self.level, : self.level] = np.kron(np.outer(signs, signs), inner)
        return full


def slsqp(data: Data) -> Solve:
    """SLSQP; `ftol` is the tolerance."""
    from scipy.optimize import minimize

    form = Epigraph(data)

    def solve(tolerance: float) -> Answer:
        res = minimize(
            form.objective,
            form.start(),
            jac=True,
            method="SLSQP",
            bounds=form.bounds(),
            constraints={"type": "ineq", "fun": form.margin, "jac": form.margin_jacobian},
            options={"ftol": tolerance, "maxiter": 1000},
        )
        return answer(data, form.x(res.x), nit=res.nit, values=res.nfev, jacobians=res.njev)

    return solve


def trust_constr(data: Data) -> Solve:
    """trust-constr with exact Hessians; `gtol`, `xtol` and `barrier_tol` are the tolerance."""
    from scipy.optimize import Bounds, NonlinearConstraint, minimize

    form = Epigraph(data)
    constraint = NonlinearConstraint(form.margin, 0.0, np.inf, jac=form.margin_jacobian, hess=form.hessian)
    box: Any = form.bounds()
    if box is not None:
        low, high = zip(*box, strict=True)
        box = Bounds([-np.inf if b is None else b for b in low], [np.inf if b is None else b for b in high])

    def solve(tolerance: float) -> Answer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            res = minimize(
                form.objective,
                form.start() + np.eye(1, form.size, form.level)[0],
                jac=True,
                hess=lambda v: form.hessian(v, None),
                method="trust-constr",
                bounds=box,
                constraints=constraint,
                options={"gtol": tolerance, "xtol": tolerance, "barrier_tol": tolerance, "maxiter": 2000},
            )
        return answer(
            data, form.x(res.x), nit=res.nit, values=res.constr_nfev[0], jacobians=res.constr_njev[0], hessians=res.constr_nhev[0]
        )

    return solve
