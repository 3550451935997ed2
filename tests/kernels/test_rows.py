"""The rows in C: their exponential, what they make of inf and nan, and that threads change nothing."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from minimax_kernels import rows, task_cross_entropy, task_masked_mse
from minimax_kernels.backend import native_ops
from minimax_kernels.cross_entropy import native

pytestmark = pytest.mark.skipif(native_ops() is None, reason="the C module was not built")
UNITS = {torch.float32: 1.0, torch.float64: 2.0}  # in the last place; the truth in float64 is itself off by up to one


def exponential(x):
    """exp(x) for x <= 0, as the derivative of a cross-entropy has it where its weight is 0."""
    n, zeros = len(x), torch.zeros(len(x), dtype=x.dtype)
    grad, ids = torch.empty_like(x), torch.zeros(n, dtype=torch.int64)
    native.backward(grad, zeros, zeros + 1.0, x, ids, ids, zeros, zeros, 0.0)
    return grad


@pytest.mark.parametrize("dtype", UNITS)
def test_the_exponential_is_right_to_the_last_place(dtype, generator):
    least = math.log(torch.finfo(dtype).tiny) + 0.1
    x = torch.cat(
        [torch.linspace(least, 0.0, 100_003, dtype=torch.float64), -(torch.rand(100_001, generator=generator).double() ** 9)]
    )
    x = x.to(dtype)[None]
    truth = x.double().exp()
    assert ((exponential(x).double() - truth) / truth).abs().max() <= UNITS[dtype] * torch.finfo(dtype).eps


@pytest.mark.parametrize("dtype", UNITS)
def test_the_exponential_at_its_ends(dtype):
    """Beyond the smallest normal number it is 0."""
    x = torch.tensor([[0.0, -0.0, -math.inf, -1e30, -1000.0, math.log(torch.finfo(dtype).tiny) - 1.0, math.nan]], dtype=dtype)
    found = exponential(x)[0]
    assert found[:6].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert found[6].isnan()


@pytest.mark.parametrize("dtype", UNITS)
@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_the_largest_entry_may_come_late(label_smoothing, dtype, generator):
    """Blocks of -inf, of rising and of falling entries: what was summed before is scaled to each new maximum."""
    x = torch.randn(3, 5000, generator=generator, dtype=dtype) + torch.linspace(-200, 300, 5000, dtype=dtype)
    x[1] = x[0].flip(0)
    if not label_smoothing:
        x[2, :2500] = -math.inf
    target, tasks = torch.tensor([4999, 0, 4000]), torch.zeros(3, dtype=torch.int64)
    losses, largest, log_sums = native.forward(x, target, tasks, label_smoothing)
    true = torch.nn.functional.cross_entropy(x.double(), target, reduction="none", label_smoothing=label_smoothing)
    torch.testing.assert_close(losses.double(), true, rtol=2e-6 if dtype == torch.float32 else 1e-14, atol=1e-6)
    assert torch.equal(largest, x.amax(1))
    torch.testing.assert_close(largest + log_sums, x.logsumexp(1))


@pytest.mark.parametrize("row", [[math.nan, 0.0], [-math.inf, -math.inf], [math.inf, 0.0], [-math.inf, math.nan]])
def test_nan_and_rows_without_a_distribution_give_nan(row):
    x = torch.tensor([row], requires_grad=True)
    losses = task_cross_entropy(x, torch.tensor([1]), torch.tensor([0]), 1, backend="native").task_losses
    (gradient,) = torch.autograd.grad(losses.sum(), x)
    assert losses.isnan().all()
    assert gradient.isnan().any()


@pytest.mark.parametrize("kind", ["l2", "l1", "smooth_l1"])
def test_nan_in_a_patch_reaches_its_gradient(kind):
    x = torch.tensor([[math.nan, 2.0]], requires_grad=True)
    mask, ids = torch.tensor([True]), torch.tensor([0])
    losses = task_masked_mse(x, torch.zeros(1, 2), mask, ids, 1, kind=kind, backend="native").task_losses
    (gradient,) = torch.autograd.grad(losses.sum(), x)
    assert losses.isnan().all()
    assert gradient.isnan().tolist() == [[True, False]]


@pytest.mark.parametrize("threads", [2, 3, 64])
def test_threads_change_no_bit(threads, monkeypatch, generator):
    """More of them than rows among the cases; a span without its rows would leave memory as it was found."""
    logits, target = torch.randn(11, 70, generator=generator), torch.randint(70, (11,), generator=generator)
    ids, mask = torch.arange(11) % 2, torch.ones(11, dtype=torch.bool)

    def run():
        leaf = logits.clone().requires_grad_()
        losses = task_cross_entropy(leaf, target, ids, 2, backend="native").sample_losses
        distances = task_masked_mse(leaf, logits.flip(0), mask, ids, 2, backend="native").sample_losses
        return losses, distances, *torch.autograd.grad((losses * distances).sum(), leaf)

    alone = run()
    monkeypatch.setattr(rows, "SHARE", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    for _ in range(5):
        assert all(map(torch.equal, run(), alone))


def test_spans_cover_every_row_once(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    for n, length, spans in ((10, rows.SHARE, 4), (3, rows.SHARE, 3), (10, 7, 1), (0, 7, 1), (2 * rows.SHARE, 1, 2)):
        seen = []
        rows.over_rows(lambda start, stop, to: to.append((start, stop)), n, length, seen)
        seen.sort()
        assert len(seen) == spans
        assert (seen[0][0], seen[-1][1]) == (0, n)
        assert all(one[1] == other[0] for one, other in pairwise(seen))


def test_an_error_in_a_thread_is_raised(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)

    def run(start, stop):
        if start:
            raise ValueError(f"rows {start} to {stop}")

    with pytest.raises(ValueError, match="rows 5 to 10"):
        rows.over_rows(run, 10, rows.SHARE)
