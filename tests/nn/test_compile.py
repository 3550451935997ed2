"""No wait for the device, and one graph: a run on the meta device, and torch.compile without a break."""

from __future__ import annotations

import pytest
import torch
from nn.training_cases import N_TASKS, batch, memory, network, sample_losses
from nn.weighting_cases import ALL

from minimax_opt.nn import (
    ChiSquareBallWeighting,
    CVaRWeighting,
    KLBallWeighting,
    MinimaxLoss,
    MirrorAscentWeighting,
    ProjectedAscentWeighting,
    SampleAverageWeighting,
    SoftmaxWeighting,
    minimax_loss,
)

COMPILED = [
    SoftmaxWeighting(0.5),
    CVaRWeighting(0.4, smoothing=0.1, prior="frequency"),
    KLBallWeighting(0.2),
    ChiSquareBallWeighting(0.2, smoothing=0.1, prior=[1.0, 2.0, 3.0]),
    MirrorAscentWeighting(0.2, floor=0.01),
    ProjectedAscentWeighting(0.2),
    SampleAverageWeighting(),
]


@pytest.mark.parametrize("weighting", ALL, ids=repr)
@pytest.mark.parametrize("when", ["current", "lagged"])
def test_nothing_is_read_from_the_device(weighting, when):
    """On the meta device there is nothing to read: any `.item()` or branch on a value raises."""
    criterion = MinimaxLoss(weighting, 4, when=when, ema=0.5, scale=2.0).to("meta")
    losses, ids = torch.rand(12, device="meta", requires_grad=True), torch.zeros(12, dtype=torch.long, device="meta")
    if when == "current":
        criterion(losses, ids, torch.rand(12, device="meta")).backward()
        assert all(value.is_meta for value in criterion.metrics().values())
    else:
        criterion.begin_step([ids, ids])
        for _ in range(2):
            criterion.micro_loss(losses, ids)
        assert criterion.end_step().weights.is_meta
        criterion.eval()(losses, ids)


def test_two_passes_read_nothing_from_the_device():
    criterion = MinimaxLoss(SoftmaxWeighting(0.5), 4, when="two-pass").to("meta")
    losses, ids = torch.rand(12, device="meta", requires_grad=True), torch.zeros(12, dtype=torch.long, device="meta")
    criterion.begin_step([ids])
    criterion.preview(lambda _: criterion.micro_loss(losses, ids), [0])
    criterion.micro_loss(losses, ids).backward()
    criterion.end_step()


@pytest.mark.parametrize("weighting", COMPILED, ids=repr)
def test_model_and_loss_in_one_graph(weighting):
    torch._dynamo.reset()
    nets, criteria = (network(), network()), [MinimaxLoss(weighting, N_TASKS, ema=0.5) for _ in range(2)]

    def loss_of(net, criterion):
        return lambda x, y, ids: criterion(sample_losses(net, x, y), ids)

    plain = loss_of(nets[0], criteria[0])
    compiled = torch.compile(loss_of(nets[1], criteria[1]), fullgraph=True, backend="aot_eager")
    for seed in range(3):
        data = batch(seed)
        losses = [f(*data) for f in (plain, compiled)]
        torch.testing.assert_close(*losses, rtol=1e-12, atol=0)
        gradients = [torch.autograd.grad(loss, list(net.parameters())) for loss, net in zip(losses, nets, strict=True)]
        torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-14)
        torch.testing.assert_close(criteria[0].weights, criteria[1].weights, rtol=1e-10, atol=1e-14)
    first, second = memory(criteria[0]), memory(criteria[1])
    torch.testing.assert_close(first, second, rtol=1e-6, atol=1e-7)
    assert int(criteria[1].adversary.steps) == 3


def test_two_graphs_serve_all_batch_sizes():
    torch._dynamo.reset()
    graphs = []

    def backend(module, inputs):
        graphs.append(module)
        return module

    criterion, net = MinimaxLoss(MirrorAscentWeighting(0.1), N_TASKS), network()
    compiled = torch.compile(lambda x, y, ids: criterion(sample_losses(net, x, y), ids), fullgraph=True, backend=backend)
    for n in (20, 24, 31, 17, 40):
        compiled(*batch(n, n=n))
    assert len(graphs) <= 2


def test_the_functional_loss_compiles():
    torch._dynamo.reset()
    weighting = SoftmaxWeighting(0.5)
    compiled = torch.compile(lambda losses, ids: minimax_loss(losses, ids, 3, weighting), fullgraph=True, backend="aot_eager")
    losses, ids = torch.rand(9, requires_grad=True), torch.arange(9) % 3
    torch.testing.assert_close(compiled(losses, ids), minimax_loss(losses, ids, 3, weighting))
