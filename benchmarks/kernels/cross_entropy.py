"""Cross-entropy by task from logits, forward and backward: all task losses, and the gradient of their sum with weights of tasks."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.kernels.suite import Case, Inputs, Run, Target
from minimax_kernels import task_cross_entropy
from minimax_kernels.cross_entropy.reference import task_cross_entropy as reference

TASKS = 8


def make(n: int, v: int, dtype: torch.dtype) -> Callable[[int, torch.device], Inputs]:
    """Logits of normal numbers, one sample in 16 ignored, uneven weights of tasks."""

    def inputs(seed: int, device: torch.device) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        target = torch.randint(v, (n,), generator=generator)
        target[::16] = -100
        weights = torch.rand(TASKS, generator=generator)
        if device.type == "cuda":  # the host would take a minute for the largest; the same numbers on every GPU
            generator = torch.Generator(device).manual_seed(seed)
        logits = torch.randn(n, v, generator=generator, device=device, dtype=torch.float32).to(dtype)
        task_ids = torch.arange(n) % TASKS
        return {
            "logits": logits.requires_grad_(),
            "target": target.to(device),
            "task_ids": task_ids.to(device),
            "weights": (weights / weights.sum()).to(device),
        }

    return inputs


def differentiated(means: Callable[..., Tensor]) -> Callable[[Inputs], Run]:
    """A contender from `means` (logits, target, task_ids) -> (K,)."""

    def factory(inputs: Inputs) -> Run:
        logits, weights = inputs["logits"], inputs["weights"]

        def run() -> tuple[Tensor, Tensor]:
            losses = means(logits, inputs["target"], inputs["task_ids"])
            return losses.detach(), torch.autograd.grad((weights * losses).sum(), logits)[0]

        return run

    return factory


def from_samples(samples: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Task means of what a peer gives for each sample."""

    def means(logits: Tensor, target: Tensor, task_ids: Tensor) -> Tensor:
        losses = samples(logits, target).float()
        sums = losses.new_zeros(TASKS).index_add(0, task_ids, losses)
        counts = torch.zeros_like(sums).index_add(0, task_ids, (target != -100).float())
        return sums / counts.clamp(min=1.0)

    return means


def ours(logits: Tensor, target: Tensor, task_ids: Tensor) -> Tensor:
    return task_cross_entropy(logits, target, task_ids, TASKS).task_losses


def truth(inputs: Inputs) -> tuple[Tensor, Tensor]:
    leaf = inputs["logits"].detach().double().requires_grad_()
    losses = reference(leaf, inputs["target"], inputs["task_ids"], TASKS).task_losses
    return losses.detach(), torch.autograd.grad((inputs["weights"] * losses).sum(), leaf)[0]


def eager(logits: Tensor, target: Tensor) -> Tensor:
    return functional.cross_entropy(logits, target, reduction="none")


def compiled(inputs: Inputs) -> Run:
    return differentiated(torch.compile(from_samples(eager)))(inputs)


def on_cuda(module: str, call: Callable[..., Callable[[Tensor, Tensor], Tensor]]) -> Callable[[Inputs], Run]:
    """A package with kernels for CUDA only; `call` makes losses of samples of its module."""

    def factory(inputs: Inputs) -> Run:
        if not inputs["logits"].is_cuda:
            raise NotImplementedError("CUDA only")
        return differentiated(from_samples(call(importlib.import_module(module))))(inputs)

    return factory


class Overwriting:
    """The call of who writes the gradient over the logits: over a copy, which is restored before each reading."""

    def __init__(self, factory: Callable[[Inputs], Run], inputs: Inputs) -> None:
        self.given = inputs["logits"].detach()
        self.logits = self.given.clone().requires_grad_()
        self.run = factory({**inputs, "logits": self.logits})

    def restore(self) -> None:
        """The logits as they were given."""
        self.logits.detach().copy_(self.given)

    def __call__(self) -> tuple[Tensor, Tensor]:
        return self.run()


def liger(inputs: Inputs) -> Run:
    loss = on_cuda("liger_kernel.transformers", lambda module: module.LigerCrossEntropyLoss(reduction="none"))
    return Overwriting(loss, inputs)


def floor(inputs: Inputs) -> Run:
    """The traffic alone: the logits read twice, a gradient written once."""
    logits = inputs["logits"].detach()
    gradient = torch.empty_like(logits)

    def run() -> Tensor:
        logits.amax()
        return gradient.copy_(logits)

    return run


PEERS = {
    "torch eager": differentiated(from_samples(eager)),
    "torch.compile": compiled,
    "liger": liger,
    "flash-attn": on_cuda(
        "flash_attn.ops.triton.cross_entropy", lambda m: lambda x, y: m.cross_entropy_loss(x, y, ignore_index=-100)[0]
    ),
    "quack": on_cuda("quack.cross_entropy", lambda m: lambda x, y: m.cross_entropy(x, y, reduction="none")),
}


def case(n: int, v: int, dtype: torch.dtype, on: tuple[str, ...], targets: tuple[Target, ...], quick: bool = False) -> Case:
    """One size; the truth in float64 where it takes seconds."""
    name = str(dtype).removeprefix("torch.")
    return Case(
        name=f"task_cross_entropy {n}x{v} {name}",
        make=make(n, v, dtype),
        contenders={"ours": differentiated(ours), "floor of the traffic": floor, **PEERS},
        reference=truth if n * v < 1 << 28 else None,
        on=on,
        shape={"rows": n, "classes": v, "tasks": TASKS, "dtype": name},
        bytes_moved=3.0 * n * v * dtype.itemsize,
        targets=targets,
        quick=quick,
    )


FASTER = (Target(1.0),)
NEAR_COPY = (Target(0.85, "floor of the traffic"), Target(1.0))

CASES = [
    case(512, 5003, torch.float32, ("cpu", "cuda"), (), quick=True),
    case(2048, 30522, torch.float32, ("cpu",), FASTER),
    case(4096, 1000, torch.float32, ("cpu",), ()),
    case(2048, 30522, torch.bfloat16, ("cpu",), ()),
    case(4096, 30522, torch.bfloat16, ("cuda",), NEAR_COPY),
    case(8192, 50257, torch.bfloat16, ("cuda",), NEAR_COPY),
    case(8192, 128256, torch.bfloat16, ("cuda",), NEAR_COPY),
    case(8192, 50257, torch.float32, ("cuda",), NEAR_COPY),
    case(3, 5003, torch.float32, ("interpreter",), (), quick=True),
]
