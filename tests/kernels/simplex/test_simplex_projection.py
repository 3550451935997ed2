"""project_simplex and project_capped_simplex against their optimality conditions."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minimax_kernels import project_capped_simplex, project_simplex
from minimax_kernels.backend import native_ops
from minimax_kernels.simplex.composed import last_true

EPS = torch.finfo(torch.float64).eps
CAPS = torch.tensor([0.5, 0.1, 0.3, 0.0, 0.4, 0.2], dtype=torch.float64)
K = len(CAPS)
ROWS = 4
entries = st.one_of(st.integers(-8, 8).map(lambda i: i / 4), st.floats(-3, 3), st.floats(-1e12, 1e12), st.just(-math.inf))
vectors = arrays(np.float64, (ROWS, K), elements=entries)
on_a_cpu = pytest.mark.parametrize("name", ["torch", "native"])  # the kernels are emulated too slowly for many examples


def usable(name):
    if name == "native" and native_ops() is None:
        pytest.skip("the C module was not built")
    return name


def unlike_numbers(seed, rows):
    """Rows of what `vectors` draws, for the kernels."""
    generator = np.random.default_rng(seed)
    kinds = [
        generator.integers(-8, 9, (rows, K)) / 4,
        generator.uniform(-3, 3, (rows, K)),
        generator.uniform(-1e12, 1e12, (rows, K)),
    ]
    kinds.append(np.full((rows, K), -math.inf))
    return np.choose(generator.choice(4, (rows, K), p=[0.4, 0.3, 0.15, 0.15]), kinds)


def with_a_number(v):
    v[:, 0] = np.where(np.isfinite(v).any(-1), v[:, 0], 0.0)
    return torch.from_numpy(v)


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


@on_a_cpu
@given(v=vectors, scale=st.sampled_from([1.0, 0.37, 20.0]))
def test_optimality_on_the_simplex(name, v, scale):
    rows = with_a_number(v)
    for row, w in zip(rows, project_simplex(rows, scale, backend=usable(name)), strict=True):
        assert_projection(w, row, torch.full((K,), math.inf), scale)


@on_a_cpu
@given(v=vectors, scale=st.sampled_from([1.0, 0.37, 1.5]))
def test_optimality_with_caps(name, v, scale):
    rows = torch.from_numpy(np.where(np.isfinite(v), v, 0.0))
    for row, w in zip(rows, project_capped_simplex(rows, CAPS, scale, backend=usable(name)), strict=True):
        assert_projection(w, row, CAPS, scale)


@pytest.mark.parametrize("scale", [1.0, 0.37])
def test_optimality_on_every_backend(backend, device, scale):
    rows = with_a_number(unlike_numbers(1, 400)).to(device)
    for row, w in zip(rows, project_simplex(rows, scale, backend=backend), strict=True):
        assert_projection(w.cpu(), row.cpu(), torch.full((K,), math.inf), scale)
    rows = rows[:12].clamp(min=-1e13)
    for row, w in zip(rows, project_capped_simplex(rows, CAPS.to(device), scale, backend=backend), strict=True):
        assert_projection(w.cpu(), row.cpu(), CAPS, scale)


@on_a_cpu
@given(v=vectors)
def test_loose_caps_are_no_caps(name, v):
    rows = with_a_number(v)
    capped, free = project_capped_simplex(rows, 1.0, backend=usable(name)), project_simplex(rows, backend=name)
    torch.testing.assert_close(capped, free, rtol=0, atol=1e-15)


def test_projecting_twice_is_projecting_once(backend, device, generator):
    v = torch.randn(10, K, dtype=torch.float64, generator=generator).to(device)
    for project in (
        lambda u: project_simplex(u, backend=backend),
        lambda u: project_capped_simplex(u, CAPS.to(device), backend=backend),
    ):
        torch.testing.assert_close(project(project(v)), project(v), rtol=0, atol=4 * EPS)


def test_minus_infinity_is_left_out(backend, device):
    v = torch.tensor([0.5, -math.inf, 0.3, -math.inf, 0.1, 0.0], dtype=torch.float64, device=device, requires_grad=True)
    finite, caps = torch.tensor([0, 2, 4, 5], device=device), CAPS.to(device)
    for project, part in (
        (lambda u: project_simplex(u, backend=backend), lambda u: project_simplex(u, backend=backend)),
        (
            lambda u: project_capped_simplex(u, caps, backend=backend),
            lambda u: project_capped_simplex(u, caps[finite], backend=backend),
        ),
    ):
        w = project(v)
        torch.testing.assert_close(w[finite], part(v[finite]), rtol=0, atol=EPS)
        assert w[1] == w[3] == 0
        (gradient,) = torch.autograd.grad(w[0], v)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("length", [3, 100, 20_000])
def test_a_row_without_a_largest_number_is_nan(backend, device, length):
    v = torch.zeros(4, length, device=device)
    v[0] = -math.inf
    v[1, -1] = math.inf
    v[2, length // 2] = math.nan
    w = project_simplex(v, backend=backend)
    assert w[:3].isnan().all()
    assert (w[3] == w[3, 0]).all()
    w = project_capped_simplex(v, 0.5, backend=backend)
    assert w[:3].isnan().all()
    assert (w[3] == w[3, 0]).all()


def test_too_small_caps_of_what_is_finite_are_the_result(backend, device):
    v = torch.tensor([1.0, -math.inf, 0.0, -math.inf], device=device)
    w = project_capped_simplex(v, 0.25, backend=backend)
    assert w.tolist() == [0.25, 0.0, 0.25, 0.0]


@pytest.mark.parametrize(("dtype", "offset"), [(torch.float64, 1e9), (torch.float64, -1e9), (torch.float32, 1e4)])
def test_a_common_offset_changes_nothing(backend, device, dtype, offset):
    v = torch.tensor([0.25, 0.5, -0.125, 0.5, 0.375, -3.0], dtype=dtype, device=device)
    for project in (
        lambda u: project_simplex(u, backend=backend),
        lambda u: project_capped_simplex(u, 0.25, backend=backend),
    ):
        torch.testing.assert_close(project(v + offset), project(v), rtol=0, atol=0)


@pytest.mark.parametrize("k", [1, 3, 7, 1000, 20_000])
def test_ties_share_bit_by_bit(backend, device, k):
    for project in (project_simplex, lambda u, backend: project_capped_simplex(u, 1.0, backend=backend)):
        w = project(torch.full((k,), 0.1, dtype=torch.float64, device=device), backend=backend)
        assert (w == w[0]).all()
        assert float(w[0]) == pytest.approx(1 / k, rel=4 * EPS)


def test_entries_of_very_different_size_keep_the_sum(backend, device):
    v = torch.tensor([0.0, -1e300, -1e300, -2e300, -2e300], dtype=torch.float64, device=device)
    expected = torch.tensor([2, 2, 2, 1, 1], dtype=torch.float64, device=device) / 8
    torch.testing.assert_close(project_capped_simplex(v, 0.25, backend=backend), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [50, 3000, 20_000])
def test_a_crowd_within_the_last_digit_of_the_threshold_keeps_the_sum(backend, device, dtype, length):
    """All but one are a little above tau, by less than the rounding of tau: each gets about 1e-3 / length."""
    v = torch.zeros(2, length, dtype=dtype, device=device)
    v[:, length // 3] = 0.999
    v[1] += 1.0
    for w in (project_simplex(v, backend=backend), project_capped_simplex(v, 1.0, backend=backend)):
        torch.testing.assert_close(w.double().sum(-1).cpu(), torch.ones(2).double(), rtol=0, atol=16 * torch.finfo(dtype).eps)
        crowd = w[:, torch.arange(length, device=device) != length // 3]
        assert ((crowd == crowd[:, :1]) & (crowd > 0) & (crowd < 1.1e-3 / length)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_many_entries(backend, device, generator, dtype):
    emulated = backend == "triton" and device.type == "cpu"
    v = torch.randn(30_000 if emulated else 100_000, dtype=dtype, generator=generator).to(device)
    for w in (project_simplex(v, backend=backend), project_capped_simplex(v, 1e-3, backend=backend)):
        assert float(w.sum()) == pytest.approx(1.0, abs=100 * torch.finfo(dtype).eps)
        assert (w >= 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_dtypes_are_computed_in_float32(backend, device, generator, dtype):
    v = torch.randn(3, K, generator=generator).to(device, dtype)
    # Emulated, bfloat16 is cut off where a GPU rounds: up to an ulp.
    rtol = torch.finfo(dtype).eps if backend == "triton" and device.type == "cpu" else 0.0
    expected = project_simplex(v.float(), backend=backend).to(dtype)
    torch.testing.assert_close(project_simplex(v, backend=backend), expected, rtol=rtol, atol=0)
    expected = project_capped_simplex(v.float(), 0.3, backend=backend).to(dtype)
    torch.testing.assert_close(project_capped_simplex(v, 0.3, backend=backend), expected, rtol=0, atol=0)


def test_the_input_is_left_alone_and_need_not_be_contiguous(backend, device, generator):
    v = torch.randn(K, 4, dtype=torch.float64, generator=generator).to(device)
    kept, caps = v.clone(), CAPS.to(device)
    for project in (
        lambda u: project_simplex(u, backend=backend),
        lambda u: project_capped_simplex(u, caps, backend=backend),
    ):
        torch.testing.assert_close(project(v.T), project(v.T.contiguous()), rtol=0, atol=0)
        torch.testing.assert_close(project(v[:, ::2].T), project(v[:, ::2].T.contiguous()), rtol=0, atol=0)
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
        (lambda v: project_capped_simplex(v, CAPS[:4]), ValueError, r"`cap` must have shape \(6,\) or one that expands to it"),
        (lambda v: project_simplex(v, torch.tensor(1.0)), TypeError, "`scale` must be a float"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.zeros(K, dtype=torch.float64))
