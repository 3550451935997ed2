"""task_reduce: sums, counts, means and maxima of the losses of each task."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from minimax_kernels.arguments import IGNORED
from minimax_kernels.backend import Backend, resolve
from minimax_kernels.direct import direct
from minimax_kernels.reduce import composed, native
from minimax_kernels.reduce.exact import bound_tensor, exact, rounded
from minimax_kernels.reduce.results import OFFERS, TaskReduction, flattened
from minimax_kernels.reduce.spread import spread
from minimax_kernels.samples import widened
from minimax_kernels.transforms import transforming

Determinism = Literal["run_to_run", "order_invariant"]


def task_reduce(
    sample_losses: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    *,
    ignore_index: int = IGNORED,
    determinism: Determinism = "run_to_run",
    bound: float | Tensor | None = None,
    backend: Backend = "auto",
) -> TaskReduction:
    r"""Reduce the losses of samples by task.

    .. math:: S_k = \sum_{i : t_i = k} \ell_i, \qquad n_k = |\{i : t_i = k\}|, \qquad L_k = S_k / n_k, \qquad M_k = \max_{i : t_i = k} \ell_i

    Backward: the gradient in :math:`\ell_i` is :math:`\partial S_{t_i} + \partial L_{t_i} / n_{t_i}`, 0 for what is ignored. It can be
    differentiated again. The maxima carry no gradient.

    Parameters
    ----------
    sample_losses : Tensor, floating
        Of any shape.
    task_ids : Tensor, int64 or int32
        From 0 to n_tasks - 1 or `ignore_index`, in a shape that expands to that of the losses.
    n_tasks : int
    ignore_index : int
        Samples with this id are left out.
    determinism : {"run_to_run", "order_invariant"}
        Either way the same input gives the same bits. "order_invariant": so does any order of the samples, on any backend, by sums of whole
        numbers; see :func:`task_reduce_exact`, which also adds up over ranks.
    bound : float or Tensor of shape (), optional
        A bound on the finite abs(losses), for the sums of whole numbers. Without it a pass over the losses finds one.
    backend : {"auto", "triton", "native", "torch"}

    Returns
    -------
    TaskReduction
        `sums` (float64), `counts` (int64), `means` and `max` (float32, or float64 for float64), each of shape (n_tasks,). A task without
        samples has sum 0, mean 0, max -inf. Losses that are nan or infinite show in their own task only; where a sum is nan, mean and max
        are nan as well.

    Raises
    ------
    ValueError, TypeError
        For arguments of the wrong kind; for an id out of range on a CPU and under ``MINIMAX_OPT_DEBUG=1``. On other devices a sample with
        such an id counts as ignored: nothing waits for the device.

    Notes
    -----
    Sums are of float64 numbers. On CUDA up to 64 tasks take one launch; more tasks are summed in whole numbers. Under
    torch.func and forward-mode AD the op is composed of torch's own, whose sums on CUDA may depend on the run in the last bits.

    Examples
    --------
    >>> losses, task_ids = torch.tensor([1.0, 2.0, 4.0, 8.0]), torch.tensor([0, 0, 2, -100])
    >>> r = task_reduce(losses, task_ids, 3)
    >>> r.means, r.counts
    (tensor([1.5000, 0.0000, 4.0000]), tensor([2, 0, 1]))
    """
    losses, ids = flattened(sample_losses, task_ids, n_tasks)
    if determinism not in ("run_to_run", "order_invariant"):
        raise ValueError(f"`determinism` must be 'run_to_run' or 'order_invariant', got {determinism!r}.")
    if transforming():
        return composed.reduce(losses, ids, n_tasks, ignore_index)
    limit = bound_tensor(bound, losses)
    run = direct(reduce, losses)
    return TaskReduction(*run(losses, ids, n_tasks, ignore_index, determinism == "order_invariant", limit, backend))


@torch.library.custom_op("minimax_opt::task_reduce", mutates_args=())
def reduce(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, order_invariant: bool, bound: Tensor | None, backend: str
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The op behind :func:`task_reduce`, on vectors: sums, counts, means, max."""
    runs = resolve(backend, losses, OFFERS)
    if runs == "triton":
        from minimax_kernels.reduce import triton_launch

        return triton_launch.reduce(losses, ids, n_tasks, ignore_index, order_invariant, bound)
    if order_invariant or losses.is_cuda:  # torch's sums of floating numbers on CUDA are not reproducible
        return rounded(*exact(losses, ids, n_tasks, ignore_index, bound, runs))
    if runs == "native":
        return native.reduce(losses, ids, n_tasks, ignore_index)
    return composed.reduce(losses, ids, n_tasks, ignore_index, checked=True)


@reduce.register_fake
def _(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, order_invariant: bool, bound: Tensor | None, backend: str
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    means = losses.new_empty(n_tasks, dtype=widened(losses.dtype))
    return (
        losses.new_empty(n_tasks, dtype=torch.float64),
        losses.new_empty(n_tasks, dtype=torch.int64),
        means,
        torch.empty_like(means),
    )


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    losses, ids, _, ctx.ignore_index, _, _, ctx.backend = inputs
    ctx.dtype = losses.dtype
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[1], output[3])
    ctx.save_for_backward(ids, output[1])


def _backward(
    ctx: Any, sums: Tensor | None, counts: Tensor | None, means: Tensor | None, largest: Tensor | None
) -> tuple[Tensor | None, ...]:
    ids, n = ctx.saved_tensors
    table = sums
    if means is not None:
        share = means.double() / n.clamp(min=1)
        table = share if table is None else table + share
    if table is None:
        return (None,) * 7
    table = table.to(ctx.dtype)
    return direct(spread, table)(table, ids, ctx.ignore_index, ctx.backend), *[None] * 6


reduce.register_autograd(_backward, setup_context=_setup)

__all__ = ["Determinism", "reduce", "task_reduce"]
