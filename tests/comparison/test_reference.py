"""cvxpy's dual formulations against the definition max_{w in W} <w, f(x)>, on a problem in one variable."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from minimax_opt.comparison.adversaries import Adversary, parse_adversary
from minimax_opt.comparison.case import Case
from minimax_opt.comparison.losses import Loss
from minimax_opt.comparison.reference import compare, solve_reference

cp = pytest.importorskip("cvxpy")


def task_losses(kind, data, x):
    pairs = list(zip(data.matrices, data.targets, strict=True))
    if kind == "chebyshev":
        return np.concatenate([abs(a[:, 0] * x - b) for a, b in pairs])
    if kind == "logistic":
        return np.array([np.mean(np.logaddexp(0.0, a[:, 0] * x) - b * a[:, 0] * x) for a, b in pairs])
    return np.array([np.mean((a[:, 0] * x - b) ** 2) for a, b in pairs])


def support(adversary, losses, centre):
    """max over w by definition."""
    w = cp.Variable(len(losses), nonneg=True)
    constraints = [cp.sum(w) == 1]
    if adversary.kind == "cvar":
        constraints.append(w <= 1 / (adversary.size * len(losses)))
    if adversary.kind == "kl":
        constraints.append(cp.sum(cp.rel_entr(w, centre)) <= adversary.size)
    if adversary.kind == "chi-square":
        constraints.append(cp.sum_squares(cp.multiply(w - centre, 1 / np.sqrt(centre))) / 2 <= adversary.size)
    return cp.Problem(cp.Maximize(w @ losses), constraints).solve(solver=cp.CLARABEL)


@pytest.mark.parametrize(
    ("kind", "set_name"),
    [
        *(("least-squares", name) for name in ("simplex", "cvar:0.5", "kl:0.1", "chi-square:0.1")),
        ("logistic", "simplex"),
        ("logistic", "kl:0.3"),
        ("chebyshev", "simplex"),
    ],
)
def test_the_dual_formulation_equals_the_definition(kind, set_name, three_tasks):
    data, adversary, ridge = three_tasks, parse_adversary(set_name), 0.3
    if kind == "chebyshev":  # every row its own task
        rows = [(a[i : i + 1], b[i : i + 1]) for a, b in zip(data.matrices, data.targets, strict=True) for i in range(len(b))]
        data = dataclasses.replace(
            data, names=tuple(map(str, range(len(rows)))), matrices=tuple(a for a, _ in rows), targets=tuple(b for _, b in rows)
        )
    case = Case("toy", "toy", lambda: data, Loss(kind, "", "", ""), adversary, ridge=ridge)
    truth = minimize_scalar(
        lambda x: support(adversary, task_losses(kind, data, x), data.shares) + ridge / 2 * x**2, bracket=(-1.0, 1.0), tol=1e-6
    )
    reference = solve_reference(case, data)
    assert reference["status"] in ("optimal", "optimal_inaccurate")
    assert reference["value"] == pytest.approx(truth.fun, rel=1e-6)


@pytest.mark.parametrize(
    ("fun", "lower_bound", "agrees"),
    [
        (1.0, 1.0 - 1e-10, True),
        (1.0 - 1e-3, 1.0 - 1e-3, True),
        (1.0 + 1e-6, 1.0 - 1e-10, False),
        (1.0, 1.0 + 1e-6, False),
        (1.0, float("nan"), True),
    ],
)
def test_agreement_is_one_sided(fun, lower_bound, agrees):
    verdict = compare({"fun": fun, "lower_bound": lower_bound, "mean": 1.0}, {"value": 1.0})
    assert verdict["agrees"] is agrees
    assert verdict["difference"] == pytest.approx(fun - 1.0)


def test_a_failed_reference_says_nothing():
    assert compare({"fun": 1.0, "lower_bound": 1.0, "mean": 1.0}, {"value": float("nan")})["agrees"] is None


def test_a_reference_that_cannot_be_set_up_says_why(three_tasks):
    overflowing = Adversary("chi-square", 1e308)  # 1 + 2 radius is infinite
    case = Case("toy", "toy", lambda: three_tasks, Loss("least-squares", "", "", ""), overflowing)
    with np.errstate(over="ignore"):
        reference = solve_reference(case, three_tasks)
    assert np.isnan(reference["value"])
    assert "NaN or Inf" in reference["status"]


@pytest.mark.parametrize(
    ("value", "status", "rounding", "agrees", "resolved"),
    [
        (1e-12, "optimal", 0.0, False, True),
        (1e-12, "optimal", 1e-9, True, False),  # apart by rounding only
        (1e-12, "optimal_inaccurate", 0.0, None, True),  # a reference that failed contradicts nothing
        (5e-11, "optimal", 0.0, True, False),  # below, by less than the reference resolves
        (2e-11, "optimal", 0.0, True, True),
    ],
)
def test_values_at_rounding_level_are_not_told_apart(value, status, rounding, agrees, resolved):
    model = {"fun": 2e-11, "lower_bound": 1.9e-11}
    tolerance = 1e-10 if value == 5e-11 else 0.0
    verdict = compare(model, {"value": value, "status": status, "tolerance": tolerance}, rounding=rounding)
    assert verdict["agrees"] is agrees
    assert verdict["resolved"] is resolved
