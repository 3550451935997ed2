"""Losses of patches as a torch custom op, with its derivative as another: what torch.compile and autograd see."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from minimax_kernels.backend import resolve
from minimax_kernels.masked_mse import blocked, composed, native
from minimax_kernels.rows import runs_native
from minimax_kernels.samples import tasks_of, widened

OFFERS = ("triton", "torch", "native")


@torch.library.custom_op("minimax_opt::masked_mse", mutates_args=())
def masked_mse(
    pred: Tensor,
    target: Tensor,
    mask: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    ignore_index: int,
    kind: str,
    beta: float,
    normalize: bool,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each patch of `pred` (N, P): loss, and task, LEFT_OUT where it counts nowhere; what Triton keeps of its target."""
    runs = resolve(backend, pred, OFFERS)
    if runs == "triton":
        from minimax_kernels.masked_mse import triton_launch

        return triton_launch.forward(pred, target, mask, task_ids, n_tasks, ignore_index, kind, beta, normalize)
    tasks = tasks_of(mask, task_ids, n_tasks, ignore_index)
    on_cpu = native.forward if runs_native(runs, pred, target) else blocked.forward
    run = on_cpu if pred.device.type == "cpu" else composed.patch_losses
    losses = run(pred, target, tasks, kind, beta, normalize)
    nothing = losses.new_zeros(len(pred) if normalize else 0)
    return losses, tasks, nothing, nothing.clone()


@torch.library.custom_op("minimax_opt::masked_mse_backward", mutates_args=())
def masked_mse_backward(
    grad_losses: Tensor,
    pred: Tensor,
    target: Tensor,
    tasks: Tensor,
    means: Tensor,
    scales: Tensor,
    kind: str,
    beta: float,
    normalize: bool,
    backend: str,
) -> Tensor:
    """grad_losses_i dl_i/dpred_i, in the dtype of `pred`."""
    grad_losses = grad_losses.contiguous()
    runs = resolve(backend, pred, OFFERS)
    if runs == "triton":
        from minimax_kernels.masked_mse import triton_launch

        return triton_launch.backward(grad_losses, pred, target, tasks, means, scales, kind, beta, normalize)
    on_cpu = native.backward if runs_native(runs, pred, target) else blocked.backward
    run = on_cpu if pred.device.type == "cpu" else composed.gradient
    return run(grad_losses, pred, target, tasks, kind, beta, normalize)


@masked_mse.register_fake
def _fake(
    pred: Tensor,
    target: Tensor,
    mask: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    ignore_index: int,
    kind: str,
    beta: float,
    normalize: bool,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    losses = pred.new_empty(pred.shape[0], dtype=widened(pred.dtype))
    tasks = task_ids.new_empty(pred.shape[0], dtype=torch.int64)
    means, scales = (losses.new_empty(pred.shape[0] if normalize else 0) for _ in range(2))
    return losses, tasks, means, scales


@masked_mse_backward.register_fake
def _fake_backward(_grad_losses: Tensor, pred: Tensor, *_others: object) -> Tensor:
    return torch.empty_like(pred, memory_format=torch.contiguous_format)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    pred, target, _mask, _task_ids, _n_tasks, _ignore_index, *ctx.settings = inputs
    _losses, tasks, means, scales = output
    ctx.mark_non_differentiable(tasks, means, scales)
    ctx.save_for_backward(pred, target, tasks, means, scales)


def _backward(ctx: Any, grad_losses: Tensor, *_others: Tensor) -> tuple[Tensor | None, ...]:
    grad = masked_mse_backward(grad_losses, *ctx.saved_tensors, *ctx.settings)
    target = ctx.saved_tensors[1]
    return grad, -grad.to(target.dtype) if ctx.needs_input_grad[1] else None, *[None] * 8


def _keep_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, _means, _scales, ctx.kind, ctx.beta, ctx.normalize, _backend = inputs
    ctx.save_for_backward(*tensors)


def _double_backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    *variables, tasks = ctx.saved_tensors

    def gradient(grad_losses: Tensor, pred: Tensor, target: Tensor) -> Tensor:
        return composed.gradient(grad_losses, pred, target, tasks, ctx.kind, ctx.beta, ctx.normalize)

    return *torch.func.vjp(gradient, *variables)[1](upstream), *[None] * 7


masked_mse.register_autograd(_backward, setup_context=_keep)
masked_mse_backward.register_autograd(_double_backward, setup_context=_keep_backward)

__all__ = ["masked_mse", "masked_mse_backward"]
