"""Gradients on several ranks against one process: every way to wrap a model, imbalance, accumulation and mode."""

from __future__ import annotations

from contextlib import nullcontext

import torch
import torch.distributed as dist
from nn.distributed.problem import IMBALANCES, N_STEPS, N_TASKS, batches, joined, model, sample_losses
from nn.reference import Reference
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from minimax_opt.nn import MinimaxLoss, MirrorAscentWeighting, SoftmaxWeighting

TOLERANCE = 1e-6  # relative, of the whole gradient; the state is float32
MODES = (("current", 1), ("lagged", 1), ("lagged", 3), ("two-pass", 1), ("two-pass", 3))


def wrapped(wrapper):
    net = model()
    if "DDP" in wrapper:
        return DistributedDataParallel(net)
    world = dist.get_world_size()
    hybrid = wrapper == "HSDP"
    shape, names = ((2, world // 2), ("replicate", "shard")) if hybrid else ((world,), ("shard",))
    mesh = init_device_mesh("cpu", shape, mesh_dim_names=names)
    fully_shard(net[0], mesh=mesh)
    fully_shard(net, mesh=mesh)
    if wrapper == "FSDP2, summed":
        for module in (net[0], net):
            module.set_gradient_divide_factor(1.0)
    return net


def whole(tensor):
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gradient_of(net):
    return torch.cat([whole(p.grad).flatten() for p in net.parameters()])


def synchronised(net, wrapper, last):
    """The gradients of all micro-batches but the last stay on the rank."""
    if "DDP" in wrapper:
        return nullcontext() if last else net.no_sync()
    net.set_requires_gradient_sync(last)
    return nullcontext()


def run(wrapper, imbalance, when, accumulation, kind="softmax", reduction=None):
    """The largest relative error of the gradient over some steps, and what else must hold."""
    rank, world = dist.get_rank(), dist.get_world_size()
    net, plain = wrapped(wrapper), model()
    forward = torch.compile(net, backend="aot_eager") if "compiled" in wrapper else net  # the loss stays outside
    ema = 0.5 if when == "lagged" else 0.0
    weighting = SoftmaxWeighting(8.0) if kind == "softmax" else MirrorAscentWeighting(0.05, floor=0.01)
    criterion = MinimaxLoss(
        weighting,
        N_TASKS,
        when=when,
        ema=ema,
        scale=[1.0, 2.0, 0.5, 1.0],
        gradient_reduction=reduction or ("sum" if "summed" in wrapper else "mean"),
    )
    rate = 0.125 if kind == "softmax" else 0.05
    reference = Reference(
        N_TASKS, kind=kind, rate=rate, when=when, ema=ema, scale=[1, 2, 0.5, 1], floor=0.01 if kind == "mirror" else 0.0
    )
    errors, weight_errors, objective_errors = [], [], []
    for step in range(N_STEPS):
        data = batches(imbalance, world, accumulation, step)
        with torch.no_grad():
            for ours, theirs in zip(plain.parameters(), net.parameters(), strict=True):
                ours.copy_(whole(theirs))
        plain.zero_grad()
        net.zero_grad()
        x, y, ids = joined(data)
        objective = reference.step(sample_losses(plain(x), y), ids)
        objective.backward()
        truth = gradient_of(plain)
        returned = torch.zeros((), dtype=torch.float64)
        if when == "current":
            (x, y, ids) = data[rank][0]
            loss = criterion(sample_losses(forward(x), y), ids)
            loss.backward()
            returned += loss.detach()
        else:
            mine = data[rank]

            def micro(batch):
                x, y, ids = batch
                return criterion.micro_loss(sample_losses(forward(x), y), ids)

            criterion.begin_step([ids for _, _, ids in mine])
            if when == "two-pass":
                criterion.preview(micro, mine)
            for m, batch in enumerate(mine):
                with synchronised(net, wrapper, last=m == len(mine) - 1):
                    loss = micro(batch)
                    loss.backward()
                    returned += loss.detach()
            criterion.end_step()
        gradient = gradient_of(net)
        errors.append((gradient - truth).norm() / truth.norm())
        weight_errors.append((criterion.weights - torch.from_numpy(reference.last)).abs().max())
        dist.all_reduce(returned)
        mean = returned / world if criterion._averaged else returned
        objective_errors.append(
            max(abs(mean - objective.detach()), abs(criterion.objective - objective.detach())) / objective.detach()
        )
        with torch.no_grad():
            for p in net.parameters():
                p.sub_(p.grad, alpha=0.02)
    return {
        "gradient": max(map(float, errors)),
        "weights": max(map(float, weight_errors)),
        "objective": max(map(float, objective_errors)),
        "mixed": ((criterion.weights > 0.02).sum() >= 3).item(),
        "ranks agree": same_everywhere(everything(criterion)),
    }


def same_everywhere(vector):
    gathered = [torch.zeros_like(vector) for _ in range(dist.get_world_size())]
    dist.all_gather(gathered, vector)
    return all(torch.equal(gathered[0], other) for other in gathered)


def everything(criterion):
    adversary = criterion.adversary
    vectors = (
        criterion.weights,
        criterion.task_losses,
        adversary.state,
        adversary.means,
        adversary.masses,
        adversary.average_weights,
    )
    return torch.cat([v.double() for v in vectors])


def exact(wrapper, imbalance, when, accumulation, kind="softmax"):
    def case():
        found = run(wrapper, imbalance, when, accumulation, kind)
        return {
            "gradient": (found["gradient"], TOLERANCE),
            "weights": (found["weights"], 1e-6),
            "objective": (found["objective"], TOLERANCE),
            "several weights count": found["mixed"],
            "ranks agree": found["ranks agree"],
        }

    return case


def without_the_factor():
    """The averaged gradient of a loss that forgets the number of ranks is too small by just that."""
    error = run("DDP", "uneven ranks", "current", 1, reduction="sum")["gradient"]
    expected = 1.0 - 1.0 / dist.get_world_size()
    return {"gradient is too small by the number of ranks": (abs(error - expected), 1e-6)}


def cases(world):
    wrappers = {2: ("DDP", "FSDP2"), 4: ("DDP", "FSDP2", "HSDP")}[world]
    found = {
        f"{wrapper}, {imbalance}, {when}, {m} micro-batches": exact(wrapper, imbalance, when, m)
        for wrapper in wrappers
        for imbalance in IMBALANCES
        for when, m in MODES
        if wrapper == "DDP" or (when, m) in (("current", 1), ("lagged", 3), ("two-pass", 3))
    }
    for when, m in MODES[:3]:
        found[f"DDP, mirror ascent, {when}, {m} micro-batches"] = exact("DDP", "task absent everywhere", when, m, "mirror")
    if world == 2:
        found["DDP, compiled"] = exact("DDP, compiled", "uneven ranks", "lagged", 3)
    found["FSDP2, summed"] = exact("FSDP2, summed", "uneven ranks", "current", 1)
    found["without the number of ranks"] = without_the_factor
    return found
