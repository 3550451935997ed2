"""task_spread: to each sample the value of its task. The adjoint of the sums of task_reduce."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from minimax_kernels.arguments import IGNORED, check_floating, check_ids
from minimax_kernels.backend import Backend, resolve
from minimax_kernels.direct import direct
from minimax_kernels.reduce import composed, native
from minimax_kernels.reduce.results import OFFERS
from minimax_kernels.transforms import transforming


def task_spread(values: Tensor, task_ids: Tensor, *, ignore_index: int = IGNORED, backend: Backend = "auto") -> Tensor:
    r"""To each sample the value of its task, :math:`y_i = v_{t_i}`, and 0 where it is ignored.

    With :math:`v_k = w_k / n_k`, the weight of each sample in :math:`\sum_k w_k L_k`. Backward: the gradient in :math:`v_k` is the sum
    over the samples of task k.

    Parameters
    ----------
    values : Tensor, shape (n_tasks,), floating
    task_ids : Tensor, int64 or int32
        From 0 to n_tasks - 1 or `ignore_index`, of any shape.
    ignore_index : int
    backend : {"auto", "triton", "native", "torch"}

    Returns
    -------
    Tensor, shape of `task_ids`
        In the dtype of `values`.

    Raises
    ------
    ValueError, TypeError
        As for :func:`task_reduce`.

    Examples
    --------
    >>> task_spread(torch.tensor([0.5, 0.25]), torch.tensor([1, 0, 1, -100]))
    tensor([0.2500, 0.5000, 0.2500, 0.0000])
    """
    check_floating("values", values, least_dimensions=1)
    if values.ndim != 1 or values.shape[0] == 0:
        raise ValueError(f"`values` must have shape (n_tasks,) with n_tasks >= 1, got {tuple(values.shape)}.")
    ids = check_ids("task_ids", task_ids, getattr(task_ids, "shape", ()), values.device)
    flat = ids if ids.ndim == 1 else ids.reshape(-1)
    run = composed.spread if transforming() else direct(spread, values)
    return run(values, flat, ignore_index, backend).reshape(ids.shape)


@torch.library.custom_op("minimax_opt::task_spread", mutates_args=())
def spread(values: Tensor, ids: Tensor, ignore_index: int, backend: str) -> Tensor:
    """The op behind :func:`task_spread`, on vectors."""
    runs = resolve(backend, values, OFFERS)
    if runs == "triton":
        from minimax_kernels.reduce import triton_launch

        return triton_launch.spread(values, ids, ignore_index)
    if runs == "native":
        return native.spread(values, ids, ignore_index)
    return composed.spread(values, ids, ignore_index, checked=True)


@spread.register_fake
def _(values: Tensor, ids: Tensor, ignore_index: int, backend: str) -> Tensor:
    return values.new_empty(ids.shape)


def _setup(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    values, ids, ctx.ignore_index, ctx.backend = inputs
    ctx.n_tasks, ctx.dtype = values.shape[0], values.dtype
    ctx.save_for_backward(ids)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    (ids,) = ctx.saved_tensors
    sums = torch.ops.minimax_opt.task_reduce(grad, ids, ctx.n_tasks, ctx.ignore_index, False, None, ctx.backend)[0]
    return sums.to(ctx.dtype), None, None, None


spread.register_autograd(_backward, setup_context=_setup)

__all__ = ["spread", "task_spread"]
