"""task_step: reduce, respond, and weigh the samples, in one go."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from minimax_kernels.arguments import IGNORED, check_number
from minimax_kernels.backend import Backend, resolve
from minimax_kernels.direct import direct
from minimax_kernels.reduce.op import reduce
from minimax_kernels.reduce.results import OFFERS, flattened
from minimax_kernels.reduce.spread import spread
from minimax_kernels.response import composed, native
from minimax_kernels.response.op import checked_prior
from minimax_kernels.samples import widened
from minimax_kernels.transforms import transforming

RESPONSES = ("softmax", "projection")


class TaskStep(NamedTuple):
    """One step of the adversary. Only the value carries a gradient."""

    value: Tensor
    """The smoothed worst case, shape ()."""
    task_losses: Tensor
    """The means, shape (n_tasks,); 0 for an absent task."""
    task_counts: Tensor
    """int64, shape (n_tasks,)."""
    weights: Tensor
    """The adversary's weights w, shape (n_tasks,)."""
    sample_weights: Tensor
    """w_k / n_k for each sample, of the shape of the sample losses: the gradient of the value."""


def task_step(
    sample_losses: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    *,
    smoothing: float,
    prior: Tensor | None = None,
    response: Literal["softmax", "projection"] = "softmax",
    ignore_index: int = IGNORED,
    backend: Backend = "auto",
) -> TaskStep:
    r"""Reduce the losses by task, let the adversary respond, and weigh the samples.

    With the means :math:`L_k` over the :math:`n_k` samples of each task, the smoothing s and the prior q:

    .. math:: V = \max_w \langle w, L \rangle - s \, D(w, q), \qquad \partial V / \partial \ell_i = w_{t_i} / n_{t_i}

    where w is the maximiser over the simplex (envelope theorem), and D is

    - "softmax": Kullback-Leibler, :math:`w \propto q_k \exp(L_k / s)` and :math:`V = s \log \sum_k q_k \exp(L_k / s)`;
    - "projection": :math:`\|w - q\|^2 / 2`, w the projection of :math:`q + L / s`, with zeros.

    Either way, for s = 0 the tasks at the maximum share by their prior. A task without samples is absent: it counts as a loss of -inf and has
    weight 0. Where no task (of positive prior, for the softmax) is present, the value is 0 and the weights are the prior.

    Parameters
    ----------
    sample_losses, task_ids, n_tasks, ignore_index
        As for :func:`task_reduce`.
    smoothing : float
        At least 0, in the unit of the losses.
    prior : Tensor, shape (n_tasks,), optional
        Nonnegative; it is divided by its sum. Default uniform.
    response : {"softmax", "projection"}
    backend : {"auto", "triton", "native", "torch"}

    Returns
    -------
    TaskStep
        float32, or float64 for float64. `value` is differentiable to second order; `(sample_weights * sample_losses).sum()` has the same
        gradient, that of :math:`\sum_k w_k L_k` with w fixed. Losses that are nan or +inf make value and weights nan.

    Raises
    ------
    ValueError, TypeError
        As for :func:`task_reduce`, and for options out of range.

    Notes
    -----
    On CUDA, up to 64 tasks: one launch up to 8192 samples, then two, since one block writing alone would take longer than a launch. Nothing
    waits for the device. On several ranks: all-reduce the sums and counts of :func:`task_reduce`, then :func:`smooth_max` and
    :func:`task_spread`.

    Examples
    --------
    >>> losses, task_ids = torch.tensor([1.0, 3.0, 2.0]), torch.tensor([0, 0, 1])
    >>> task_step(losses, task_ids, 3, smoothing=1.0).sample_weights
    tensor([0.2500, 0.2500, 0.5000])
    """
    losses, ids = flattened(sample_losses, task_ids, n_tasks)
    smoothing = check_number("smoothing", smoothing)
    if response not in RESPONSES:
        raise ValueError(f"`response` must be 'softmax' or 'projection', got {response!r}.")
    q = checked_prior(prior, losses.new_empty(n_tasks)) if prior is not None else None
    if transforming():
        step = composed.task_step(losses, ids, n_tasks, ignore_index, smoothing, q, response)
    else:
        step = direct(_task_step, losses)(losses, ids, n_tasks, ignore_index, smoothing, q, response, backend)
    value, means, counts, weights, samples = step
    if value.requires_grad or transforming():
        means, weights, samples = means.detach(), weights.detach(), samples.detach()
    return TaskStep(value, means, counts, weights, samples.reshape(sample_losses.shape))


@torch.library.custom_op("minimax_opt::task_step", mutates_args=())
def _task_step(
    losses: Tensor,
    ids: Tensor,
    n_tasks: int,
    ignore_index: int,
    smoothing: float,
    prior: Tensor | None,
    response: str,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    runs = resolve(backend, losses, OFFERS)
    if runs == "native":
        return native.task_step(losses, ids, n_tasks, ignore_index, smoothing, prior, response == "softmax")
    if runs == "triton":
        from minimax_kernels.response import triton_launch

        if n_tasks <= triton_launch.ONE_HOT_TASKS:
            return triton_launch.task_step(losses, ids, n_tasks, ignore_index, smoothing, prior, response)
    sums, counts, means, _ = reduce(losses, ids, n_tasks, ignore_index, False, None, runs)
    value, weights = composed.respond(sums / counts.clamp(min=1), counts > 0, prior, smoothing, response)
    rows = torch.where(counts > 0, weights / counts, 0.0).to(means.dtype)
    return value.to(means.dtype), means, counts, weights.to(means.dtype), spread(rows, ids, ignore_index, runs)


@_task_step.register_fake
def _(
    losses: Tensor,
    ids: Tensor,
    n_tasks: int,
    ignore_index: int,
    smoothing: float,
    prior: Tensor | None,
    response: str,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    samples = losses.new_empty(losses.shape, dtype=widened(losses.dtype))
    means, counts = samples.new_empty(n_tasks), losses.new_empty(n_tasks, dtype=torch.int64)
    return samples.new_empty(()), means, counts, torch.empty_like(means), samples


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    losses, ids, _, ctx.ignore_index, ctx.smoothing, _, ctx.response, ctx.backend = inputs
    _, _, counts, weights, samples = output
    ctx.dtype = losses.dtype
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(counts)
    ctx.save_for_backward(ids, counts, weights, samples)


def _backward(
    ctx: Any, value: Tensor | None, means: Tensor | None, counts: None, weights: Tensor | None, samples: Tensor | None
) -> tuple[Tensor | None, ...]:
    ids, n, w, p = ctx.saved_tensors
    grad = None if value is None else value * p
    if means is not None or weights is not None or samples is not None:
        grad_losses = torch.zeros_like(w) if means is None else means
        grad_weights = torch.zeros_like(w) if weights is None else weights
        at_least_one = n.clamp(min=1)
        if samples is not None:
            of_task = torch.ops.minimax_opt.task_reduce(samples, ids, n.shape[0], ctx.ignore_index, False, None, ctx.backend)[0]
            grad_weights = grad_weights + (of_task / at_least_one).to(w.dtype)
        if ctx.smoothing > 0.0:
            through = composed.softmax_backward if ctx.response == "softmax" else composed.projection_backward
            grad_losses = grad_losses + through(w, grad_weights, ctx.smoothing)
        rows = (grad_losses / at_least_one).to(w.dtype)
        other = direct(spread, rows)(rows, ids, ctx.ignore_index, ctx.backend)
        grad = other if grad is None else grad + other
    return (None if grad is None else grad.to(ctx.dtype), *[None] * 7)


_task_step.register_autograd(_backward, setup_context=_setup)

__all__ = ["TaskStep", "task_step"]
