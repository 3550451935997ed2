"""Huber tasks: the conjugate, the start, and what delta must be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import minimax_opt as mo
from minimax_opt.tasks.huber import HuberLoss

RESIDUALS = st.floats(-1e6, 1e6)


def data(seed=0, n_tasks=3, rows=12, n=4):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_tasks, rows, n)), 3 * rng.standard_normal((n_tasks, rows))


@given(z=RESIDUALS, b=RESIDUALS, delta=st.floats(1e-3, 1e3), share=st.floats(-1, 1))
def test_fenchel_young_is_the_loss_plus_its_conjugate_less_the_product(z, b, delta, share):
    u = share * delta
    found = float(HuberLoss(np.array([z]), np.array([b]), delta).fenchel_young(np.array([u]))[0])
    value = float(HuberLoss(np.array([z]), np.array([b]), delta).value[0])
    size = abs(value) + u * u + abs(u) * (abs(b) + abs(z))
    assert found >= 0
    assert found == pytest.approx(value + (u * u / 2 + b * u) - u * z, abs=1e-14 * size + 1e-300)


@given(r=RESIDUALS, moved=RESIDUALS, delta=st.floats(1e-3, 1e3))
def test_the_secant_parabola_touches_the_loss_and_lies_above_it(r, moved, delta):
    old, new = (HuberLoss(np.array([z]), np.zeros(1), delta) for z in (r, moved))
    step = moved - r
    above = old.value + old.first() * step + 0.5 * old.secant() * step**2
    assert float(new.value[0]) <= float(above[0]) + 1e-14 * (abs(float(old.value[0])) + delta * (abs(r) + abs(moved)) + step**2)


@pytest.mark.parametrize("kind", ["host", "sparse", "torch"])
def test_the_upper_hessian_bounds_every_weighting_of_the_losses(kind):
    A, b = data()
    w = np.array([0.2, 0.5, 0.3])
    designs = {"host": A, "sparse": [sparse.csr_array(a) for a in A], "torch": torch.as_tensor(A)}[kind]
    tasks = mo.HuberTasks(designs, torch.as_tensor(b) if kind == "torch" else b, delta=0.3)
    array = torch.as_tensor if kind == "torch" else np.asarray
    x, weights = np.ones(4), array(w)
    at = tasks.at(array(x))
    exact, half, upper = (np.asarray(at.upper_hessian(weights, share)) for share in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(exact, np.asarray(at.hessian(weights)), atol=1e-14)
    np.testing.assert_allclose(half, (exact + upper) / 2, atol=1e-14)
    gradient, value = np.asarray(at.gradient(weights)), w @ np.asarray(at.losses)
    for d in np.random.default_rng(2).standard_normal((50, 4)) * np.logspace(-3, 3, 50)[:, None]:
        assert w @ np.asarray(tasks.at(array(x + d)).losses) <= (value + gradient @ d + d @ upper @ d / 2) * (1 + 1e-12)


@pytest.mark.parametrize("u", [-0.7, -0.2, 0.0, 0.5, 0.7])
def test_the_conjugate_is_the_supremum(u):
    """phi*(u) = sup_z u z - phi(z), by a fine grid."""
    b, delta = 0.3, 0.7
    z = np.linspace(-5, 5, 200001)
    loss = HuberLoss(z, np.full_like(z, b), delta)
    supremum = float((u * z - loss.value).max())
    assert supremum == pytest.approx(u * u / 2 + b * u, abs=1e-8)
    assert float(loss.fenchel_young(u + 0 * z).min()) == pytest.approx(0, abs=1e-8)


def test_slopes_beyond_the_domain_have_no_finite_conjugate():
    loss = HuberLoss(np.array([1e3, 1e6]), np.zeros(2), 0.7)
    gap = 0.71 * np.array([1e3, 1e6]) - loss.value
    assert gap[1] > gap[0] + 1e3


def test_delta_scales_the_loss():
    """delta -> infinity is half the squared error; losses are homogeneous of degree two in (x, b, delta)."""
    A, b = data()
    x = np.random.default_rng(1).standard_normal(4)
    np.testing.assert_allclose(mo.HuberTasks(A, b, delta=1e9)(x), mo.LeastSquaresTasks(A, b)(x) / 2, rtol=1e-12)
    np.testing.assert_allclose(mo.HuberTasks(A, 3 * b, delta=1.5)(3 * x), 9 * mo.HuberTasks(A, b, delta=0.5)(x), rtol=1e-12)


def test_delta_survives_what_makes_new_tasks():
    A, b = data()
    groups = np.repeat([2, 0, 1], 12)
    tasks = mo.HuberTasks.from_groups(A.reshape(-1, 4), b.ravel(), groups, delta=0.25)
    batch = tasks.sample(np.random.default_rng(0), 5)
    assert {tasks.delta, batch.delta, tasks.subset(np.array([2, 0])).delta, tasks.double().delta} == {0.25}
    np.testing.assert_array_equal(tasks(np.ones(4)), mo.HuberTasks(A[[1, 2, 0]], b[[1, 2, 0]], delta=0.25)(np.ones(4)))


@pytest.mark.parametrize("delta", [0.0, -1.0, np.nan, np.inf, "1", None, True])
def test_other_deltas_are_refused(delta):
    A, b = data()
    with pytest.raises(ValueError, match="`delta` must be a finite number > 0, got"):
        mo.HuberTasks(A, b, delta=delta)
    with pytest.raises(ValueError, match="`delta` must be a finite number > 0, got"):
        mo.HuberTasks.from_groups(A[0], b[0], np.zeros(12, int), delta=delta)


@given(scale=st.floats(1e-3, 1e9), shift=st.floats(-1e6, 1e6))
def test_the_start_is_no_worse_on_average_than_zero(scale, shift):
    """The quadratic that is minimised lies above the mean of the losses and touches it at 0."""
    A, b = data()
    tasks = mo.HuberTasks(A, scale * b + shift)
    at_zero = tasks(np.zeros(4)).mean()
    assert tasks(tasks.x0()).mean() <= at_zero * (1 + 1e-12)


def test_the_start_does_without_independent_columns():
    A, b = data()
    A[:, :, 1] = A[:, :, 0]
    A[:, :, 2] = 0.0
    tasks = mo.HuberTasks(A, b)
    assert np.isfinite(tasks.x0()).all()
    assert tasks(tasks.x0()).mean() <= tasks(np.zeros(4)).mean()
