"""The gradient written over the logits: half of the memory. Outside of the custom op, which may not change what it is given."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from minimax_kernels.cross_entropy.rows import Rows, cross_entropy, keep, write_gradient


class InPlace(torch.autograd.Function):
    """`cross_entropy` whose backward overwrites the logits. It raises their version: autograd refuses whoever needs them afterwards."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Rows:
        output: Rows = cross_entropy(*inputs)
        keep(ctx, inputs, output)
        return output

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_losses: Tensor, _largest: Tensor, grad_log_sums: Tensor, _tasks: Tensor
    ) -> tuple[Tensor | None, ...]:
        logits = ctx.saved_tensors[0]
        grad = logits.detach()
        write_gradient(grad, grad_losses, grad_log_sums, *ctx.saved_tensors, *ctx.settings)
        torch.autograd.graph.increment_version(logits)
        return grad, *[None] * 7


def check_overwritable(logits: Tensor, rows: Tensor) -> None:
    """Raise unless autograd may overwrite `logits`, of which `rows` (N, V) is a view or a copy."""
    base = logits if logits._base is None else logits._base
    if base.is_leaf:
        raise ValueError(
            "`inplace_backward` needs logits that a model computed, got a leaf of the graph: its values would be lost. Leave it False."
        )
    if rows.data_ptr() != logits.data_ptr() or (len(rows) > 1 and rows.stride(0) < rows.shape[1]):
        raise ValueError(
            f"`inplace_backward` needs logits whose rows lie apart at one distance, got strides {logits.stride()} for shape "
            f"{tuple(logits.shape)}. Ignore targets instead of cutting the logits, or leave it False."
        )


__all__ = ["InPlace", "check_overwritable"]
