"""Task generation: the same optimum as over all tasks, from proofs over few, and no more work than these need."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minimax_opt as mo
from minimax_opt.certificate import certify
from minimax_opt.problem import Problem
from minimax_opt.solvers.working_set import largest, spread

TOL, RNG = 1e-9, np.random.default_rng(8)


def affine(n_tasks, n, seed, shift=0.0):
    """0 is in the hull of the slopes; the optimum is `shift` times a random vector away from where the small b make it."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_tasks, n))
    A -= rng.dirichlet(np.ones(n_tasks)) @ A
    return mo.AffineTasks(A, rng.standard_normal(n_tasks) - shift * (A @ rng.standard_normal(n)))


def rows(family, n_tasks, n, m, seed, spread=1.0):
    rng = np.random.default_rng(seed)
    A, centre = rng.standard_normal((n_tasks, m, n)), rng.standard_normal(n)
    z = np.einsum("kmn,kn->km", A, centre + spread * rng.standard_normal((n_tasks, n)))
    z += 0.5 * rng.standard_normal(z.shape)
    return family(A, z) if family is mo.LeastSquaresTasks else family(A, (z > 0).astype(float))


def tangents(n_tasks, n, seed):
    """Tangent planes of |x|^2 / 2 at random points: any of them may be active."""
    Y = np.random.default_rng(seed).standard_normal((n_tasks, n))
    return mo.AffineTasks(Y, -0.5 * (Y * Y).sum(1))


CASES = {
    "affine": (affine(3000, 4, 0), None),
    "affine, far from x0": (affine(3000, 4, 1, shift=30.0), None),
    "affine, ridge": (affine(1000, 5, 2, shift=3.0), mo.Ridge(0.1)),
    "tangents": (tangents(3000, 4, 3), None),
    "Chebyshev": (mo.ChebyshevTasks(RNG.standard_normal((1500, 4)), RNG.standard_normal(1500)), None),
    "least squares": (rows(mo.LeastSquaresTasks, 800, 4, 6, 6), None),
    "logistic": (rows(mo.LogisticTasks, 800, 4, 6, 7), mo.Ridge(1e-2)),
    "quadratic": (mo.QuadraticTasks(np.tile(np.eye(3), (500, 1, 1)), RNG.standard_normal((500, 3)), RNG.random(500)), None),
}
EVERY = pytest.mark.parametrize("name", CASES)


def solve(name, **options):
    tasks, regularizer = CASES[name]
    return mo.minimize_max(tasks, regularizer=regularizer, tol=TOL, **options)


@EVERY
@pytest.mark.parametrize("size", [None, 3])
def test_the_optimum_is_that_over_all_tasks(name, size):
    whole = solve(name, method="interior-point")
    found = solve(name, method="working-set", options={"size": size})
    assert whole.success, whole
    assert found.success, found
    assert found.fun == pytest.approx(whole.fun, rel=3 * TOL)
    assert found.lower_bound <= whole.fun * (1 + 1e-12) + 1e-14
    assert found.weights.sum() == pytest.approx(1.0)
    assert found.weights.min() >= 0
    tasks, regularizer = CASES[name]
    value = float(tasks(found.x).max()) + (0.0 if regularizer is None else regularizer.value(found.x))
    assert found.fun == pytest.approx(value, rel=1e-12)


@EVERY
def test_rounds_bring_bounds_that_are_valid_and_work_that_is_small(name):
    best, seen = solve(name, method="interior-point"), []
    found = solve(
        name, method="working-set", options={"size": 3}, callback=lambda intermediate_result: seen.append(intermediate_result)
    )
    assert all(not r.lower_bound > best.fun * (1 + 1e-12) + 1e-14 for r in seen)
    assert all(r.fun >= best.lower_bound * (1 - 1e-12) - 1e-14 for r in seen)
    assert found.nit >= 2  # sets of three cannot show the optimum at once


def test_few_of_many_tasks_are_looked_at_closely():
    tasks = affine(20000, 5, 9)
    found = mo.minimize_max(tasks, method="working-set", tol=TOL)
    assert found.success
    assert found.njev <= 2 * found.nit + 2  # a share of a Jacobian a round, rounded up, and the last residual
    assert found.nfev <= 4 * found.nit + 2


def test_the_certificate_is_one_that_the_judge_confirms():
    tasks, regularizer = CASES["logistic"]
    found = solve("logistic", method="working-set")
    bound = regularizer.bind(tasks.n_variables, tasks.space)
    problem = Problem(tasks, tasks.n_tasks, tasks.n_variables, regularizer=bound, convex=True, strong_convexity=1e-2)
    again = certify(problem.at(found.x), found.weights)
    assert again.lower_bound == pytest.approx(found.lower_bound, rel=1e-8)


def test_unbounded_problems_are_recognised_and_unbounded_sets_are_not_mistaken_for_them():
    rng = np.random.default_rng(0)
    falling = np.column_stack([-1 - rng.random(500), rng.standard_normal(500)])
    options = {"size": 4}
    assert (
        mo.minimize_max(mo.AffineTasks(falling, rng.random(500)), method="working-set", options=options).status
        is mo.Status.UNBOUNDED
    )
    rising = np.concatenate([falling, [[1.0, 0.0]]])  # one task holds all the others up
    found = mo.minimize_max(
        mo.AffineTasks(rising, np.append(rng.random(500), 0.0)), method="working-set", tol=TOL, options=options
    )
    assert found.success
    assert 500 in found.active


def test_equal_tasks_and_one_task():
    same = mo.LeastSquaresTasks(np.ones((300, 2, 1)), np.tile([0.0, 2.0], (300, 1)))
    found = mo.minimize_max(same, method="working-set", tol=TOL, options={"size": 2})
    assert found.success
    assert found.fun == pytest.approx(1.0)
    assert mo.minimize_max(same.subset(np.array([7])), method="working-set", tol=TOL).success


def test_a_good_start_ends_in_the_first_round():
    first = solve("affine, far from x0", method="working-set", options={"size": 3})
    tasks, _ = CASES["affine, far from x0"]
    again = mo.minimize_max(tasks, first.x, weights0=first.weights, method="working-set", tol=TOL, options={"size": 10})
    assert again.success
    assert again.nit == 1 < first.nit


def test_what_it_cannot_do_is_refused():
    tasks = CASES["affine"][0]
    for ambiguity in (mo.CVaR(0.5), mo.Simplex(floor=0.1)):
        with pytest.raises(ValueError, match=r"working-set.*Simplex"):
            mo.minimize_max(tasks, method="working-set", ambiguity=ambiguity)
    with pytest.raises(ValueError, match=r"working-set.*subset"):
        mo.minimize_max(lambda x: np.array([x @ x]), np.zeros(2), lambda x: 2 * x[None], method="working-set", convex=True)
    with pytest.raises(ValueError, match="convex"):
        mo.minimize_max(mo.QuadraticTasks(-np.eye(2)[None]), method="working-set")
    with pytest.raises((ValueError, TypeError), match="size"):
        mo.minimize_max(tasks, method="working-set", options={"size": 0})


def test_ctrl_c_inside_a_small_problem_ends_the_whole(monkeypatch):
    problem_at, calls = Problem.at, []

    def interrupted(problem, x):
        calls.append(len(calls))
        if len(calls) == 9:
            raise KeyboardInterrupt
        return problem_at(problem, x)

    monkeypatch.setattr(Problem, "at", interrupted)
    found = solve("tangents", method="working-set", options={"size": 3})
    assert found.status is mo.Status.INTERRUPTED
    assert len(calls) == 9


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.integers(1, 12), st.integers(0, 10))
def test_choices_are_of_the_right_size_and_hold_the_worst(losses, count, seed):
    losses = np.array(losses)
    chosen = largest(losses, count)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, len(losses))
    assert losses[chosen].min() >= np.delete(losses, chosen).max(initial=-np.inf)
    tasks = np.arange(len(losses)) * 3
    added = spread(tasks, losses, count, np.random.default_rng(seed))
    assert len(set(added.tolist())) == len(added) == min(count, len(losses))
    assert losses[added // 3].max() == losses.max()


@pytest.mark.parametrize(
    "parts", [{"domain": mo.Box(-0.05, 0.05)}, {"regularizer": mo.L1(0.3)}, {"regularizer": mo.Ridge(0.1) + mo.L1(0.1)}]
)
def test_boxes_and_one_norms_are_passed_on(parts):
    tasks = affine(2000, 4, 10)
    whole = mo.minimize_max(tasks, method="interior-point", tol=TOL, **parts)
    found = mo.minimize_max(tasks, method="working-set", tol=TOL, options={"size": 5}, **parts)
    assert whole.success, whole
    assert found.success, found
    assert found.fun == pytest.approx(whole.fun, rel=3 * TOL)
    assert found.lower_bound <= whole.fun * (1 + 1e-12)
