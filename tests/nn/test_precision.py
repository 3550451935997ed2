"""bfloat16, float16 with a scaler, autocast, and sums of a million numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from nn.training_cases import N_TASKS, batch, gradient, memory, network, same_memory, sample_losses
from torch.nn.functional import cross_entropy

from minimax_opt.nn import MinimaxLoss, MirrorAscentWeighting, SoftmaxWeighting, WorstTaskWeighting, task_sums


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_of_sixteen_bits_count_as_float32(dtype):
    losses = torch.rand(1000, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    ids = torch.arange(1000) % 3
    narrow, wide = MinimaxLoss(SoftmaxWeighting(0.01), 3), MinimaxLoss(SoftmaxWeighting(0.01), 3)
    loss = narrow(losses, ids)
    assert loss.dtype == torch.float32
    copied = losses.detach().float().requires_grad_()
    assert torch.equal(loss, wide(copied, ids))
    loss.backward()
    wide(copied, ids).backward()
    assert losses.grad.dtype == dtype
    assert torch.equal(losses.grad, copied.grad.to(dtype))
    assert narrow.weights.dtype == torch.float32


def test_a_million_losses():
    """Added up in bfloat16 they would be 0.4 % of the truth, and in float32 one after the other 2.8e-4 off."""
    n = 1_000_000
    losses = (11 + torch.rand(n, generator=torch.Generator().manual_seed(0))).bfloat16().requires_grad_()
    criterion = MinimaxLoss(WorstTaskWeighting(), 2)
    loss = criterion(losses, torch.zeros(n, dtype=torch.long))
    truth = losses.detach().double().mean().item()
    assert loss.item() == pytest.approx(truth, rel=1e-6)
    assert criterion.task_losses[0].item() == pytest.approx(truth, rel=1e-6)
    assert task_sums(losses, torch.zeros(n, dtype=torch.long), 2).sums[0].item() == pytest.approx(truth * n, rel=1e-14)


def test_autocast():
    net, criterion = network(torch.float32), MinimaxLoss(SoftmaxWeighting(0.5), N_TASKS)
    x, y, ids = batch(0, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        output = net(x).squeeze(-1)
        loss = criterion((output - y.bfloat16()).square(), ids)
    assert output.dtype == torch.bfloat16
    assert loss.dtype == torch.float32
    loss.backward()
    exact = network(torch.float32)
    MinimaxLoss(SoftmaxWeighting(0.5), N_TASKS)(sample_losses(exact, x, y), ids).backward()
    assert (gradient(net) - gradient(exact)).norm() < 0.03 * gradient(exact).norm()


def test_overflow_in_float16_is_seen_by_the_scaler_and_not_by_the_adversary():
    net = torch.nn.Linear(4, 3)
    optimizer, scaler = torch.optim.SGD(net.parameters(), lr=0.01), torch.amp.GradScaler("cpu", init_scale=2.0**10)
    criterion = MinimaxLoss(MirrorAscentWeighting(0.5), 2)
    ids = torch.tensor([0, 1, 1])
    for step in range(4):
        x = torch.ones(3, 4) * (1.0 if step != 2 else 1e5)
        before, parameters, scale = memory(criterion), net.weight.clone(), scaler.get_scale()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            losses = net(x).square().sum(-1)  # float16
        scaler.scale(criterion(losses, ids)).backward()
        scaler.step(optimizer)
        scaler.update()
        skipped = step == 2
        assert (scaler.get_scale() < scale) == skipped
        assert torch.equal(net.weight, parameters) == skipped
        assert same_memory(criterion, before) == skipped
    assert all(math.isfinite(value) for value in criterion.summary().values())


def test_smoothing_far_below_the_losses():
    """Differences of losses near 11 by 1e-3 of the smoothing, from float32 losses."""
    losses = torch.tensor([11.0, 11.001, 11.002])
    criterion = MinimaxLoss(SoftmaxWeighting(1e-3), 3)
    criterion(losses, torch.arange(3))
    expected = np.exp(1e3 * (losses.double().numpy() - losses.max().item()))
    np.testing.assert_allclose(criterion.weights, expected / expected.sum(), rtol=1e-6)


def test_cross_entropy_under_autocast_with_tokens():
    """The everyday case: tokens, ignored targets, float32 losses under autocast."""
    torch.manual_seed(0)
    logits = torch.randn(2, 5, 7, requires_grad=True)
    targets = torch.randint(0, 7, (2, 5))
    targets[0, :2] = -100
    with torch.autocast("cpu", torch.bfloat16):
        losses = cross_entropy(logits.transpose(1, 2), targets, reduction="none", ignore_index=-100)
    ids = torch.where(targets >= 0, targets % 3, -100)
    criterion = MinimaxLoss(SoftmaxWeighting(0.5), 3)
    criterion(losses, ids).backward()
    assert logits.grad[0, :2].eq(0).all()
    assert criterion.task_counts.sum() == 8
