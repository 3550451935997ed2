"""The responses composed of torch's own operations: for any device, and for torch.func and forward-mode AD."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from minimax_kernels.reduce import composed as reduction
from minimax_kernels.reduce.composed import primal
from minimax_kernels.samples import widened
from minimax_kernels.simplex.composed import project_simplex


def normalised(prior: Tensor | None, like: Tensor) -> Tensor:
    """The prior as weights that add up to 1, shape (K,)."""
    if prior is None:
        return like.new_full(like.shape[-1:], 1.0 / like.shape[-1])
    return prior.to(like.dtype) / prior.to(like.dtype).sum()


def smooth_max(losses: Tensor, smoothing: float, prior: Tensor | None, backend: str = "torch") -> tuple[Tensor, Tensor]:
    """Value and weights as :func:`minimax_kernels.smooth_max` gives them, along the last dimension."""
    f = losses.to(widened(losses.dtype))
    q = normalised(prior, f)
    counted = torch.where(q > 0, f, -math.inf)
    top = primal(counted).amax(-1, keepdim=True)
    gap = torch.where(top == -math.inf, 0.0, counted - top)
    if smoothing > 0.0:
        shares = q * (gap / smoothing).exp()
        total = shares.sum(-1, keepdim=True)
        return (top + smoothing * total.log()).squeeze(-1), shares / total
    shares = torch.where(gap == 0, q, 0.0)
    weights = shares / shares.sum(-1, keepdim=True)  # nan where the largest is nan or inf: then no gap is 0
    moves = torch.where(weights == 0, 0.0, weights * (counted - primal(counted)))  # zeros that carry the derivative
    value = torch.where(top == -math.inf, top, top + moves.sum(-1, keepdim=True))
    return value.squeeze(-1), weights


def softmax_backward(weights: Tensor, grad: Tensor, smoothing: float) -> Tensor:
    """J^T g for w = softmax(f / s): J = (diag(w) - w w^T) / s."""
    return weights * (grad - (weights * grad).sum(-1, keepdim=True)) / smoothing


def projection_backward(weights: Tensor, grad: Tensor, smoothing: float) -> Tensor:
    """J^T g for w = Proj(q + f / s): J = (diag(1_S) - 1_S 1_S^T / |S|) / s with the support S."""
    support = (weights > 0).to(grad.dtype)
    mean = (support * grad).sum(-1, keepdim=True) / support.sum(-1, keepdim=True).clamp(min=1)
    return support * (grad - mean) / smoothing


def respond(losses: Tensor, present: Tensor, prior: Tensor | None, smoothing: float, response: str) -> tuple[Tensor, Tensor]:
    """Value and weights for the task losses (K,), where absent tasks count as -inf. Without any that count: 0, and the prior."""
    q = normalised(prior, losses)
    f = torch.where(present, losses, -math.inf)
    if response == "softmax" or smoothing == 0.0:
        value, weights = smooth_max(f, smoothing, q)
        nothing = value == -math.inf
        return torch.where(nothing, 0.0, value), torch.where(nothing, q, weights)
    top = primal(f).amax()
    start = torch.where(top == -math.inf, 0.0, top)
    gap = torch.where(present, losses - start, -math.inf)
    weights = project_simplex(q + torch.where(top == -math.inf, 0.0, gap) / smoothing, 1.0)
    weights = torch.where(top < math.inf, weights, math.nan)  # also for a largest of nan
    gain = torch.where(weights > 0, weights * torch.where(weights > 0, gap, 0.0), 0.0 * weights).sum()
    value = start + gain - smoothing / 2 * (weights - q).square().sum()
    return torch.where(top == -math.inf, 0.0, value), torch.where(top == -math.inf, q, weights)


def task_step(
    losses: Tensor, ids: Tensor, n_tasks: int, ignore_index: int, smoothing: float, prior: Tensor | None, response: str
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Value, task losses, counts, weights, sample weights: as :func:`minimax_kernels.task_step`, on vectors."""
    r = reduction.reduce(losses, ids, n_tasks, ignore_index)
    return from_reduction(r.sums, r.counts, r.means, ids, ignore_index, smoothing, prior, response)


def from_reduction(
    sums: Tensor,
    counts: Tensor,
    means: Tensor,
    ids: Tensor,
    ignore_index: int,
    smoothing: float,
    prior: Tensor | None,
    response: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The step from the float64 sums and the counts."""
    n = counts.clamp(min=1)
    value, weights = respond(sums / n, counts > 0, prior, smoothing, response)
    rows = torch.where(counts > 0, weights / n, 0.0).to(means.dtype)
    samples = reduction.spread(rows, ids, ignore_index)
    return value.to(means.dtype), means, counts, weights.to(means.dtype), samples


def mirror_step(
    log_weights: Tensor,
    losses: Tensor,
    step_size: float,
    prior: Tensor | None,
    forgetting: float,
    floor: float,
    present: Tensor | None,
) -> Tensor:
    """As :func:`minimax_kernels.mirror_step`, along the last dimension."""
    if present is None:
        present = torch.ones_like(log_weights, dtype=torch.bool)
    log_q = normalised(prior, log_weights).log()
    held = log_weights - log_weights.logsumexp(-1, keepdim=True)
    mass = torch.where(present, held, -math.inf).logsumexp(-1, keepdim=True)
    moved = held
    if forgetting > 0.0:
        moved = forgetting * log_q + ((1.0 - forgetting) * held if forgetting < 1.0 else 0.0)
    if step_size > 0.0:
        moved = moved + step_size * losses
    moved = torch.where(present, moved, -math.inf)
    top = moved.detach().amax(-1, keepdim=True)
    total = torch.where(top == -math.inf, 0.0, moved).logsumexp(-1, keepdim=True)
    moved = torch.where(top == -math.inf, held, moved - torch.where(top < math.inf, total, math.nan) + mass)
    if floor > 0.0:
        among = torch.where(present, log_q, -math.inf)
        share = among - among.logsumexp(-1, keepdim=True) + mass
        lifted = present & ~share.isnan()  # not where none of the present tasks has a prior
        mixed = torch.logaddexp(
            torch.where(lifted, moved + math.log1p(-floor), 0.0), torch.where(lifted, share + math.log(floor), 0.0)
        )
        moved = torch.where(lifted, mixed, moved)
    return torch.where(present, moved, held)


__all__ = [
    "from_reduction",
    "mirror_step",
    "normalised",
    "projection_backward",
    "respond",
    "smooth_max",
    "softmax_backward",
    "task_step",
]
