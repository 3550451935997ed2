"""Cross-entropy of rows of logits as a torch custom op, with its derivative as another: what torch.compile and autograd see."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from minimax_kernels.backend import resolve
from minimax_kernels.cross_entropy import blocked, composed, native
from minimax_kernels.rows import runs_native
from minimax_kernels.samples import widened

OFFERS = ("triton", "torch", "native")
Rows = tuple[Tensor, Tensor, Tensor, Tensor]


@torch.library.custom_op("minimax_opt::cross_entropy", mutates_args=())
def cross_entropy(
    logits: Tensor,
    target: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    ignore_index: int,
    label_smoothing: float,
    softcap: float,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each row of `logits` (N, V): loss, largest entry z_max, log sum exp(z - z_max) and task, LEFT_OUT where it counts nowhere.

    The largest entry is kept apart from the logarithm of the sum, since their sum would lose the digits that probabilities need where
    logits are far from 0.
    """
    runs = resolve(backend, logits, OFFERS)
    if runs == "triton":
        from minimax_kernels.cross_entropy import triton_launch

        return triton_launch.forward(logits, target, task_ids, n_tasks, ignore_index, label_smoothing, softcap)
    tasks = composed.tasks_of_rows(target, task_ids, logits.shape[-1], n_tasks, ignore_index)
    if runs_native(runs, logits) and softcap == 0.0:
        return *native.forward(logits, target, tasks, label_smoothing), tasks
    run = blocked.forward if logits.device.type == "cpu" else composed.row_losses
    losses, largest, log_sums = run(logits, target, tasks, label_smoothing, softcap)
    return losses, largest, log_sums, tasks


@torch.library.custom_op("minimax_opt::cross_entropy_backward", mutates_args=())
def cross_entropy_backward(
    grad_losses: Tensor,
    grad_log_sums: Tensor,
    logits: Tensor,
    target: Tensor,
    tasks: Tensor,
    largest: Tensor,
    log_sums: Tensor,
    label_smoothing: float,
    softcap: float,
    backend: str,
) -> Tensor:
    """grad_losses_i dl_i/dx_i + grad_log_sums_i d lse_i/dx_i, in the dtype of the logits."""
    grad = torch.empty_like(logits, memory_format=torch.contiguous_format)
    write_gradient(grad, grad_losses, grad_log_sums, logits, target, tasks, largest, log_sums, label_smoothing, softcap, backend)
    return grad


def write_gradient(
    grad: Tensor,
    grad_losses: Tensor,
    grad_log_sums: Tensor,
    logits: Tensor,
    target: Tensor,
    tasks: Tensor,
    largest: Tensor,
    log_sums: Tensor,
    label_smoothing: float,
    softcap: float,
    backend: str,
) -> None:
    """As above, into `grad`, which may be `logits`."""
    weights = (grad_losses.contiguous(), grad_log_sums.contiguous())
    runs = resolve(backend, logits, OFFERS)
    if runs == "triton":
        from minimax_kernels.cross_entropy import triton_launch

        triton_launch.backward(grad, *weights, logits, target, tasks, largest, log_sums, label_smoothing, softcap)
    elif runs_native(runs, logits) and softcap == 0.0:
        native.backward(grad, *weights, logits, target, tasks, largest, log_sums, label_smoothing)
    elif logits.device.type == "cpu":
        blocked.backward(grad, *weights, logits, target, tasks, largest, log_sums, label_smoothing, softcap)
    else:
        grad.copy_(composed.gradient(*weights, logits, target, tasks, label_smoothing, softcap))


@cross_entropy.register_fake
def _fake(logits: Tensor, target: Tensor, *_settings: object) -> Rows:
    losses, largest, log_sums = (logits.new_empty(logits.shape[0], dtype=widened(logits.dtype)) for _ in range(3))
    return losses, largest, log_sums, target.new_empty(logits.shape[0], dtype=torch.int64)


@cross_entropy_backward.register_fake
def _fake_backward(_grad_losses: Tensor, _grad_log_sums: Tensor, logits: Tensor, *_settings: object) -> Tensor:
    return torch.empty_like(logits, memory_format=torch.contiguous_format)


def keep(ctx: Any, inputs: tuple[Any, ...], output: Rows) -> None:
    """What backward needs: the logits, their rows' two numbers, and integers."""
    logits, target, _task_ids, _n_tasks, _ignore_index, *ctx.settings = inputs
    _losses, largest, log_sums, tasks = output
    ctx.mark_non_differentiable(largest, tasks)
    ctx.save_for_backward(logits, target, tasks, largest, log_sums)


def _backward(
    ctx: Any, grad_losses: Tensor, _largest: Tensor, grad_log_sums: Tensor, _tasks: Tensor
) -> tuple[Tensor | None, ...]:
    grad = cross_entropy_backward(grad_losses, grad_log_sums, *ctx.saved_tensors, *ctx.settings)
    return grad, *[None] * 7


def _keep_backward(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, _largest, _log_sums, ctx.label_smoothing, ctx.softcap, _backend = inputs
    ctx.save_for_backward(*tensors)


def _double_backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
    *variables, target, tasks = ctx.saved_tensors

    def gradient(grad_losses: Tensor, grad_log_sums: Tensor, logits: Tensor) -> Tensor:
        return composed.gradient(grad_losses, grad_log_sums, logits, target, tasks, ctx.label_smoothing, ctx.softcap)

    return *torch.func.vjp(gradient, *variables)[1](upstream), *[None] * 7


cross_entropy.register_autograd(_backward, setup_context=keep)
cross_entropy_backward.register_autograd(_double_backward, setup_context=_keep_backward)

__all__ = ["Rows", "cross_entropy", "cross_entropy_backward", "keep", "write_gradient"]
