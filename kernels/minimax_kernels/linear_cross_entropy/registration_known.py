"""The custom op of the strategy `known`: derivatives are finished in the forward pass, and its backward, an op too, scales them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from minimax_kernels.backend import debugging
from minimax_kernels.linear_cross_entropy import chunks
from minimax_kernels.linear_cross_entropy.chunks import Head, Needed
from minimax_kernels.linear_cross_entropy.registration import double_backward, keep_backward
from minimax_kernels.linear_cross_entropy.rows import Options
from minimax_kernels.samples import widened

PROPORTIONAL = 1e-5  # relative: a few roundings of float32, from the losses to the scalar and back
NEGLIGIBLE = 1e-9  # of the largest weight: nothing that float32 would notice in the sum


@torch.library.custom_op("minimax_opt::linear_cross_entropy_known", mutates_args=())
def linear_cross_entropy_known(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    row_weights: Tensor | None,
    need_hidden: bool,
    need_weight: bool,
    need_bias: bool,
    label_smoothing: float,
    z_loss: float,
    softcap: float,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Losses of the rows; d hidden of their plain sum; d weight and d bias of <row_weights, losses>, in float32 at least.

    Without `row_weights` only d hidden can be wanted; it serves any upstream gradient, since row i of it depends on loss i alone.
    """
    with torch.autocast(hidden.device.type, enabled=False):
        head = Head(hidden, weight, bias, labels, Options(label_smoothing, z_loss, softcap), backend)
        r = torch.ones_like(labels, dtype=widened(hidden.dtype)) if row_weights is None else row_weights
        losses, sums = chunks.known(head, r, Needed(need_hidden, need_weight, need_bias))
        return losses, sums.hidden, sums.weight, sums.bias


@linear_cross_entropy_known.register_fake
def _(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    row_weights: Tensor | None,
    need_hidden: bool,
    need_weight: bool,
    need_bias: bool,
    *_settings: object,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    wide = widened(hidden.dtype)
    return (
        hidden.new_empty(hidden.shape[0], dtype=wide),
        hidden.new_empty(hidden.shape if need_hidden else 0),
        weight.new_empty(weight.shape if need_weight else 0, dtype=wide),
        weight.new_empty(weight.shape[0] if need_bias else 0, dtype=wide),
    )


@torch.library.custom_op("minimax_opt::linear_cross_entropy_known_backward", mutates_args=())
def linear_cross_entropy_known_backward(
    grad: Tensor,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    row_weights: Tensor | None,
    d_hidden: Tensor,
    d_weight: Tensor,
    d_bias: Tensor,
    need_hidden: bool,
    need_weight: bool,
    need_bias: bool,
    label_smoothing: float,
    z_loss: float,
    softcap: float,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """The derivatives of <grad, losses>, from those that the forward pass finished; empty where not needed."""
    grad = torch.where(labels >= 0, grad, 0.0)
    scale = grad.new_ones(()) if row_weights is None else _proportion(grad, row_weights)
    r = grad if row_weights is None else scale * row_weights
    return (
        (d_hidden * r[:, None]).to(hidden.dtype) if need_hidden else torch.empty_like(d_hidden),
        (d_weight * scale).to(weight.dtype),
        (d_bias * scale).to(weight.dtype),
    )


@linear_cross_entropy_known_backward.register_fake
def _(
    grad: Tensor,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    row_weights: Tensor | None,
    d_hidden: Tensor,
    d_weight: Tensor,
    d_bias: Tensor,
    *_settings: object,
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.empty_like(d_hidden),
        torch.empty_like(d_weight, dtype=weight.dtype),
        torch.empty_like(d_bias, dtype=weight.dtype),
    )


def _proportion(grad: Tensor, row_weights: Tensor) -> Tensor:
    """The factor c with grad = c * row_weights. Where there is none: an error on a CPU and when debugging, elsewhere nan."""
    g, w = grad.double(), row_weights.double()
    scale = torch.dot(g, w) / torch.dot(w, w).clamp(min=torch.finfo(torch.float64).tiny)
    expected = scale * w
    allowed = expected.abs() * PROPORTIONAL
    if len(w):
        allowed = allowed + expected.abs().amax() * NEGLIGIBLE
    proportional = ((g - expected).abs() <= allowed).all()
    if (not grad.is_cuda or debugging()) and bool(g.isfinite().all()) and not bool(proportional):
        raise RuntimeError(
            "With `task_weights` the gradient must be that of `c * (task_weights * task_losses).sum()` with a scalar c: the layer's was formed "
            "in the forward pass. Differentiate that, or leave `task_weights` out, and any function of the losses goes."
        )
    return torch.where(proportional, scale, torch.nan).to(grad.dtype)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    hidden, weight, bias, labels, row_weights, *ctx.settings = inputs
    ctx.save_for_backward(hidden, weight, bias, labels, row_weights, *output[1:])
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, grad: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 12
    derivatives = linear_cross_entropy_known_backward(grad, *ctx.saved_tensors, *ctx.settings)
    return *(d if need else None for d, need in zip(derivatives, ctx.needs_input_grad[:3], strict=True)), *(None,) * 9


linear_cross_entropy_known.register_autograd(_backward, setup_context=_keep)
linear_cross_entropy_known_backward.register_autograd(double_backward, setup_context=keep_backward)

__all__ = ["linear_cross_entropy_known", "linear_cross_entropy_known_backward"]
