"""The same worst-case problem, written independently in cvxpy and solved by Clarabel.

Nothing of this package's mathematics is used: only the data of the case and the definition of its loss and ambiguity set.
Least-squares tasks are reduced, exactly, to the R factor of ``[A_k, b_k]``, so that the 29,501 rows of the census become 51
blocks of at most five.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from minimax_opt.arrays import Host, to_host
from minimax_opt.comparison.adversaries import Adversary
from minimax_opt.comparison.case import Case
from minimax_opt.comparison.groups import GroupedRows
from minimax_opt.comparison.losses import FAMILIES

AGREEMENT = 1e-7  # relative
TOLERANCE = 1e-10  # of the solver, absolute in its units and relative


def has_reference() -> bool:
    """Whether cvxpy is installed."""
    return find_spec("cvxpy") is not None


def _cvxpy() -> Any:
    """The module, untyped, imported only when a reference is wanted."""
    return import_module("cvxpy")


def solve_reference(case: Case, data: GroupedRows) -> dict[str, Any]:
    """Value, solver status and seconds of the case in cvxpy.

    Returns
    -------
    dict
        ``value`` (nan where the solver failed), ``status`` (cvxpy's, or why it gave up), ``solver``, ``seconds``,
        ``tolerance`` (the absolute one of the value).
    """
    cp = _cvxpy()

    case, data, unit = _rescaled(case, data)
    x = cp.Variable(case.n_variables(data))
    value, constraints = _worst_case(case, data, x)
    slopes = x[case.loss.n_classes :] if case.free_intercept else x
    penalty = case.ridge / 2 * cp.sum_squares(slopes) + case.l1 * cp.norm1(slopes)
    problem = cp.Problem(cp.Minimize(value + penalty), constraints)
    start, failure = time.perf_counter(), None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cvxpy warns of an inaccurate solution; the status says the same and is reported
        try:
            problem.solve(solver=cp.CLARABEL, tol_gap_abs=TOLERANCE, tol_gap_rel=TOLERANCE, tol_feas=TOLERANCE)
        except (cp.SolverError, ValueError) as error:  # ValueError: a number that overflowed, say
            failure = str(error)
    found = problem.value is not None
    return {
        "value": float(problem.value) * unit if found else float("nan"),
        "status": failure or str(problem.status),
        "tolerance": TOLERANCE * unit,
        "solver": f"cvxpy {cp.__version__}, Clarabel",
        "seconds": time.perf_counter() - start,
    }


def _rescaled(case: Case, data: GroupedRows) -> tuple[Case, GroupedRows, float]:
    """The same problem with targets of order one, and what its value must be multiplied by: the solver's tolerances are absolute.

    For squared and Huber losses, b and x divided by s divide the loss and the ridge by s^2 and the l1 penalty by s.
    """
    size = float(np.abs(np.concatenate(data.targets)).max())
    if case.loss.kind not in ("least-squares", "huber") or not size or 1e-3 <= size <= 1e3:
        return case, data, 1.0
    loss = replace(case.loss, parameter=case.loss.parameter / size)
    return replace(case, loss=loss, l1=case.l1 / size), replace(data, targets=tuple(b / size for b in data.targets)), size**2


def rounding_level(case: Case, data: GroupedRows) -> float:
    """Below this a difference of two values is rounding: 16 units in the last place of the largest loss at x = 0."""
    tasks = case.tasks(data)
    return 16 * np.finfo(float).eps * float(np.abs(to_host(tasks(np.zeros(case.n_variables(data))))).max())


def compare(model: dict[str, Any], reference: dict[str, Any], tol: float = 0.0, rounding: float = 0.0) -> dict[str, Any]:
    """`reference` with how far the worst-case `model` is from it.

    ``difference`` is (our value - its value) / abs(its value). ``agrees`` says whether our value and our lower bound, if there is
    one, are at most its value plus 1e-7 relative (for our value the relative gap `tol` that was asked for, where that is larger);
    `rounding` (see :func:`rounding_level`) is allowed beside it. ``resolved`` says whether the difference means anything: it is neither
    rounding nor within the solver's absolute tolerance. ``agrees`` is None where the solver did not reach its tolerance and differs, and
    where the reference failed. A value below the reference's is no disagreement: the lower bound says which is better.
    """
    value = reference["value"]
    if not np.isfinite(value):
        return reference | {"difference": float("nan"), "agrees": None}
    scale = max(abs(value), np.finfo(float).tiny)
    slack, apart = max(AGREEMENT * scale, rounding), abs(model["fun"] - value)
    agrees = bool(not model["lower_bound"] > value + slack and model["fun"] <= value + max(slack, tol * scale))
    solved = reference.get("status", "optimal") == "optimal"
    return reference | {
        "difference": (model["fun"] - value) / scale,
        "resolved": bool(apart <= AGREEMENT * scale or apart > max(rounding, reference.get("tolerance", 0.0))),
        "agrees": agrees if agrees or solved else None,
    }


def _worst_case(case: Case, data: GroupedRows, x: Any) -> tuple[Any, list[Any]]:
    """max_{w in W} <w, f(x)> by its dual: (objective, constraints), both convex in x and the dual variables."""
    losses, adversary = _losses(case, data, x), case.adversary
    if not adversary.floor:
        return _worst_mixture(adversary, losses, data.shares)
    above = _cvxpy().Variable(len(data.shares))  # at the optimum the losses, which two terms need
    value, constraints = _worst_mixture(adversary, above, data.shares)
    kept = adversary.floor * (adversary.floor_weights(data.shares) @ above)
    return (1.0 - adversary.floor) * value + kept, [*constraints, losses <= above]


def _worst_mixture(adversary: Adversary, losses: Any, centre: Host) -> tuple[Any, list[Any]]:
    """The same for W without its floor."""
    cp = _cvxpy()

    level, size, n_tasks = cp.Variable(), adversary.size, len(centre)
    if adversary.kind == "simplex":
        return level, [losses <= level]
    if adversary.kind == "cvar":  # min_t t + mean(max(f - t, 0)) / tail_fraction (Rockafellar and Uryasev 2000)
        return level + cp.sum(cp.pos(losses - level)) / (n_tasks * size), []
    if adversary.kind == "chi-square":  # min_t t + sqrt((1 + 2 radius) sum_k q_k max(f_k - t, 0)^2)
        return level + np.sqrt(1.0 + 2.0 * size) * cp.norm(cp.multiply(np.sqrt(centre), cp.pos(losses - level))), []
    # kl: min_{t, s} t + s (radius - 1) + sum_k q_k s exp((f_k - t) / s)
    scale, above, terms = cp.Variable(), cp.Variable(n_tasks), cp.Variable(n_tasks)
    constraints = [losses - level <= above, cp.constraints.ExpCone(above, scale * np.ones(n_tasks), terms)]
    return level + scale * (size - 1.0) + centre @ terms, constraints


def _losses(case: Case, data: GroupedRows, x: Any) -> Any:
    """The task losses as one cvxpy expression."""
    cp = _cvxpy()

    if case.loss.kind == "chebyshev":
        return cp.abs(np.vstack(data.matrices) @ x - np.concatenate(data.targets))
    pairs = list(zip(data.matrices, data.targets, strict=True))
    if case.loss.kind != "least-squares":
        rows, classes = FAMILIES[case.loss.kind].rows, case.loss.n_classes
        scores = x if classes == 1 else cp.reshape(x, (len(data.features), classes), order="C")
        return cp.hstack([rows(cp, a @ scores, b, case.loss) / len(b) for a, b in pairs])
    return cp.hstack([_mean_square(a, b, x) for a, b in pairs])


def _mean_square(a: Host, b: Host, x: Any) -> Any:
    """|a x - b|^2 / N_k by the R factor of [a, b] / sqrt(N_k), its last entry as a constant: in one cone with the rest it costs digits."""
    cp = _cvxpy()
    r: Host = np.asarray(np.linalg.qr(np.column_stack([a, b]) / np.sqrt(len(b)), mode="r"))
    constant = r[-1, -1] ** 2 if len(r) == r.shape[1] else 0.0  # fewer rows than columns: the last row is one of the others
    r = r[:-1] if constant else r
    return cp.sum_squares(r[:, :-1] @ x - r[:, -1]) + constant
