"""mirror_step against products of weights in float64, and against the responses of minimax_opt.ambiguity."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from minimax_kernels import mirror_step
from minimax_kernels.response import reference
from minimax_kernels.response.mirror import _mirror_step
from minimax_opt.ambiguity import Simplex, respond

BACKENDS = ("torch", "native", "triton")
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # the emulator's, of inf - inf and log(0)

TOLERANCE = {torch.float32: 4e-6, torch.float64: 1e-13}  # of log-weights of size 10 and of weights
OPTIONS = [
    {},
    {"floor": 0.1},
    {"forgetting": 0.3},
    {"forgetting": 1.0, "floor": 1e-4},
    {"absent": True},
    {"absent": True, "floor": 0.2, "forgetting": 0.5},
]


def case(length, generator, dtype, device, absent=False, **options):
    log_weights, losses = (torch.randn(length, generator=generator, dtype=torch.float64).to(device, dtype) for _ in range(2))
    prior = (0.1 + torch.rand(length, generator=generator, dtype=torch.float64)).to(device, dtype)
    if absent and length > 1:
        options["present"] = torch.rand(length, generator=generator) > 0.4
        options["present"][:2] = torch.tensor([True, False])
        options["present"] = options["present"].to(device)
        losses[1] = math.nan  # is not read
    return log_weights, losses, {**options, "prior": prior}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("length", [1, 4, 2500])
@pytest.mark.parametrize("options", OPTIONS)
def test_against_products(backend, device, generator, dtype, length, options):
    log_weights, losses, options = case(length, generator, dtype, device, **options)
    kept = log_weights.clone()
    found = mirror_step(log_weights, losses, 0.7, backend=backend, **options)
    true = reference.mirror_step(
        log_weights.cpu(), losses.cpu(), 0.7, **{k: v.cpu() if torch.is_tensor(v) else v for k, v in options.items()}
    )
    torch.testing.assert_close(found.cpu().double(), true, rtol=0, atol=10 * TOLERANCE[dtype])
    assert float(found.double().exp().sum()) == pytest.approx(1.0, abs=TOLERANCE[dtype])
    assert torch.equal(log_weights, kept)


def test_absent_tasks_keep_their_share_to_the_bit(backend, device):
    log_weights = torch.tensor([0.5, 0.25, 0.125, 0.125], device=device).log()
    losses = torch.tensor([1.0, math.nan, 3.0, math.inf], device=device)
    present = torch.tensor([True, False, True, False], device=device)
    for options in ({}, {"floor": 0.1, "forgetting": 0.2}):
        new = mirror_step(log_weights, losses, 1.0, present=present, backend=backend, **options)
        assert torch.equal(new[~present], log_weights[~present])
        assert float(new[present].exp().sum()) == pytest.approx(0.625, rel=1e-6)
        assert new[2] > log_weights[2]
    assert torch.equal(mirror_step(log_weights, losses, 1.0, present=present & False, backend=backend), log_weights)


def test_weights_of_zero(backend, device):
    inf = math.inf
    log_weights, losses = torch.tensor([0.0, -inf, -inf], device=device), torch.tensor([1.0, 9.0, 2.0], device=device)
    step = lambda **options: mirror_step(log_weights, losses, 1.0, backend=backend, **options).exp().tolist()  # noqa: E731
    assert step() == pytest.approx([1.0, 0.0, 0.0])
    assert step(floor=0.3) == pytest.approx([0.8, 0.1, 0.1])
    assert step(floor=0.3, prior=torch.tensor([1.0, 0.0, 2.0], device=device)) == pytest.approx([0.8, 0.0, 0.2])
    assert step(present=torch.tensor([False, True, True], device=device)) == pytest.approx([1.0, 0.0, 0.0])
    assert step(forgetting=1.0, prior=torch.tensor([0.0, 1.0, 0.0], device=device)) == pytest.approx([0.0, 1.0, 0.0])


def test_losses_that_are_not_finite(backend, device):
    log_weights = torch.tensor([0.5, 0.5], device=device).log()
    for losses, true in (([0.0, -math.inf], [1.0, 0.0]), ([-math.inf, -math.inf], [0.5, 0.5])):
        found = mirror_step(log_weights, torch.tensor(losses, device=device), 1.0, backend=backend)
        assert found.exp().tolist() == pytest.approx(true)
    for bad in (math.nan, math.inf):
        assert mirror_step(log_weights, torch.tensor([0.0, bad], device=device), 1.0, backend=backend).isnan().all()


def test_a_thousand_steps_neither_drift_nor_overflow(backend, device):
    """Products of weights would be 0 or inf after some ten of these."""
    log_weights = torch.zeros(3, device=device)
    for _ in range(1000 if backend == "torch" else 20):
        log_weights = mirror_step(log_weights, torch.tensor([100.0, 99.0, -50.0], device=device), 1.0, backend=backend)
    assert float(log_weights.exp().sum()) == pytest.approx(1.0, abs=1e-6)
    assert log_weights.isfinite().all()


def test_it_is_the_response_with_the_weights_as_the_anchor(backend, device, generator):
    log_weights, losses, options = case(6, generator, torch.float64, device)
    floor, prior = 0.15, options["prior"]
    found = mirror_step(log_weights, losses, 2.0, prior=prior, floor=floor, backend=backend).exp()
    ambiguity = Simplex(prior=tuple(prior.tolist()), floor=floor)
    torch.testing.assert_close(
        found, respond(losses, ambiguity, smoothing=0.5, anchor=log_weights.softmax(-1)), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_floor_far_above_or_below_the_weights(backend, device, dtype):
    """log(exp(a) + exp(b)) for a - b from -60 to 60, by each side's larger exponential."""
    log_weights = torch.linspace(-60, 60, 301, dtype=torch.float64).to(device, dtype)
    losses, floor = torch.zeros_like(log_weights), 0.25
    found = mirror_step(log_weights, losses, 1.0, floor=floor, backend=backend)
    true = reference.mirror_step(log_weights.cpu(), losses.cpu(), 1.0, floor=floor)
    torch.testing.assert_close(found.cpu().double(), true, rtol=0, atol=10 * TOLERANCE[dtype])


def test_rows(backend, device, generator):
    log_weights, losses = (torch.randn(2, 3, 4, generator=generator).to(device) for _ in range(2))
    present = (torch.rand(4, generator=generator) > 0.5).to(device)
    found = mirror_step(log_weights, losses, 0.5, present=present, backend=backend)
    one = mirror_step(log_weights[1, 2], losses[1, 2], 0.5, present=present, backend=backend)
    torch.testing.assert_close(found[1, 2], one, rtol=1e-6, atol=1e-6)


def test_derivatives(generator):
    log_weights, losses, options = case(5, generator, torch.float64, "cpu", absent=True, floor=0.1, forgetting=0.2)
    losses = losses.nan_to_num(0.0)
    inputs = (log_weights.requires_grad_(), losses.requires_grad_())
    gradcheck(lambda w, f: mirror_step(w, f, 0.7, **options).square(), inputs)
    gradgradcheck(lambda w, f: mirror_step(w, f, 0.7, **options).square(), inputs)


def test_it_is_an_op_and_compiles(backend, device, generator):
    log_weights, losses, _ = case(5, generator, torch.float32, device)
    torch.library.opcheck(_mirror_step, (log_weights, losses, 0.5, None, 0.0, 0.1, losses > 0, backend))
    compiled = torch.compile(lambda w, f: mirror_step(w, f, 0.5, backend=backend), fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(log_weights, losses), mirror_step(log_weights, losses, 0.5, backend=backend))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: mirror_step(x, x, -1.0), ValueError, "`step_size` must be"),
        (lambda x: mirror_step(x, x, 1.0, floor=1.0), ValueError, "`floor` must be"),
        (lambda x: mirror_step(x, x, 1.0, forgetting=1.1), ValueError, "`forgetting` must be"),
        (lambda x: mirror_step(x.bfloat16(), x, 1.0), TypeError, "`log_weights` must be float32 or float64"),
        (lambda x: mirror_step(x, x[:2], 1.0), ValueError, r"`losses` must have the shape \(3,\)"),
        (lambda x: mirror_step(x, x, 1.0, present=x), TypeError, "`present` must be a tensor of bool"),
        (lambda x: mirror_step(x, x, 1.0, present=x[:2] > 0), ValueError, "`present` must have the shape"),
    ],
)
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.zeros(3))
