"""One door between NumPy and torch.

A :class:`Space` says where vectors live (NumPy or torch, dtype, device) and moves arrays in and out of it, without a copy where
none is needed. Solvers that do small dense algebra work in ``HOST`` (NumPy float64); first-order solvers work in the space of the
tasks.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import torch

Array: TypeAlias = Any  # numpy.ndarray or torch.Tensor: static typing has no common base for the two
Host: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


@dataclass(frozen=True)
class Space:
    """Where a vector lives.

    Parameters
    ----------
    kind : {"numpy", "torch"}
    dtype : numpy or torch floating dtype
    device : torch.device or None
        None for NumPy.
    """

    kind: str
    dtype: Any
    device: Any = None

    @cached_property
    def eps(self) -> float:
        """Unit rounding of the dtype, e.g. 2.2e-16 for float64."""
        return float(torch.finfo(self.dtype).eps if self.kind == "torch" else np.finfo(self.dtype).eps)

    def asarray(self, a: Array) -> Array:
        """`a` in this space; the same memory where possible."""
        if self.kind == "torch":
            if isinstance(a, np.ndarray) and not a.flags.writeable:
                a = a.copy()  # torch cannot mark a tensor read-only
            return torch.as_tensor(a, dtype=self.dtype, device=self.device)
        return np.asarray(to_host(a), dtype=self.dtype)

    def zeros(self, *shape: int) -> Array:
        """Zeros of the given shape in this space."""
        if self.kind == "torch":
            return torch.zeros(shape, dtype=self.dtype, device=self.device)
        return np.zeros(shape, dtype=self.dtype)


HOST = Space("numpy", np.dtype(np.float64))


def space_of(a: Array) -> Space:
    """The space that `a` lives in; anything that is no floating torch tensor or NumPy float32/float64 array counts as ``HOST``."""
    if isinstance(a, torch.Tensor):
        dtype = a.dtype if a.dtype.is_floating_point else torch.get_default_dtype()
        return Space("torch", dtype, a.device)
    if isinstance(a, np.ndarray) and a.dtype == np.float32:
        return Space("numpy", np.dtype(np.float32))
    return HOST


def to_host(a: Array) -> Host:
    """`a` as a NumPy float64 array; no copy for a contiguous float64 array or CPU tensor."""
    if isinstance(a, torch.Tensor):
        a = a.detach().cpu().numpy() if a.dtype != torch.bfloat16 else a.detach().float().cpu().numpy()
    return np.asarray(a, dtype=np.float64)


def is_sparse(a: Any) -> bool:
    """Whether `a` is a matrix of scipy.sparse or a torch tensor of a sparse layout; loads nothing."""
    if isinstance(a, np.ndarray):
        return False
    if isinstance(a, torch.Tensor):
        return a.layout != torch.strided
    scipy_sparse = sys.modules.get("scipy.sparse")  # what is not loaded cannot have made `a`
    return scipy_sparse is not None and bool(scipy_sparse.issparse(a))


def is_dense(a: Any) -> bool:
    """Whether `a` is a NumPy array or a dense tensor, and not one of our own or scipy's sparse matrices."""
    return isinstance(a, np.ndarray) or (isinstance(a, torch.Tensor) and a.layout == torch.strided)


def copy(a: Array) -> Array:
    """An independent copy, detached from any graph."""
    return a.detach().clone() if isinstance(a, torch.Tensor) else np.array(a)


def norm(a: Array) -> float:
    """Euclidean norm, as a Python float."""
    if isinstance(a, torch.Tensor):
        return float(torch.linalg.vector_norm(a))
    flat = np.asarray(a).ravel()
    return math.sqrt(flat.dot(flat))  # as numpy.linalg.norm, whose choice between norms takes longer than the sum


def all_finite(a: Array) -> bool:
    """Whether no entry is nan or infinite."""
    return bool(torch.isfinite(a).all()) if isinstance(a, torch.Tensor) else bool(np.isfinite(a).all())
