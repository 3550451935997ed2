"""The adversary's state: never cast, saved and resumed bit for bit, refused where it does not fit."""

from __future__ import annotations

import copy
import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from nn.training_cases import N_TASKS, batch, gradient, memory, network, same_memory, sample_losses
from nn.weighting_cases import ALL

from minimax_opt.nn import MinimaxLoss, MirrorAscentWeighting, SoftmaxWeighting

ROOT = Path(__file__).parents[2]
NAMES = ["noun", "verb", "adverb"]


def criterion_of(weighting=None, **options):
    return MinimaxLoss(
        weighting or MirrorAscentWeighting(0.3, floor=0.01), N_TASKS, **({"ema": 0.9, "task_names": NAMES} | options)
    )


def train(criterion, net, steps):
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for seed in steps:
        x, y, ids = batch(seed)
        optimizer.zero_grad()
        criterion(sample_losses(net, x, y), ids).backward()
        optimizer.step()
    return criterion


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("when", ["current", "lagged"])
def test_resumed_equals_uninterrupted(when):
    straight = train(criterion_of(when=when), network(), range(6))
    first = criterion_of(when=when)
    for seed in range(3):
        train(first, network(), [seed])
    second = criterion_of(when=when)
    second.load_state_dict(through_a_file(first.state_dict()))
    assert same_memory(first, second)
    uninterrupted, net, resumed = criterion_of(when=when), network(), network()
    train(uninterrupted, net, range(3))
    resumed.load_state_dict(net.state_dict())
    other = criterion_of(when=when)
    other.load_state_dict(through_a_file(uninterrupted.state_dict()))
    for seed in range(3, 6):  # by steps of plain descent, so that no optimizer state is at stake
        for criterion, model in ((uninterrupted, net), (other, resumed)):
            x, y, ids = batch(seed)
            model.zero_grad()
            criterion(sample_losses(model, x, y), ids).backward()
            with torch.no_grad():
                for p in model.parameters():
                    p.sub_(p.grad, alpha=0.01)
        assert torch.equal(gradient(net), gradient(resumed))
        assert torch.equal(uninterrupted.weights, other.weights)
    assert same_memory(uninterrupted, other)
    assert int(straight.adversary.steps) == 6


@pytest.mark.parametrize("weighting", ALL, ids=repr)
def test_every_weighting_is_saved_and_restored(weighting):
    criterion, other = (MinimaxLoss(weighting, 4, ema=0.5) for _ in range(2))
    for seed in range(3):
        losses = torch.rand(8, generator=torch.Generator().manual_seed(seed))
        criterion(losses, torch.arange(8) % 4)
    other.load_state_dict(criterion.state_dict())
    assert torch.equal(criterion(losses, torch.arange(8) % 4), other(losses, torch.arange(8) % 4))
    assert same_memory(criterion, other)


@pytest.mark.parametrize("cast", ["bfloat16", "half", "double", "to"])
def test_a_cast_of_the_model_leaves_the_state(cast):
    """As an attribute of the model, too, where `model.bfloat16()` reaches it."""
    model = torch.nn.ModuleDict({"net": network(torch.float32), "criterion": criterion_of()})
    train(model["criterion"], network(), range(2))
    before = memory(model["criterion"])
    model.to(torch.bfloat16) if cast == "to" else getattr(model, cast)()
    assert next(model["net"].parameters()).dtype != torch.float32
    assert same_memory(model["criterion"], before)
    assert model["criterion"].adversary.state.dtype == torch.float32
    assert model["criterion"].adversary.scale.dtype == torch.float32
    assert model["criterion"].adversary.steps.dtype == torch.int64


def test_moves_to_another_device():
    criterion = criterion_of().to("meta")
    assert all(buffer.is_meta for buffer in criterion.adversary.buffers())


def test_built_on_the_meta_device():
    with torch.device("meta"):
        criterion = criterion_of(scale=[1.0, 2.0, 3.0])
    criterion.to_empty(device="cpu")
    assert criterion.adversary.scale.tolist() == [1.0, 2.0, 3.0]
    assert same_memory(criterion, criterion_of())
    train(criterion, network(), range(2))
    assert same_memory(criterion, train(criterion_of(scale=[1.0, 2.0, 3.0]), network(), range(2)))


def test_the_state_has_a_fixed_size_and_no_world_size():
    fresh, used = criterion_of(), train(criterion_of(), network(), range(2))
    shapes = [{k: getattr(v, "shape", None) for k, v in c.state_dict().items()} for c in (fresh, used)]
    assert shapes[0] == shapes[1]
    assert set(fresh.adversary.get_extra_state()) == {"format", "task_names", "weighting"}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            lambda: MinimaxLoss(MirrorAscentWeighting(0.3, floor=0.01), 2),
            "has 3 tasks (noun, verb, adverb), but this loss has 2 (0, 1)",
        ),
        (
            lambda: criterion_of(task_names=["noun", "adverb", "verb"]),
            "is of the tasks noun, verb, adverb, but this loss is of noun, adverb, verb",
        ),
        (
            lambda: criterion_of(SoftmaxWeighting(0.3)),
            "is of MirrorAscentWeighting(step_size=0.3, prior='uniform', floor=0.01), but this loss has Softmax",
        ),
        (lambda: criterion_of(MirrorAscentWeighting(0.2)), "step_size=0.2"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(other, message):
    saved, other = train(criterion_of(), network(), range(2)).state_dict(), other()
    before = memory(other)
    with pytest.raises(RuntimeError) as raised:
        other.load_state_dict(saved)
    assert message in str(raised.value)
    with pytest.raises(RuntimeError):
        other.load_state_dict(saved, strict=False)
    assert same_memory(other, before)


def test_another_weighting_on_purpose():
    """As the message of the refusal says."""
    criterion, other = train(criterion_of(), network(), range(2)), criterion_of(MirrorAscentWeighting(0.1))
    saved = criterion.state_dict()
    saved["adversary._extra_state"]["weighting"] = repr(MirrorAscentWeighting(0.1))
    other.load_state_dict(saved)
    assert same_memory(criterion, other)


def test_another_format_is_refused():
    saved = criterion_of().state_dict()
    saved["adversary._extra_state"]["format"] = 99
    with pytest.raises(RuntimeError, match="has the format 99"):
        criterion_of().load_state_dict(saved)


def test_inside_of_another_module():
    """Under a prefix, as in a LightningModule."""
    model, other = (torch.nn.ModuleDict({"net": network(), "criterion": criterion_of()}) for _ in range(2))
    train(model["criterion"], model["net"], range(3))
    other.load_state_dict(through_a_file(model.state_dict()))
    assert same_memory(model["criterion"], other["criterion"])


def test_saving_within_a_step_gives_the_state_before_it():
    criterion = train(criterion_of(), network(), range(2))
    before = memory(criterion)
    x, y, ids = batch(5)
    criterion.begin_step([ids])
    criterion.micro_loss(sample_losses(network(), x, y), ids)
    assert same_memory(criterion, before)
    criterion.end_step()
    assert not same_memory(criterion, before)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))], ids=["deepcopy", "pickle"])
def test_copies_are_independent(duplicate):
    criterion = train(criterion_of(), network(), range(2))
    other = duplicate(criterion)
    assert same_memory(criterion, other)
    before = memory(criterion)
    train(other, network(), range(2))
    assert same_memory(criterion, before)


def test_buffers_stay_where_they_are():
    """Their addresses are those that a CUDA graph has recorded."""
    criterion = criterion_of()
    before = {name: buffer.data_ptr() for name, buffer in criterion.adversary.named_buffers()}
    train(criterion, network(), range(2))
    assert before == {name: buffer.data_ptr() for name, buffer in criterion.adversary.named_buffers()}


def test_two_runs_are_bit_equal():
    runs = [(train(criterion_of(), net, range(10)), net) for net in (network(), network())]
    assert same_memory(runs[0][0], runs[1][0])
    assert all(torch.equal(a, b) for a, b in zip(runs[0][1].parameters(), runs[1][1].parameters(), strict=True))


def test_reset():
    criterion = train(criterion_of(), network(), range(2))
    criterion.adversary.reset()
    assert same_memory(criterion, criterion_of())


def test_killed_at_any_step_and_resumed_is_bit_equal(tmp_path):
    """By SIGKILL, with half of a checkpoint lying about; the random numbers of dropout included."""
    path = os.pathsep.join(str(ROOT / folder) for folder in (".", "kernels", "tests"))
    command = [sys.executable, "-m", "nn.resumable", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}, check=False)
    assert run.returncode == 0, run.stderr
