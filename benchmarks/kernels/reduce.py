"""Losses reduced by task: task_reduce, its whole-number form, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.kernels.plain_c import plain_c
from benchmarks.kernels.suite import Case, Factory, Inputs, Run, Target
from minimax_kernels import task_reduce, task_spread
from minimax_kernels.reduce import reference

BEST_NATIVE = "C, four lanes"
SIZES = [(4096, 4), (65536, 8), (1_000_000, 4), (1_000_000, 64), (1_000_000, 4096)]
GPU_SIZES = [(2**10, 8), (2**14, 8), (2**20, 2), (2**20, 16), (2**20, 300), (2**24, 8)]
ON_ALL = ("cpu", "cuda")


def make(seed: int, device: torch.device, n: int, n_tasks: int) -> Inputs:
    """Losses as of a model, ids at random."""
    generator = torch.Generator().manual_seed(seed)
    losses = torch.rand(n, generator=generator).log().neg()
    ids = torch.randint(n_tasks, (n,), generator=generator)
    return {"losses": losses.to(device), "ids": ids.to(device), "n_tasks": n_tasks}


def peer(function: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]) -> Factory:
    """From the losses, the ids and the number of tasks to sums and counts."""
    return lambda inputs: partial(function, inputs["losses"], inputs["ids"], inputs["n_tasks"])


def scatter_add(losses: Tensor, ids: Tensor, n_tasks: int) -> tuple[Tensor, Tensor]:
    return losses.new_zeros(n_tasks).scatter_add_(0, ids, losses), torch.bincount(ids, minlength=n_tasks)


def weighted_bincount(losses: Tensor, ids: Tensor, n_tasks: int) -> tuple[Tensor, Tensor]:
    return torch.bincount(ids, losses.double(), n_tasks), torch.bincount(ids, minlength=n_tasks)


def index_add(losses: Tensor, ids: Tensor, n_tasks: int) -> tuple[Tensor, Tensor]:
    zeros = losses.new_zeros(n_tasks)
    return zeros.index_add(0, ids, losses), zeros.index_add(0, ids, torch.ones_like(losses))


def one_hot(losses: Tensor, ids: Tensor, n_tasks: int) -> tuple[Tensor, Tensor]:
    hot = torch.nn.functional.one_hot(ids, n_tasks).to(losses.dtype)
    return losses @ hot, hot.sum(0)


def mask_loop(losses: Tensor, ids: Tensor, n_tasks: int) -> tuple[Tensor, Tensor]:
    of_task = [losses[ids == k] for k in range(n_tasks)]
    return torch.stack([x.sum() for x in of_task]), torch.tensor([len(x) for x in of_task])


def compiled(inputs: Inputs) -> Run:
    run = partial(torch.compile(index_add, dynamic=False), inputs["losses"], inputs["ids"], inputs["n_tasks"])
    run()
    return run


def ours(inputs: Inputs, **options: str) -> Run:
    def run() -> tuple[Tensor, Tensor]:
        r = task_reduce(inputs["losses"], inputs["ids"], inputs["n_tasks"], **options)  # type: ignore[arg-type]
        return r.sums, r.counts

    return run


def true_reduction(inputs: Inputs) -> tuple[Tensor, Tensor]:
    return reference.task_reduce(inputs["losses"].cpu(), inputs["ids"].cpu(), inputs["n_tasks"])[:2]


def reduction(n: int, n_tasks: int, on: tuple[str, ...], targets: tuple[Target, ...] = ()) -> Case:
    """One size of task_reduce."""
    few = n_tasks <= 64
    contenders: dict[str, Factory | None] = {
        "ours": ours,
        "ours, torch": partial(ours, backend="torch"),
        "ours, order invariant": partial(ours, determinism="order_invariant"),
        BEST_NATIVE: partial(plain_c, lanes=4) if "cpu" in on else None,
        "C, one loop": partial(plain_c, lanes=1) if "cpu" in on else None,
        "scatter_add, bincount": peer(scatter_add),
        "bincount of weights": peer(weighted_bincount),
        "index_add": peer(index_add),
        "one-hot product": peer(one_hot) if few and n * n_tasks <= 2**24 else None,
        "loop over masks": peer(mask_loop) if n_tasks <= 8 else None,
        "torch.compile": compiled,
    }
    return Case(
        name=f"task_reduce {n}, {n_tasks} tasks",
        make=partial(make, n=n, n_tasks=n_tasks),
        contenders={name: factory for name, factory in contenders.items() if factory is not None},
        reference=true_reduction if n_tasks <= 300 else None,
        on=on,
        shape={"N": n, "K": n_tasks, "dtype": "float32"},
        bytes_moved=12.0 * n,
        targets=targets,
        quick=n <= 65536 and "cpu" in on,
        replays=10_000,
    )


def spreading(n: int, n_tasks: int) -> Case:
    """One size of task_spread."""

    def prepare(inputs: Inputs) -> Run:
        return lambda: task_spread(inputs["values"], inputs["ids"])

    def indexing(inputs: Inputs) -> Run:
        return lambda: inputs["values"][inputs["ids"]]

    def make_values(seed: int, device: torch.device) -> Inputs:
        inputs = make(seed, device, n, n_tasks)
        return {"values": inputs["losses"][:n_tasks].clone(), "ids": inputs["ids"]}

    return Case(
        name=f"task_spread {n}, {n_tasks} tasks",
        make=make_values,
        contenders={"ours": prepare, "indexing": indexing},
        reference=lambda inputs: inputs["values"].double().cpu()[inputs["ids"].cpu()],
        shape={"N": n, "K": n_tasks, "dtype": "float32"},
        bytes_moved=12.0 * n,
    )


CASES = [
    *(reduction(n, k, ON_ALL, (Target(1 / 1.2, BEST_NATIVE),) if n >= 65536 else ()) for n, k in SIZES),
    *(reduction(n, k, ("cuda",)) for n, k in GPU_SIZES),
    reduction(500, 5, ("interpreter",)),
    reduction(500, 70, ("interpreter",)),
    spreading(1_000_000, 64),
]
