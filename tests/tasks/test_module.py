"""Modules: equal to plain autograd, and never changed unless asked."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector

import minimax_opt as mo
from minimax_opt.tasks import ModuleTasks, check_jacobian

GENERATOR = torch.Generator().manual_seed(0)
DATA = [(torch.randn(6, 3, generator=GENERATOR).double(), torch.randn(6, 2, generator=GENERATOR).double()) for _ in range(3)]


def network():
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)).double()
    module[0].bias.requires_grad_(False)
    return module


def losses(model):
    return torch.stack([nn.functional.mse_loss(model(inputs), targets) for inputs, targets in DATA])


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_derivatives_equal_plain_autograd_and_the_module_stays_as_it_is(mode):
    module = getattr(network(), mode)()
    plain, before = copy.deepcopy(module), state(module)
    tasks, weights = ModuleTasks(module, losses, hessian=True), torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    x = tasks.x0()
    evaluation = tasks.at(x)
    gradient, jacobian, hessian = evaluation.gradient(weights), evaluation.jacobian(), evaluation.hessian(weights)

    values = losses(plain)
    trainable = [p for p in plain.parameters() if p.requires_grad]
    rows = [parameters_to_vector(torch.autograd.grad(v, trainable, retain_graph=True)) for v in values]
    torch.testing.assert_close(evaluation.losses, values.detach())
    torch.testing.assert_close(jacobian, torch.stack(rows))
    torch.testing.assert_close(gradient, weights @ torch.stack(rows))
    step = 1e-6 * torch.linspace(-1, 1, len(x), dtype=torch.float64)
    difference = (tasks.at(x + step).gradient(weights) - tasks.at(x - step).gradient(weights)) / 2
    torch.testing.assert_close(hessian @ step, difference, rtol=1e-5, atol=1e-12)

    assert tasks.n_variables == len(x) == sum(p.numel() for p in trainable)
    for name, value in state(module).items():
        assert torch.equal(value, before[name]), name
    assert all(p.grad is None for p in module.parameters())
    assert check_jacobian(tasks, x) < 1e-6


def test_load_writes_the_trainable_parameters_only():
    module = network().eval()
    tasks = ModuleTasks(module, losses)
    frozen, x = module[0].bias.clone(), tasks.x0() + 1.0
    tasks.load(x.numpy())
    assert torch.equal(tasks.x0(), x)
    assert torch.equal(module[0].bias, frozen)
    torch.testing.assert_close(losses(module).detach(), tasks(x))
    x += 1.0
    assert not torch.equal(tasks.x0(), x), "the module must not share memory with x"
    with pytest.raises(ValueError, match=r"`x` must have shape \(\d+,\) to fit the module's parameters, got shape \(2,\)"):
        tasks.load(torch.zeros(2))


@pytest.mark.parametrize("method", ["auto", "sqp", "softmax-gd"])
def test_losses_of_the_module_itself_are_refused(method):
    """The commonest mistake: `module` where `model` is meant. Its losses are constants, and every point would look stationary."""
    module, inputs = nn.Linear(3, 1).double(), torch.ones(4, 3).double()
    tasks = ModuleTasks(module, lambda model: [module(inputs).square().mean(), (module(inputs) - 1).square().mean()])
    with pytest.raises(ValueError, match="losses do not depend on x; call the `model` passed to `losses`, not the module"):
        mo.minimize_max(tasks, method=method)


WRONG_LOSSES = {
    "not reduced": (
        lambda model: [model(torch.ones(4, 1)), model(torch.ones(4, 1))],
        r"`losses` must return one number for each task, got shape \(4, 1\) for task 0; reduce it, e.g. by `.mean\(\)`",
    ),
    "a matrix": (lambda model: model(torch.ones(4, 1)), r"`losses` must return one vector .* got shape \(4, 1\); reduce"),
    "a dict": (lambda model: {"a": model(torch.ones(1)).sum()}, r"`losses` must return a tensor .* got dict; return its values"),
    "numbers": (lambda model: [model(torch.ones(1)).item()], r"`losses` must return a tensor .* got list; with numbers"),
    "detached": (lambda model: model(torch.ones(1)).detach(), r"`losses` must return losses that depend on x .*`.detach\(\)`"),
    "NumPy": (
        lambda model: np.sin(model(torch.ones(1))),
        r"`losses` must use torch operations on a tensor x, got a call of NumPy",
    ),
}


@pytest.mark.parametrize(("losses", "message"), WRONG_LOSSES.values(), ids=WRONG_LOSSES)
def test_messages_about_losses_name_their_cause(losses, message):
    tasks = ModuleTasks(nn.Linear(1, 1), losses)
    with pytest.raises((ValueError, TypeError), match=message):
        tasks(tasks.x0())


def test_x0_and_x_are_no_windows_on_the_module():
    module = nn.Linear(2, 1, bias=False)
    tasks = ModuleTasks(module, lambda model: [model(torch.ones(2)).sum()])
    before, x = module.weight.detach().clone(), tasks.x0()
    x += 1.0
    assert torch.equal(module.weight, before)
    address = module.weight.data_ptr()
    tasks.load(x)
    assert module.weight.data_ptr() == address, "optimizers hold on to the parameter's memory"


def test_tied_parameters_count_once():
    module = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    module[1].weight = module[0].weight
    tasks = ModuleTasks(module, lambda model: [model(torch.ones(3)).sum(), model(torch.ones(3)).square().sum()])
    assert tasks.n_variables == 9
    assert tasks(2 * torch.eye(3).reshape(-1)).tolist() == [12.0, 48.0]


def test_batches_and_several_inputs():
    module = nn.Bilinear(1, 1, 1, bias=False)
    tasks = ModuleTasks(
        module,
        lambda model, batch: [model(torch.ones(1), input2=torch.full((1,), 10.0 if batch is None else float(batch))).sum()],
        batches=lambda generator, size: generator.integers(0, 5, size).sum(),
    )
    x = torch.ones(1)
    assert tasks(x).tolist() == [10.0]
    assert tasks.sample(np.random.default_rng(0), 3)(x).tolist() == [float(np.random.default_rng(0).integers(0, 5, 3).sum())]


def test_space_is_that_of_the_parameters():
    space = ModuleTasks(nn.Linear(2, 1), losses).space
    assert (space.kind, space.dtype, space.device.type) == ("torch", torch.float32, "cpu")


def test_other_modules_are_refused():
    with pytest.raises(TypeError, match=r"`module` must be a torch.nn.Module, got function"):
        ModuleTasks(lambda x: x, losses)
    with pytest.raises(ValueError, match="at least one trainable parameter; check `requires_grad`"):
        ModuleTasks(nn.Tanh(), losses)
    mixed = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double())
    with pytest.raises(
        ValueError, match=r"one dtype on one device, got \['torch.float32 on cpu', 'torch.float64 on cpu'\]; use `module.to"
    ):
        ModuleTasks(mixed, losses)
