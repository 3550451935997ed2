"""The custom ops behind task_linear_cross_entropy. Each forward returns all that its backward needs, and each backward is an op as well.

``linear_cross_entropy`` returns the rows' losses, their log-sum-exps and the part of G that it stores. registration_known.py has the op
that returns finished derivatives. A label below 0: the row does not count. A softcap of 0: there is none.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from minimax_kernels.linear_cross_entropy import chunks, composed
from minimax_kernels.linear_cross_entropy.chunks import Head, Needed, matmul_dtype, row_length
from minimax_kernels.linear_cross_entropy.rows import Options
from minimax_kernels.samples import widened


@torch.library.custom_op("minimax_opt::linear_cross_entropy", mutates_args=())
def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    stored: int,
    label_smoothing: float,
    z_loss: float,
    softcap: float,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Losses and log-sum-exps of the rows (N,), and G of the first `stored` rows that count (stored, V and padding)."""
    with torch.autocast(hidden.device.type, enabled=False):
        return chunks.forward(Head(hidden, weight, bias, labels, Options(label_smoothing, z_loss, softcap), backend), stored)


@linear_cross_entropy.register_fake
def _(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, stored: int, e: float, c: float, s: float, backend: str
) -> tuple[Tensor, Tensor, Tensor]:
    losses = hidden.new_empty(hidden.shape[0], dtype=widened(hidden.dtype))
    kept = hidden.new_empty(stored, row_length(weight.shape[0]), dtype=matmul_dtype(hidden, backend))
    return losses, torch.empty_like(losses), kept


@torch.library.custom_op("minimax_opt::linear_cross_entropy_backward", mutates_args=())
def linear_cross_entropy_backward(
    grad: Tensor,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    lse: Tensor,
    kept: Tensor,
    need_hidden: bool,
    need_weight: bool,
    need_bias: bool,
    label_smoothing: float,
    z_loss: float,
    softcap: float,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """The derivatives of <grad, losses> with respect to hidden, weight and bias; empty where not needed."""
    with torch.autocast(hidden.device.type, enabled=False):
        head = Head(hidden, weight, bias, labels, Options(label_smoothing, z_loss, softcap), backend)
        sums = chunks.backward(head, torch.where(labels >= 0, grad, 0.0), lse, kept, Needed(need_hidden, need_weight, need_bias))
        return sums.hidden, sums.weight.to(weight.dtype), sums.bias.to(weight.dtype if bias is None else bias.dtype)


@linear_cross_entropy_backward.register_fake
def _(
    grad: Tensor,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    lse: Tensor,
    kept: Tensor,
    need_hidden: bool,
    need_weight: bool,
    need_bias: bool,
    e: float,
    c: float,
    s: float,
    backend: str,
) -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.empty_like(hidden) if need_hidden else hidden.new_empty(0),
        torch.empty_like(weight) if need_weight else weight.new_empty(0),
        (weight if bias is None else bias).new_empty(weight.shape[0] if need_bias else 0),
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    hidden, weight, bias, labels, _, *ctx.options = inputs
    ctx.save_for_backward(hidden, weight, bias, labels, *output[1:])
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, grad: Tensor | None, *_: None) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 9
    needed = ctx.needs_input_grad[:3]
    derivatives = linear_cross_entropy_backward(grad, *ctx.saved_tensors, *needed, *ctx.options)
    return *(d if need else None for d, need in zip(derivatives, needed, strict=True)), *(None,) * 6


def keep_backward(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    """For the derivatives of a backward op, whose arguments begin with those that its result depends on and end alike."""
    ctx.save_for_backward(*inputs[:5])
    ctx.arguments, ctx.needed, ctx.options = len(inputs), inputs[-7:-4], inputs[-4:-1]


def double_backward(ctx: Any, *grads: Tensor) -> tuple[Any, ...]:
    """Derivatives of the backward, every logit in memory."""
    with torch.enable_grad():
        variables: list[Any] = [None if t is None else t.view_as(t) for t in ctx.saved_tensors[:4]]
        inputs = [t for t in variables if t is not None and t.requires_grad]
        grad, *layer = variables
        hidden, weight, bias = layer
        losses = composed.sample_losses(hidden, weight, bias, ctx.saved_tensors[4], *ctx.options)
        wanted = [(t, g) for t, g, need in zip(layer, grads, ctx.needed, strict=True) if need]
        first = torch.autograd.grad(losses, [t for t, _ in wanted], grad, create_graph=True)
        second = torch.autograd.grad(first, inputs, [g for _, g in wanted], create_graph=True, allow_unused=True)
    found = dict(zip(map(id, inputs), second, strict=True))
    return *(found.get(id(t)) for t in variables), *(None,) * (ctx.arguments - 4)


linear_cross_entropy.register_autograd(_backward, setup_context=_keep)
linear_cross_entropy_backward.register_autograd(double_backward, setup_context=keep_backward)

__all__ = ["double_backward", "keep_backward", "linear_cross_entropy", "linear_cross_entropy_backward"]
