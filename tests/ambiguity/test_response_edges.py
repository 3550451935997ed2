"""Ties, losses of -inf, offsets, huge and tiny ranges, one task, many tasks, dtypes, batches, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from ambiguity.ambiguity_cases import ALL, N_TASKS, PRIOR, SETS, SMOOTH, base_weights, label

from minimax_opt.ambiguity import ChiSquareBall, CVaR, KLBall, Simplex, respond, roots, worst_case

over_all = pytest.mark.parametrize(("ambiguity", "geometry", "smoothing"), ALL, ids=label)
over_smooth = pytest.mark.parametrize(("ambiguity", "geometry"), SMOOTH, ids=label)
INF = math.inf


@over_all
def test_equal_losses_give_the_prior(ambiguity, geometry, smoothing):
    weights = respond(np.full((3, N_TASKS), 0.7), ambiguity, smoothing=smoothing, geometry=geometry)
    np.testing.assert_allclose(weights, np.tile(ambiguity.prior_weights(N_TASKS), (3, 1)), rtol=0, atol=2e-16)


@pytest.mark.parametrize("ambiguity", SETS, ids=label)
def test_tied_tasks_share_in_proportion_to_the_prior(ambiguity):
    weights, q = respond(np.array([3.0, 1.0, 3.0, 2.0, 2.0]), ambiguity), ambiguity.prior_weights(N_TASKS)
    assert weights[0] * q[2] == pytest.approx(weights[2] * q[0], rel=1e-14)
    if ambiguity.floor == 0:
        assert weights[3] * q[4] == pytest.approx(weights[4] * q[3], rel=1e-14)


@over_all
def test_a_task_of_loss_minus_inf_counts_as_one_far_below(ambiguity, geometry, smoothing):
    losses, options = np.array([0.3, -INF, 1.0, 0.9, 0.1]), {"smoothing": smoothing, "geometry": geometry}
    far = np.where(np.isinf(losses), -1e12, losses)
    weights, value = respond(losses, ambiguity, **options), worst_case(losses, ambiguity, **options)
    assert np.isneginf(value) == (weights[1] > 0)
    if base_weights(ambiguity, weights)[1] < 1e-15:  # the set can avoid it, and so it does
        np.testing.assert_allclose(weights, respond(far, ambiguity, **options), rtol=0, atol=1e-10)
        assert ambiguity.floor > 0 or value == pytest.approx(worst_case(far, ambiguity, **options), rel=1e-10)
    else:
        assert respond(far, ambiguity)[1] > 0


@over_all
def test_where_the_set_cannot_avoid_minus_inf_the_value_is_minus_inf(ambiguity, geometry, smoothing):
    for losses in (np.full(N_TASKS, -INF), np.array([0.0, -INF, 1.0, -INF, -INF])):
        weights = respond(losses, ambiguity, smoothing=smoothing, geometry=geometry)
        assert ambiguity.contains(weights, 1e-14)
        value = worst_case(losses, ambiguity, smoothing=smoothing, geometry=geometry)
        assert value == -INF if (weights[np.isinf(losses)] > 0).any() else np.isfinite(value)


@pytest.mark.parametrize("ambiguity", [CVaR(0.5), KLBall(0.2), ChiSquareBall(0.2)])
def test_unavoidable_tasks_of_loss_minus_inf_get_as_little_as_the_set_allows(ambiguity):
    losses = np.array([3.0, -INF, -INF, -INF, -INF])
    finite = np.array([0.0, -1.0, -1.0, -1.0, -1.0])
    np.testing.assert_array_equal(respond(losses, ambiguity), respond(finite, ambiguity))


def test_a_task_of_anchor_weight_zero_stays_at_zero_in_the_entropic_geometry():
    anchor = np.array([0.5, 0.0, 0.3, 0.2, 0.0])
    for ambiguity in (Simplex(), CVaR(0.45, PRIOR), KLBall(0.7)):
        weights = respond(np.array([0.0, 9.0, 1.0, 0.5, 2.0]), ambiguity, smoothing=1.0, anchor=anchor)
        assert weights[1] == weights[4] == 0
        assert ambiguity.contains(weights, 1e-14)


@over_smooth
def test_a_large_offset_costs_no_more_than_the_rounding_of_the_losses(ambiguity, geometry):
    losses = np.array([0.25, 0.5, 0.0, 0.75, 0.5])
    for dtype, offset in ((np.float64, 1e9), (np.float32, 1e4)):
        for smoothing in (0.0, 0.5):
            options = {"smoothing": smoothing, "geometry": geometry}
            shifted = respond((losses + offset).astype(dtype), ambiguity, **options)
            np.testing.assert_array_equal(shifted, respond(losses.astype(dtype), ambiguity, **options))
            assert shifted.dtype == dtype


@pytest.mark.parametrize("ambiguity", SETS, ids=label)
@pytest.mark.parametrize("unit", [1e-300, 1e300])
@pytest.mark.parametrize("smoothing", [0.0, 1e-5, 1.0, 1e5])
def test_any_range_of_the_losses_and_any_smoothing(ambiguity, unit, smoothing):
    losses = np.array([0.3, 1.0, 0.3, 1.0 - 1e-9, -1.0]) * unit
    geometry = "euclidean" if isinstance(ambiguity, ChiSquareBall) else "entropic"
    weights = respond(losses, ambiguity, smoothing=smoothing, geometry=geometry)
    assert ambiguity.contains(weights, 1e-13)
    value = worst_case(losses, ambiguity, smoothing=smoothing, geometry=geometry)
    rounding = 1e-13 * unit + 1e-31 * smoothing  # the divergence of a rounding error is its square
    assert value >= ambiguity.prior_weights(N_TASKS) @ losses - rounding  # the prior is in the set and has divergence 0
    assert value <= worst_case(losses, ambiguity) + rounding


@pytest.mark.parametrize("ambiguity", [Simplex(), Simplex(floor=0.3), CVaR(0.3), KLBall(0.2), ChiSquareBall(0.2)])
def test_one_task_has_all_the_weight(ambiguity):
    geometry = "euclidean" if isinstance(ambiguity, ChiSquareBall) else "entropic"
    for smoothing in (0.0, 0.5):
        np.testing.assert_array_equal(respond(np.array([3.5]), ambiguity, smoothing=smoothing, geometry=geometry), [1.0])
        assert worst_case(np.array([3.5]), ambiguity, smoothing=smoothing, geometry=geometry) == 3.5


@pytest.mark.parametrize("ambiguity", [Simplex(), CVaR(0.01), KLBall(0.5), ChiSquareBall(0.5)])
def test_many_tasks(ambiguity):
    n_tasks = 100_000
    losses = np.random.default_rng(0).standard_normal(n_tasks)
    geometry = "euclidean" if isinstance(ambiguity, ChiSquareBall) else "entropic"
    for smoothing in (0.0, 0.1):
        assert ambiguity.contains(respond(losses, ambiguity, smoothing=smoothing, geometry=geometry), 1e-12)
    np.testing.assert_allclose(respond(losses, ambiguity), ambiguity.host_weights(losses), rtol=0, atol=1e-14)


@over_all
def test_a_batch_is_a_loop(ambiguity, geometry, smoothing):
    losses = np.random.default_rng(1).standard_normal((3, 4, N_TASKS))
    losses[1, 2] = losses[0, 0, 0]
    losses[2, 1, 3] = -INF
    options = {"smoothing": smoothing, "geometry": geometry}
    weights, values = respond(losses, ambiguity, **options), worst_case(losses, ambiguity, **options)
    assert weights.shape == (3, 4, N_TASKS)
    assert values.shape == (3, 4)
    for index in np.ndindex(3, 4):
        np.testing.assert_allclose(weights[index], respond(losses[index], ambiguity, **options), rtol=0, atol=1e-14)
        np.testing.assert_allclose(values[index], worst_case(losses[index], ambiguity, **options), rtol=1e-14)


@over_all
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.bfloat16, 5e-3), (torch.float16, 1e-3)])
def test_narrow_dtypes(ambiguity, geometry, smoothing, dtype, tolerance):
    losses = torch.tensor([0.25, 1.5, -0.75, 1.25, 0.5], dtype=dtype, requires_grad=True)
    options = {"smoothing": smoothing, "geometry": geometry}
    weights, value = respond(losses, ambiguity, **options), worst_case(losses, ambiguity, **options)
    assert weights.dtype == value.dtype == dtype
    exact = respond(losses.detach().double(), ambiguity, **options)
    torch.testing.assert_close(weights.double(), exact, rtol=0, atol=tolerance)
    (gradient,) = torch.autograd.grad(value, losses)
    torch.testing.assert_close(gradient, weights.detach(), rtol=0, atol=0)


@over_all
def test_numpy_and_torch_give_the_same_and_leave_their_input(ambiguity, geometry, smoothing):
    losses = np.array([0.3, 2.0, -1.0, 1.9, 0.0])
    losses.flags.writeable = False
    options = {"smoothing": smoothing, "geometry": geometry}
    tensor = torch.tensor(losses)
    np.testing.assert_array_equal(respond(losses, ambiguity, **options), respond(tensor, ambiguity, **options).numpy())
    np.testing.assert_array_equal(respond(list(losses), ambiguity, **options), respond(losses, ambiguity, **options))
    assert type(worst_case(losses, ambiguity, **options)) is np.float64
    np.testing.assert_array_equal(tensor.numpy(), losses)


@over_all
@pytest.mark.parametrize("bad", [math.nan, INF])
def test_nan_and_inf_raise_in_numpy_and_spread_over_the_row_in_torch(ambiguity, geometry, smoothing, bad):
    losses, options = np.array([0.0, bad, 1.0, -INF, 2.0]), {"smoothing": smoothing, "geometry": geometry}
    with pytest.raises(ValueError, match="must not hold nan or"):
        respond(losses, ambiguity, **options)
    batch = torch.stack([torch.tensor(losses), torch.arange(5.0, dtype=torch.float64)])
    weights = respond(batch, ambiguity, **options)
    assert weights[0].isnan().all()
    torch.testing.assert_close(weights[1], respond(batch[1], ambiguity, **options))
    assert worst_case(batch, ambiguity, **options)[0].isnan()


@over_smooth
def test_vanishing_smoothing_is_no_smoothing(ambiguity, geometry):
    losses = np.array([0.0, 0.75, 1.0, 0.5, 0.9])
    weights = respond(losses, ambiguity, smoothing=1e-300, geometry=geometry)
    np.testing.assert_allclose(weights, respond(losses, ambiguity), rtol=0, atol=1e-14)


@over_all
def test_nothing_waits_for_the_device(ambiguity, geometry, smoothing, monkeypatch):
    """A tensor of the meta device has no values: reading one, as every synchronisation does, raises."""
    monkeypatch.setattr(roots, "MAX_ITERATIONS", 2)
    losses = torch.empty(3, N_TASKS, device="meta", requires_grad=True)
    with pytest.raises((RuntimeError, NotImplementedError)):
        bool((losses > 0).all())
    options = {"smoothing": smoothing, "geometry": geometry, "anchor": torch.empty(3, N_TASKS, device="meta")}
    value = worst_case(losses, ambiguity, **options)
    value.sum().backward()
    assert losses.grad.shape == respond(losses, ambiguity, **options).shape == (3, N_TASKS)
    assert value.device == losses.device


# torch.compile makes an instance of the autograd function while it traces it, and warns of that itself.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize(("ambiguity", "geometry", "smoothing"), [c for c in ALL if c[0] in (Simplex(), CVaR(0.5))], ids=label)
def test_closed_forms_compile_without_a_graph_break(ambiguity, geometry, smoothing):
    def value(losses):
        return worst_case(losses, ambiguity, smoothing=smoothing, geometry=geometry)

    losses = torch.randn(3, N_TASKS, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.compile(value, backend="eager", fullgraph=True)(losses), value(losses))


def test_mirror_ascent_and_projected_ascent_are_responses_to_an_anchor():
    losses, weights = np.array([0.3, 1.0, 0.2]), np.array([0.5, 0.2, 0.3])
    step_size = 0.7
    exponentiated = weights * np.exp(step_size * losses)
    mirror = respond(losses, smoothing=1 / step_size, anchor=weights)
    np.testing.assert_allclose(mirror, exponentiated / exponentiated.sum(), rtol=1e-15)
    projected = respond(losses, smoothing=1 / step_size, geometry="euclidean", anchor=weights)
    np.testing.assert_allclose(projected, weights + step_size * (losses - losses.mean()), rtol=1e-14)  # stays positive here
    mixed = respond(losses, Simplex(floor=0.1), smoothing=1 / step_size, anchor=weights)
    np.testing.assert_allclose(mixed, 0.9 * mirror + 0.1 / 3, rtol=1e-15)  # the fixed-share update


def test_the_value_on_the_simplex_is_a_log_mean_exp():
    losses, smoothing = np.array([0.3, 1.0, 0.2, -2.0, 0.9]), 0.4
    q = Simplex(PRIOR).prior_weights(N_TASKS)
    expected = smoothing * np.log(q @ np.exp(losses / smoothing))
    assert worst_case(losses, Simplex(PRIOR), smoothing=smoothing) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: respond(f, smoothing=-0.1), r"`smoothing` must be a finite float >= 0, got -0\.1"),
        (lambda f: respond(f, smoothing=math.nan), "`smoothing`"),
        (lambda f: respond(f, geometry="spherical"), "`geometry` must be 'entropic' or 'euclidean'"),
        (
            lambda f: respond(f, KLBall(0.1), smoothing=1.0, geometry="euclidean"),
            "KLBall.*euclidean.*Use geometry='entropic', or Chi",
        ),
        (lambda f: respond(f, ChiSquareBall(0.1), smoothing=1.0), "ChiSquareBall.*entropic.*Use geometry='euclidean', or KLBall"),
        (lambda f: respond(f, Simplex([1, 2])), "`prior` of Simplex has 2 weights, but there are 3 tasks"),
        (lambda f: respond(f, smoothing=1.0, anchor=[0.5, 0.5]), "`anchor` must have 3 weights"),
        (lambda f: respond(f, smoothing=1.0, anchor=[0.5, 0.5, 0.5]), "`anchor` must hold weights >= 0 that add up to 1"),
        (lambda f: respond(f[:0]), "at least one task"),
        (lambda f: respond(f[0]), "at least one task"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.array([1.0, 2.0, 3.0]))


def test_unsupported_pairs_are_fine_without_smoothing():
    losses = np.array([1.0, 2.0, 4.0])
    for ambiguity in (KLBall(0.1), ChiSquareBall(0.1)):
        entropic, euclidean = (respond(losses, ambiguity, geometry=g) for g in ("entropic", "euclidean"))
        np.testing.assert_array_equal(entropic, euclidean)
