"""Gradients that pile up over calls are found, and nothing else is; recomputed forward passes are refused."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from nn.training_cases import N_TASKS, batch, gradient, memory, network, same_memory, sample_losses
from torch.utils.checkpoint import checkpoint

from minimax_opt.nn import MinimaxLoss, MirrorAscentWeighting, SoftmaxWeighting


class Loop:
    def __init__(self):
        self.net = network()
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=1e-2)
        self.criterion = MinimaxLoss(SoftmaxWeighting(1.0), N_TASKS)
        self.seed = 0

    def loss(self):
        self.seed += 1
        x, y, ids = batch(self.seed)
        return self.criterion(sample_losses(self.net, x, y), ids)


@pytest.fixture
def loop():
    return Loop()


def refused():
    return pytest.raises(RuntimeError, match="begin_step")


def test_two_calls_whose_gradients_add_up(loop):
    loop.loss().backward()
    with refused():
        loop.loss().backward()


def test_the_usual_idiom_of_accumulation(loop):
    (loop.loss() / 2).backward()
    loss = loop.loss()
    loss = loss / 2
    with refused():
        loss.backward()


def test_two_forwards_before_two_backwards(loop):
    first, second = loop.loss(), loop.loss()
    first.backward()
    with refused():
        second.backward()


def test_after_good_steps(loop):
    for _ in range(3):
        loop.optimizer.zero_grad()
        loop.loss().backward()
        loop.optimizer.step()
    loop.optimizer.zero_grad()
    loop.loss().backward()
    with refused():
        loop.loss().backward()


@pytest.mark.parametrize("to_none", [True, False])
def test_good_loops_pass(loop, to_none):
    for order in (
        "zero, forward, backward, step",
        "forward, zero, backward, step",
        "forward, backward, step",
        "zero, forward, backward, skip",
        "forward, backward, step, zero",
    ):
        for _ in range(3):
            for action in order.split(", "):
                if action == "zero":
                    loop.optimizer.zero_grad(set_to_none=to_none)
                elif action == "forward":
                    loss = loop.loss()
                elif action == "backward":
                    loss.backward()
                elif action == "step":
                    loop.optimizer.step()
        loop.optimizer.zero_grad(set_to_none=to_none)


def test_steps_that_a_scaler_skips_pass(loop):
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**120)
    skipped = 0
    for _ in range(4):
        loop.optimizer.zero_grad()
        scaler.scale(loop.loss() * 1e290).backward()
        before = scaler.get_scale()
        scaler.step(loop.optimizer)
        scaler.update()
        skipped += scaler.get_scale() < before
    assert skipped  # else the test is of nothing


def test_gradients_that_are_asked_for_pass(loop):
    for _ in range(3):
        torch.autograd.grad(loop.loss(), list(loop.net.parameters()))


def test_the_same_loss_twice_passes(loop):
    loss = loop.loss()
    loss.backward(retain_graph=True)
    loss.backward()


def test_other_models_pass(loop):
    """A gradient that stays where its model has no part in the next loss, and a model that is gone."""
    loop.loss().backward()
    loop.net = network()
    loop.loss().backward()
    with refused():
        loop.loss().backward()


def test_a_frozen_first_layer_passes(loop):
    loop.loss().backward()
    loop.net[0].requires_grad_(False)
    loop.optimizer = torch.optim.SGD(loop.net[3].parameters(), lr=0.1)
    for _ in range(2):
        loop.optimizer.zero_grad()
        loop.loss().backward()
        loop.optimizer.step()


def test_no_graph_is_held_by_the_guard(loop):
    loss = loop.loss()
    output = weakref.ref(loss)
    loss.backward()
    del loss
    gc.disable()
    try:
        assert output() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("reentrant", [True, False])
def test_the_loss_inside_of_a_checkpointed_region_is_refused(reentrant):
    net, criterion = network(), MinimaxLoss(MirrorAscentWeighting(0.5), N_TASKS)
    x, y, ids = batch(0)

    def whole(x):
        return criterion(sample_losses(net, x, y), ids)

    loss = checkpoint(whole, x.requires_grad_(), use_reentrant=reentrant)
    steps, before = int(criterion.adversary.steps), memory(criterion)
    with pytest.raises(RuntimeError, match="call the loss outside"):
        loss.backward()
    assert steps == 1
    assert same_memory(criterion, before)


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpointed_model_has_the_same_gradient(reentrant):
    nets, criteria = [network(), network()], [MinimaxLoss(MirrorAscentWeighting(0.5), N_TASKS) for _ in range(2)]
    for seed in range(3):
        x, y, ids = batch(seed)
        x.requires_grad_()
        for net, criterion, recomputed in zip(nets, criteria, (False, True), strict=True):
            net.zero_grad()
            output = checkpoint(net, x, use_reentrant=reentrant) if recomputed else net(x)
            criterion((output.squeeze(-1) - y).square(), ids).backward()
        assert torch.equal(gradient(nets[0]), gradient(nets[1]))
    assert same_memory(*criteria)
