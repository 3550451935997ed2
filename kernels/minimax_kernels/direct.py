"""Ops called without their registration where no one would see the difference: it takes some 14 us a call, several times a small op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._library.custom_ops import CustomOpDef

from minimax_kernels.transforms import transforming


def direct(op: CustomOpDef, *tensors: Tensor) -> Callable[..., Any]:
    """What to call for `op`: its function itself where no one watches, else the op. `tensors` are those that it may differentiate."""
    return op._init_fn if unobserved(*tensors) else op


def unobserved(*tensors: Tensor) -> bool:
    """Whether no one would see an op on these: neither autograd, a compiler, tracer, profiler, mode, transform, nor a class of tensors."""
    if torch.compiler.is_compiling() or torch._C._is_tracing() or torch._C._autograd._profiler_enabled() or transforming():
        return False
    if torch._C._len_torch_dispatch_stack() or torch._C._len_torch_function_stack():
        return False
    for x in tensors:  # noqa: SIM110 - all() of a generator takes 0.4 us longer
        if type(x) is not Tensor or (x.requires_grad and torch.is_grad_enabled()):
            return False
    return True


__all__ = ["direct", "unobserved"]
