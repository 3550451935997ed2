"""When an op is called directly: never where autograd, a compiler, a mode or a transform would miss it."""

from __future__ import annotations

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from minimax_kernels import mirror_step, smooth_max, task_reduce, task_spread, task_step
from minimax_kernels.direct import direct, unobserved
from minimax_kernels.reduce.spread import spread

LOSSES, IDS = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0, 1, 1])


class Names(TorchDispatchMode):
    """Notes the ops that are dispatched."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append(func._schema.name)
        return func(*args, **(kwargs or {}))


class Wrapped(torch.Tensor):
    """A class of tensors."""


def test_plain_tensors_are_unobserved():
    assert unobserved(LOSSES, IDS)
    assert direct(spread, LOSSES)(LOSSES, IDS, -100, "auto").tolist() == [1.0, 2.0, 2.0]
    assert direct(spread, LOSSES) is not spread


def test_a_gradient_is_seen_where_it_is_on():
    needed = LOSSES.clone().requires_grad_()
    assert direct(spread, needed) is spread
    with torch.no_grad():
        assert unobserved(LOSSES, needed)
    with torch.inference_mode():
        assert unobserved(LOSSES, needed)


def test_modes_and_classes_are_seen():
    assert not unobserved(LOSSES.as_subclass(Wrapped))
    for mode in (Names(), TorchFunctionMode(), torch.autograd.profiler.profile(), torch.device("meta")):
        with mode:
            assert not unobserved(LOSSES)
    with torch.autograd.forward_ad.dual_level():
        assert not unobserved(LOSSES)
    assert unobserved(LOSSES)


def test_transforms_are_seen():
    said = []

    def look(x):
        said.append(unobserved(x))
        return x.sum()

    torch.func.vmap(look)(LOSSES[None])
    torch.func.grad(look)(LOSSES)
    assert said == [False, False]


@pytest.mark.filterwarnings("ignore:`torch.jit.trace")
def test_a_trace_is_seen():
    said = []

    def look(x):
        said.append(unobserved(x))
        return x + 1

    torch.jit.trace(look, LOSSES, check_trace=False)
    assert said == [False]


@pytest.mark.parametrize(
    "call",
    [
        lambda: task_reduce(LOSSES, IDS, 2),
        lambda: task_spread(LOSSES, IDS),
        lambda: task_step(LOSSES, IDS, 2, smoothing=0.5),
        lambda: smooth_max(LOSSES, 0.5),
        lambda: (mirror_step(LOSSES, LOSSES, 0.5),),
    ],
)
def test_both_ways_give_the_same_and_a_mode_sees_the_op(call):
    with Names() as mode:
        registered = call()
    assert sum(name.startswith("minimax_opt::") for name in mode.seen) == 1
    for there, here in zip(registered, call(), strict=True):
        assert torch.equal(there, here)
