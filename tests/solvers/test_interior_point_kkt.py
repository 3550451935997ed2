"""The elimination against the full Newton system, and the points of W that it ends in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minimax_opt as mo
from minimax_opt.problem import Problem
from minimax_opt.solvers.interior_point_adversary import Adversary
from minimax_opt.solvers.interior_point_iterate import Iterate, longest
from minimax_opt.solvers.interior_point_kkt import TRUSTED, Linearisation
from minimax_opt.solvers.interior_point_move import moved
from minimax_opt.solvers.interior_point_start import first_iterate

SETS = [
    mo.Simplex(),
    mo.Simplex(floor=0.3),
    mo.CVaR(0.5),
    mo.KLBall(0.2, floor=0.1),
    mo.ChiSquareBall(0.3),
    mo.CVaR(0.4, prior=(0.1, 0.2, 0.3, 0.2, 0.2)),
    mo.KLBall(0.4, prior=(0.1, 0.2, 0.3, 0.2, 0.2)),
]


def linearisation(ambiguity, n_tasks=5, n=3):
    """Away from feasibility in every condition."""
    rng = np.random.default_rng(7)
    tasks = mo.LeastSquaresTasks(rng.standard_normal((n_tasks, 6, n)), rng.standard_normal((n_tasks, 6)))
    problem = Problem(tasks, n_tasks, n, ambiguity, convex=True)
    adversary = Adversary(ambiguity.constraints(n_tasks))
    slack, multiplier = rng.uniform(0.05, 0.4, (2, adversary.n_pairs))
    return Linearisation(adversary, Iterate(problem.at(rng.standard_normal(n)), slack, multiplier, 0.3))


@pytest.mark.parametrize("bent", [False, True])
@pytest.mark.parametrize("ambiguity", SETS, ids=str)
def test_the_step_solves_every_linearised_condition(ambiguity, bent):
    linear = linearisation(ambiguity)
    bend = (np.linspace(-0.1, 0.2, 5), 0.05) if bent else (np.zeros(5), 0.0)
    adversary, it = linear.adversary, linear.iterate
    n_tasks = adversary.n_tasks
    assert linear.factor()
    target = np.random.default_rng(1).standard_normal(adversary.n_pairs)
    step = linear.step(target, bend if bent else None)
    du, ds = step.slack[:n_tasks], step.multiplier[:n_tasks]
    point = it.point
    on_x = point.gradient(linear.w) + point.hessian(linear.w) @ step.x + adversary.mix * point.jacobian().T @ du
    on_u = (
        adversary.mix * (point.losses + point.jacobian() @ step.x)
        - (it.level + step.level)
        + it.multiplier[:n_tasks]
        + ds
        + bend[0]
    )
    if adversary.cap is not None:
        on_u -= (it.multiplier + step.multiplier)[n_tasks : 2 * n_tasks]
        np.testing.assert_allclose(
            (it.slack + step.slack)[n_tasks : 2 * n_tasks] + it.slack[:n_tasks] + du, adversary.cap, atol=1e-12
        )
    if adversary.ball is not None:
        u, eta, d_eta = it.slack[:n_tasks], it.multiplier[-1], step.multiplier[-1]
        on_u -= (eta + d_eta) * adversary.ball.gradient(u) + eta * adversary.ball.curvature(u) * du
        value = adversary.ball.value(u) + adversary.ball.gradient(u) @ du
        np.testing.assert_allclose(value + it.slack[-1] + step.slack[-1], adversary.ball.radius + bend[1], atol=1e-12)
    np.testing.assert_allclose(on_x, 0, atol=1e-11)
    np.testing.assert_allclose(on_u, 0, atol=1e-11)
    assert (it.slack[:n_tasks] + du).sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(it.slack * step.multiplier + it.multiplier * step.slack, target, atol=1e-11)


@pytest.mark.parametrize("ambiguity", [mo.KLBall(0.2), mo.ChiSquareBall(0.3)], ids=str)
def test_the_ball_remainder_is_what_linearisation_leaves(ambiguity):
    linear = linearisation(ambiguity)
    assert linear.factor()
    step = linear.step(np.zeros(linear.adversary.n_pairs))
    a, b = 0.1, 0.2
    bend_u, bend_ball = linear.ball_remainder(step, a, b)
    it, n_tasks = linear.iterate, linear.adversary.n_tasks
    moved = Iterate(it.point, it.slack + a * step.slack, it.multiplier + b * step.multiplier, it.level + b * step.level)
    after = Linearisation(linear.adversary, moved)
    ball, u, du = linear.adversary.ball, it.slack[:n_tasks], a * step.slack[:n_tasks]
    eta, d_eta = it.multiplier[-1], b * step.multiplier[-1]
    change = b * (step.multiplier[:n_tasks] - step.level) - d_eta * ball.gradient(u) - eta * ball.curvature(u) * du
    np.testing.assert_allclose(after.residual, linear.residual + change + bend_u, atol=1e-13)
    first_order = linear.ball_residual - ball.gradient(u) @ du - a * step.slack[-1]
    assert after.ball_residual == pytest.approx(first_order + bend_ball, abs=1e-13)


def test_the_ball_remainder_is_trusted_only_so_far():
    """Next to the boundary the logarithm's remainder grows without end; what is corrected may move no weight by more than a share."""
    linear = linearisation(mo.KLBall(0.2))
    assert linear.factor()
    step = linear.step(np.zeros(linear.adversary.n_pairs))
    step.slack[:5] = -(1 - 1e-9) * linear.u
    bend, _ = linear.ball_remainder(step, 1.0, 0.0)
    np.testing.assert_allclose(linear.d * np.abs(bend), TRUSTED * linear.u)


def test_slacks_absorb_the_curvature_of_the_losses():
    linear = linearisation(mo.Simplex(floor=0.2))
    start = first_iterate(linear.iterate.point, linear.adversary, 1e-3)
    linear = Linearisation(linear.adversary, start)
    assert abs(linear.residual).max() < 1e-13
    assert linear.factor()
    step = linear.step(np.zeros(linear.adversary.n_pairs))
    point = start.point.problem.at(start.point.x + 0.5 * step.x)
    after = Linearisation(linear.adversary, moved(point.problem, linear, step, (0.5, 0.5), point))
    assert abs(point.losses - start.point.losses - 0.5 * linear.rows @ step.x).max() > 1e-2  # there is curvature
    assert abs(after.residual).max() < 1e-13
    assert after.s.min() > 0


@given(seed=st.integers(0, 10**6), index=st.integers(0, len(SETS) - 1), outside=st.sampled_from([0.0, 1e-12, 1e-3, 1.0]))
def test_members_are_in_the_set(seed, index, outside):
    ambiguity = SETS[index]
    rng = np.random.default_rng(seed)
    adversary = Adversary(ambiguity.constraints(5))
    u = adversary.unmixed(ambiguity.host_weights(rng.standard_normal(5)))
    u = (1 - outside) * u + outside * rng.dirichlet(np.full(5, 0.3)) + 1e-17
    assert ambiguity.contains(adversary.member(u), 1e-14)


@pytest.mark.parametrize("ambiguity", SETS, ids=str)
def test_members_of_the_set_stay_where_they_are(ambiguity):
    adversary = Adversary(ambiguity.constraints(5))
    w = ambiguity.host_weights(np.array([0.1, 0.5, 0.2, 0.9, 0.4]))
    np.testing.assert_allclose(adversary.member(adversary.unmixed(w)), w, atol=1e-14)


def test_constraints_that_never_bind_are_dropped():
    assert Adversary(mo.CVaR(0.2).constraints(5)).cap is None
    assert Adversary(mo.KLBall(2.0).constraints(5)).ball is None
    assert Adversary(mo.ChiSquareBall(3.0).constraints(5)).ball is None
    assert Adversary(mo.CVaR(1.0).constraints(5)).mix == 0.0


def test_longest_step():
    assert longest(np.array([1.0, 2.0]), np.array([-2.0, -1.0])) == pytest.approx(0.5)
    assert longest(np.array([1.0, 2.0]), np.array([2.0, 0.0])) == 1e10
