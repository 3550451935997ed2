"""What the Triton kernels share. Imports triton: only the modules with kernels import this, and those only when one is run."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache

import torch
import triton
from torch import Tensor

LOG2_E = 1.4426950408889634
LN_2 = 0.6931471805599453


@contextmanager
def device_of(tensor: Tensor) -> Iterator[None]:
    """Triton launches on the current device: make that the tensor's."""
    with torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext():
        yield


@cache
def multiprocessors(device: torch.device) -> int:
    """The number of streaming multiprocessors; a small number where the kernels are emulated, since programs then run one by one."""
    return int(torch.cuda.get_device_properties(device).multi_processor_count) if device.type == "cuda" else 2


def power_of_two(length: int, least: int = 1, most: int = 1 << 20) -> int:
    """The smallest power of two >= length, clipped to [least, most]."""
    return min(max(int(triton.next_power_of_2(max(length, 1))), least), most)


def float_bits(x: float) -> int:
    """The bits of a float64, for a kernel to reinterpret: as a float, an argument would be rounded to float32."""
    return int.from_bytes(struct.pack("<d", x), "little", signed=True)


def cdiv(a: int, b: int) -> int:
    """The quotient a / b, rounded up."""
    return -(-a // b)


__all__ = ["LN_2", "LOG2_E", "cdiv", "device_of", "float_bits", "multiprocessors", "power_of_two"]
