"""The functional twins against plain loops, and against the module."""

from __future__ import annotations

import pytest
import torch
from nn.training_cases import N_TASKS, batch, network, sample_losses
from nn.weighting_cases import MEMORYLESS

from minimax_opt.nn import MinimaxLoss, MirrorAscentWeighting, SoftmaxWeighting, minimax_loss, task_sums, weighted_loss


def test_task_sums_and_weighted_loss():
    x, y, ids = batch(0)
    losses = sample_losses(network(), x, y)
    mass = torch.rand(20, dtype=torch.float64)
    sums, counts = task_sums(losses, ids, N_TASKS, mass)
    coefficients, expected = torch.tensor([0.5, 2.0, -1.0]).double(), 0.0
    for k in range(N_TASKS):
        inside = ids == k
        torch.testing.assert_close(sums[k], (mass * losses)[inside].sum())
        torch.testing.assert_close(counts[k], mass[inside].sum())
        expected = expected + coefficients[k] * (mass * losses)[inside].sum()
    torch.testing.assert_close(weighted_loss(losses, ids, coefficients, mass), expected)
    assert not sums.requires_grad


def test_gradient_of_the_weighted_loss():
    ids = torch.tensor([0, 2, -100, 1])
    losses = torch.rand(4, dtype=torch.float64, requires_grad=True)
    coefficients = torch.tensor([0.5, 2.0, -1.0]).double().requires_grad_()
    loss = weighted_loss(losses, ids, coefficients)
    assert torch.autograd.gradcheck(lambda v: weighted_loss(v, ids, coefficients), losses)
    loss.backward()
    assert losses.grad.tolist() == [0.5, -1.0, 0.0, 2.0]
    assert coefficients.grad is None


@pytest.mark.parametrize("weighting", MEMORYLESS, ids=repr)
def test_the_functional_loss_is_a_module_without_memory(weighting):
    losses, ids = torch.rand(10, requires_grad=True), torch.arange(10) % 4
    assert torch.equal(minimax_loss(losses, ids, 4, weighting), MinimaxLoss(weighting, 4)(losses, ids))


def test_the_functional_loss_with_a_state():
    weighting = MirrorAscentWeighting(0.5)
    state = torch.tensor([0.0, 1.0, 0.0])
    losses, ids = torch.tensor([1.0, 2.0, 3.0]), torch.arange(3)
    expected = (torch.softmax(state, 0) * losses).sum()
    torch.testing.assert_close(minimax_loss(losses, ids, 3, weighting, state=state), expected)
    assert minimax_loss(losses, ids, 3, weighting).item() == pytest.approx(2.0)


def test_ignored_ids_and_tasks():
    losses, ids = torch.tensor([1.0, 2.0]), torch.tensor([7, 0])
    assert minimax_loss(losses, ids, 2, SoftmaxWeighting(1.0), ignore_index=7).item() == 2.0
    with pytest.raises(ValueError, match="`n_tasks`"):
        task_sums(losses, ids, 0)
    with pytest.raises(ValueError, match="got 7"):
        task_sums(losses, ids, 2)


def test_int32_ids_and_no_samples():
    assert task_sums(torch.ones(3), torch.tensor([0, 1, 1], dtype=torch.int32), 2).counts.tolist() == [1.0, 2.0]
    assert task_sums(torch.zeros(0), torch.zeros(0, dtype=torch.long), 2).sums.tolist() == [0.0, 0.0]
