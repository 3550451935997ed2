"""What holds for every set, geometry and input: optimality, and how the value moves with the losses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from ambiguity.ambiguity_cases import ALL, N_TASKS, SETS, SMOOTH, base_weights, divergence, label
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minimax_opt.ambiguity import respond, worst_case

EPS = np.finfo(np.float64).eps
ROWS = 16  # an example is a batch: hypothesis costs more than the arithmetic
over_all = pytest.mark.parametrize(("ambiguity", "geometry", "smoothing"), ALL, ids=label)
few = settings(max_examples=4 if settings.get_current_profile_name() == "ci" else 100)


def batches(elements):
    return arrays(np.float64, (ROWS, N_TASKS), elements=elements, fill=st.nothing())


eighths = batches(st.integers(-40, 40).map(lambda i: i / 8))  # ties are common and shifts exact
losses_of = st.one_of(eighths, batches(st.floats(-5, 5, allow_subnormal=False)))
anchors = st.one_of(st.none(), batches(st.floats(0.01, 1)).map(lambda a: a / a.sum(-1, keepdims=True)))


def prior_of(ambiguity, anchor):
    return np.tile(ambiguity.prior_weights(N_TASKS), (ROWS, 1)) if anchor is None else anchor


@over_all
@few
@given(losses=losses_of, anchor=anchors)
def test_the_weights_are_in_the_set_and_no_other_point_is_better(ambiguity, geometry, smoothing, losses, anchor):
    """First-order condition of a concave maximum: max over u in the set of <gradient at w, u - w> is 0."""
    ambiguity = dataclasses.replace(ambiguity, floor=0.0)  # it costs small weights their digits, and has a test of its own
    weights = respond(losses, ambiguity, smoothing=smoothing, geometry=geometry, anchor=anchor)
    for f, w, reference in zip(losses, weights, prior_of(ambiguity, anchor), strict=True):
        assert ambiguity.constraints(N_TASKS).violation(w) <= 64 * EPS
        gradient = f - f.max() - smoothing * (w - reference)
        if geometry == "entropic" and smoothing > 0:
            # The derivative of w log w is -inf at 0: there a point that rounding set to 0 is as good as one of 1e-20.
            gradient = f - f.max() - smoothing * np.log(np.maximum(w, 1e-20) / reference)
        assert ambiguity.host_value(gradient) - w @ gradient <= 1000 * EPS * (np.ptp(f) + smoothing * 20)


@over_all
@few
@given(losses=losses_of, anchor=anchors)
def test_the_value_is_the_objective_at_the_weights(ambiguity, geometry, smoothing, losses, anchor):
    options = {"smoothing": smoothing, "geometry": geometry, "anchor": anchor}
    weights, values = respond(losses, ambiguity, **options), worst_case(losses, ambiguity, **options)
    for f, w, value, reference in zip(losses, weights, values, prior_of(ambiguity, anchor), strict=True):
        regularizer = smoothing * divergence(base_weights(ambiguity, w), reference, geometry)
        assert value == pytest.approx(w @ f - (1 - ambiguity.floor) * regularizer, rel=0, abs=1e-13)


@over_all
@few
@given(losses=eighths, shift=st.sampled_from([-3.0, 0.125, 1e3, 2.0**30]))
def test_a_shift_of_the_losses_shifts_the_value_and_leaves_the_weights(ambiguity, geometry, smoothing, losses, shift):
    options = {"smoothing": smoothing, "geometry": geometry}
    np.testing.assert_array_equal(respond(losses + shift, ambiguity, **options), respond(losses, ambiguity, **options))
    value = worst_case(losses, ambiguity, **options)
    np.testing.assert_allclose(worst_case(losses + shift, ambiguity, **options), value + shift, rtol=4 * EPS, atol=1e-14)


@over_all
@few
@given(losses=eighths, exponent=st.integers(-900, 900))
def test_the_unit_of_the_losses_does_not_matter(ambiguity, geometry, smoothing, losses, exponent):
    """Losses and smoothing in another unit: the same weights and the value in that unit, also at 1e-270 and 1e270."""
    unit = 2.0**exponent
    here, there = {"smoothing": smoothing, "geometry": geometry}, {"smoothing": smoothing * unit, "geometry": geometry}
    np.testing.assert_allclose(respond(losses * unit, ambiguity, **there), respond(losses, ambiguity, **here), rtol=0, atol=1e-13)
    value = worst_case(losses, ambiguity, **here)
    np.testing.assert_allclose(worst_case(losses * unit, ambiguity, **there) / unit, value, rtol=0, atol=1e-13)


@over_all
@few
@given(losses=losses_of, order=st.permutations(range(N_TASKS)))
def test_the_order_of_the_tasks_does_not_matter(ambiguity, geometry, smoothing, losses, order):
    order = list(order)
    prior = None if ambiguity.prior is None else np.array(ambiguity.prior)[order]
    permuted = dataclasses.replace(ambiguity, prior=prior)
    options = {"smoothing": smoothing, "geometry": geometry}
    expected = respond(losses, ambiguity, **options)[:, order]
    np.testing.assert_allclose(respond(losses[:, order], permuted, **options), expected, rtol=0, atol=1e-12)


@over_all
@few
@given(first=losses_of, second=losses_of, t=st.floats(0, 1))
def test_the_value_is_convex_and_increasing(ambiguity, geometry, smoothing, first, second, t):
    stacked = np.stack([first, second, t * first + (1 - t) * second, np.minimum(first, second)])
    at_first, at_second, between, below = worst_case(stacked, ambiguity, smoothing=smoothing, geometry=geometry)
    assert (between <= t * at_first + (1 - t) * at_second + 1e-13).all()
    assert (below <= np.minimum(at_first, at_second) + 1e-13).all()


@pytest.mark.parametrize(("ambiguity", "geometry"), SMOOTH, ids=label)
@few
@given(losses=losses_of, smoothing=st.sampled_from([1e-9, 1e-3, 0.1, 1.0, 1e5]))
def test_smoothing_takes_off_at_most_its_divergence_radius(ambiguity, geometry, losses, smoothing):
    taken = worst_case(losses, ambiguity) - worst_case(losses, ambiguity, smoothing=smoothing, geometry=geometry)
    assert (taken >= -1e-13).all()
    assert (taken <= smoothing * ambiguity.divergence_radius(N_TASKS, geometry) + 1e-13).all()


@pytest.mark.parametrize("ambiguity", SETS, ids=label)
@pytest.mark.parametrize("geometry", ["entropic", "euclidean"])
@few
@given(losses=losses_of)
def test_the_divergence_radius_bounds_every_point(ambiguity, geometry, losses):
    radius, prior = ambiguity.divergence_radius(N_TASKS, geometry), ambiguity.prior_weights(N_TASKS)
    assert max(divergence(w, prior, geometry) for w in respond(losses, ambiguity)) <= radius + 1e-13
