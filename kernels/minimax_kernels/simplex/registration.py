"""The custom ops: each runs as Triton, C or plain torch, and knows its derivative.

The backward of the projection is an op of its own, linear in the gradient and its own transpose, so that its derivative is itself once more.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from minimax_kernels.backend import native_ops, resolve
from minimax_kernels.direct import direct
from minimax_kernels.samples import cast, widened_contiguous
from minimax_kernels.simplex import composed

OFFERS = ("triton", "torch", "native")


@torch.library.custom_op("minimax_opt::project_simplex", mutates_args=())
def project(v: Tensor, scale: float, backend: str) -> Tensor:
    """The projection of each row onto the simplex of that scale."""
    chosen = resolve(backend, v, OFFERS)
    if chosen == "torch":
        return composed.project_simplex(v, scale).contiguous()
    if chosen == "triton":
        from minimax_kernels.simplex import triton_kernels

        return triton_kernels.project_simplex(v.contiguous(), scale)
    x = widened_contiguous(v)
    w = torch.empty_like(x, memory_format=torch.contiguous_format)
    native_ops().simplex_project(x.data_ptr(), w.data_ptr(), *_matrix(x), x.dtype == torch.float64, scale)
    return cast(w, v.dtype)


@torch.library.custom_op("minimax_opt::simplex_tangent", mutates_args=())
def tangent(w: Tensor, g: Tensor, backend: str) -> Tensor:
    """`g` less its mean over w > 0 there, 0 elsewhere."""
    chosen = resolve(backend, w, OFFERS)
    if chosen == "torch":
        return composed.simplex_tangent(w, g).contiguous()
    if chosen == "triton":
        from minimax_kernels.simplex import triton_kernels

        return triton_kernels.simplex_tangent(w.contiguous(), g.contiguous())
    x, y = widened_contiguous(w), widened_contiguous(g)
    out = torch.empty_like(x, memory_format=torch.contiguous_format)
    native_ops().simplex_tangent(x.data_ptr(), y.data_ptr(), out.data_ptr(), *_matrix(x), x.dtype == torch.float64)
    return cast(out, g.dtype)


@torch.library.custom_op("minimax_opt::project_capped_simplex", mutates_args=())
def project_capped(v: Tensor, caps: Tensor, scale: float, backend: str) -> Tensor:
    """The projection of each row, float32 or float64, onto the simplex of that scale under `caps`, which broadcast to `v`."""
    chosen = resolve(backend, v, OFFERS)
    if chosen == "torch":
        return composed.project_capped_simplex(v, caps, scale).contiguous()
    # One row of caps for all rows of v, or a row each.
    caps = (caps.expand(v.shape[-1]) if caps.ndim <= 1 else caps.expand_as(v)).contiguous()
    stride = v.shape[-1] if caps.ndim > 1 else 0
    v = v.contiguous()
    if chosen == "triton":
        from minimax_kernels.simplex import triton_kernels

        return triton_kernels.project_capped_simplex(v, caps, stride, scale)
    w = torch.empty_like(v, memory_format=torch.contiguous_format)
    pointers = v.data_ptr(), caps.data_ptr(), w.data_ptr()
    native_ops().simplex_project_capped(*pointers, *_matrix(v), stride, v.dtype == torch.float64, scale)
    return w


def _matrix(v: Tensor) -> tuple[int, int]:
    """The numbers of rows and columns."""
    return v.numel() // v.shape[-1], v.shape[-1]


def _like_first(x: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _keep_result(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(output)
    ctx.backend = inputs[-1]


def _project_backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
    return direct(tangent, g)(ctx.saved_tensors[0], g, ctx.backend), None, None


def _keep_point(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(inputs[0])
    ctx.backend = inputs[-1]


def _tangent_backward(ctx: Any, g: Tensor) -> tuple[None, Tensor, None]:
    return None, tangent(ctx.saved_tensors[0], g, ctx.backend), None


def _keep_result_and_caps(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(output, inputs[1])
    ctx.backend = inputs[-1]


def _capped_backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
    w, caps = ctx.saved_tensors
    below = torch.where(w < caps, w, 0.0).detach()
    to_v = tangent(below, g, ctx.backend) if ctx.needs_input_grad[0] else None
    to_caps = None
    if ctx.needs_input_grad[1]:
        free = below > 0
        mean = torch.where(free, g, 0.0).sum(-1, keepdim=True) / free.sum(-1, keepdim=True).clamp(min=1)
        to_caps = torch.where((w >= caps) & (w > 0), g - mean, 0.0).sum_to_size(caps.shape)
    return to_v, to_caps, None, None


project.register_fake(_like_first)
project.register_autograd(_project_backward, setup_context=_keep_result)
tangent.register_fake(_like_first)
tangent.register_autograd(_tangent_backward, setup_context=_keep_point)
project_capped.register_fake(_like_first)
project_capped.register_autograd(_capped_backward, setup_context=_keep_result_and_caps)

__all__ = ["project", "project_capped", "tangent"]
