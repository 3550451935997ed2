"""smooth_max against its formula in float64, and against the responses of minimax_opt.ambiguity."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from minimax_kernels import smooth_max
from minimax_kernels.response import reference
from minimax_kernels.response.op import _smooth_max
from minimax_opt.ambiguity import Simplex, respond, worst_case

BACKENDS = ("torch", "native", "triton")
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # the emulator's, of inf - inf and log(0)

TOLERANCE = {
    torch.float32: 4e-6,
    torch.float64: 1e-13,
}  # of the weights, and of the value relative to the losses; exp of a GPU has 2 ulp


def assert_smooth_max(found, losses, smoothing, prior=None, dim=-1):
    rows = losses.detach().cpu().movedim(dim, -1)
    value, weights = reference.smooth_max(rows, smoothing, None if prior is None else prior.cpu())
    slack = TOLERANCE[found.value.dtype]
    scale = 1.0 + rows.double().nan_to_num(0, 0, 0).abs().amax()
    torch.testing.assert_close(found.value.detach().cpu().double(), value, rtol=0, atol=slack * float(scale))
    torch.testing.assert_close(found.weights.detach().cpu().double().movedim(dim, -1), weights, rtol=0, atol=slack)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1,), (5,), (3, 70), (2, 0, 4), (2, 5000), (300, 3)])
@pytest.mark.parametrize("smoothing", [0.0, 0.01, 2.0])
def test_all_sizes(backend, device, generator, dtype, shape, smoothing):
    losses = torch.randn(shape, generator=generator, dtype=torch.float64).to(device, dtype)
    prior = torch.rand(shape[-1], generator=generator).to(device, dtype)
    prior[1:2] = 0.0
    for q in (None, prior):
        found = smooth_max(losses, smoothing, q, backend=backend)
        if losses.numel():
            assert_smooth_max(found, losses, smoothing, q)
        assert found.value.shape == shape[:-1]
        assert found.weights.shape == shape


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [1, 31, 32, 33, 1023, 1025, 5000])
def test_c_is_as_accurate_as_torch(generator, dtype, length):
    """Relative to each weight, down to the smallest that count; lengths round those of its vectors and blocks."""
    losses = (-80 * torch.rand(length, generator=generator, dtype=torch.float64)).to(dtype)
    for smoothing in (1.0, 4.0, 300.0):
        weights = reference.smooth_max(losses, smoothing)[1]
        errors = {
            backend: ((smooth_max(losses, smoothing, backend=backend).weights.double() - weights).abs() / weights).max()
            for backend in ("auto", "torch")
        }
        assert errors["auto"] <= 1.5 * errors["torch"] + 4 * torch.finfo(dtype).eps


def test_weights_too_small_for_the_dtype_are_zero(backend, device):
    found = smooth_max(torch.tensor([0.0, -1e4, -1e30, -math.inf], device=device), 1.0, backend=backend)
    assert found.weights.tolist() == [1.0, 0.0, 0.0, 0.0]


def test_along_another_dimension(backend, device, generator):
    losses = torch.randn(4, 3, 5, generator=generator).to(device)
    kept = losses.clone()
    for dim in (0, 1, -2, -3):
        assert_smooth_max(smooth_max(losses, 0.3, dim=dim, backend=backend), losses, 0.3, dim=dim)
    assert torch.equal(losses, kept)


def test_ties_share_by_their_prior(backend, device):
    losses = torch.tensor([3.0, 1.0, 3.0, 3.0], device=device)
    assert smooth_max(losses, 0.0, backend=backend).weights.tolist() == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3])
    found = smooth_max(losses, 0.0, torch.tensor([1.0, 5.0, 3.0, 0.0], device=device), backend=backend)
    assert found.weights.tolist() == [0.25, 0.0, 0.75, 0.0]
    assert float(found.value) == 3.0


@pytest.mark.parametrize("smoothing", [0.0, 0.5])
def test_losses_that_are_not_finite(backend, device, smoothing):
    inf, nan = math.inf, math.nan
    losses = torch.tensor([[1.0, -inf, 2.0], [-inf, -inf, -inf], [1.0, nan, 2.0], [inf, 1.0, 2.0]], device=device)
    value, weights = smooth_max(losses, smoothing, torch.tensor([1.0, 1.0, 2.0], device=device), backend=backend)
    assert weights[0, 1] == 0
    assert value[0].isfinite()
    assert value[1] == -inf
    assert weights[1].tolist() == [0.25, 0.25, 0.5]
    assert weights[2:].isnan().all()
    assert not value[2:].isfinite().any()
    left_out = smooth_max(losses, smoothing, torch.tensor([0.0, 0.0, 2.0], device=device), backend=backend)
    assert left_out.weights[2:].tolist() == [[0.0, 0.0, 1.0]] * 2, "what the prior leaves out does no harm"


@pytest.mark.parametrize(("offset", "dtype"), [(1e6, torch.float64), (-1e3, torch.float32)])
def test_a_common_offset_moves_the_value_only(backend, device, offset, dtype):
    losses = torch.tensor([0.25, 0.5, -0.125], dtype=dtype, device=device)
    at, there = (smooth_max(x, 0.2, backend=backend) for x in (losses, losses + offset))
    assert torch.equal(at.weights, there.weights)
    assert float(there.value) == pytest.approx(float(at.value) + offset, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.4])
def test_derivatives(backend, device, generator, smoothing):
    losses = torch.randn(3, 5, generator=generator, dtype=torch.float64).to(device).requires_grad_()
    prior = torch.rand(5, generator=generator, dtype=torch.float64).to(device)

    def call(f):
        value, weights = smooth_max(f, smoothing, prior, backend=backend)
        return value.square(), weights.sin()

    gradcheck(call, losses, fast_mode=True)
    gradgradcheck(call, losses, fast_mode=True)


def test_the_gradient_is_the_weights(backend, device, generator):
    losses = torch.randn(3, 5, generator=generator).to(device).requires_grad_()
    for smoothing in (0.0, 0.7):
        found = smooth_max(losses, smoothing, backend=backend)
        upstream = torch.tensor([1.0, -2.0, 0.5], device=device)
        assert torch.equal(torch.autograd.grad(found.value, losses, upstream)[0], upstream[:, None] * found.weights)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=6), st.sampled_from([0.0, 0.1, 3.0]))
def test_it_is_the_response_of_the_ambiguity_set(values, smoothing):
    losses = torch.tensor(values, dtype=torch.float64)
    prior = torch.arange(1.0, len(values) + 1, dtype=torch.float64)
    ambiguity = Simplex(prior=tuple(prior.tolist()))
    found = smooth_max(losses, smoothing, prior)
    torch.testing.assert_close(found.weights, respond(losses, ambiguity, smoothing=smoothing), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found.value, worst_case(losses, ambiguity, smoothing=smoothing), rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, of forward mode
@pytest.mark.parametrize("smoothing", [0.0, 0.4])
def test_transforms_see_torch_operations(generator, smoothing):
    losses = torch.randn(5, generator=generator, dtype=torch.float64)
    value, weights = smooth_max(losses, smoothing)
    torch.testing.assert_close(torch.func.jacfwd(lambda f: smooth_max(f, smoothing).value)(losses), weights)
    torch.testing.assert_close(torch.func.jacrev(lambda f: smooth_max(f, smoothing).value)(losses), weights)
    if smoothing:
        hessian = (torch.diag(weights) - torch.outer(weights, weights)) / smoothing
        torch.testing.assert_close(torch.func.hessian(lambda f: smooth_max(f, smoothing).value)(losses), hessian)
    batch = torch.func.vmap(lambda f: smooth_max(f, smoothing).value)(torch.stack([losses, losses + 1]))
    torch.testing.assert_close(batch, torch.stack([value, value + 1]))


def test_it_is_an_op_and_compiles(backend, device, generator):
    losses = torch.randn(2, 4, generator=generator).to(device)
    torch.library.opcheck(_smooth_max, (losses.clone().requires_grad_(), 0.5, None, backend))
    compiled = torch.compile(lambda f: smooth_max(f, 0.5, dim=0, backend=backend), fullgraph=True, backend="aot_eager")
    assert all(torch.equal(a, b) for a, b in zip(compiled(losses), smooth_max(losses, 0.5, dim=0, backend=backend), strict=True))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda f: smooth_max(f, -0.1), ValueError, "`smoothing` must be a finite float >= 0"),
        (lambda f: smooth_max(f, f.sum()), TypeError, "`smoothing` must be a float"),
        (lambda f: smooth_max(f.long(), 1.0), TypeError, "`losses` must be a floating"),
        (lambda f: smooth_max(f[:0], 1.0), ValueError, "at least one task"),
        (lambda f: smooth_max(f, 1.0, f[:2]), ValueError, r"`prior` must have shape \(3,\)"),
        (lambda f: smooth_max(f, 1.0, backend="c"), ValueError, "`backend` must be one of"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.zeros(3))
