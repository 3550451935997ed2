"""task_step against its parts in float64, and against the responses of minimax_opt.ambiguity."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from minimax_kernels import smooth_max, task_reduce, task_spread, task_step
from minimax_kernels.reduce import reference as reduction
from minimax_kernels.response import reference
from minimax_kernels.response.step import _task_step
from minimax_opt.ambiguity import Simplex, respond, worst_case

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # the emulator's, of inf - inf

TOLERANCE = {torch.float32: 2.0**-23, torch.float64: 1e-13}  # computed in float64, rounded once
RESPONSES = ("softmax", "projection")


def samples(n, n_tasks, generator, dtype=torch.float32, device="cpu"):
    losses = torch.randn(n, generator=generator, dtype=torch.float64).to(dtype)
    ids = torch.randint(n_tasks, (n,), generator=generator)
    ids[1::7] = -100
    if n_tasks > 3:
        ids[ids == 2] = 1  # task 2 is absent
    return losses.to(device), ids.to(device)


def assert_step(step, losses, ids, n_tasks, smoothing, prior, response):
    _, n, means, _ = reduction.task_reduce(losses.detach().cpu(), ids.cpu(), n_tasks)
    q = torch.full((n_tasks,), 1.0, dtype=torch.float64) if prior is None else prior.cpu().double()
    value, w = torch.zeros((), dtype=torch.float64), q / q.sum()
    if n.any():
        value, w = reference.respond(torch.where(n > 0, means, -math.inf), smoothing, q, response)
    slack = TOLERANCE[step.value.dtype] * 4
    rows = torch.where(n > 0, w / n, 0.0)
    found = [x.detach().cpu().double() for x in step]
    for got, true in zip(found, (value, means, n.double(), w, reduction.task_spread(rows, ids.cpu())), strict=True):
        torch.testing.assert_close(got, true, rtol=slack, atol=slack)


@pytest.mark.parametrize(("n", "n_tasks"), [(0, 3), (1, 1), (700, 5), (9001, 3), (300, 80)])
@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_all_sizes(backend, device, generator, n, n_tasks, response, smoothing):
    losses, ids = samples(n, n_tasks, generator, device=device)
    for prior in (None, torch.rand(n_tasks, generator=generator).to(device)):
        step = task_step(losses, ids, n_tasks, smoothing=smoothing, prior=prior, response=response, backend=backend)
        assert_step(step, losses, ids, n_tasks, smoothing, prior, response)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_dtypes_and_shapes(backend, device, generator, dtype):
    losses = torch.randn(4, 9, generator=generator).to(device, dtype)
    ids = torch.tensor([0, 2, 1, -100], dtype=torch.int32, device=device)[:, None]
    step = task_step(losses, ids, 4, smoothing=0.5, backend=backend)
    assert_step(step, losses, ids.expand(4, 9), 4, 0.5, None, "softmax")
    assert step.sample_weights.shape == losses.shape


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_gradient_of_the_value_is_the_sample_weights(backend, device, generator, response, smoothing):
    losses, ids = samples(200, 5, generator, device=device)
    losses.requires_grad_()
    step = task_step(losses, ids, 5, smoothing=smoothing, response=response, backend=backend)
    assert [x.requires_grad for x in step] == [True, False, False, False, False]
    assert torch.equal(torch.autograd.grad(3.0 * step.value, losses, retain_graph=True)[0], 3.0 * step.sample_weights)
    assert torch.equal(torch.autograd.grad((step.sample_weights * losses).sum(), losses)[0], step.sample_weights)


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("n_tasks", [4, 70])
def test_derivatives(backend, device, generator, response, n_tasks):
    losses, ids = samples(15, n_tasks, generator, torch.float64, device)
    prior = torch.rand(n_tasks, generator=generator, dtype=torch.float64).to(device)

    def value(x):
        return task_step(x, ids, n_tasks, smoothing=0.8, prior=prior, response=response, backend=backend).value.sin()

    def op(x):
        value, means, _, weights, samples = _task_step(x, ids, n_tasks, -100, 0.8, prior, response, backend)
        return value.sin(), means.cos(), weights.exp(), samples.square()

    losses.requires_grad_()
    for function in (value, op):
        gradcheck(function, losses, fast_mode=True)
        gradgradcheck(function, losses, fast_mode=True)


@pytest.mark.parametrize("response", RESPONSES)
def test_no_sample_and_no_prior_mass(backend, device, response):
    losses, prior = torch.ones(2, device=device, requires_grad=True), torch.tensor([0.0, 1.0, 3.0], device=device)
    step = task_step(
        losses, torch.full((2,), -100, device=device), 3, smoothing=0.1, prior=prior, response=response, backend=backend
    )
    assert step.value.item() == 0.0
    assert step.weights.tolist() == [0.0, 0.25, 0.75]
    assert torch.autograd.grad(step.value, losses)[0].tolist() == [0.0, 0.0]
    only_first = task_step(
        losses,
        torch.zeros(2, dtype=torch.int64, device=device),
        3,
        smoothing=0.0,
        prior=prior,
        response=response,
        backend=backend,
    )
    assert only_first.value.item() == 0.0
    assert only_first.sample_weights.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("smoothing", [0.0, 0.4])
def test_losses_that_are_not_finite(backend, device, response, bad, smoothing):
    losses, ids = torch.tensor([1.0, bad, 3.0, 2.0], device=device), torch.tensor([0, 1, 2, 2], device=device)
    step = task_step(losses, ids, 4, smoothing=smoothing, response=response, backend=backend)
    if bad == -math.inf:
        assert step.weights[1] == 0
        assert step.value.isfinite()
    else:
        assert step.weights.isnan().all()
        assert not step.value.isfinite()
    assert step.task_losses[[0, 2]].tolist() == [1.0, 2.5]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(-20, 20)), min_size=1, max_size=20),
    st.sampled_from(RESPONSES),
    st.sampled_from([0.0, 0.05, 2.0]),
)
def test_it_is_the_response_of_the_ambiguity_set(pairs, response, smoothing):
    ids, losses = torch.tensor([k for k, _ in pairs]), torch.tensor([x for _, x in pairs], dtype=torch.float64)
    prior = torch.tensor([1.0, 2.0, 1.0, 4.0, 2.0], dtype=torch.float64)
    ambiguity = Simplex(prior=tuple(prior.tolist()))
    _, n, means, _ = reduction.task_reduce(losses, ids, 5)
    f = torch.where(n > 0, means, -math.inf)
    geometry = "entropic" if response == "softmax" else "euclidean"
    for backend in ("auto", "torch"):
        step = task_step(losses, ids, 5, smoothing=smoothing, prior=prior, response=response, backend=backend)
        torch.testing.assert_close(
            step.weights, respond(f, ambiguity, smoothing=smoothing, geometry=geometry), rtol=1e-9, atol=1e-11
        )
        value = worst_case(f, ambiguity, smoothing=smoothing, geometry=geometry)
        torch.testing.assert_close(step.value, value, rtol=1e-11, atol=1e-11)


def test_projection_of_losses_of_very_different_size(backend, device):
    losses = torch.tensor([0.0, -1e300, -1e280, -1e-9, -0.3], dtype=torch.float64, device=device)
    step = task_step(losses, torch.arange(5, device=device), 5, smoothing=1.0, response="projection", backend=backend)
    assert float(step.weights.sum()) == pytest.approx(1.0, abs=1e-14)
    assert step.weights.tolist() == pytest.approx([1.3 / 3, 0, 0, 1.3 / 3, 0.4 / 3], rel=1e-8)


def test_the_parts_for_several_ranks_give_the_same(generator):
    losses, ids = samples(100, 4, generator, torch.float64)
    whole = task_step(losses, ids, 4, smoothing=0.3)
    parts = [task_reduce(x, t, 4) for x, t in zip(losses.split(30), ids.split(30), strict=True)]
    sums, counts = sum(p.sums for p in parts), sum(p.counts for p in parts)
    weights = smooth_max(torch.where(counts > 0, sums / counts, -math.inf), 0.3).weights
    rows = torch.where(counts > 0, weights / counts, 0.0)
    torch.testing.assert_close(task_spread(rows, ids), whole.sample_weights, rtol=1e-13, atol=1e-16)


def test_the_same_bits_again_and_again(backend, device, generator):
    losses, ids = samples(3000, 6, generator, device=device)
    first = task_step(losses, ids, 6, smoothing=0.1, response="projection", backend=backend)
    for _ in range(4 if device.type == "cpu" and backend == "triton" else 19):
        again = task_step(losses, ids, 6, smoothing=0.1, response="projection", backend=backend)
        assert all(torch.equal(a, b) for a, b in zip(again, first, strict=True))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, of forward mode
@pytest.mark.parametrize("response", RESPONSES)
def test_transforms_see_torch_operations(generator, response):
    losses, ids = samples(12, 3, generator, torch.float64)

    def value(x):
        return task_step(x, ids, 3, smoothing=0.6, response=response).value

    step = task_step(losses, ids, 3, smoothing=0.6, response=response)
    torch.testing.assert_close(torch.func.grad(value)(losses), step.sample_weights)
    torch.testing.assert_close(torch.func.jacfwd(value)(losses), step.sample_weights)
    torch.testing.assert_close(
        torch.func.vmap(value)(torch.stack([losses, losses + 1])), torch.stack([step.value, step.value + 1])
    )


def test_it_is_an_op_and_compiles(backend, device, generator):
    losses, ids = samples(30, 3, generator, device=device)
    torch.library.opcheck(_task_step, (losses.clone().requires_grad_(), ids, 3, -100, 0.5, None, "softmax", backend))
    compiled = torch.compile(
        lambda x, t: task_step(x, t, 3, smoothing=0.5, backend=backend).value, fullgraph=True, backend="aot_eager"
    )
    x = losses.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(compiled(x, ids), x)
    assert torch.equal(gradient, task_step(losses, ids, 3, smoothing=0.5, backend=backend).sample_weights)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"smoothing": -1.0}, ValueError, "`smoothing` must be"),
        ({"smoothing": 1.0, "response": "sparsemax"}, ValueError, "`response` must be 'softmax' or 'projection'"),
        ({"smoothing": 1.0, "prior": torch.ones(4)}, ValueError, r"`prior` must have shape \(3,\)"),
    ],
)
def test_what_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        task_step(torch.ones(3), torch.tensor([0, 1, 2]), 3, **options)
    for backend in ("auto", "torch"):
        with pytest.raises(ValueError, match="`task_ids` must be from 0 to 2"):
            task_step(torch.ones(3), torch.tensor([0, 1, 3]), 3, smoothing=1.0, backend=backend)
