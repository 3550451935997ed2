"""scipy's SLSQP and trust-constr on the epigraph form, with analytic derivatives from the definition of the losses.

Variables are (x, level) and, for a CVaR, one excess a task: min level + mean(excess)/tail_fraction, f_k(x) - excess_k <= level. An l1 penalty
splits x into its positive and negative part, so that everything is smooth. What the losses and their derivatives share at one x, A x or the products
with the Gram matrices, is computed once.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import minimax_opt as mo
from benchmarks.convex.data import Data
from benchmarks.convex.peers.base import Answer, Solve, answer


class Rows:
    """Losses and derivatives from the rows; A x is kept for the last x."""

    def __init__(self, data: Data) -> None:
        self.data = data
        self.known: tuple[np.ndarray, np.ndarray] | None = None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """What losses and derivatives share at x."""
        if self.known is None or not np.array_equal(self.known[0], x):
            self.known = (x.copy(), self.shared(x))
        return self.known[1]

    def shared(self, x: np.ndarray) -> np.ndarray:
        return self.data.predictor(x)

    def losses(self, x: np.ndarray) -> np.ndarray:
        return self.data.losses(x, self(x))

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        return self.data.jacobian(x, self(x))

    def hessian(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return self.data.hessian(x, weights, self(x))


class Gram(Rows):
    """Least squares from G_k = A_k'A_k/m_k, c_k = A_k'b_k/m_k and d_k = |b_k|^2/m_k: f_k(x) = x'G_k x - 2 c_k'x + d_k; all G_k x are kept."""

    def __init__(self, data: Data) -> None:
        super().__init__(data)
        if data.loss != "least squares":
            raise ValueError("Gram forms are those of least squares.")
        n = data.n_variables
        self.G, self.c, self.d = np.empty((data.n_tasks, n, n)), np.empty((data.n_tasks, n)), np.empty(data.n_tasks)
        for k, (A, b) in enumerate(data.groups):
            G = A.T @ A
            self.G[k] = (G.toarray() if data.sparse else G) / len(b)
            self.c[k], self.d[k] = A.T @ b / len(b), b @ b / len(b)

    def shared(self, x: np.ndarray) -> np.ndarray:
        return (self.G.reshape(-1, len(x)) @ x).reshape(self.c.shape)

    def losses(self, x: np.ndarray) -> np.ndarray:
        return self(x) @ x - 2 * self.c @ x + self.d

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        return 2 * (self(x) - self.c)

    def hessian(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return 2 * np.tensordot(weights, self.G, 1)


class Epigraph:
    """min c'v + (ridge/2) |x|^2 subject to g(v) = level + excess - f(x) >= 0 and bounds on v; v = (x or x+, x-, level, excess)."""

    def __init__(self, data: Data) -> None:
        self.data, self.n, self.parts = data, data.n_variables, 2 if data.l1 else 1
        self.functions = Rows(data)
        self.level = self.parts * self.n
        excess = data.n_tasks if isinstance(data.ambiguity, mo.CVaR) else 0
        self.size = self.level + 1 + excess
        self.cost = np.zeros(self.size)
        self.cost[: self.level] = data.l1
        self.cost[self.level] = 1.0
        if isinstance(data.ambiguity, mo.CVaR):
            self.cost[self.level + 1 :] = 1.0 / (data.n_tasks * data.ambiguity.tail_fraction)
        self.tail = np.hstack([np.ones((data.n_tasks, 1)), np.eye(data.n_tasks)[:, :excess]])

    def x(self, v: np.ndarray) -> np.ndarray:
        return v[: self.n] - v[self.n : 2 * self.n] if self.parts == 2 else v[: self.n]

    def start(self) -> np.ndarray:
        self.functions.known = None  # every solve pays for its own
        v = np.zeros(self.size)
        v[self.level] = self.functions.losses(np.zeros(self.n)).max()
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
        return self.tail @ v[self.level :] - self.functions.losses(self.x(v))

    def margin_jacobian(self, v: np.ndarray) -> np.ndarray:
        jacobian = self.functions.jacobian(self.x(v))
        return np.hstack([-jacobian, jacobian, self.tail] if self.parts == 2 else [-jacobian, self.tail])

    def hessian(self, v: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
        """That of the objective, or of <weights, g> where weights are given."""
        if weights is None:
            inner = self.data.ridge * np.eye(self.n)
        else:
            inner = -self.functions.hessian(self.x(v), weights)
        full = np.zeros((self.size, self.size))
        signs = np.array([1.0, -1.0])[: self.parts]
        full[: self.level, : self.level] = np.kron(np.outer(signs, signs), inner)
        return full


def slsqp(data: Data, gram: bool = False) -> Solve:
    """SLSQP; `ftol` is the tolerance. With `gram` each solve forms the Gram matrices first, as ours does."""
    from scipy.optimize import minimize

    form = Epigraph(data)

    def solve(tolerance: float) -> Answer:
        form.functions = Gram(data) if gram else Rows(data)
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
