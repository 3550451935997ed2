"""The truth, in plain torch and float64: by a sort, by bisection, and the Jacobians as matrices."""

from __future__ import annotations

import torch
from torch import Tensor


def project_simplex(v: Tensor, scale: float = 1.0) -> Tensor:
    """max(v - tau, 0) along the last dimension, with tau from the entries in descending order."""
    v = v.double()
    ordered = (v - v.amax(-1, keepdim=True)).sort(-1, descending=True).values
    ranks = torch.arange(1, v.shape[-1] + 1, dtype=v.dtype, device=v.device)
    thresholds = (ordered.cumsum(-1) - scale) / ranks  # where the first k entries are the support; the right k has the largest
    return (v - v.amax(-1, keepdim=True) - thresholds.amax(-1, keepdim=True)).clamp(min=0.0)


def project_capped_simplex(v: Tensor, cap: Tensor, scale: float = 1.0) -> Tensor:
    """min(max(v - tau, 0), cap) along the last dimension, with tau by bisection: first among all entries, then from the one above it."""
    v, cap = v.double(), cap.double()
    for _ in range(2):
        low = torch.where(v.isfinite(), v, v.amax(-1, keepdim=True)).amin(-1, keepdim=True) - cap.amax()
        high = v.amax(-1, keepdim=True)
        for _ in range(200):
            tau = (low + high) / 2
            large = torch.minimum((v - tau).clamp(min=0.0), cap).sum(-1, keepdim=True) > scale
            low, high = torch.where(large, tau, low), torch.where(large, high, tau)
        w = torch.minimum((v - high).clamp(min=0.0), cap)
        v = v - torch.where(v > high, v, torch.inf).amin(-1, keepdim=True)
    return w


def jacobian(w: Tensor, cap: Tensor | None = None) -> Tensor:
    """dw/dv of one projected vector: diag(s) - s s' / |s| with s = 1 on the entries strictly between 0 and their caps."""
    free = (w > 0) if cap is None else (w > 0) & (w < cap)
    s = free.double()
    return torch.diag(s) - s[:, None] * s / s.sum().clamp(min=1.0)


__all__ = ["jacobian", "project_capped_simplex", "project_simplex"]
