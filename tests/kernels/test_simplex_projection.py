"""project_simplex and project_capped_simplex against their optimality conditions and Jacobians."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch.autograd import gradcheck, gradgradcheck

from minimax_kernels import project_capped_simplex, project_simplex
from minimax_kernels.simplex_projection import last_true

EPS = torch.finfo(torch.float64).eps
CAPS = torch.tensor([0.5, 0.1, 0.3, 0.0, 0.4, 0.2], dtype=torch.float64)
K = len(CAPS)
entries = st.one_of(st.integers(-8, 8).map(lambda i: i / 4), st.floats(-3, 3), st.floats(-1e12, 1e12), st.just(-math.inf))
vectors = arrays(np.float64, (4, K), elements=entries)


def assert_projection(w, v, caps, scale):
    """w = min(max(v - tau, 0), cap) with sum `scale`: the optimality condition, with tau read off from w."""
    tolerance = 8 * K * EPS * max(scale, 1)
    assert abs(float(w.sum()) - scale) <= tolerance
    assert (w >= 0).all()
    assert (w <= caps).all()
    x = v - v.max()
    below, above = w < caps, w > 0
    least = (x - w)[below].max() if below.any() else -math.inf  # tau >= v_k - w_k where w_k is below its cap
    largest = (x - w)[above].min() if above.any() else math.inf  # tau <= v_k - w_k where w_k is positive
    size = 1 + float(x[above].abs().max())
    assert least - largest <= tolerance * size


@given(v=vectors, scale=st.sampled_from([1.0, 0.37, 20.0]))
def test_optimality_on_the_simplex(v, scale):
    v[:, 0] = np.where(np.isfinite(v).any(-1), v[:, 0], 0.0)
    rows = torch.from_numpy(v)
    for row, w in zip(rows, project_simplex(rows, scale), strict=True):
        assert_projection(w, row, torch.full((K,), math.inf), scale)


@given(v=vectors, scale=st.sampled_from([1.0, 0.37, 1.5]))
def test_optimality_with_caps(v, scale):
    rows = torch.from_numpy(np.where(np.isfinite(v), v, 0.0))
    for row, w in zip(rows, project_capped_simplex(rows, CAPS, scale), strict=True):
        assert_projection(w, row, CAPS, scale)


@given(v=vectors)
def test_loose_caps_are_no_caps(v):
    v[:, 0] = np.where(np.isfinite(v).any(-1), v[:, 0], 0.0)
    rows = torch.from_numpy(v)
    torch.testing.assert_close(project_capped_simplex(rows, 1.0), project_simplex(rows), rtol=0, atol=1e-15)


def test_projecting_twice_is_projecting_once():
    v = torch.randn(50, K, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for project in (project_simplex, lambda u: project_capped_simplex(u, CAPS)):
        torch.testing.assert_close(project(project(v)), project(v), rtol=0, atol=4 * EPS)


def test_minus_infinity_is_left_out():
    v = torch.tensor([0.5, -math.inf, 0.3, -math.inf, 0.1, 0.0], dtype=torch.float64, requires_grad=True)
    finite = torch.tensor([0, 2, 4, 5])
    for project, part in (
        (project_simplex, project_simplex),
        (lambda u: project_capped_simplex(u, CAPS), lambda u: project_capped_simplex(u, CAPS[finite])),
    ):
        w = project(v)
        torch.testing.assert_close(w[finite], part(v[finite]), rtol=0, atol=EPS)
        assert w[1] == w[3] == 0
        (gradient,) = torch.autograd.grad(w[0], v)
        assert gradient.isfinite().all()


@pytest.mark.parametrize(("dtype", "offset"), [(torch.float64, 1e9), (torch.float64, -1e9), (torch.float32, 1e4)])
def test_a_common_offset_changes_nothing(dtype, offset):
    v = torch.tensor([0.25, 0.5, -0.125, 0.5, 0.375, -3.0], dtype=dtype)
    torch.testing.assert_close(project_simplex(v + offset), project_simplex(v), rtol=0, atol=0)
    torch.testing.assert_close(project_capped_simplex(v + offset, 0.25), project_capped_simplex(v, 0.25), rtol=0, atol=0)


def test_ties_share_bit_by_bit():
    for k in (1, 3, 7, 1000):
        for project in (project_simplex, lambda u: project_capped_simplex(u, 1.0)):
            w = project(torch.full((k,), 0.1, dtype=torch.float64))
            assert (w == w[0]).all()
            assert float(w[0]) == pytest.approx(1 / k, rel=2 * EPS)


def test_entries_of_very_different_size_keep_the_sum():
    v = torch.tensor([0.0, -1e300, -1e300, -2e300, -2e300], dtype=torch.float64)
    torch.testing.assert_close(project_capped_simplex(v, 0.25), torch.tensor([2, 2, 2, 1, 1], dtype=torch.float64) / 8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_many_entries(dtype):
    v = torch.randn(100_000, dtype=dtype, generator=torch.Generator().manual_seed(1))
    for w in (project_simplex(v), project_capped_simplex(v, 1e-3)):
        assert float(w.sum()) == pytest.approx(1.0, abs=100 * torch.finfo(dtype).eps)
        assert (w >= 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_dtypes_are_computed_in_float32(dtype):
    v = torch.randn(3, K, generator=torch.Generator().manual_seed(2)).to(dtype)
    torch.testing.assert_close(project_simplex(v), project_simplex(v.float()).to(dtype), rtol=0, atol=0)
    torch.testing.assert_close(project_capped_simplex(v, 0.3), project_capped_simplex(v.float(), 0.3).to(dtype), rtol=0, atol=0)


@pytest.mark.parametrize(
    "project", [project_simplex, lambda v: project_capped_simplex(v, CAPS), lambda v: project_simplex(v, 3.0)]
)
def test_derivatives(project):
    v = torch.randn(2, 3, K, dtype=torch.float64, generator=torch.Generator().manual_seed(3), requires_grad=True)
    gradcheck(project, v)
    gradgradcheck(project, v)


def test_the_jacobian_is_that_of_the_support():
    v = torch.tensor([0.9, 0.4, -2.0, 0.7], dtype=torch.float64)
    support = torch.diag((project_simplex(v) > 0).double())
    expected = support - support.sum(0)[:, None] * support.sum(0) / support.sum()
    torch.testing.assert_close(torch.func.jacrev(project_simplex)(v), expected, rtol=0, atol=EPS)


def test_caps_have_a_gradient():
    v = torch.randn(3, K, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    caps = torch.full((K,), 0.3, dtype=torch.float64, requires_grad=True)
    gradcheck(lambda c: project_capped_simplex(v, c), caps)


def test_the_input_is_left_alone_and_need_not_be_contiguous():
    v = torch.randn(K, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    kept = v.clone()
    torch.testing.assert_close(project_simplex(v.T), project_simplex(v.T.contiguous()), rtol=0, atol=0)
    torch.testing.assert_close(project_capped_simplex(v.T, CAPS), project_capped_simplex(v.T.contiguous(), CAPS), rtol=0, atol=0)
    torch.testing.assert_close(v, kept, rtol=0, atol=0)


@given(flags=st.integers(0, 12), length=st.integers(1, 12))
def test_the_binary_search_finds_the_last_true(flags, length):
    ordered = torch.arange(length, dtype=torch.float64)
    found = last_true(ordered, lambda x: x < flags)
    assert float(found) == max(min(flags, length) - 1, 0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda v: project_simplex(v, 0.0), ValueError, r"`scale` must be a finite float > 0, got 0\.0"),
        (lambda v: project_simplex(v, math.inf), ValueError, "`scale`"),
        (lambda v: project_simplex(v.long()), TypeError, "`v` must be a floating torch tensor, got torch.int64"),
        (lambda v: project_simplex(v.numpy()), TypeError, "`v` must be a floating torch tensor"),
        (lambda v: project_simplex(v[:0]), ValueError, "length >= 1"),
        (lambda v: project_capped_simplex(v, 0.1), ValueError, r"caps must add up to at least `scale` = 1\.0, got 0\.6"),
        (lambda v: project_capped_simplex(v, CAPS, 2.0), ValueError, "the set is empty"),
        (lambda v: project_capped_simplex(v, CAPS - 0.2), ValueError, "`cap` must be >= 0"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.zeros(K, dtype=torch.float64))
