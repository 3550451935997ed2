"""Cross entropy by task of a linear layer, forward and backward, with weights of the tasks that depend on the losses: softmax(4 L)."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.kernels.suite import OURS, Case, Inputs, Run, Target
from minimax_kernels import task_linear_cross_entropy
from minimax_kernels.linear_cross_entropy.chunks import CPU_CHUNK, CUDA_CHUNK, row_length
from minimax_kernels.linear_cross_entropy.reference import task_linear_cross_entropy as reference

TASKS = 4
Losses = Callable[[Tensor, Tensor, Tensor], Tensor]  # of samples, from hidden, weight and target


def make(n: int, h: int, v: int, dtype: torch.dtype) -> Callable[[int, torch.device], Inputs]:
    """Normal numbers, logits of size one."""

    def inputs(seed: int, device: torch.device) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        target = torch.randint(v, (n,), generator=generator)
        task_ids = torch.randint(TASKS, (n,), generator=generator)
        if device.type == "cuda":  # the host would take a minute for the largest; the same numbers on every GPU
            generator = torch.Generator(device).manual_seed(seed)
        hidden = torch.randn(n, h, generator=generator, device=device).to(dtype)
        weight = torch.randn(v, h, generator=generator, device=device).mul_(h**-0.5).to(dtype)
        layer = {"hidden": hidden.requires_grad_(), "weight": weight.requires_grad_()}
        return layer | {"target": target.to(device), "task_ids": task_ids.to(device)}

    return inputs


def adversary(task_losses: Tensor) -> Tensor:
    """Weights of the tasks, constants for the gradient."""
    return torch.softmax(4.0 * task_losses.detach(), 0)


def differentiated(task_losses: Tensor, inputs: Inputs, weights: Tensor | None = None) -> tuple[Tensor, ...]:
    """The losses of the tasks and the gradient of their weighted sum."""
    weights = adversary(task_losses) if weights is None else weights
    total = (weights * task_losses).sum()
    return task_losses.detach(), *torch.autograd.grad(total, (inputs["hidden"], inputs["weight"]))


def ours(strategy: str) -> Callable[[Inputs], Run]:
    """The op; with `known` the weights of the tasks are found before, outside of what is measured."""

    def factory(inputs: Inputs) -> Run:
        tensors = [inputs[name] for name in ("hidden", "weight", "target", "task_ids")]
        options = {"strategy": strategy}
        if strategy == "known":
            with torch.no_grad():
                options["task_weights"] = adversary(task_linear_cross_entropy(*tensors, TASKS).task_losses)
        weights = options.get("task_weights")
        return lambda: differentiated(task_linear_cross_entropy(*tensors, TASKS, **options).task_losses, inputs, weights)

    return factory


def from_samples(losses: Losses) -> Callable[[Inputs], Run]:
    """A contender from the losses that it gives for each sample."""

    def factory(inputs: Inputs) -> Run:
        counts = torch.bincount(inputs["task_ids"], minlength=TASKS)

        def run() -> tuple[Tensor, ...]:
            of_samples = losses(inputs["hidden"], inputs["weight"], inputs["target"]).float()
            sums = of_samples.new_zeros(TASKS).index_add(0, inputs["task_ids"], of_samples)
            return differentiated(sums / counts.clamp(min=1), inputs)

        return run

    return factory


def naive(hidden: Tensor, weight: Tensor, target: Tensor) -> Tensor:
    return functional.cross_entropy(functional.linear(hidden, weight), target, reduction="none")


def compiled(inputs: Inputs) -> Run:
    return from_samples(torch.compile(naive))(inputs)


def torch_chunked(inputs: Inputs) -> Run:
    """torch's own since 2.13, by sample."""
    if not hasattr(torch.nn, "LinearCrossEntropyOptions"):
        raise ImportError("torch older than 2.13")
    options = torch.nn.LinearCrossEntropyOptions()
    return from_samples(lambda x, w, y: functional.linear_cross_entropy(x, w, y, reduction="none", options=options))(inputs)


def torch_chunked_sum(inputs: Inputs) -> Run:
    """torch's own, added up over the samples: no tasks, no weights, so its gradient is another."""
    if not hasattr(torch.nn, "LinearCrossEntropyOptions"):
        raise ImportError("torch older than 2.13")
    options = torch.nn.LinearCrossEntropyOptions()

    def run() -> tuple[Tensor, ...]:
        total = functional.linear_cross_entropy(
            inputs["hidden"], inputs["weight"], inputs["target"], reduction="sum", options=options
        )
        return total.detach().expand(TASKS), *torch.autograd.grad(total, (inputs["hidden"], inputs["weight"]))

    return run


def on_cuda(module: str, call: Callable[..., Losses]) -> Callable[[Inputs], Run]:
    """A package with kernels for CUDA only; `call` makes losses of samples of its module."""

    def factory(inputs: Inputs) -> Run:
        if not inputs["hidden"].is_cuda:
            raise NotImplementedError("CUDA only")
        return from_samples(call(importlib.import_module(module)))(inputs)

    return factory


def liger(module: object) -> Losses:
    """Losses of samples from version 0.8.5 on; before, one upstream gradient served all."""
    loss = module.LigerFusedLinearCrossEntropyLoss(reduction="none")
    return lambda hidden, weight, target: loss(weight, hidden, target)


def floor(matmuls: int, fresh: bool = False) -> Callable[[Inputs], Run]:
    """The matrix products alone, in chunks of the op's size; `fresh`: with the logits in memory of their own, as `store` has them."""

    def factory(inputs: Inputs) -> Run:
        hidden, weight = inputs["hidden"].detach(), inputs["weight"].detach()
        size, least = CUDA_CHUNK if hidden.is_cuda else CPU_CHUNK
        length = row_length(len(weight))
        rows = max(size // (length * hidden.element_size()) // 64 * 64, least)
        parts = [slice(start, start + rows) for start in range(0, len(hidden), rows)]

        def run() -> tuple[Tensor, Tensor]:
            room = hidden.new_empty(len(hidden) if fresh else rows, length)[:, : len(weight)]
            d_hidden, d_weight = torch.empty_like(hidden), torch.zeros_like(weight)
            for part in parts:
                tile = room[part] if fresh else room[: len(hidden[part])]
                for _ in range(matmuls - 2):
                    torch.mm(hidden[part], weight.t(), out=tile)
                torch.mm(tile, weight, out=d_hidden[part])
                d_weight.addmm_(tile.t(), hidden[part])
            return d_hidden, d_weight

        return run

    return factory


def truth(inputs: Inputs) -> tuple[Tensor, ...]:
    leaves = {name: inputs[name].detach().double().requires_grad_() for name in ("hidden", "weight")}
    losses = reference(*leaves.values(), inputs["target"], inputs["task_ids"], TASKS).task_losses
    return differentiated(losses, leaves)


CONTENDERS = {
    OURS: ours("auto"),
    "ours recompute": ours("recompute"),
    "ours known": ours("known"),
    "floor 3 matmuls": floor(3),
    "floor 3 matmuls, logits kept": floor(3, fresh=True),
    "floor 4 matmuls": floor(4),
    "torch eager": from_samples(naive),
    "torch.compile": compiled,
    "torch linear_cross_entropy none": torch_chunked,
    "torch linear_cross_entropy sum": torch_chunked_sum,
    "liger": on_cuda("liger_kernel.transformers", liger),
    "cut-cross-entropy": on_cuda(
        "cut_cross_entropy",
        lambda m: lambda hidden, weight, target: m.linear_cross_entropy(hidden, weight, target, reduction="none"),
    ),
}


def case(
    n: int, h: int, v: int, dtype: torch.dtype, on: tuple[str, ...], targets: tuple[Target, ...] = (), quick: bool = False
) -> Case:
    """One size; the truth in float64 where its logits fit."""
    name = str(dtype).removeprefix("torch.")
    return Case(
        name=f"task_linear_cross_entropy {n},{h}x{v} {name}",
        make=make(n, h, v, dtype),
        contenders=CONTENDERS,
        reference=truth if n * v < 1 << 28 else None,
        on=on,
        shape={"samples": n, "hidden": h, "classes": v, "tasks": TASKS, "dtype": name},
        bytes_moved=2.0 * dtype.itemsize * h * (n + v),
        flops=6.0 * n * h * v,
        targets=targets,
        quick=quick,
    )


CPU_TARGETS = (Target(0.8, "floor 3 matmuls"), Target(0.9, "floor 4 matmuls", "ours recompute"), Target(1.0))
CUDA_TARGETS = (Target(1 / 1.15, "floor 3 matmuls"), Target(1.0))

CASES = [
    case(256, 64, 5003, torch.float32, ("cpu", "cuda"), quick=True),
    case(4096, 256, 30522, torch.float32, ("cpu",), CPU_TARGETS),
    case(4096, 256, 30522, torch.bfloat16, ("cuda",)),
    case(8192, 768, 30522, torch.bfloat16, ("cuda",), CUDA_TARGETS),
    case(8192, 1024, 50257, torch.bfloat16, ("cuda",), CUDA_TARGETS),
    case(4096, 4096, 128256, torch.bfloat16, ("cuda",), CUDA_TARGETS),
    case(8, 16, 130, torch.float32, ("interpreter",), quick=True),
]
