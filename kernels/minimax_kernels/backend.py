"""Which implementation of an op runs: Triton on CUDA, C or plain torch on a CPU.

``backend="auto"`` follows the environment variable ``MINIMAX_OPT_BACKEND``, and where that is not set (or ``auto``) the device: Triton on
CUDA where it is installed, the C module on a CPU where it was built, else plain torch. All give the same result, up to rounding.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from functools import cache
from typing import Any, Literal

from torch import Tensor

Backend = Literal["auto", "triton", "torch", "native"]
BACKENDS = ("auto", "triton", "torch", "native")


def resolve(backend: str, tensor: Tensor, offers: tuple[str, ...] = ("triton", "torch")) -> str:
    """The implementation to run on the device of `tensor`, one of `offers`: "triton", "native" or "torch".

    A backend that is named by the argument is used or refused. One that is named by the environment holds where the op and the device
    have it, since the variable speaks of all ops at once.

    Raises
    ------
    ValueError
        When `backend` is unknown, or named by the argument and not to be had, with what to do about it.
    """
    if backend != "auto":
        if backend not in BACKENDS:
            raise ValueError(f"`backend` must be one of {', '.join(map(repr, BACKENDS))}, got {backend!r}.")
        if problem := _obstacle(backend, tensor, offers):
            raise ValueError(f'`backend` must be one that can run here, got "{backend}": {problem}')
        return backend
    named = os.environ.get("MINIMAX_OPT_BACKEND", "auto")
    if named != "auto":
        if named not in BACKENDS:
            raise ValueError(
                f"MINIMAX_OPT_BACKEND must be one of {', '.join(BACKENDS)}, got {named!r}. Set it to one, or unset it."
            )
        if not _obstacle(named, tensor, offers):
            return named
    preferred = "triton" if tensor.is_cuda else "native"
    return "torch" if _obstacle(preferred, tensor, offers) else preferred


def _obstacle(backend: str, tensor: Tensor, offers: tuple[str, ...]) -> str:
    """Why `backend` cannot run on `tensor`; empty where it can."""
    if backend not in offers:
        return f"this op has {' and '.join(offers)} only."
    if backend == "triton":
        if not has_triton():
            return "Triton is not installed. Run `pip install triton`."
        if not tensor.is_cuda and not interpreting():
            return f"the tensor is on {tensor.device}, Triton runs on CUDA. Move it there, or set TRITON_INTERPRET=1 to emulate."
    if backend == "native":
        if not tensor.is_cpu:
            return f"the tensor is on {tensor.device}, the C module runs on a CPU."
        if native_ops() is None:
            return "the C module was not built, or MINIMAX_OPT_NATIVE=0 turns it off."
    return ""


@cache
def has_triton() -> bool:
    """Whether Triton is installed; it is not imported."""
    return importlib.util.find_spec("triton") is not None


def interpreting() -> bool:
    """Whether Triton's kernels are emulated on the host, so that they take CPU tensors."""
    return os.environ.get("TRITON_INTERPRET", "0") == "1"


@cache
def native_ops() -> Any:
    """The module minimax_kernels._ops, the ops in C; None where it was not built or ``MINIMAX_OPT_NATIVE=0`` turns it off."""
    return load("minimax_kernels._ops")


def load(name: str) -> Any:
    """A compiled module; None where it was not built or ``MINIMAX_OPT_NATIVE=0`` in the environment turns it off."""
    if os.environ.get("MINIMAX_OPT_NATIVE", "1") == "0":
        return None
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def debugging() -> bool:
    """Whether ``MINIMAX_OPT_DEBUG=1`` asks for checks that wait for the device."""
    return os.environ.get("MINIMAX_OPT_DEBUG", "0") == "1"


__all__ = ["BACKENDS", "Backend", "debugging", "has_triton", "interpreting", "load", "native_ops", "resolve"]
