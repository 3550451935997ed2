"""Poisson tasks: targets, overflow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import minimax_opt as mo
from minimax_opt.tasks.poisson import PoissonLoss


def tasks(seed=0, factor=1.0, convert=np.asarray):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((3, 15, 2)) * factor
    b = rng.poisson(np.exp(0.5 * A[..., 0] / factor)).astype(float)
    return mo.PoissonTasks(convert(A), convert(b))


@pytest.mark.parametrize("bad", [-1.0, -1e-9])
def test_negative_targets_are_refused(bad):
    with pytest.raises(ValueError, match=r"targets of PoissonTasks must be >= 0, got \[-1"):
        mo.PoissonTasks([np.ones((2, 1))], [[1.0, bad]])


@pytest.mark.parametrize("convert", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
def test_overflow_is_an_infinite_loss_without_a_warning(convert):
    family = tasks(convert=convert)
    x = family.space.asarray(np.array([1e4, 0.0]))
    assert bool((family(x) == np.inf).all())


@pytest.mark.parametrize("method", ["interior-point", "sqp", "accelerated", "mirror-prox", "softmax-gd", "descent-ascent"])
@pytest.mark.parametrize("factor", [30.0, 1000.0])
def test_a_step_into_overflow_is_shortened(method, factor):
    """Large features: a full gradient or Newton step from 0 overflows, and the solve goes on all the same."""
    second_order = method in ("interior-point", "sqp")
    scale = tasks(factor=factor)(np.zeros(2)).max()
    res = mo.minimize_max(
        tasks(factor=factor),
        method=method,
        tol=1e-9 if second_order else 1e-1,
        atol=None if second_order else 0.1 * scale,
        max_iter=3000,
    )
    assert res.status is not mo.Status.NON_FINITE
    if second_order:
        assert res.success, res
        assert res.fun == pytest.approx(mo.minimize_max(tasks(), tol=1e-10).fun, rel=1e-8)  # the same problem in other units


@settings(deadline=None)
@given(z=st.floats(-700, 700), b=st.floats(0, 1e6))
def test_value_and_size(z, b):
    loss = PoissonLoss(np.array([z]), np.array([b]))
    value, size = float(loss.value[0]), float(loss.size[0])
    assert abs(value) <= size
    assert value >= (b - b * np.log(b) if b > 0 else 0.0) - 1e-12 * max(size, 1.0)  # the minimum is at z = log b
