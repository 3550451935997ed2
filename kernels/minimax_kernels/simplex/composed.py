"""Projections onto the simplex in plain torch: on any device, and for every transform of torch.func.

Both find the support (and the entries at their caps) without gradient, then write the solution in closed form on it, counted from its least
entry, so that nothing is lost where entries differ by many orders of magnitude. Autograd of the closed form is the exact Jacobian,
of any order, away from the kinks. Nothing synchronises with the host.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def project_simplex(v: Tensor, scale: float) -> Tensor:
    """The projection by a sort: see :func:`minimax_kernels.project_simplex`."""
    x = v.float() if v.dtype in (torch.float16, torch.bfloat16) else v
    with torch.no_grad():
        top = x.amax(-1, keepdim=True)
        # An entry more than `scale` under the largest is outside of the support: the clamp only keeps the sums small.
        ordered = (x - top).clamp(min=-2.0 * scale).sort(dim=-1, descending=True).values
        ranks = torch.arange(1, x.shape[-1] + 1, dtype=torch.float64, device=x.device)
        size = (ranks * ordered > ordered.cumsum(-1, dtype=torch.float64) - scale).sum(-1, keepdim=True)
        least = ordered.gather(-1, (size - 1).clamp(min=0))
        support = x - top >= least
    heights = torch.where(support, (x - top) - least, 0.0)
    lift = (scale - heights.sum(-1, keepdim=True)) / support.sum(-1, keepdim=True)
    w = torch.where(support, heights + lift, 0.0).clamp(min=0.0)
    return torch.where(top.isfinite(), w, math.nan).to(v.dtype)


def simplex_tangent(w: Tensor, g: Tensor) -> Tensor:
    """`g` less its mean over w > 0 there, 0 elsewhere: the Jacobian of the projection at its result w, times g."""
    inside = w > 0
    wide = torch.where(inside, g.float() if g.dtype in (torch.float16, torch.bfloat16) else g, 0.0)
    mean = wide.sum(-1, keepdim=True) / inside.sum(-1, keepdim=True).clamp(min=1)
    return torch.where(inside, wide - mean, 0.0).to(g.dtype)


def project_capped_simplex(v: Tensor, caps: Tensor, scale: float) -> Tensor:
    """The projection by binary searches: see :func:`minimax_kernels.project_capped_simplex`. `caps` broadcast to `v`."""
    caps = caps.expand_as(v)
    with torch.no_grad():
        # First the entries that are not 0: all from `start` up. There the sum is still at most `scale`.
        entries = v.sort(dim=-1, descending=True).values
        start = last_true(
            entries,
            lambda tau: (torch.minimum((v - tau).clamp(min=0.0), caps).sum(-1, keepdim=True) <= scale) & (tau > -math.inf),
        )
        above = v >= start
        # Then how far to raise them all, as far as their caps allow: height_k = min(v_k - start + raise, cap_k).
        base = torch.where(above, v - start, -math.inf)
        room = torch.where(above, (caps - base).clamp(min=0.0), math.inf)
        room = torch.cat([torch.zeros_like(start), room], dim=-1).sort(dim=-1).values
        raised = last_true(
            room, lambda up: (torch.minimum((base + up).clamp(min=0.0), caps).sum(-1, keepdim=True) <= scale) & (up < math.inf)
        )
        full = above & (caps - base <= raised)
        free = above & ~full
        full = full & (caps > 0)  # no gradient to a cap of 0
    rest = scale - torch.where(full, caps, 0.0).sum(-1, keepdim=True)
    heights = torch.where(free, v - start, 0.0)
    lift = (rest - heights.sum(-1, keepdim=True)) / free.sum(-1, keepdim=True).clamp(min=1)
    bounded = torch.minimum((heights + lift).clamp(min=0.0), caps)
    w = torch.where(free, bounded, torch.where(full, caps, 0.0))
    return torch.where(v.detach().amax(-1, keepdim=True).isfinite(), w, math.nan)


def last_true(ordered: Tensor, holds: Callable[[Tensor], Tensor]) -> Tensor:
    """The last of the `ordered` values (..., K) for which `holds` is true, shape (..., 1), by a binary search of fixed length.

    `holds` maps values of shape (..., 1) to booleans of that shape; along `ordered` it is first true, then false. Where it is
    nowhere true, the result is the first value.
    """
    length = ordered.shape[-1]
    low = torch.zeros_like(ordered[..., :1], dtype=torch.long)
    high = torch.full_like(low, length)
    for _ in range(length.bit_length()):
        middle = (low + high) // 2
        true = holds(ordered.gather(-1, middle.clamp(max=length - 1)))
        low, high = torch.where(true, middle, low), torch.where(true, high, middle)
    return ordered.gather(-1, low.clamp(max=length - 1))


__all__ = ["last_true", "project_capped_simplex", "project_simplex", "simplex_tangent"]
