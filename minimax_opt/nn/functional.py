"""The functional twins of `MinimaxLoss`: sums by task, a weighted sum of samples, and both with a weighting in between."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from minimax_kernels.arguments import check_tasks
from minimax_opt.nn.samples import Samples, from_samples, wide_dtype
from minimax_opt.nn.weighting import Weighting
from minimax_opt.ops import task_reduce


class TaskSums(NamedTuple):
    """By task, shape (K,), float64, without a graph: the `sums` of the losses, and the `counts` of the samples or their mass."""

    sums: Tensor
    counts: Tensor


def task_sums(
    sample_losses: Tensor, task_ids: Tensor, n_tasks: int, sample_weights: Tensor | None = None, *, ignore_index: int = -100
) -> TaskSums:
    r"""By task :math:`S_k = \sum_{i \in k} m_i l_i` and :math:`N_k = \sum_{i \in k} m_i`.

    Parameters
    ----------
    sample_losses : Tensor
        One loss a sample or token, any shape.
    task_ids : Tensor
        int64 or int32, of that shape or one that expands to it.
    n_tasks : int
    sample_weights : Tensor, optional
        m, at least 0, default 1.
    ignore_index : int
        The id of samples that are left out, whatever their loss is.

    Examples
    --------
    >>> task_sums(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0, 2, 2]), n_tasks=3)
    TaskSums(sums=tensor([1., 0., 6.], dtype=torch.float64), counts=tensor([1., 0., 2.], dtype=torch.float64))
    """
    check_tasks(n_tasks)
    return sums_of(from_samples(sample_losses, task_ids, n_tasks, sample_weights, ignore_index))


def weighted_loss(
    sample_losses: Tensor,
    task_ids: Tensor,
    coefficients: Tensor,
    sample_weights: Tensor | None = None,
    *,
    ignore_index: int = -100,
) -> Tensor:
    r"""The scalar :math:`\sum_i c_{k(i)} m_i l_i`, differentiable in the losses; the coefficients c, shape (K,), count as constants.

    Parameters
    ----------
    sample_losses, task_ids, sample_weights, ignore_index
        As for :func:`task_sums`.
    coefficients : Tensor, shape (K,)
    """
    samples = from_samples(sample_losses, task_ids, coefficients.shape[0], sample_weights, ignore_index)
    return weighted_sum(samples, coefficients)


def minimax_loss(
    sample_losses: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    weighting: Weighting,
    *,
    sample_weights: Tensor | None = None,
    state: Tensor | None = None,
    ignore_index: int = -100,
) -> Tensor:
    r"""The minimax loss of one batch, without memory: :math:`\sum_k w_k L_k` with the means L_k and w = weights of L, a constant.

    Parameters
    ----------
    sample_losses, task_ids, n_tasks, sample_weights, ignore_index
        As for :func:`task_sums`.
    weighting : Weighting
    state : Tensor, shape (K,), optional
        What the adversary remembers, advanced by the caller; default its initial state.

    Examples
    --------
    >>> from minimax_opt.nn import SoftmaxWeighting
    >>> losses = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    >>> minimax_loss(losses, torch.tensor([0, 1, 1]), 2, SoftmaxWeighting(smoothing=0.0))
    tensor(3., grad_fn=<SumBackward0>)
    """
    samples = from_samples(sample_losses, task_ids, n_tasks, sample_weights, ignore_index)
    sums, counts = sums_of(samples)
    with torch.no_grad():
        device, wide = sums.device, sums.dtype
        prior = weighting.prior_tensor(n_tasks).to(device, wide, non_blocking=True)
        memory = weighting.initial_state(n_tasks).to(device, non_blocking=True) if state is None else state.detach()
        weights = weighting.weights(means(sums, counts), weighting.step_prior(prior, counts), memory.to(wide))
    return weighted_sum(samples, torch.where(counts > 0, weights / counts, 0.0))


def sums_of(samples: Samples) -> TaskSums:
    """:func:`task_sums` of samples in their common form."""
    with torch.no_grad():
        losses, slots, mass, n = samples.losses.detach(), samples.slots, samples.mass, samples.n_tasks
        if mass is None:
            total = task_reduce(losses, slots, n, ignore_index=n)
            return TaskSums(total.sums, total.counts.to(total.sums.dtype))
        return TaskSums(
            task_reduce(losses * mass, slots, n, ignore_index=n).sums, task_reduce(mass, slots, n, ignore_index=n).sums
        )


def counts_of(slots: Tensor, mass: Tensor | None, n_tasks: int) -> Tensor:
    """The counts alone."""
    wide = wide_dtype(slots.device)
    values = torch.ones_like(slots, dtype=wide) if mass is None else mass
    return task_reduce(values, slots, n_tasks, ignore_index=n_tasks).sums


def weighted_sum(samples: Samples, coefficients: Tensor) -> Tensor:
    """:func:`weighted_loss` of samples in their common form."""
    losses, slots = samples.losses, samples.slots
    padded = torch.cat([coefficients.detach(), coefficients.new_zeros(1)])
    factors = padded[slots] if samples.mass is None else padded[slots] * samples.mass
    return (torch.where(slots < samples.n_tasks, losses, 0.0) * factors.to(losses.dtype)).sum()


def means(sums: Tensor, counts: Tensor) -> Tensor:
    """The means by task, nan where there are no samples."""
    return torch.where(counts > 0, sums / counts, torch.nan)


__all__ = ["TaskSums", "minimax_loss", "task_sums", "weighted_loss"]
