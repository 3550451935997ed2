"""Kernels to compile for GPUs that are not there: one module a family, each with a list `COMPILATIONS`; test_compilation.py compiles them.

The modules define kernels, so they are imported in a process of its own, where Triton compiles instead of emulating.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Compilation:
    """One way in which a kernel is launched, and what its machine code must have.

    Attributes
    ----------
    name : str
        What messages call it.
    kernel : triton.JITFunction
        The decorated function.
    signature : dict of str
        The types of the arguments that are no constants: "*bf16", "i32", ... Pointers are taken to be aligned to 16 bytes, as those of torch's
        allocations are, and integers not to be, as Triton does for the values that it is launched with. ":16" and ":1" after a type say otherwise:
        "i64:16" is a stride that 16 divides, "*fp32:1" a pointer anywhere.
    constants : dict
        The values of the constexpr arguments, and of arguments that are None.
    num_warps, num_stages : int
        As the kernel is launched.
    expects : tuple of str
        Names of properties: "vector loads", "vector stores", "tensor cores". That nothing spills and that the shared memory is to be had is
        asked of all.
    """

    name: str
    kernel: Any
    signature: Mapping[str, str]
    constants: Mapping[str, Any] = field(default_factory=dict)
    num_warps: int = 4
    expects: tuple[str, ...] = ()
    num_stages: int = 3


__all__ = ["Compilation"]
