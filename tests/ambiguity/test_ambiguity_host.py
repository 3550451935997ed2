"""The host side: the same numbers as torch, points of the set, and derivatives of the constraints."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from ambiguity.ambiguity_cases import N_TASKS, PRIOR, SETS, label
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minimax_opt.ambiguity import ChiSquareBall, CVaR, KLBall, Simplex, respond, worst_case

INF = math.inf
over_sets = pytest.mark.parametrize("ambiguity", SETS, ids=label)
NASTY = [
    [0.0, 0.0, 0.0, 0.0, 0.0],
    [1.0, 1.0, 0.0, 0.0, 0.0],
    [1.0, 1.0 - 1e-15, 1.0, -1.0, -1.0],
    [0.0, -1e-300, -1e-12, -1.0, -1e8],
    [1e300, -1e300, 0.0, 1e300, 5e299],
    [3e-300, 1e-300, 0.0, 0.0, 2e-300],
    [1e9, 1e9 + 1e-6, 1e9, 1e9 - 1, 1e9],
    [0.0, -INF, 1.0, 0.5, 1.0],
    [0.0, -INF, -INF, -INF, -INF],
    [-INF, -INF, -INF, -INF, -INF],
]


def assert_host_equals_torch(ambiguity, losses):
    weights, value = ambiguity.host_weights(losses), ambiguity.host_value(losses)
    assert isinstance(value, float)
    np.testing.assert_allclose(weights, respond(losses, ambiguity), rtol=0, atol=2e-15)
    spread = np.ptp(losses[np.isfinite(losses)]) if np.isfinite(losses).any() else 0.0
    np.testing.assert_allclose(value, worst_case(losses, ambiguity), rtol=1e-15, atol=1e-14 * spread)
    assert ambiguity.contains(weights, 2e-14)


@over_sets
@pytest.mark.parametrize("losses", NASTY)
def test_host_and_torch_agree_on_nasty_losses(ambiguity, losses):
    assert_host_equals_torch(ambiguity, np.array(losses))


@over_sets
@given(losses=arrays(np.float64, N_TASKS, elements=st.floats(-8, 8, allow_subnormal=False)))
def test_host_and_torch_agree(ambiguity, losses):
    assert_host_equals_torch(ambiguity, losses)


@given(
    losses=arrays(np.float64, N_TASKS, elements=st.integers(-3, 3).map(float)),
    exponent=st.floats(-18, 1),
    prior=arrays(np.float64, N_TASKS, elements=st.floats(1e-3, 1)),
    kind=st.sampled_from([KLBall, ChiSquareBall]),
)
def test_host_and_torch_agree_for_any_radius(losses, exponent, prior, kind):
    assert_host_equals_torch(kind(10.0**exponent, prior), losses)


@over_sets
def test_the_constraints_describe_the_base_set(ambiguity):
    constraints = ambiguity.constraints(N_TASKS)
    np.testing.assert_array_equal(constraints.prior, ambiguity.prior_weights(N_TASKS))
    assert constraints.floor == ambiguity.floor
    assert (constraints.cap is not None) == isinstance(ambiguity, CVaR)
    assert (constraints.ball is not None) == isinstance(ambiguity, KLBall | ChiSquareBall)
    assert constraints.violation(constraints.prior) < 1e-15


@pytest.mark.parametrize("ambiguity", [KLBall(0.2, PRIOR), ChiSquareBall(0.3, PRIOR)], ids=label)
def test_the_balls_are_given_with_their_derivatives(ambiguity):
    ball = ambiguity.constraints(N_TASKS).ball
    w, q = np.array([0.3, 0.1, 0.2, 0.15, 0.25]), np.array(PRIOR)
    by_definition = (w * np.log(w / q)).sum() if isinstance(ambiguity, KLBall) else ((w - q) ** 2 / q).sum() / 2
    assert ball.value(w) == pytest.approx(by_definition, rel=1e-14)
    assert ball.radius == ambiguity.radius
    step = 1e-6
    for k, unit in enumerate(np.eye(N_TASKS)):
        difference = (ball.value(w + step * unit) - ball.value(w - step * unit)) / (2 * step)
        assert ball.gradient(w)[k] == pytest.approx(difference, abs=1e-8)
        difference = (ball.gradient(w + step * unit) - ball.gradient(w - step * unit)) / (2 * step)
        np.testing.assert_allclose(difference, ball.curvature(w)[k] * unit, atol=1e-7)


def test_the_value_of_the_kl_ball_at_the_boundary_of_the_simplex():
    ball = KLBall(5.0).constraints(2).ball
    assert ball.value(np.array([1.0, 0.0])) == pytest.approx(math.log(2))


def test_violations_are_seen():
    q = np.full(4, 0.25)
    assert CVaR(0.8).constraints(4).violation(np.array([0.4, 0.2, 0.2, 0.2])) == pytest.approx(0.4 - 0.25 / 0.8)
    assert Simplex().constraints(4).violation(np.array([0.5, 0.5, 0.1, -0.1])) == pytest.approx(0.1)
    assert Simplex().constraints(4).violation(1.1 * q) == pytest.approx(0.1)
    far = np.array([0.7, 0.1, 0.1, 0.1])
    assert ChiSquareBall(0.1).constraints(4).violation(far) == pytest.approx(2 * ((far - q) ** 2).sum() - 0.1)
    assert Simplex().constraints(2).violation(np.array([np.nan, 1.0])) == INF


@pytest.mark.parametrize("prior", [None, PRIOR], ids=["uniform", "prior"])
@pytest.mark.parametrize("radius", [1e-6, 1e-10, 1e-14, 1e-18])
def test_weights_on_tiny_kl_balls_are_at_the_boundary(radius, prior):
    """The divergence by 50 digits, of weights and prior that are normalised there."""
    ball, losses = KLBall(radius, prior), np.array([1.0, -2.0, 0.5, 3.0, 0.0])
    constraint = ball.constraints(N_TASKS).ball
    for w in (ball.host_weights(losses), respond(losses, ball)):
        with localcontext() as context:
            context.prec = 50
            exact_w, exact_q = ([Decimal(float(a)) for a in vector] for vector in (w, constraint.prior))
            p, q = ([a / sum(vector) for a in vector] for vector in (exact_w, exact_q))
            divergence = float(sum(a * (a / b).ln() for a, b in zip(p, q, strict=True)))
        assert constraint.value(w) == pytest.approx(divergence, rel=1e-12, abs=0)
        assert divergence == pytest.approx(radius, rel=64 * np.finfo(float).eps / math.sqrt(radius), abs=0)


def test_the_divergence_is_smooth_where_its_formula_changes():
    """Against 50 digits, from next to the prior to far from it."""
    prior = np.array([0.5, 0.5])
    for s in [1e-12, 1e-6, 0.01, 0.0299, 0.0301, 0.3, 0.499, 0.501, 0.9, 1 - 1e-9]:
        w = prior * [1 - s, 1 + s]
        with localcontext() as context:
            context.prec = 50
            a, b = (2 * Decimal(float(v)) for v in w)
            exact = float((a * a.ln() - (a - 1) + b * b.ln() - (b - 1)) / 2)
        constraint = KLBall(1.0).constraints(2).ball
        assert constraint.value(w) == pytest.approx(exact, rel=1e-13, abs=0)
