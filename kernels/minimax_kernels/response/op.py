"""smooth_max: the smoothed maximum and its gradient, the weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from minimax_kernels.arguments import check_floating, check_number
from minimax_kernels.backend import Backend, resolve
from minimax_kernels.direct import direct
from minimax_kernels.response import composed, native
from minimax_kernels.samples import cast, widened
from minimax_kernels.transforms import transforming

OFFERS = ("triton", "native", "torch")


class SmoothMax(NamedTuple):
    """A smoothed maximum and its gradient."""

    value: Tensor
    weights: Tensor


def smooth_max(
    losses: Tensor, smoothing: float, prior: Tensor | None = None, *, dim: int = -1, backend: Backend = "auto"
) -> SmoothMax:
    r"""The smoothed maximum of the losses.

    .. math:: F(f) = s \log \sum_k q_k \exp(f_k / s), \qquad w_k = \partial F / \partial f_k = q_k \exp((f_k - F) / s)

    with the smoothing s; for s = 0 the maximum, and weights that the losses at the maximum share by their prior. Only tasks with
    :math:`q_k > 0` count. The second derivative is :math:`(\mathrm{diag}(w) - w w^\top) / s`.

    Parameters
    ----------
    losses : Tensor, floating
    smoothing : float
        At least 0, in the unit of the losses.
    prior : Tensor, shape (K,), optional
        Nonnegative; it is divided by its sum. Default uniform: the value is that of a mean of exponentials, at most log(K) smoothing below the
        maximum. A constant: it has no gradient.
    dim : int
        The dimension of length K.
    backend : {"auto", "triton", "native", "torch"}

    Returns
    -------
    SmoothMax
        `value`, of the shape of the losses without `dim`, and `weights`, of the shape of the losses; float32, or float64 for float64.
        Both are differentiable, the weights for s = 0 with gradient 0. A loss of -inf has weight 0; where all are -inf, so is the value, and
        the weights are the prior. A loss that is nan or +inf makes value and weights nan.

    Raises
    ------
    ValueError, TypeError
        For arguments out of range or of the wrong kind.

    Notes
    -----
    Exact to rounding under a common offset: everything is computed from the differences to the largest loss.

    Examples
    --------
    >>> smooth_max(torch.tensor([0.0, 1.0, 1.0]), 0.0)
    SmoothMax(value=tensor(1.), weights=tensor([0.0000, 0.5000, 0.5000]))
    >>> smooth_max(torch.tensor([0.0, 1.0]), 1.0).weights
    tensor([0.2689, 0.7311])
    """
    check_floating("losses", losses, least_dimensions=1)
    smoothing = check_number("smoothing", smoothing)
    last = dim in (-1, losses.ndim - 1)
    rows = losses if last else losses.movedim(dim, -1)
    q = checked_prior(prior, rows)
    run = composed.smooth_max if transforming() else direct(_smooth_max, rows)
    value, weights = run(rows, smoothing, q, backend)
    return SmoothMax(value, weights if last else weights.movedim(-1, dim))


def checked_prior(prior: Tensor | None, losses: Tensor) -> Tensor | None:
    """The prior where the losses are, in their working dtype, with a length that fits."""
    length = losses.shape[-1]
    if length == 0:
        raise ValueError(f"There must be at least one task, got losses of shape {tuple(losses.shape)}.")
    if prior is None:
        return None
    check_floating("prior", prior, least_dimensions=1)
    if prior.shape != (length,) or prior.device != losses.device:
        raise ValueError(
            f"`prior` must have shape ({length},) and be on {losses.device}, got {tuple(prior.shape)} on {prior.device}."
        )
    return cast(prior.detach(), widened(losses.dtype))


@torch.library.custom_op("minimax_opt::smooth_max", mutates_args=())
def _smooth_max(losses: Tensor, smoothing: float, prior: Tensor | None, backend: str) -> tuple[Tensor, Tensor]:
    runs = resolve(backend, losses, OFFERS)
    if runs == "triton":
        from minimax_kernels.response import triton_launch

        return triton_launch.smooth_max(losses, smoothing, prior)
    if runs == "native":
        return native.smooth_max(losses, smoothing, prior)
    return composed.smooth_max(losses, smoothing, prior)


@_smooth_max.register_fake
def _(losses: Tensor, smoothing: float, prior: Tensor | None, backend: str) -> tuple[Tensor, Tensor]:
    weights = losses.new_empty(losses.shape, dtype=widened(losses.dtype))
    return weights.new_empty(losses.shape[:-1]), weights


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.dtype, ctx.smoothing = inputs[0].dtype, inputs[1]
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(output[1])


def _backward(ctx: Any, value: Tensor | None, weights: Tensor | None) -> tuple[Tensor | None, None, None, None]:
    (w,) = ctx.saved_tensors
    grad = None if value is None else value.unsqueeze(-1) * w
    if weights is not None and ctx.smoothing > 0.0:
        through = composed.softmax_backward(w, weights, ctx.smoothing)
        grad = through if grad is None else grad + through
    return None if grad is None else grad.to(ctx.dtype), None, None, None


_smooth_max.register_autograd(_backward, setup_context=_setup)

__all__ = ["SmoothMax", "checked_prior", "smooth_max"]
