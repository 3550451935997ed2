"""Through cvxpy: each problem in the formulation that we know to be the best, compiled once, solved by each of its solvers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import minimax_opt as mo
from benchmarks.convex.data import DELTA, QUANTILE, Data
from benchmarks.convex.peers.base import Answer, Solve, answer

SETTINGS: dict[str, Callable[[float], dict[str, Any]]] = {
    "CLARABEL": lambda tol: {"tol_gap_abs": tol, "tol_gap_rel": tol, "tol_feas": tol},
    "ECOS": lambda tol: {"abstol": tol, "reltol": tol, "feastol": tol},
    "PIQP": lambda tol: {"eps_abs": tol, "eps_rel": tol},
    "HIGHS": lambda tol: {"primal_feasibility_tolerance": max(tol, 1e-10), "dual_feasibility_tolerance": max(tol, 1e-10)},
    "SCS": lambda tol: {"eps_abs": tol, "eps_rel": tol, "max_iters": 100_000},
}


def conic(data: Data, solver: str) -> Solve:
    """Compile for `solver`; the solve is cvxpy's call of the solver on the compiled data, and the unpacking of x."""
    import cvxpy as cp

    x = cp.Variable(data.n_variables)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem = statement(cp, data, x)
        compiled, chain, inverse = problem.get_problem_data(solver, solver_opts=SETTINGS[solver](1e-9))

    def solve(tolerance: float) -> Answer:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            raw = chain.solve_via_data(problem, compiled, solver_opts=SETTINGS[solver](tolerance))
            problem.unpack_results(raw, chain, inverse)
        return answer(data, x.value, nit=problem.solver_stats.num_iters)

    return solve


def statement(cp: Any, data: Data, x: Any) -> Any:
    """The cvxpy problem in x."""
    objective, constraints = _worst_case(cp, _losses(cp, data, x), data.ambiguity)
    if data.ridge:
        objective = objective + data.ridge / 2 * cp.sum_squares(x)
    if data.l1:
        objective = objective + data.l1 * cp.norm1(x)
    if data.box:
        constraints = [*constraints, x >= data.box[0], x <= data.box[1]]
    return cp.Problem(cp.Minimize(objective), constraints)


def _losses(cp: Any, data: Data, x: Any) -> list[Any]:
    """One expression a task, or one vector for all."""
    if data.loss == "affine":
        return [data.A @ x - data.b]
    row = {
        "logistic": lambda z, b: cp.logistic(-cp.multiply(b, z)),
        "huber": lambda z, b: cp.huber(z - b, DELTA) / 2,
        "poisson": lambda z, b: cp.exp(z) - cp.multiply(b, z),
        "quantile": lambda z, b: cp.abs(b - z) / 2 + (QUANTILE - 0.5) * (b - z),
    }
    losses = []
    for A, b in data.groups:
        if data.loss == "least squares":
            R, r = triangular(A, b)
            losses.append(cp.sum_squares(R @ x - r))
        elif data.loss == "multinomial":
            Z = A @ cp.reshape(x, (A.shape[1], data.n_classes), order="C")
            picked = b[:, None] == np.arange(data.n_classes)
            losses.append((cp.sum(cp.log_sum_exp(Z, axis=1)) - cp.sum(cp.multiply(picked, Z))) / len(b))
        else:
            losses.append(cp.sum(row[data.loss](A @ x, b)) / len(b))
    return losses


def reduce(data: Data) -> list[Any]:
    """The QR factors of all groups."""
    return [triangular(A, b) for A, b in data.groups]


def triangular(A: Any, b: np.ndarray) -> tuple[Any, np.ndarray]:
    """R, r with mean (A x - b)^2 = |R x - r|^2: at most n + 1 rows, by QR, where the rows are dense."""
    if not isinstance(A, np.ndarray):
        return A / np.sqrt(len(b)), b / np.sqrt(len(b))
    joint = np.column_stack([A, b]) / np.sqrt(len(b))
    joint = np.linalg.qr(joint, mode="r") if len(b) > A.shape[1] + 1 else joint
    return joint[:, :-1], joint[:, -1]


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
