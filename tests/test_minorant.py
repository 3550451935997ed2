"""Lower bounds with an h: below the objective for every s, below cvxpy's optimum at any point, and tight at the solution."""

import dataclasses
from functools import cache

import cvxpy_reference
import numpy as np
import problems
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_certificate import problem_of, random_weights

import minimax_opt as mo
from minimax_opt import certificate
from minimax_opt.minorant import minorant, nearest_minorant

COMPOSITE = [case for case in problems.ALL if not case.smooth]
optimum = cache(lambda name: cvxpy_reference.solve(problems.NAMED[name]))


@pytest.mark.parametrize("case", [case for case in COMPOSITE if isinstance(case.ambiguity, mo.Simplex)], ids=str)
@given(seed=st.integers(0, 10**6))
def test_every_subgradient_gives_a_minorant_of_a_convex_objective(case, seed):
    """G(x) + <grad G(x), y - x> is below the objective at every y of the domain, since G is convex and below it."""
    rng, problem = np.random.default_rng(seed), problem_of(case)
    point, other = (problem.at(problem.project(rng.standard_normal(case.n_variables))) for _ in range(2))
    weights = random_weights(rng, case)
    s = rng.standard_normal(case.n_variables)
    s = problem.simple.subgradient(s) if problem.simple.separable else s
    g = minorant(point, weights, s, problem.simple.maximizer(s))
    assert g.value + g.gradient @ (other.x - point.x) <= other.weighted_value(weights) + 1e-12 * (1 + abs(other.value))
    assert g.value <= point.weighted_value(weights) + 1e-12 * (1 + abs(point.value))


@pytest.mark.parametrize("case", COMPOSITE, ids=str)
@pytest.mark.parametrize("distance", [1.0, 1e-2, 1e-5])
def test_no_bound_is_above_cvxpys_optimum(case, distance):
    rng, problem = np.random.default_rng(0), problem_of(case)
    x, value = optimum(case.name)
    solved = case.solve("accelerated", tol=1e-5)
    for trial in range(6):
        sparse = np.where(np.abs(x) < 1e-6, 0.0, x) if trial % 2 else x  # where h has its kinks, and just beside them
        point = problem.at(
            problem.project(sparse + distance * rng.standard_normal(case.n_variables) * (rng.random(case.n_variables) < 0.7))
        )
        for weights in (random_weights(rng, case), solved.weights):
            for name, bound in certificate.BOUNDS.items():
                found = bound(point, weights)
                assert not np.isnan(found), name
                assert found <= value + 1e-7 * max(abs(value), 1e-3), name


@pytest.mark.parametrize(
    ("case", "method", "tol"),
    [(case, "accelerated", 1e-8) for case in COMPOSITE if not case.hard]
    + [(case, "interior-point", 1e-9) for case in COMPOSITE if not isinstance(case.domain, mo.Ball)],
    ids=str,
)
def test_the_gap_closes(case, method, tol):
    """A first-order method certifies eight digits; interior-point, wherever it takes the domain, nine."""
    value = optimum(case.name)[1]
    res = case.solve(method, tol=tol)
    assert res.success, res
    assert res.lower_bound <= value + 1e-8 * max(abs(value), 1e-3)
    assert value <= res.fun + 1e-8 * max(abs(value), 1e-3)
    assert res.gap <= tol * abs(res.fun)


@pytest.mark.parametrize("name", ["lsq with L1", "logistic with L1", "lsq wide with L1"])
def test_curvature_closes_the_gap(name):
    """At a solution, by the curvature of F_w alone, whether or not H is singular: the pieces of h are found, and s is exact on the others."""
    case = problems.NAMED[name]
    res = case.solve("accelerated", tol=1e-10, max_iter=20000)
    bound = certificate.curvature_bound(problem_of(case).at(res.x), res.weights)
    assert res.fun - 1e-8 * abs(res.fun) <= bound <= res.fun
    assert np.count_nonzero(res.x) < case.n_variables  # exact zeros
    assert np.count_nonzero(res.x) > 0


def test_without_an_h_the_minorant_is_the_weighted_loss():
    case = problems.NAMED["lsq"]
    point, weights = problem_of(case).at(np.ones(case.n_variables)), np.full(case.n_tasks, 1 / case.n_tasks)
    g = nearest_minorant(point, weights)
    assert g.value == point.weighted_value(weights) == point.smooth_value(weights)
    np.testing.assert_array_equal(g.gradient, point.gradient(weights))


def test_a_one_norm_too_weak_to_hold_the_losses_proves_nothing():
    """Losses that fall without end along a direction that costs less than it gains."""
    tasks = mo.AffineTasks([[-1.0, 0.0], [-1.0, 0.5]], [0.0, 0.0])
    res = mo.minimize_max(tasks, regularizer=mo.L1(0.9), method="accelerated", max_iter=200)
    assert not res.success
    assert not res.lower_bound > -np.inf


@pytest.mark.parametrize("strength", [1.0 + 1e-9, 1.5])
def test_weights_are_shifted_into_the_polar_of_the_one_norm(strength):
    """One variable, |f'| = 1 for both tasks: g = w_1 - w_2 must not exceed the strength, nor does any."""
    tasks = mo.AffineTasks([[1.0], [-1.0]], [0.0, 1.0])
    case = dataclasses.replace(problems.affine("two"), tasks=tasks, l1=strength)
    point = problem_of(case).at(np.zeros(1))
    for weights in (np.array([0.0, 1.0]), np.array([0.5, 0.5])):
        assert certificate.linearisation_bound(point, weights) == pytest.approx(weights[1])
    weaker = problem_of(dataclasses.replace(case, l1=0.5)).at(np.zeros(1))
    assert certificate.linearisation_bound(weaker, np.array([0.0, 1.0])) == -np.inf
    assert certificate.shift_bound(weaker, np.array([0.0, 1.0])) == pytest.approx(0.75)  # w = (1/4, 3/4): g = -1/2
