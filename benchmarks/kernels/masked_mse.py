"""Masked regression by task, forward and backward: all task losses, and the gradient of their sum with weights of tasks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.kernels.suite import Case, Inputs, Run, Target
from minimax_kernels import task_masked_mse
from minimax_kernels.masked_mse.reference import task_masked_mse as reference

TASKS = 8
MASKED = 0.75


def make(n: int, length: int, dtype: torch.dtype) -> Callable[[int, torch.device], Inputs]:
    """Patches of normal numbers, three of four masked, uneven weights of tasks."""

    def inputs(seed: int, device: torch.device) -> Inputs:
        generator = torch.Generator().manual_seed(seed)
        mask, weights = torch.rand(n, generator=generator) < MASKED, torch.rand(TASKS, generator=generator)
        if device.type == "cuda":
            generator = torch.Generator(device).manual_seed(seed)
        pred, target = (torch.randn(n, length, generator=generator, device=device).to(dtype) for _ in range(2))
        return {
            "pred": pred.requires_grad_(),
            "target": target,
            "mask": mask.to(device),
            "task_ids": (torch.arange(n) % TASKS).to(device),
            "weights": (weights / weights.sum()).to(device),
        }

    return inputs


def differentiated(means: Callable[..., Tensor]) -> Callable[[Inputs], Run]:
    """A contender from `means` (pred, target, mask, task_ids) -> (K,)."""

    def factory(inputs: Inputs) -> Run:
        pred, weights = inputs["pred"], inputs["weights"]

        def run() -> tuple[Tensor, Tensor]:
            losses = means(pred, inputs["target"], inputs["mask"], inputs["task_ids"])
            return losses.detach(), torch.autograd.grad((weights * losses).sum(), pred)[0]

        return run

    return factory


def plain(normalize: bool) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """As masked autoencoders do it, with a mean for each task."""

    def means(pred: Tensor, target: Tensor, mask: Tensor, task_ids: Tensor) -> Tensor:
        if normalize:
            target = (target - target.mean(-1, keepdim=True)) / (target.var(-1, keepdim=True) + 1e-6) ** 0.5
        losses = ((pred - target) ** 2).mean(-1).float() * mask
        sums = losses.new_zeros(TASKS).index_add(0, task_ids, losses)
        return sums / torch.zeros_like(sums).index_add(0, task_ids, mask.float()).clamp(min=1.0)

    return means


def floor(inputs: Inputs) -> Run:
    """The traffic alone: the masked patches of both sides read twice, a gradient written once."""
    pred, target = inputs["pred"].detach(), inputs["target"]
    part, gradient = int(MASKED * len(pred)), torch.empty_like(pred)

    def run() -> Tensor:
        for side in (pred, target):
            side[:part].amax()
        target[:part].amax()
        gradient[:part].copy_(pred[:part])
        gradient[part:].zero_()
        return gradient

    return run


def case(n: int, length: int, dtype: torch.dtype, normalize: bool, on: tuple[str, ...], quick: bool = False) -> Case:
    """One size."""
    name = str(dtype).removeprefix("torch.")

    def ours(pred: Tensor, target: Tensor, mask: Tensor, task_ids: Tensor) -> Tensor:
        return task_masked_mse(pred, target, mask, task_ids, TASKS, normalize_target=normalize).task_losses

    def truth(inputs: Inputs) -> tuple[Tensor, Tensor]:
        leaf, given = inputs["pred"].detach().double().requires_grad_(), (inputs[k] for k in ("target", "mask", "task_ids"))
        losses = reference(leaf, *given, TASKS, normalize_target=normalize).task_losses
        return losses.detach(), torch.autograd.grad((inputs["weights"] * losses).sum(), leaf)[0]

    return Case(
        name=f"task_masked_mse {n}x{length} {name}{' normalized' if normalize else ''}",
        make=make(n, length, dtype),
        contenders={
            "ours": differentiated(ours),
            "floor of the traffic": floor,
            "torch eager": differentiated(plain(normalize)),
            "torch.compile": lambda inputs: differentiated(torch.compile(plain(normalize)))(inputs),
        },
        reference=truth if n * length < 1 << 28 else None,
        on=on,
        shape={"patches": n, "entries": length, "masked": MASKED, "tasks": TASKS, "dtype": name},
        bytes_moved=(4.0 * MASKED + 1.0) * n * length * dtype.itemsize,
        targets=(Target(0.85, "floor of the traffic"), Target(1.0)) if on == ("cuda",) else (),
        quick=quick,
    )


CASES = [
    case(1568, 768, torch.float32, False, ("cpu", "cuda"), quick=True),
    case(12544, 768, torch.float32, False, ("cpu",)),
    case(12544, 768, torch.float32, True, ("cpu",)),
    case(802816, 768, torch.bfloat16, False, ("cuda",)),
    case(802816, 768, torch.bfloat16, True, ("cuda",)),
    case(9, 768, torch.float32, True, ("interpreter",), quick=True),
]
