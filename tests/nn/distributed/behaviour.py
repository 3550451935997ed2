"""Whatever else must hold on several ranks: collectives, state, guards, non-finite losses, heads without samples."""

from __future__ import annotations

import copy
import math
from contextlib import contextmanager

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from nn.distributed.gradients import everything, same_everywhere
from nn.distributed.problem import N_TASKS, batches, joined, model, sample_losses
from torch.nn.parallel import DistributedDataParallel

from minimax_opt.nn import MinimaxLoss, MirrorAscentWeighting, SoftmaxWeighting, TaskMeter


@contextmanager
def counted():
    """The sizes of the reductions that are started."""
    sizes, original = [], dist.all_reduce

    def all_reduce(tensor, *args, **kwargs):
        sizes.append(tensor.numel())
        return original(tensor, *args, **kwargs)

    dist.all_reduce = all_reduce
    try:
        yield sizes
    finally:
        dist.all_reduce = original


def random_batch(generator, n=12):
    losses = torch.rand(n, generator=generator) * (1 + dist.get_rank())
    return losses.requires_grad_(), torch.randint(0, N_TASKS, (n,), generator=generator)


def own_generator():
    return torch.Generator().manual_seed(dist.get_rank())


def number_of_collectives():
    generator, found = own_generator(), {}
    criterion = MinimaxLoss(SoftmaxWeighting(1.0), N_TASKS)
    with counted() as sizes:
        criterion(*random_batch(generator)).backward()
    found["one call: one of 2K numbers"] = sizes == [2 * N_TASKS]
    for m in (1, 3):
        data = [random_batch(generator) for _ in range(m)]
        with counted() as sizes:
            criterion.begin_step([ids for _, ids in data])
            for losses, ids in data:
                criterion.micro_loss(losses, ids).backward()
            criterion.end_step()
        found[f"{m} micro-batches: two of K numbers"] = sizes == [N_TASKS, N_TASKS]
    with counted() as sizes:
        criterion.state_dict()
        criterion.eval()
        criterion(*random_batch(generator))
    return found | {"saving and evaluating: none": sizes == []}


def only_one_rank_saves_and_evaluates():
    """Neither waits for the others: a collective would hang here."""
    criterion = MinimaxLoss(MirrorAscentWeighting(0.1), N_TASKS)
    data = [random_batch(own_generator()) for _ in range(2)]
    criterion.begin_step([ids for _, ids in data])
    for losses, ids in data:
        criterion.micro_loss(losses, ids).backward()
    criterion.end_step()
    before = everything(criterion)
    if dist.get_rank() == 0:
        criterion.state_dict()
        criterion.eval()
        for _ in range(3):
            criterion(*random_batch(own_generator()))
    return {"evaluation moves nothing": torch.equal(everything(criterion), before), "ranks agree": same_everywhere(before)}


def many_steps():
    """300 steps of unlike batches: not a bit of difference between ranks."""
    generator = own_generator()
    criteria = [
        MinimaxLoss(MirrorAscentWeighting(0.05, floor=1e-3), N_TASKS, when="lagged"),
        MinimaxLoss(SoftmaxWeighting(0.2, prior="frequency"), N_TASKS, ema=0.9),
    ]
    for _ in range(150):
        for criterion in criteria:
            criterion(*random_batch(generator))
    return {
        "ranks agree": all(same_everywhere(everything(c)) for c in criteria),
        "counted": int(criteria[0].adversary.steps) == 150,
    }


def not_finite_on_one_rank():
    found = {}
    for bad in (math.nan, math.inf):
        criterion = MinimaxLoss(MirrorAscentWeighting(0.1), N_TASKS, ema=0.5)
        generator = own_generator()
        criterion(*random_batch(generator))
        before = {name: value.clone() for name, value in criterion.adversary.named_buffers()}
        losses, ids = random_batch(generator)
        if dist.get_rank() == 1:
            losses.data[3] = bad
        loss = criterion(losses, ids)
        found[f"{bad}: the state stays"] = all(
            torch.equal(before[name], value) for name, value in criterion.adversary.named_buffers()
        )
        found[f"{bad}: the loss shows it"] = bool(loss.isfinite()) == (dist.get_rank() != 1)
        found[f"{bad}: the weights are finite"] = bool(criterion.weights.isfinite().all())
        criterion(*random_batch(generator))
        found[f"{bad}: the next step is fine"] = (
            bool(everything(criterion).isfinite().all()) and int(criterion.adversary.steps) == 2
        )
        found[f"{bad}: ranks agree"] = same_everywhere(everything(criterion))
    return found


def elastic_state(folder):
    """The same samples on all ranks together and on this rank alone: the same state, which goes from one to the other."""
    world, rank = dist.get_world_size(), dist.get_rank()
    alone, _ = dist.new_subgroups(1)
    together = MinimaxLoss(MirrorAscentWeighting(0.2), N_TASKS, when="lagged")
    single = MinimaxLoss(MirrorAscentWeighting(0.2), N_TASKS, when="lagged", process_group=alone)
    net = model()
    with torch.no_grad():
        for step in range(4):
            data = batches("uneven ranks", world, 2, step)
            together.begin_step([ids for _, _, ids in data[rank]])
            for x, y, ids in data[rank]:
                together.micro_loss(sample_losses(net(x), y), ids)
            together.end_step()
            x, y, ids = joined(data)
            single(sample_losses(net(x), y), ids)
    difference = (everything(together) - everything(single)).abs().max().item()
    other = MinimaxLoss(MirrorAscentWeighting(0.2), N_TASKS, when="lagged", process_group=alone)
    other.load_state_dict(together.state_dict())
    restored = MinimaxLoss(MirrorAscentWeighting(0.2), N_TASKS, when="lagged")
    dcp.save({"loss": together.state_dict()}, checkpoint_id=str(folder / "dcp"))
    state = {"loss": restored.state_dict()}
    dcp.load(state, checkpoint_id=str(folder / "dcp"))
    restored.load_state_dict(state["loss"])
    vectors = [torch.cat([b.double().flatten() for b in c.adversary.buffers()]) for c in (together, other, restored)]
    return {
        "the same state": (difference, 1e-6),
        "loads alone": torch.equal(vectors[0], vectors[1]),
        "saved by all, loaded by all": torch.equal(vectors[0], vectors[2]),
    }


def uneven_numbers_of_micro_batches():
    world, rank = dist.get_world_size(), dist.get_rank()
    data = [batches("uneven ranks", world, 3, 0)[r][: r % 3 + (r > 0)] for r in range(world)]  # none on rank 0
    net, plain = model(), model()
    criterion = MinimaxLoss(SoftmaxWeighting(8.0, prior="frequency"), N_TASKS)
    criterion.begin_step([ids for _, _, ids in data[rank]])
    net(torch.zeros(1, 3).double()).sum().mul(0.0).backward()
    for x, y, ids in data[rank]:
        criterion.micro_loss(sample_losses(net(x), y), ids).backward()
    step = criterion.end_step()
    x, y, ids = joined(data)
    truth = sample_losses(plain(x), y)[ids >= 0].mean()  # nothing is known yet: the prior, which is the plain average
    truth.backward()
    gradient = torch.cat([p.grad.flatten() for p in net.parameters()])
    dist.all_reduce(gradient)
    expected = torch.cat([p.grad.flatten() for p in plain.parameters()])
    return {
        "gradient": (((gradient / world - expected).norm() / expected.norm()).item(), 1e-12),
        "objective": (abs(step.objective - truth).item(), 1e-6),  # float32 on the rank that saw no loss
    }


class TwoHeads(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = torch.nn.Linear(3, 4)
        self.heads = torch.nn.ModuleDict({"image": torch.nn.Linear(4, 1), "text": torch.nn.Linear(4, 1)})
        self.double()

    def forward(self, x):
        h = self.body(x).tanh()
        return {name: head(h).square().mean() for name, head in self.heads.items()}


def a_head_without_samples_on_a_rank():
    rank, world = dist.get_rank(), dist.get_world_size()
    net = DistributedDataParallel(TwoHeads())
    criterion = MinimaxLoss(SoftmaxWeighting(0.5), 2, task_names=["image", "text"])
    found = {}
    for step in range(2):
        net.zero_grad()
        x = torch.randn(5, 3, generator=torch.Generator().manual_seed(10 * step + rank), dtype=torch.float64)
        counts = {"image": 5, "text": 5 if rank == 0 else 0}
        criterion(net(x), task_counts=counts).backward()
        plain = TwoHeads()
        means, n = {"image": 0.0, "text": 0.0}, {"image": 5 * world, "text": 5}
        for other in range(world):
            x = torch.randn(5, 3, generator=torch.Generator().manual_seed(10 * step + other), dtype=torch.float64)
            for name, loss in plain(x).items():
                means[name] = means[name] + (5 if name == "image" or other == 0 else 0) * loss / n[name]
        values = torch.stack([means["image"], means["text"]])
        (torch.softmax(values.detach() / 0.5, 0) * values).sum().backward()
        pairs = zip(net.parameters(), plain.parameters(), strict=True)
        found[f"gradient {step}"] = (max((a.grad - b.grad).abs().max().item() for a, b in pairs), 1e-12)
    try:
        criterion(net(x))
        found["counts are required"] = False
    except ValueError as error:
        found["counts are required"] = "task_counts" in str(error)
    return found


def accumulation_is_detected(as_view):
    net = DistributedDataParallel(model(), gradient_as_bucket_view=as_view)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    criterion = MinimaxLoss(SoftmaxWeighting(8.0), N_TASKS)

    def backward(step):
        x, y, ids = batches("uneven ranks", dist.get_world_size(), 1, step)[dist.get_rank()][0]
        criterion(sample_losses(net(x), y), ids).backward()

    for step in range(3):  # a training that makes no mistake
        optimizer.zero_grad(set_to_none=step != 1)
        backward(step)
        if step != 2:  # a step that a GradScaler skips
            optimizer.step()
    optimizer.zero_grad()
    backward(3)
    try:
        backward(4)
    except RuntimeError as error:
        return {"detected": "begin_step" in str(error)}
    return {"detected": False}


def inside_the_wrapped_module():
    """As a submodule: DDP broadcasts its buffers, which are the same anyway."""

    class Trained(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = model()
            self.criterion = MinimaxLoss(MirrorAscentWeighting(0.05), N_TASKS)

        def forward(self, x, y, ids):
            return self.criterion(sample_losses(self.net(x), y), ids)

    world, rank = dist.get_world_size(), dist.get_rank()
    trained = DistributedDataParallel(Trained())
    net = DistributedDataParallel(model())
    criterion = copy.deepcopy(trained.module.criterion)
    found = {}
    for step in range(3):
        x, y, ids = batches("uneven ranks", world, 1, step)[rank][0]
        trained.zero_grad()
        net.zero_grad()
        trained(x, y, ids).backward()
        criterion(sample_losses(net(x), y), ids).backward()
        pairs = zip(trained.parameters(), net.parameters(), strict=True)
        found[f"step {step}"] = all(torch.equal(a.grad, b.grad) for a, b in pairs)
    return found | {"ranks agree": same_everywhere(everything(trained.module.criterion))}


def evaluation():
    """Unlike numbers of batches on the ranks, none on the first: one reduction at the end, no mean of means."""
    rank, world = dist.get_rank(), dist.get_world_size()
    data = [batches("uneven ranks", world, 3, 0)[r][: 3 * r] for r in range(world)]
    meter, net = TaskMeter(N_TASKS), model()
    with torch.no_grad(), counted() as sizes:
        for x, y, ids in data[rank]:
            meter.update(sample_losses(net(x), y), ids)
        result = meter.result()
        x, y, ids = joined(data)
        losses = sample_losses(net(x), y)
    truth = torch.stack([losses[ids == k].mean() for k in range(N_TASKS)])
    return {"one reduction": sizes == [2 * N_TASKS], "means": ((result.task_losses - truth).abs().max().item(), 1e-12)}


def outside_of_the_group():
    group = dist.new_group([0])
    criterion = MinimaxLoss(SoftmaxWeighting(1.0), N_TASKS, process_group=group)
    try:
        criterion(torch.ones(N_TASKS, requires_grad=True), torch.arange(N_TASKS))
    except ValueError as error:
        return {"said": dist.get_rank() > 0 and "not in `process_group`" in str(error)}
    return {"alone": dist.get_rank() == 0}


def the_loss_in_a_compiled_graph():
    net, criteria = model(), [MinimaxLoss(SoftmaxWeighting(8.0), N_TASKS, ema=0.5) for _ in range(2)]
    found = {}

    def loss_of(criterion):
        return lambda x, y, ids: criterion(sample_losses(net(x), y), ids)

    compiled = torch.compile(loss_of(criteria[1]), fullgraph=True, backend="aot_eager")
    for step in range(2):
        data = batches("uneven ranks", dist.get_world_size(), 1, step)[dist.get_rank()][0]
        losses = [f(*data) for f in (loss_of(criteria[0]), compiled)]
        gradients = [torch.autograd.grad(loss, net[0].weight)[0] for loss in losses]
        found[f"gradient {step}"] = ((gradients[0] - gradients[1]).abs().max().item(), 1e-12)
    return found | {"ranks agree": same_everywhere(everything(criteria[1]))}


def cases(world, folder):
    found = {
        "number of collectives": number_of_collectives,
        "one rank saves and evaluates": only_one_rank_saves_and_evaluates,
        "many steps": many_steps,
        "not finite on one rank": not_finite_on_one_rank,
        "uneven numbers of micro-batches": uneven_numbers_of_micro_batches,
        "a head without samples on a rank": a_head_without_samples_on_a_rank,
        "inside the wrapped module": inside_the_wrapped_module,
        "evaluation": evaluation,
        "outside of the group": outside_of_the_group,
    }
    if world == 2:
        found |= {
            "the loss in a compiled graph": the_loss_in_a_compiled_graph,
            "elastic state": lambda: elastic_state(folder),
            "accumulation is detected": lambda: accumulation_is_detected(False),
            "accumulation is detected, gradients in buckets": lambda: accumulation_is_detected(True),
        }
    return found
