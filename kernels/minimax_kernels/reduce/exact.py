"""task_reduce_exact: sums of whole numbers, which know no order: not of samples, programs, or ranks."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from minimax_kernels.arguments import IGNORED, check_number
from minimax_kernels.backend import Backend, resolve
from minimax_kernels.direct import direct
from minimax_kernels.reduce import composed, native
from minimax_kernels.reduce.composed import LOW, means_and_max
from minimax_kernels.reduce.results import OFFERS, TaskReduction, flattened
from minimax_kernels.samples import widened


class ExactTaskReduction(NamedTuple):
    """The losses of each task in whole numbers. `totals` of several parts of the samples add up, exactly."""

    totals: Tensor
    """int64, shape (5, n_tasks): high parts, low parts, counts, numbers of +inf, of -inf (nan counts as both)."""
    max: Tensor
    """The maxima, shape (n_tasks,)."""
    unit: Tensor
    """A power of two, float64, shape (): a sum is (high + low / 2^31) * unit. Parts that add up must share it."""

    def rounded(self) -> TaskReduction:
        """Sums, counts, means and maxima as :func:`minimax_kernels.task_reduce` gives them; no gradient."""
        return TaskReduction(*rounded(*self))


def task_reduce_exact(
    sample_losses: Tensor,
    task_ids: Tensor,
    n_tasks: int,
    *,
    bound: float | Tensor | None = None,
    ignore_index: int = IGNORED,
    backend: Backend = "auto",
) -> ExactTaskReduction:
    r"""Reduce the losses of samples by task in whole numbers: the same bits for any order of the samples, on any backend and number of ranks.

    With the least e such that `bound` is below :math:`2^e`, and the unit :math:`u = 2^{e-30}`, a loss becomes two whole numbers,

    .. math:: h = \mathrm{round}(\ell / u), \qquad l = \mathrm{round}\big((\ell - h u) \, 2^{31} / u\big),

    both at most :math:`2^{30}` in size, so that int64 sums hold :math:`2^{33}` samples. What is lost of a loss is below
    :math:`2^{-61}` of the bound: nothing, for float32 losses above :math:`2^{-37}` of it.

    Parameters
    ----------
    sample_losses, task_ids, n_tasks, ignore_index, backend
        As for :func:`task_reduce`.
    bound : float or Tensor of shape (), optional
        A bound on the finite abs(losses). Losses beyond the next power of two count as infinite. Without it, a pass over the
        losses finds the largest. On several ranks all must use the same, say the maximum over the ranks.

    Returns
    -------
    ExactTaskReduction
        `totals`, int64, shape (5, n_tasks): all-reduce it by a sum. `max`: by a maximum. `unit`: the same on all ranks. Then
        `rounded()` gives a :class:`TaskReduction`. No gradient.

    Raises
    ------
    ValueError, TypeError
        As for :func:`task_reduce`.

    Examples
    --------
    >>> losses, task_ids = torch.tensor([0.1, 1e6, 0.2, -1e6]), torch.tensor([0, 0, 0, 0])
    >>> one = task_reduce_exact(losses[:3], task_ids[:3], 1, bound=1e6)  # on one rank
    >>> other = task_reduce_exact(losses[3:], task_ids[3:], 1, bound=1e6)  # on another
    >>> one.totals.add_(other.totals)[2]
    tensor([4])
    >>> one.rounded().sums
    tensor([0.3000], dtype=torch.float64)
    """
    losses, ids = flattened(sample_losses, task_ids, n_tasks)
    limit = bound_tensor(bound, losses)
    losses = losses.detach()
    return ExactTaskReduction(*direct(reduce_exact, losses)(losses, ids, n_tasks, ignore_index, limit, backend))


def bound_tensor(bound: float | Tensor | None, losses: Tensor) -> Tensor | None:
    """The bound where the losses are."""
    if bound is None:
        return None
    if isinstance(bound, Tensor):
        if bound.ndim or bound.device != losses.device or not bound.dtype.is_floating_point:
            raise ValueError(
                f"`bound` must be a float or a floating tensor of shape () on {losses.device}, got shape {tuple(bound.shape)}, "
                f"{bound.dtype}, on {bound.device}."
            )
        return bound.detach().double()
    return torch.full((), check_number("bound", bound, open_below=True), dtype=torch.float64, device=losses.device)


@torch.library.custom_op("minimax_opt::task_reduce_exact", mutates_args=())
def reduce_exact(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, bound: Tensor | None, backend: str
) -> tuple[Tensor, Tensor, Tensor]:
    """The op behind :func:`task_reduce_exact`, on vectors: totals, max, unit."""
    return exact(losses, ids, n_tasks, ignore_index, bound, resolve(backend, losses, OFFERS))


@reduce_exact.register_fake
def _(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, bound: Tensor | None, backend: str
) -> tuple[Tensor, Tensor, Tensor]:
    totals = losses.new_empty((5, n_tasks), dtype=torch.int64)
    return (
        totals,
        losses.new_empty(n_tasks, dtype=widened(losses.dtype)),
        losses.new_empty((), dtype=torch.float64),
    )


def exact(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, bound: Tensor | None, runs: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Totals, max and unit by the backend `runs`."""
    if runs == "triton":
        from minimax_kernels.reduce import triton_launch

        return triton_launch.reduce_exact(losses, ids, n_tasks, ignore_index, bound)
    if runs == "native":
        return native.reduce_exact(losses, ids, n_tasks, ignore_index, bound)
    return composed.reduce_exact(losses, ids, n_tasks, ignore_index, bound)


def rounded(totals: Tensor, largest: Tensor, unit: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sums, counts, means, max. The products are exact, the sum of the two rounds once: the same bits on every device."""
    high, low, counts, positive, negative = totals
    finite = high.double() * unit + low.double() * (unit / LOW)
    sums = finite + torch.where(positive > 0, math.inf, 0.0) - torch.where(negative > 0, math.inf, 0.0)
    return (sums, counts.clone(), *means_and_max(sums, counts, largest))


__all__ = ["ExactTaskReduction", "bound_tensor", "exact", "reduce_exact", "rounded", "task_reduce_exact"]
