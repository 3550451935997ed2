"""What all ops owe their callers: floats that vary under torch.compile, shapes without numbers, caps far above the logits."""

from __future__ import annotations

import threading

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from minimax_kernels.cross_entropy.reference import task_cross_entropy
from minimax_kernels.linear_cross_entropy.reference import task_linear_cross_entropy
from minimax_opt import ops

IDS = torch.tensor([0, 1, 2, 0, 1])
CALLS = {
    "project_simplex": lambda x, s: ops.project_simplex(x, s).square(),
    "project_capped_simplex": lambda x, s: ops.project_capped_simplex(x, torch.full((4,), s), s).square(),
    "smooth_max": lambda x, s: ops.smooth_max(x, s).value,
    "mirror_step": lambda x, s: ops.mirror_step(x, x.flip(0), s, forgetting=s / 4, floor=s / 8).exp(),
    "task_step": lambda x, s: ops.task_step(x[:, 0], IDS, 3, smoothing=s).value,
    "task_reduce": lambda x, s: ops.task_reduce(x[:, 0], IDS, 3, determinism="order_invariant", bound=8.0 + s).means,
    "task_cross_entropy": lambda x, s: ops.task_cross_entropy(x, IDS, IDS, 3, label_smoothing=s / 4, z_loss=s, softcap=s)[0],
    "task_linear_cross_entropy": lambda x, s: ops.task_linear_cross_entropy(
        x, x, IDS, IDS, 3, label_smoothing=s / 4, z_loss=s, softcap=s
    )[0],
    "task_masked_mse": lambda x, s: ops.task_masked_mse(x, 2 * x, IDS >= 0, IDS, 3, kind="smooth_l1", beta=s)[0],
}


@pytest.mark.parametrize("name", CALLS)
def test_compiled_in_one_graph_where_a_float_varies(name, generator):
    torch._dynamo.reset()
    call = CALLS[name]
    compiled = torch.compile(call, fullgraph=True, backend="aot_eager", dynamic=True)  # floats are inputs of the graph
    for number in (0.5, 0.25, 1.5):
        x = torch.randn(5, 4, generator=generator).requires_grad_()
        got, want = compiled(x, number), call(x, number)
        torch.testing.assert_close(got, want)
        torch.testing.assert_close(torch.autograd.grad(got.sum(), x), torch.autograd.grad(want.sum(), x))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), -1.0])
def test_numbers_that_are_none_are_refused(number):
    with pytest.raises(ValueError, match="must be a finite float"):
        ops.smooth_max(torch.zeros(3), number)


@pytest.mark.parametrize("name", CALLS)
def test_shapes_without_numbers_are_enough(name):
    x = torch.randn(5, 4)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = mode.from_tensor(x)
        ids = mode.from_tensor(IDS)
        found = CALLS[name](fake, 0.5)
        ops.task_cross_entropy(fake, ids, ids, 3)
    want = CALLS[name](x, 0.5)
    assert (found.shape, found.dtype) == (want.shape, want.dtype)


@pytest.mark.parametrize("implementation", ["torch", "triton"])
@pytest.mark.parametrize("cap", [8.0, 1e3, 1e6])
def test_a_cap_far_above_the_logits_costs_no_digits(implementation, cap, generator):
    device = torch.device("cuda" if implementation == "triton" and torch.cuda.is_available() else "cpu")
    hidden, weight = torch.randn(5, 4, generator=generator), torch.eye(4)
    ids = IDS.to(device)
    for op, reference, given in (
        (ops.task_cross_entropy, task_cross_entropy, (hidden,)),
        (ops.task_linear_cross_entropy, task_linear_cross_entropy, (hidden, weight)),
    ):
        leaves = [x.to(device).requires_grad_() for x in given]
        exact = [x.double().requires_grad_() for x in given]
        got = op(*leaves, ids, ids, 3, softcap=cap, backend=implementation).sample_losses
        want = reference(*exact, IDS, IDS, 3, softcap=cap).sample_losses
        pairs = [(got, want), *zip(torch.autograd.grad(got.sum(), leaves), torch.autograd.grad(want.sum(), exact), strict=True)]
        for mine, true in pairs:
            torch.testing.assert_close(mine.detach().cpu().double(), true.detach(), rtol=2e-6, atol=2e-6)


def test_the_counter_of_a_stream_is_allocated_by_another_thread(monkeypatch):
    pytest.importorskip("triton")
    from contextlib import nullcontext

    from minimax_kernels.reduce import triton_launch

    threads, zeros = [], torch.zeros
    monkeypatch.setattr(
        torch, "zeros", lambda *size, device=None, **k: threads.append(threading.get_ident()) or zeros(*size, **k)
    )
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    stream = type("Stream", (), {"device": torch.device("cpu")})()
    first, again = triton_launch._counter(stream), triton_launch._counter(stream)
    assert first is again
    assert threads != [threading.get_ident()]


def test_the_ignored_index_of_a_step_may_be_that_of_a_task(backend, device, generator):
    losses, ids = torch.randn(40, generator=generator).to(device), (torch.arange(40) % 3).to(device)
    got = ops.task_step(losses, ids, 3, smoothing=0.5, ignore_index=1, backend=backend)
    want = ops.task_step(losses, torch.where(ids == 1, -100, ids), 3, smoothing=0.5, backend=backend)
    for mine, true in zip(got, want, strict=True):
        assert torch.equal(mine, true)


def test_more_programs_than_one_piece_of_the_merge(monkeypatch, generator):
    """As on a GPU with many multiprocessors: at 64 tasks the last program merges the others 32 at a time."""
    pytest.importorskip("triton")
    from minimax_kernels.reduce import triton_launch

    monkeypatch.setattr(triton_launch, "multiprocessors", lambda device: 40)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    losses, ids = torch.randn(5100, generator=generator).to(device), (torch.arange(5100) % 64).to(device)
    assert triton_launch.one_launch(losses, 64)[0] > 2 * 32
    got, want = (ops.task_reduce(losses, ids, 64, backend=name) for name in ("triton", "torch"))
    torch.testing.assert_close(got.sums, want.sums, rtol=1e-13, atol=1e-13)
    assert torch.equal(got.counts, want.counts)
    assert torch.equal(got.max, want.max)


def test_a_launch_leaves_its_counter_at_zero(monkeypatch, generator):
    """On a GPU launches of a stream share one; here they are made to."""
    pytest.importorskip("triton")
    from minimax_kernels.reduce import triton_launch
    from minimax_kernels.response import triton_launch as response_launch

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    shared = torch.zeros(1, dtype=torch.int32, device=device)
    for module in (triton_launch, response_launch):
        monkeypatch.setattr(module, "counter", lambda device: shared)
    losses, ids = torch.randn(3000, generator=generator).to(device), (torch.arange(3000) % 3).to(device)
    for _ in range(2):
        ops.task_reduce(losses, ids, 3, backend="triton")
        assert int(shared) == 0
        ops.task_step(losses, ids, 3, smoothing=0.5, backend="triton")
        assert int(shared) == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="CUDA graphs need a GPU")
def test_torch_compile_records_cuda_graphs(generator):
    losses = torch.randn(5000, generator=generator).cuda()
    ids = torch.randint(3, (5000,), generator=generator).cuda()
    call = torch.compile(lambda x: ops.task_step(x, ids, 3, smoothing=0.5).sample_weights, mode="reduce-overhead", fullgraph=True)
    want = ops.task_step(losses, ids, 3, smoothing=0.5).sample_weights
    for _ in range(5):
        assert torch.equal(call(losses).clone(), want)
