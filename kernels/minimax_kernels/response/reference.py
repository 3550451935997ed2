"""The truth for tests and benchmarks, in float64: the definitions, by bisection where there is no formula."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def smooth_max(losses: Tensor, smoothing: float, prior: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Value and weights along the last dimension."""
    f = losses.double()
    q = (
        torch.full_like(f[..., :], 1.0 / f.shape[-1])
        if prior is None
        else (prior.double() / prior.double().sum()).expand(f.shape)
    )
    if smoothing > 0.0:
        scores = f / smoothing + q.log()
        return smoothing * scores.logsumexp(-1), scores.softmax(-1)
    counted = torch.where(q > 0, f, -math.inf)
    tied = torch.where(counted == counted.amax(-1, keepdim=True), q, 0.0)
    return counted.amax(-1), tied / tied.sum(-1, keepdim=True)


def project(v: Tensor) -> Tensor:
    """The projection of a vector onto the simplex, by bisection on the threshold."""
    low, high = v.max() - 1.0, v.max()
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if (v - middle).clamp(min=0.0).sum() > 1.0 else (low, middle)
    return (v - low).clamp(min=0.0)


def respond(losses: Tensor, smoothing: float, prior: Tensor | None, response: str) -> tuple[Tensor, Tensor]:
    """Value and weights for losses (K,), -inf where a task is absent."""
    if response == "softmax" or smoothing == 0.0:
        return smooth_max(losses, smoothing, prior)
    q = torch.full_like(losses, 1.0 / len(losses)) if prior is None else prior.double() / prior.double().sum()
    weights = project(q + losses / smoothing)
    present = weights > 0
    return (weights * losses)[present].sum() - smoothing / 2 * (weights - q).square().sum(), weights


def mirror_step(
    log_weights: Tensor,
    losses: Tensor,
    step_size: float,
    prior: Tensor | None = None,
    forgetting: float = 0.0,
    floor: float = 0.0,
    present: Tensor | None = None,
) -> Tensor:
    """The new log-weights (K,), by multiplying weights."""
    w = log_weights.double().softmax(-1)
    q = torch.full_like(w, 1.0 / len(w)) if prior is None else prior.double() / prior.double().sum()
    there = torch.ones_like(w, dtype=torch.bool) if present is None else present
    mass = w[there].sum()
    z = w[there] ** (1.0 - forgetting) * q[there] ** forgetting * (step_size * losses.double()[there]).exp()
    w[there] = mass * ((1.0 - floor) * z / z.sum() + floor * q[there] / q[there].sum())
    return w.log()


__all__ = ["mirror_step", "project", "respond", "smooth_max"]
