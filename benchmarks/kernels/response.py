"""The adversary's responses: alone on rows of losses, and in one go with the reduction."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from benchmarks.kernels.reduce import make as make_samples
from benchmarks.kernels.suite import Case, Factory, Inputs, Run
from minimax_kernels import mirror_step, smooth_max, task_step
from minimax_kernels.reduce import reference as reduction
from minimax_kernels.response import reference

SMOOTHING = 0.1


def make_rows(seed: int, device: torch.device, rows: int, length: int) -> Inputs:
    """Losses and log-weights of rows of tasks."""
    generator = torch.Generator(device).manual_seed(seed)  # one host thread would take seconds for the largest
    return {name: torch.randn(rows, length, generator=generator, device=device) for name in ("losses", "log_weights")}


def log_sum_exp(losses: Tensor) -> tuple[Tensor, Tensor]:
    scores = losses / SMOOTHING
    return SMOOTHING * (scores.logsumexp(-1) - math.log(losses.shape[-1])), scores.softmax(-1)


def torch_mirror(log_weights: Tensor, losses: Tensor) -> Tensor:
    return (log_weights + 0.5 * losses).log_softmax(-1)


def torch_step(losses: Tensor, ids: Tensor, n_tasks: int) -> tuple[Tensor, Tensor]:
    """Weights of the samples as a training loop composes them, with all of its tasks present."""
    zeros = losses.new_zeros(n_tasks)
    counts = zeros.index_add(0, ids, torch.ones_like(losses))
    means = zeros.index_add(0, ids, losses) / counts
    weights = (means / SMOOTHING).softmax(0)
    return weights, (weights / counts)[ids]


def compiled(function: partial[object]) -> Run:
    run = partial(torch.compile(function.func, dynamic=False), *function.args)
    run()
    return run


def smooth_max_case(rows: int, length: int, quick: bool = False) -> Case:
    """smooth_max on rows."""
    return Case(
        name=f"smooth_max {rows}x{length}",
        make=partial(make_rows, rows=rows, length=length),
        contenders={
            "ours": lambda inputs: partial(smooth_max, inputs["losses"], SMOOTHING),
            "logsumexp, softmax": lambda inputs: partial(log_sum_exp, inputs["losses"]),
            "torch.compile": lambda inputs: compiled(partial(log_sum_exp, inputs["losses"])),
        },
        reference=lambda inputs: reference.smooth_max(inputs["losses"], SMOOTHING),
        shape={"B": rows, "K": length, "dtype": "float32"},
        bytes_moved=8.0 * rows * length,
        quick=quick,
    )


def mirror_case(length: int) -> Case:
    """mirror_step on one row."""
    return Case(
        name=f"mirror_step {length}",
        make=partial(make_rows, rows=1, length=length),
        contenders={
            "ours": lambda inputs: partial(mirror_step, inputs["log_weights"], inputs["losses"], 0.5),
            "log_softmax": lambda inputs: partial(torch_mirror, inputs["log_weights"], inputs["losses"]),
        },
        reference=lambda inputs: reference.mirror_step(inputs["log_weights"][0].cpu(), inputs["losses"][0].cpu(), 0.5)[None],
        shape={"K": length, "dtype": "float32"},
        bytes_moved=12.0 * length,
    )


def step(n: int, n_tasks: int, response: str, on: tuple[str, ...] = ("cpu", "cuda"), quick: bool = False) -> Case:
    """Reduce, respond, weigh the samples."""

    def ours(inputs: Inputs) -> Run:
        def run() -> tuple[Tensor, Tensor]:
            found = task_step(inputs["losses"], inputs["ids"], n_tasks, smoothing=SMOOTHING, response=response)  # type: ignore[arg-type]
            return found.weights, found.sample_weights

        return run

    def truth(inputs: Inputs) -> tuple[Tensor, Tensor]:
        losses, ids = inputs["losses"].cpu(), inputs["ids"].cpu()
        _, counts, means, _ = reduction.task_reduce(losses, ids, n_tasks)
        weights = reference.respond(torch.where(counts > 0, means, -torch.inf), SMOOTHING, None, response)[1]
        return weights, torch.where(counts > 0, weights / counts, 0.0)[ids]

    peers: dict[str, Factory] = {}
    if response == "softmax":
        peers["index_add, softmax, indexing"] = lambda inputs: partial(torch_step, inputs["losses"], inputs["ids"], n_tasks)
        peers["torch.compile"] = lambda inputs: compiled(partial(torch_step, inputs["losses"], inputs["ids"], n_tasks))
    return Case(
        name=f"task_step {response} {n}, {n_tasks} tasks",
        make=partial(make_samples, n=n, n_tasks=n_tasks),
        contenders={"ours": ours, **peers},
        reference=truth,
        on=on,
        shape={"N": n, "K": n_tasks, "dtype": "float32", "response": response},
        bytes_moved=24.0 * n,
        quick=quick,
        replays=10_000,
    )


CASES = [
    smooth_max_case(1, 8, quick=True),
    smooth_max_case(1, 100_000),
    smooth_max_case(65536, 128),
    smooth_max_case(4096, 16384),
    mirror_case(8),
    mirror_case(100_000),
    step(256, 8, "softmax", quick=True),
    step(8192, 8, "softmax"),
    step(1_000_000, 8, "softmax"),
    step(1_000_000, 8, "projection"),
    step(1_000_000, 1000, "softmax"),
    step(500, 5, "softmax", on=("interpreter",)),
]
