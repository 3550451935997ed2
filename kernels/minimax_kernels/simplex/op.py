"""The public functions: what they promise, and what they ask of their arguments."""

from __future__ import annotations

import torch
from torch import Tensor

from minimax_kernels.arguments import check_floating, check_number, readable
from minimax_kernels.backend import Backend
from minimax_kernels.direct import direct
from minimax_kernels.samples import cast, widened
from minimax_kernels.simplex import composed, registration
from minimax_kernels.transforms import transforming


def project_simplex(v: Tensor, scale: float = 1.0, *, backend: Backend = "auto") -> Tensor:
    r"""Project onto the simplex :math:`\{w \ge 0, \sum_k w_k = scale\}` along the last dimension.

    .. math:: w_k = \max(v_k - \tau, 0), \qquad \tau = \frac{\sum_{j \in S} v_j - scale}{|S|}, \qquad S = \{k : w_k > 0\}

    The Jacobian is :math:`\mathrm{diag}(1_S) - 1_S 1_S^\top / |S|`: backward takes the mean over S off the gradient there, and gives 0
    elsewhere. An entry exactly at the threshold counts as outside of S.

    Parameters
    ----------
    v : Tensor, shape (..., K), floating
        float16 and bfloat16 are computed in float32. -inf entries get 0; a row with +inf, nan, or -inf only becomes nan.
    scale : float
        Positive and finite.
    backend : str
        "auto", "triton", "torch" or "native" (C on a CPU); see :mod:`minimax_kernels.backend`.

    Returns
    -------
    Tensor, shape (..., K)
        In the dtype of `v`. Exact up to rounding whatever the offset and the spread of the entries; equal entries get equal results, and
        the same input the same result, bit by bit.

    Raises
    ------
    ValueError, TypeError
        When `scale` is not positive, or `v` is no floating tensor with K >= 1, or `backend` is not to be had.

    References
    ----------
    Held, Wolfe, Crowder, "Validation of subgradient optimization", Mathematical Programming 6 (1974).
    Condat, "Fast projection onto the simplex and the l1 ball", Mathematical Programming 158 (2016).

    Examples
    --------
    >>> project_simplex(torch.tensor([0.5, 0.5, -1.0]))
    tensor([0.5000, 0.5000, 0.0000])
    """
    scale = _check(v, scale)
    if transforming():
        return composed.project_simplex(v, scale)
    w: Tensor = direct(registration.project, v)(v, scale, backend)
    return w


def project_capped_simplex(v: Tensor, cap: float | Tensor, scale: float = 1.0, *, backend: Backend = "auto") -> Tensor:
    r"""Project onto :math:`\{0 \le w \le cap, \sum_k w_k = scale\}` along the last dimension.

    .. math:: w_k = \min(\max(v_k - \tau, 0), cap_k)

    with :math:`\tau` such that the sum is right. The search for it adds up differences of entries, never the entries
    themselves: it loses no digits where they differ by many orders of magnitude.

    With :math:`S = \{k : 0 < w_k < cap_k\}`, the gradient that arrives less its mean over S goes to `v` on S, and to `cap` where w is at its cap;
    the rest is 0, also at a cap of 0.

    Parameters
    ----------
    v : Tensor, shape (..., K), floating
        float16 and bfloat16 are computed in float32. -inf entries get 0; where the caps of the other entries add up to less than
        `scale`, those entries are returned at their caps. A row with +inf, nan, or -inf only becomes nan.
    cap : float or Tensor, shape (K,) or broadcastable to `v`
        Nonnegative, with a sum of at least `scale`. Differentiable.
    scale : float
        Positive and finite.
    backend : str
        As for :func:`project_simplex`.

    Returns
    -------
    Tensor, shape (..., K)
        In the dtype of `v`; exact and reproducible as that of :func:`project_simplex`.

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
    scale = _check(v, scale)
    _check_cap(cap, v, scale)
    x = cast(v, widened(v.dtype))
    caps = cap.to(x) if isinstance(cap, Tensor) else torch.full((1,), cap, dtype=x.dtype, device=x.device)
    if transforming():
        return composed.project_capped_simplex(x, caps, scale).to(v.dtype)
    w: Tensor = direct(registration.project_capped, x, caps)(x, caps, scale, backend)
    return cast(w, v.dtype)


def _check(v: Tensor, scale: float) -> float:
    check_floating("v", v)
    if v.ndim == 0 or v.shape[-1] == 0:
        raise ValueError(f"`v` must have a last dimension of length >= 1, got shape {tuple(v.shape)}.")
    return check_number("scale", scale, open_below=True)


def _check_cap(cap: float | Tensor, v: Tensor, scale: float) -> None:
    if isinstance(cap, Tensor):
        try:
            caps = cap.detach().expand_as(v)
        except RuntimeError as error:
            shapes = f"shape {tuple(v.shape)} or one that expands to it, got {tuple(cap.shape)}"
            raise ValueError(f"`cap` must have {shapes}.") from error
        if cap.device.type != "cpu" or not readable(caps) or transforming() or v.numel() == 0:
            return  # reading it would wait for the device, or cannot be done
        least, total = float(cap.detach().min()), float(caps.sum(-1).min())
    else:
        least, total = cap, cap * v.shape[-1]
    if not least >= 0.0:
        raise ValueError(f"`cap` must be >= 0, got {least}.")
    if not total >= scale * (1.0 - 1e-5):
        raise ValueError(f"The caps must add up to at least `scale` = {scale}, got {total}: the set is empty. Raise `cap`.")


__all__ = ["project_capped_simplex", "project_simplex"]
