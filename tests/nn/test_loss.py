"""The loss in one call a step: its gradient, its forms, what it says, what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from nn.reference import Reference
from nn.training_cases import N_TASKS, batch, gradient, memory, network, same_memory, sample_losses
from nn.weighting_cases import ALL

from minimax_opt import worst_case
from minimax_opt.nn import (
    MacroAverageWeighting,
    MinimaxLoss,
    MirrorAscentWeighting,
    SampleAverageWeighting,
    SoftmaxWeighting,
    WorstTaskWeighting,
    minimax_loss,
)

OPTIONS = {
    "the paper's letter": ({}, {}),
    "moving average": ({"ema": 0.7}, {"ema": 0.7}),
    "lagged": ({"when": "lagged"}, {"when": "lagged", "ema": 0.95}),
    "lagged by one step": ({"when": "lagged", "ema": 0.0}, {"when": "lagged"}),
    "scale": ({"scale": [0.5, 1.0, 4.0]}, {"scale": [0.5, 1.0, 4.0]}),
    "excess": ({"reference_losses": [0.5, 0.25, 1.0]}, {"offset": [0.5, 0.25, 1.0]}),
    "small groups": ({"group_sizes": [4, 16, 64], "adjustment": 2.0}, {"offset": [-1.0, -0.5, -0.25]}),
}


@pytest.mark.parametrize("kind", ["softmax", "mirror"])
@pytest.mark.parametrize("option", OPTIONS)
def test_gradient_equals_the_formula(option, kind):
    ours, theirs = OPTIONS[option]
    weighting = SoftmaxWeighting(0.5, floor=0.1) if kind == "softmax" else MirrorAscentWeighting(0.4, floor=0.1)
    criterion = MinimaxLoss(weighting, N_TASKS, **ours)
    reference = Reference(N_TASKS, kind=kind, rate=2.0 if kind == "softmax" else 0.4, floor=0.1, **theirs)
    net, plain = network(), network()
    for step in range(4):
        x, y, ids = batch(step)
        if step == 1:
            ids[ids == 2] = -100
        net.zero_grad()
        plain.zero_grad()
        loss = criterion(sample_losses(net, x, y), ids)
        truth = reference.step(sample_losses(plain, x, y), ids)
        assert loss.item() == pytest.approx(truth.item(), rel=1e-6)
        assert criterion.objective.item() == pytest.approx(truth.item(), rel=1e-6)
        loss.backward()
        truth.backward()
        assert (gradient(net) - gradient(plain)).norm() <= 1e-6 * gradient(plain).norm()
        np.testing.assert_allclose(criterion.weights, reference.last, rtol=0, atol=1e-6)


def test_gradient_is_that_of_the_smooth_maximum():
    """The weights are constants: d/dL is the weights themselves, all positive (it is not if they are differentiated as well)."""
    losses = torch.tensor([2.0, 1.0, 0.5], dtype=torch.float64, requires_grad=True)
    criterion = MinimaxLoss(SoftmaxWeighting(0.3), 3)
    (ours,) = torch.autograd.grad(criterion(losses), losses)
    (smooth,) = torch.autograd.grad(worst_case(losses, smoothing=0.3), losses)
    torch.testing.assert_close(ours, smooth, rtol=1e-12, atol=0)
    assert not criterion.weights.requires_grad


def test_reference_and_adjustment_change_weights_alone():
    losses, ids = torch.tensor([1.0, 2.0, 3.0], requires_grad=True), torch.arange(3)
    plain = MinimaxLoss(MacroAverageWeighting(), 3)
    shifted = MinimaxLoss(MacroAverageWeighting(), 3, reference_losses=[5.0, 0.0, 1.0], group_sizes=[1, 1, 1], adjustment=3.0)
    grads = [torch.autograd.grad(c(losses, ids), losses)[0] for c in (plain, shifted)]
    assert torch.equal(*grads)
    assert shifted.task_losses.tolist() == [1.0, 2.0, 3.0]  # what is reported holds no adjustment


def test_adjustment_of_some_groups_alone():
    criterion = MinimaxLoss(SoftmaxWeighting(1.0), 2, group_sizes=[4, 4], adjustment=[0.0, 2.0])
    criterion(torch.zeros(2, requires_grad=True), torch.arange(2))
    torch.testing.assert_close(criterion.weights, torch.softmax(torch.tensor([0.0, 1.0]), 0))


def test_plain_average_is_the_mean_over_samples():
    x, y, ids = batch(0)
    criterion = MinimaxLoss(SampleAverageWeighting(), N_TASKS)
    losses = sample_losses(network(), x, y)
    torch.testing.assert_close(criterion(losses, ids), losses[ids >= 0].mean(), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "weighting", [SoftmaxWeighting(0.5), SoftmaxWeighting(0.5, prior="frequency"), MirrorAscentWeighting(0.3)]
)
def test_task_losses_with_counts_are_the_same_as_samples(weighting):
    by_sample, by_task, by_name = (MinimaxLoss(weighting, N_TASKS, task_names=names) for names in (None, None, ["a", "b", "c"]))
    for seed in range(3):
        x, y, ids = batch(seed)
        losses = sample_losses(network(), x, y)
        means = torch.stack([losses[ids == k].mean() for k in range(N_TASKS)])
        counts = torch.stack([(ids == k).sum() for k in range(N_TASKS)])
        expected = by_sample(losses, ids)
        torch.testing.assert_close(by_task(means, task_counts=counts), expected, rtol=1e-12, atol=0)
        named = {name: means[k] for k, name in enumerate("abc")}
        found = by_name(named, task_counts={name: int(counts[k]) for k, name in enumerate("abc")})
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_absent_heads_are_left_out_of_a_dict():
    criterion = MinimaxLoss(SoftmaxWeighting(0.5), 3, task_names=["image", "text", "audio"])
    image, text = torch.tensor(1.0, requires_grad=True), torch.tensor(2.0, requires_grad=True)
    criterion({"text": text, "image": image}).backward()
    weights = torch.softmax(torch.tensor([2.0, 4.0]), 0)
    torch.testing.assert_close(torch.stack([image.grad, text.grad]), weights)
    assert criterion.weights[2] == 0


def test_what_is_left_out_may_be_nan():
    losses = torch.tensor([1.0, math.nan, 2.0, math.inf], requires_grad=True)
    criterion = MinimaxLoss(SoftmaxWeighting(0.5), 2)
    loss = criterion(losses, torch.tensor([0, -100, 1, 1]), torch.tensor([1.0, 1.0, 1.0, 0.0]))
    loss.backward()
    assert loss.isfinite()
    assert losses.grad.isfinite().all()
    assert losses.grad[[1, 3]].tolist() == [0.0, 0.0]
    means = torch.tensor([1.0, math.nan], requires_grad=True)
    loss = criterion(means, task_counts=torch.tensor([3, 0]))
    loss.backward()
    assert means.grad.tolist() == [1.0, 0.0]


def test_absent_everywhere_is_a_connected_zero():
    net = network()
    criterion = MinimaxLoss(SoftmaxWeighting(0.5), N_TASKS)
    criterion(torch.tensor([1.0, 2.0, 3.0]), torch.arange(3))
    before = memory(criterion)
    x, y, ids = batch(0)
    loss = criterion(sample_losses(net, x, y), torch.full_like(ids, -100))
    loss.backward()
    assert loss.item() == 0
    assert gradient(net).eq(0).all()
    assert same_memory(criterion, before)
    assert criterion.weights.eq(0).all()
    assert all(math.isfinite(value) for value in criterion.summary().values())
    empty = criterion(torch.zeros(0, requires_grad=True), torch.zeros(0, dtype=torch.long))
    assert empty.requires_grad
    assert empty.item() == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("weighting", ALL, ids=repr)
def test_not_finite(weighting, bad):
    """The loss shows it; the adversary is as it was, and goes on afterwards."""
    criterion = MinimaxLoss(weighting, 4, ema=0.5)
    ids = torch.arange(4)
    criterion(torch.rand(4, requires_grad=True), ids).backward()
    before = memory(criterion)
    assert not criterion(torch.tensor([1.0, bad, 2.0, 3.0], requires_grad=True), ids).isfinite()
    assert same_memory(criterion, before)
    assert criterion.weights.isfinite().all()
    assert criterion(torch.rand(4, requires_grad=True), ids).isfinite()
    assert int(criterion.adversary.steps) == 2


def test_evaluation_moves_nothing():
    for when in (None, "lagged"):
        criterion = MinimaxLoss(MirrorAscentWeighting(0.5), N_TASKS, when=when)
        criterion(torch.tensor([1.0, 2.0, 3.0]), torch.arange(3))
        before, step = memory(criterion), criterion.last_step
        criterion.eval()
        x, y, ids = batch(1)
        loss = criterion(sample_losses(network(), x, y), ids)
        assert loss.requires_grad
        assert same_memory(criterion, before)
        assert criterion.last_step is step


@pytest.mark.parametrize("when", ["current", "lagged"])
def test_evaluation_has_the_weights_of_now(when):
    """An ascent does not take the step that it would take in training."""
    criterion = MinimaxLoss(MirrorAscentWeighting(0.5), 3, when=when)
    criterion(torch.tensor([1.0, 2.0, 3.0]), torch.arange(3))
    weights = torch.softmax(criterion.adversary.state, 0)
    losses = torch.tensor([7.0, 1.0, 2.0])
    torch.testing.assert_close(criterion.eval()(losses, torch.arange(3)), weights @ losses)


def test_evaluation_without_memory_is_the_functional_loss():
    criterion = MinimaxLoss(SoftmaxWeighting(0.5), N_TASKS).eval()
    x, y, ids = batch(1)
    losses = sample_losses(network(), x, y)
    assert torch.equal(criterion(losses, ids), minimax_loss(losses, ids, N_TASKS, SoftmaxWeighting(0.5)))


def test_one_id_a_sequence():
    losses = torch.rand(4, 6, requires_grad=True)
    ids = torch.tensor([0, 2, 1, 0])
    criterion = MinimaxLoss(SoftmaxWeighting(0.5), N_TASKS)
    assert torch.equal(criterion(losses, ids[:, None]), criterion(losses, ids[:, None].repeat(1, 6)))
    assert torch.equal(criterion.task_counts, torch.tensor([12.0, 6.0, 6.0]).double())


def test_sample_weights_are_masses():
    losses, ids = torch.tensor([1.0, 3.0, 5.0], dtype=torch.float64), torch.tensor([0, 0, 1])
    criterion = MinimaxLoss(WorstTaskWeighting(), 2)
    criterion(losses, ids, torch.tensor([3.0, 1.0, 0.5]))
    assert criterion.task_losses.tolist() == [1.5, 5.0]
    assert criterion.task_counts.tolist() == [4.0, 0.5]


def test_what_a_step_says():
    criterion = MinimaxLoss(SoftmaxWeighting(1.0), 3, task_names=["a", "b", "c"], scale=2.0)
    losses = torch.tensor([2.0, 4.0, 6.0], requires_grad=True)
    criterion(losses, torch.tensor([0, 1, 1]))
    step = criterion.last_step
    w = torch.softmax(torch.tensor([1.0, 2.5]), 0)
    assert step.task_losses.tolist() == [2.0, 5.0, 0.0]
    assert step.objective.item() == pytest.approx(w[0].item() + 2.5 * w[1].item())
    assert step.effective_tasks.item() == pytest.approx(1 / w.square().sum().item())
    assert not any(value.requires_grad for value in step)
    summary = criterion.summary("train/")
    assert summary["train/loss/b"] == 5.0
    assert summary["train/worst_loss"] == 5.0
    assert summary["train/count/c"] == 0.0
    assert all(value.ndim == 0 for value in criterion.metrics().values())
    criterion(torch.tensor([1.0]), torch.tensor([0]))
    assert criterion.task_losses.tolist() == [1.0, 5.0, 0.0]  # the last that is known, not 0
    assert step.task_losses.tolist() == [2.0, 5.0, 0.0]  # a step that was kept stays as it was
    torch.testing.assert_close(criterion.average_weights, (torch.cat([w, torch.zeros(1)]) + torch.tensor([1.0, 0, 0])) / 2)


def test_before_the_first_step():
    criterion = MinimaxLoss(SoftmaxWeighting(1.0, prior=[1.0, 3.0]), 2)
    assert criterion.weights.tolist() == [0.25, 0.75]
    assert criterion.summary()["objective"] == 0.0


def test_no_graph_is_kept():
    """After 50 steps the state has no more history than after one."""
    criterion, net = MinimaxLoss(MirrorAscentWeighting(0.1), N_TASKS, ema=0.9), network()
    for seed in range(50):
        x, y, ids = batch(seed)
        loss = criterion(sample_losses(net, x, y), ids)
    assert not any(value.requires_grad for value in criterion.adversary.buffers())
    stack, nodes = [loss.grad_fn], set()
    while stack:
        node = stack.pop()
        nodes.add(node)
        stack += [n for n, _ in node.next_functions if n is not None and n not in nodes]
    assert len(nodes) < 30


def test_nothing_that_was_passed_is_changed():
    losses, ids, mass = torch.rand(6), torch.tensor([0, 1, 2, 0, 1, -100]), torch.rand(6)
    copies = [t.clone() for t in (losses, ids, mass)]
    MinimaxLoss(SoftmaxWeighting(1.0), 3)(losses, ids, mass)
    assert all(torch.equal(a, b) for a, b in zip(copies, (losses, ids, mass), strict=True))


LOSSES, IDS = torch.rand(4), torch.tensor([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda c: c(LOSSES, IDS + 1), ValueError, "`task_ids` must be from 0 to 2"),
        (lambda c: c(LOSSES, IDS - 5), ValueError, "got -5"),
        (lambda c: c(LOSSES, IDS.float()), TypeError, "`task_ids` must be an int64 or int32"),
        (lambda c: c(LOSSES, IDS[:3]), ValueError, "`task_ids` must have shape"),
        (lambda c: c(LOSSES.long(), IDS), TypeError, "`sample_losses` must be a floating"),
        (lambda c: c(LOSSES, IDS, torch.rand(3)), ValueError, "`sample_weights` must have shape"),
        (lambda c: c(LOSSES), ValueError, "pass `task_ids` as well"),
        (lambda c: c(LOSSES, IDS, task_counts=torch.ones(3)), TypeError, "no `task_counts`"),
        (lambda c: c(torch.rand(3), sample_weights=torch.rand(3)), TypeError, "`sample_weights` needs `task_ids`"),
        (lambda c: c(torch.rand(3), task_counts=torch.ones(4)), ValueError, "`task_counts` must be a tensor of shape"),
        (lambda c: c({"a": torch.rand(())}), ValueError, "`task_names` must be given"),
        (lambda c: c(torch.rand(4, device="meta"), IDS.to("meta")), ValueError, "but the loss module is on cpu"),
        (
            lambda c: MinimaxLoss(SoftmaxWeighting(1.0, prior="frequency"), 3)(torch.rand(3)),
            ValueError,
            "`task_counts` is required",
        ),
        (lambda c: MinimaxLoss(SoftmaxWeighting(1.0), 2, task_names=["a", "b"])({"c": torch.rand(())}), ValueError, "'c'"),
        (lambda c: MinimaxLoss(SoftmaxWeighting(1.0), 2, task_names=["a", "b"])({}), ValueError, "is empty"),
    ],
)
def test_refused_calls(call, error, message):
    with pytest.raises(error) as raised:
        call(MinimaxLoss(SoftmaxWeighting(1.0), 3))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_tasks": 0}, ValueError, "`n_tasks`"),
        ({"weighting": "softmax"}, TypeError, "`weighting` must be a Weighting"),
        ({"when": "now"}, ValueError, "unknown `when`: 'now'"),
        ({"ema": 1.0}, ValueError, "`ema` must be a float in [0, 1)"),
        ({"scale": [1.0, 2.0, 0.0]}, ValueError, "`scale` must hold numbers > 0"),
        ({"scale": [1.0, 2.0]}, ValueError, "`scale` must have shape (3,)"),
        ({"reference_losses": {"0": 1.0}}, ValueError, "`reference_losses` must hold one number for each"),
        ({"adjustment": 1.0}, ValueError, "`adjustment` needs `group_sizes`"),
        ({"absent": "zero"}, ValueError, "unknown `absent`"),
        ({"gradient_reduction": "average"}, ValueError, "unknown `gradient_reduction`"),
        ({"task_names": ["a", "b"]}, ValueError, "`task_names` must be 3 different strings"),
        ({"weighting": SoftmaxWeighting(1.0, prior=[1.0, 2.0])}, ValueError, "has 2 weights, but there are 3 tasks"),
    ],
)
def test_refused_options(arguments, error, message):
    with pytest.raises(error) as raised:
        MinimaxLoss(**({"weighting": SoftmaxWeighting(1.0), "n_tasks": 3} | arguments))
    assert message in str(raised.value)
