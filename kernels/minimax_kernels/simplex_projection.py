"""Euclidean projection onto the simplex and onto the simplex with caps, in plain torch.

Both follow one plan: find the support (and the saturated entries) without gradient, then write the solution in closed form on it.
Autograd of the closed form is the exact Jacobian, of any order, away from the kinks. Nothing synchronises with the host.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def project_simplex(v: Tensor, scale: float = 1.0) -> Tensor:
    r"""Project onto the simplex :math:`\{w \ge 0, \sum_k w_k = scale\}` along the last dimension.

    .. math:: w_k = \max(v_k - \tau, 0), \qquad \tau = \frac{\sum_{j \in S} v_j - scale}{|S|}, \qquad S = \{k : w_k > 0\}

    The Jacobian is :math:`\mathrm{diag}(1_S) - 1_S 1_S^\top / |S|`. An entry exactly at the threshold counts as outside of S.

    Parameters
    ----------
    v : Tensor, shape (..., K), floating
        float16 and bfloat16 are computed in float32. -inf entries get 0; a row of -inf only gives nan.
    scale : float
        Positive and finite.

    Returns
    -------
    Tensor, shape (..., K)
        In the dtype of `v`. Equal entries get equal results, bit by bit.

    Raises
    ------
    ValueError, TypeError
        When `scale` is not positive, or `v` is no floating tensor with K >= 1.

    References
    ----------
    Held, Wolfe, Crowder, "Validation of subgradient optimization", Mathematical Programming 6 (1974).

    Examples
    --------
    >>> project_simplex(torch.tensor([0.5, 0.5, -1.0]))
    tensor([0.5000, 0.5000, 0.0000])
    """
    _check(v, scale)
    x = _shifted(v)
    with torch.no_grad():
        # An entry more than `scale` under the largest is outside of the support: the clamp only keeps the sums small.
        ordered = x.clamp(min=-2.0 * scale).sort(dim=-1, descending=True).values
        ranks = torch.arange(1, x.shape[-1] + 1, dtype=x.dtype, device=x.device)
        size = (ranks * ordered > ordered.cumsum(-1) - scale).sum(-1, keepdim=True)
        support = x >= ordered.gather(-1, (size - 1).clamp(min=0))
    inside = torch.where(support, x, 0.0)
    threshold = (inside.sum(-1, keepdim=True) - scale) / support.sum(-1, keepdim=True)
    return torch.where(support, inside - threshold, 0.0).clamp(min=0.0).to(v.dtype)


def project_capped_simplex(v: Tensor, cap: float | Tensor, scale: float = 1.0) -> Tensor:
    r"""Project onto :math:`\{0 \le w \le cap, \sum_k w_k = scale\}` along the last dimension.

    .. math:: w_k = \min(\max(v_k - \tau, 0), cap_k)

    with :math:`\tau` such that the sum is right. The search for it adds up differences to a breakpoint, never the entries
    themselves: it loses no digits where they differ by many orders of magnitude.

    Parameters
    ----------
    v : Tensor, shape (..., K), floating
        float16 and bfloat16 are computed in float32. -inf entries get 0; where the caps of the other entries add up to less than
        `scale`, those entries are returned at their caps.
    cap : float or Tensor, shape (K,) or broadcastable to `v`
        Nonnegative, with a sum of at least `scale`. Differentiable.
    scale : float
        Positive and finite.

    Returns
    -------
    Tensor, shape (..., K)
        In the dtype of `v`.

    Raises
    ------
    ValueError, TypeError
        As for :func:`project_simplex`; and when a cap is negative or the caps are too small, where that can be seen without
        waiting for a device.

    Examples
    --------
    >>> project_capped_simplex(torch.tensor([2.0, 1.0, 0.0]), cap=0.5)
    tensor([0.5000, 0.5000, 0.0000])
    """
    _check(v, scale)
    _check_cap(cap, v.shape[-1], scale)
    x = _shifted(v)
    caps = torch.as_tensor(cap, dtype=x.dtype, device=x.device).expand_as(x)
    with torch.no_grad():
        # First the entries that are not 0: all from the breakpoint `start` up. There the sum is still at most `scale`.
        entries = x.sort(dim=-1, descending=True).values
        start = last_true(
            entries,
            lambda tau: (torch.minimum((x - tau).clamp(min=0.0), caps).sum(-1, keepdim=True) <= scale) & (tau > -math.inf),
        )
        above = x >= start
        # Then how far to raise them all, as far as their caps allow: height_k = min(x_k - start + raise, cap_k).
        base = torch.where(above, x - start, -math.inf)
        room = torch.where(above, (caps - base).clamp(min=0.0), math.inf)
        room = torch.cat([torch.zeros_like(start), room], dim=-1).sort(dim=-1).values
        raised = last_true(
            room, lambda up: (torch.minimum((base + up).clamp(min=0.0), caps).sum(-1, keepdim=True) <= scale) & (up < math.inf)
        )
        saturated = above & (caps - base <= raised)
        free = above & ~saturated
    rest = scale - torch.where(saturated, caps, 0.0).sum(-1, keepdim=True)
    inside = torch.where(free, x - start, 0.0)
    shift = (rest - inside.sum(-1, keepdim=True)) / free.sum(-1, keepdim=True).clamp(min=1)
    bounded = torch.minimum((inside + shift).clamp(min=0.0), caps)
    return torch.where(free, bounded, torch.where(saturated, caps, 0.0)).to(v.dtype)


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


def _shifted(v: Tensor) -> Tensor:
    """`v` with its largest entry moved to 0 (exact where entries are close), in float32 at least."""
    x = v.float() if v.dtype in (torch.float16, torch.bfloat16) else v
    return x - x.detach().amax(-1, keepdim=True)


def _check(v: Tensor, scale: float) -> None:
    if not isinstance(v, Tensor) or not v.dtype.is_floating_point:
        raise TypeError(
            f"`v` must be a floating torch tensor, got {getattr(v, 'dtype', type(v).__name__)}. Convert it by `.float()`."
        )
    if v.ndim == 0 or v.shape[-1] == 0:
        raise ValueError(f"`v` must have a last dimension of length >= 1, got shape {tuple(v.shape)}.")
    if not 0.0 < scale < math.inf:
        raise ValueError(f"`scale` must be a finite float > 0, got {scale}.")


def _check_cap(cap: float | Tensor, length: int, scale: float) -> None:
    if isinstance(cap, Tensor):
        if cap.device.type != "cpu" or torch.compiler.is_compiling():
            return  # reading it would wait for the device
        caps = cap.detach().expand(*cap.shape[:-1], length)
        least, total = float(caps.min()), float(caps.sum(-1).min())
    else:
        least, total = cap, cap * length
    if not least >= 0.0:
        raise ValueError(f"`cap` must be >= 0, got {least}.")
    if not total >= scale * (1.0 - 1e-5):
        raise ValueError(f"The caps must add up to at least `scale` = {scale}, got {total}: the set is empty. Raise `cap`.")


__all__ = ["last_true", "project_capped_simplex", "project_simplex"]
