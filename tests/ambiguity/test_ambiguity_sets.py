"""The sets themselves: prior, floor, radii, membership, and the sets that contain each other."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from ambiguity.ambiguity_cases import N_TASKS, PRIOR, SETS, label
from hypothesis import given
from hypothesis import strategies as st

from minimax_opt.ambiguity import ChiSquareBall, CVaR, KLBall, Simplex, respond, worst_case

LOSSES = np.array([0.3, 1.0, -0.4, 1.0, 0.9])
over_sets = pytest.mark.parametrize("ambiguity", SETS, ids=label)


@pytest.mark.parametrize("prior", [None, PRIOR])
def test_sets_that_hold_the_whole_simplex_are_the_simplex(prior):
    least = min(PRIOR) if prior else 1 / N_TASKS
    whole = Simplex(prior)
    for smoothing, geometry in ((0.0, "entropic"), (0.3, "entropic"), (0.3, "euclidean")):
        options = {"smoothing": smoothing, "geometry": geometry}
        same = [CVaR(least, prior), CVaR(1e-9, prior)]
        if geometry == "entropic":
            same += [KLBall(math.inf, prior), KLBall(-math.log(least) + 1e-12, prior)]
        if geometry == "euclidean" or smoothing == 0:
            same += [ChiSquareBall(math.inf, prior), ChiSquareBall((1 / least - 1) / 2 + 1e-12, prior)]
        for ambiguity in same:
            np.testing.assert_array_equal(respond(LOSSES, ambiguity, **options), respond(LOSSES, whole, **options))
            assert worst_case(LOSSES, ambiguity, **options) == worst_case(LOSSES, whole, **options)


@pytest.mark.parametrize("prior", [None, PRIOR])
@pytest.mark.parametrize("make", [lambda p: CVaR(1.0, p), lambda p: KLBall(0.0, p), lambda p: ChiSquareBall(0, p)])
def test_the_smallest_sets_are_the_prior(prior, make):
    ambiguity, q = make(prior), Simplex(prior).prior_weights(N_TASKS)
    np.testing.assert_allclose(respond(LOSSES, ambiguity), q, rtol=0, atol=2e-16)
    assert worst_case(LOSSES, ambiguity) == pytest.approx(q @ LOSSES, rel=1e-15)


@pytest.mark.parametrize(
    "make", [lambda r: KLBall(r, PRIOR), lambda r: ChiSquareBall(r, PRIOR), lambda r: CVaR(1 / (1 + r), PRIOR)]
)
@given(radii=st.tuples(st.floats(1e-12, 8), st.floats(1e-12, 8)).map(sorted))
def test_a_larger_set_is_worse(make, radii):
    small, large = (float(worst_case(LOSSES, make(r))) for r in radii)
    assert small <= large + 1e-14


@over_sets
def test_the_floor_mixes(ambiguity):
    q = ambiguity.prior_weights(N_TASKS)
    plain, floored = dataclasses.replace(ambiguity, floor=0.0), dataclasses.replace(ambiguity, floor=0.25)
    np.testing.assert_allclose(respond(LOSSES, floored), 0.75 * respond(LOSSES, plain) + 0.25 * q, rtol=0, atol=1e-15)
    expected = 0.75 * worst_case(LOSSES, plain) + 0.25 * (q @ LOSSES)
    assert worst_case(LOSSES, floored) == pytest.approx(expected, rel=1e-14)


@over_sets
def test_membership(ambiguity):
    q, worst = ambiguity.prior_weights(N_TASKS), respond(LOSSES, ambiguity)
    assert ambiguity.contains(q, 1e-15)
    assert ambiguity.contains(np.stack([q, worst, (q + worst) / 2]), 1e-14)
    assert not ambiguity.contains(worst + 1e-3 * (worst - q), 1e-6)  # `worst` is on the boundary
    assert not ambiguity.contains(q * 1.001, 1e-6)
    assert not ambiguity.contains(np.full(N_TASKS, np.nan))


def test_a_uniform_prior_is_the_default():
    for ambiguity in (Simplex, lambda p=None: CVaR(0.3, p), lambda p=None: KLBall(0.2, p), lambda p=None: ChiSquareBall(0.2, p)):
        given_prior, default = ambiguity([2.0] * N_TASKS), ambiguity()
        np.testing.assert_allclose(respond(LOSSES, given_prior), respond(LOSSES, default), rtol=0, atol=1e-15)


def test_the_chi_square_ball_of_a_given_uniform_prior_has_the_closed_form():
    """The general root and the closed form for a uniform prior are different code."""
    for radius in (1e-6, 0.1, 0.9):
        general, closed = ChiSquareBall(radius, [1.0] * N_TASKS), ChiSquareBall(radius)
        for smoothing in (1e-3, 0.5, 20.0):
            options = {"smoothing": smoothing, "geometry": "euclidean", "anchor": np.array(PRIOR)}
            np.testing.assert_allclose(
                respond(LOSSES, general, **options), respond(LOSSES, closed, **options), rtol=0, atol=1e-14
            )


def test_divergence_radii_that_are_attained():
    assert Simplex().divergence_radius(7) == pytest.approx(math.log(7))
    assert Simplex(PRIOR).divergence_radius(5) == pytest.approx(-math.log(min(PRIOR)))
    assert Simplex().divergence_radius(4, "euclidean") == pytest.approx((0.75**2 + 3 * 0.25**2) / 2)
    assert CVaR(0.5).divergence_radius(8) == pytest.approx(math.log(2))
    assert CVaR(0.5).divergence_radius(8, "euclidean") == pytest.approx(8 * 0.125**2 / 2)
    assert KLBall(0.3).divergence_radius(5) == pytest.approx(0.3)
    assert KLBall(math.inf).divergence_radius(5) == pytest.approx(math.log(5))
    assert ChiSquareBall(0.1).divergence_radius(5, "euclidean") == pytest.approx(0.1 / 5)
    assert Simplex(floor=0.25).divergence_radius(7) == pytest.approx(0.75 * math.log(7))
    assert Simplex().divergence_radius(1) == 0.0


def test_priors_are_normalised_and_sets_are_values():
    assert Simplex([2, 6]).prior == (0.25, 0.75)
    assert Simplex([1e308, 1e308]).prior == (0.5, 0.5)
    assert CVaR(0.5, [2, 6]) == CVaR(0.5, np.array([1.0, 3.0]))
    assert len({KLBall(0.1), KLBall(0.1), KLBall(0.2), ChiSquareBall(0.1)}) == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        Simplex().floor = 0.5
    q = Simplex(PRIOR).prior_weights(N_TASKS)
    q[0] = 5.0
    assert Simplex(PRIOR).prior_weights(N_TASKS)[0] == pytest.approx(0.1)


@over_sets
def test_descriptions_tell_sets_apart(ambiguity):
    assert [s.describe() for s in SETS].count(ambiguity.describe()) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Simplex(floor=1.0), r"`floor` must be a float in \[0, 1\), got 1\.0"),
        (lambda: Simplex([0.5, 0.0]), "`prior` must be a sequence of finite numbers > 0.*Leave out"),
        (lambda: Simplex([]), "`prior`"),
        (lambda: Simplex([1.0, math.nan]), "`prior`"),
        (lambda: Simplex([[1.0, 2.0]]), "`prior`"),
        (lambda: CVaR(0.0), r"`tail_fraction` must be a float in \(0, 1\], got 0\.0"),
        (lambda: CVaR(1.5), "`tail_fraction`"),
        (lambda: KLBall(-1.0), "`radius` must be a float >= 0"),
        (lambda: ChiSquareBall(math.nan), "`radius` must be a float >= 0"),
        (lambda: Simplex(PRIOR).check(3), "has 5 weights, but there are 3 tasks"),
        (lambda: Simplex().prior_weights(0), "at least one task"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_whole_tail_is_the_mean_for_every_number_of_tasks(dtype):
    """The caps then sum to one only up to rounding, which grows with K."""
    for n_tasks in [*range(2, 300), 999, 5000]:
        losses = torch.arange(n_tasks, dtype=dtype)
        mean = (n_tasks - 1) / 2
        slack = 16 * n_tasks * torch.finfo(dtype).eps
        assert float(worst_case(losses, CVaR(1.0))) == pytest.approx(mean, rel=slack)
        for geometry in ("entropic", "euclidean"):
            weights = respond(losses, CVaR(1.0), smoothing=0.5, geometry=geometry)
            assert float(weights @ losses) == pytest.approx(mean, rel=slack)
