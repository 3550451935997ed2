"""The peers: what a researcher would otherwise call on the same problem, each in its best formulation that we know.

A peer is a function ``Data -> (prepare -> solve)``: `prepare` states the problem (cvxpy's compilation), `solve` runs the solver and
returns x. Only `solve` counts as a peer's time; `prepare` is reported apart.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import minimax_opt as mo
from benchmarks.convex.suite import Data

Solve = Callable[[], np.ndarray]


def slsqp(data: Data, tol: float) -> Callable[[], Solve]:
    """scipy's SLSQP on min t + ridge, f_k(x) <= t, with analytic Jacobians; W = simplex only."""

    def prepare() -> Solve:
        from scipy.optimize import minimize

        tasks, n, ridge = data.tasks(), data.A.shape[1], data.ridge
        cache: dict[bytes, Any] = {}

        def at(x: np.ndarray) -> Any:
            key = x.tobytes()
            if key not in cache:
                cache.clear()
                cache[key] = tasks.at(x)
            return cache[key]

        def solve() -> np.ndarray:
            cache.clear()
            start = np.append(np.zeros(n), np.max(tasks(np.zeros(n))))
            ones = np.ones((data.n_tasks, 1))
            res = minimize(
                lambda v: (v[-1] + ridge / 2 * v[:-1] @ v[:-1], np.append(ridge * v[:-1], 1.0)),
                start,
                jac=True,
                method="SLSQP",
                constraints={
                    "type": "ineq",
                    "fun": lambda v: v[-1] - at(v[:-1]).losses,
                    "jac": lambda v: np.hstack([-at(v[:-1]).jacobian(), ones]),
                },
                options={"ftol": tol, "maxiter": 500},
            )
            return np.asarray(res.x[:-1])

        return solve

    return prepare


def conic(data: Data, solver: str, **settings: Any) -> Callable[[], Solve]:
    """A cvxpy solver; least squares through the groups' QR factors, so that the cone has K (n+1) rows and not N."""

    def prepare() -> Solve:
        import cvxpy as cp

        n, x = data.A.shape[1], cp.Variable(data.A.shape[1])
        level, constraints = _worst_case(cp, _losses(cp, data, x), data.ambiguity)
        ridge = data.ridge / 2 * cp.sum_squares(x) if data.ridge else 0.0
        problem = cp.Problem(cp.Minimize(level + ridge), constraints)
        compiled, chain, inverse = problem.get_problem_data(solver, solver_opts=settings)

        def solve() -> np.ndarray:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                raw = chain.solve_via_data(problem, compiled, solver_opts=settings)
                problem.unpack_results(raw, chain, inverse)
            return np.zeros(n) if x.value is None else np.asarray(x.value)

        return solve

    return prepare


def _losses(cp: Any, data: Data, x: Any) -> list[Any]:
    if data.loss == "affine":
        return [data.A @ x - data.b]
    losses = []
    for A, b in data.groups:
        if data.loss == "logistic":
            losses.append(cp.sum(cp.logistic(-cp.multiply(b, A @ x))) / len(b))
        else:
            R = (
                np.linalg.qr(np.column_stack([A, b]), mode="r") / np.sqrt(len(b))
                if len(b) > A.shape[1] + 1
                else np.column_stack([A, b]) / np.sqrt(len(b))
            )
            losses.append(cp.sum_squares(R[:, :-1] @ x - R[:, -1]))
    return losses


def _worst_case(cp: Any, losses: list[Any], ambiguity: mo.AmbiguitySet) -> tuple[Any, list[Any]]:
    level = cp.Variable()
    if isinstance(ambiguity, mo.Simplex):
        return level, [loss <= level for loss in losses]
    n_tasks = len(losses)
    epigraph = cp.Variable(n_tasks)
    constraints: list[Any] = [loss <= epigraph[k] for k, loss in enumerate(losses)]
    if isinstance(ambiguity, mo.CVaR):
        return level + cp.sum(cp.pos(epigraph - level)) / (n_tasks * ambiguity.tail_fraction), constraints
    eta = cp.Variable(nonneg=True)
    if isinstance(ambiguity, mo.KLBall):
        u = cp.Variable(n_tasks)
        constraints += [cp.ExpCone(epigraph - level, eta * np.ones(n_tasks), u), cp.sum(u) / n_tasks <= eta]
        return level + eta * ambiguity.radius, constraints
    excess = cp.Variable(n_tasks, nonneg=True)
    constraints += [excess >= epigraph - level + eta]
    return level + eta * (ambiguity.radius - 0.5) + cp.quad_over_lin(excess, eta) / (2 * n_tasks), constraints


def peers_of(data: Data) -> dict[str, Callable[[], Solve]]:
    """The peers that can state the problem in reasonable time, each at an accuracy setting that reaches 1e-9 if anything does."""
    N, n = data.A.shape
    peers: dict[str, Callable[[], Solve]] = {}
    simplex = isinstance(data.ambiguity, mo.Simplex)
    if simplex and data.n_tasks <= 1500:
        peers["SLSQP"] = slsqp(data, 1e-12)
    if (data.loss == "logistic" and N <= 2000) or (
        data.loss != "logistic" and data.n_tasks * n * min(n, N // data.n_tasks) <= 3e6
    ):
        peers["Clarabel"] = conic(data, "CLARABEL", tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
        if not isinstance(data.ambiguity, mo.KLBall) and data.loss != "logistic":
            peers["ECOS"] = conic(data, "ECOS", abstol=1e-10, reltol=1e-10, feastol=1e-10)
    if data.loss == "affine" and simplex:
        peers["PIQP"] = conic(data, "PIQP", eps_abs=1e-10, eps_rel=1e-10)
        peers["HiGHS"] = conic(data, "HIGHS")
    return peers
