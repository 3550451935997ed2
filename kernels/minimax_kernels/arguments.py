"""What the ops ask of their arguments, and the messages that say so."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

from minimax_kernels.backend import debugging

IGNORED = -100  # the default `ignore_index`, as in torch.nn.functional.cross_entropy
LARGEST = 2**31 - 1


def check_floating(name: str, tensor: Tensor, least_dimensions: int = 0) -> None:
    """Raise unless `tensor` is a floating tensor with that many dimensions."""
    if not isinstance(tensor, Tensor) or not tensor.dtype.is_floating_point:
        raise TypeError(
            f"`{name}` must be a floating torch tensor, got {getattr(tensor, 'dtype', type(tensor).__name__)}. Convert it by `.float()`."
        )
    if tensor.ndim < least_dimensions:
        raise ValueError(f"`{name}` must have at least {least_dimensions} dimensions, got shape {tuple(tensor.shape)}.")


def check_tasks(n_tasks: int) -> None:
    """Raise unless `n_tasks` is a number of tasks."""
    if isinstance(n_tasks, bool) or not isinstance(n_tasks, (int, torch.SymInt)):
        raise TypeError(f"`n_tasks` must be an int, got {type(n_tasks).__name__}.")
    if not 1 <= n_tasks <= LARGEST:
        raise ValueError(f"`n_tasks` must be from 1 to {LARGEST}, got {n_tasks}.")


def check_number(name: str, value: float, least: float = 0.0, most: float = math.inf, open_below: bool = False) -> float:
    """`value` as a float, finite and from `least` to `most`; more than `least` if `open_below`."""
    if not isinstance(value, (int, float)):
        raise TypeError(f"`{name}` must be a float, got {type(value).__name__}.")
    inside = least < value if open_below else least <= value
    if not (
        inside and value <= most and value < math.inf
    ):  # torch.compile follows comparisons of a float that varies, no isfinite
        bounds = f"{'>' if open_below else '>='} {least:g}" + (f" and <= {most:g}" if most < math.inf else "")
        raise ValueError(f"`{name}` must be a finite float {bounds}, got {value}.")
    return float(value)


def check_ids(name: str, ids: Tensor, shape: torch.Size | tuple[int, ...], device: torch.device) -> Tensor:
    """`ids` as an integer tensor of that shape, expanded where it is broadcastable: one id a sequence serves all of its tokens."""
    if not isinstance(ids, Tensor) or ids.dtype not in (torch.int64, torch.int32):
        raise TypeError(
            f"`{name}` must be an int64 or int32 tensor, got {getattr(ids, 'dtype', type(ids).__name__)}. Convert it by `.long()`."
        )
    if ids.device != device:
        raise ValueError(f"`{name}` must be on {device}, got {ids.device}. Move it by `.to(device)`.")
    if ids.shape == shape:
        return ids
    try:
        return ids.expand(shape)
    except RuntimeError as error:
        raise ValueError(f"`{name}` must have shape {tuple(shape)} or one that expands to it, got {tuple(ids.shape)}.") from error


def check_range(name: str, ids: Tensor, count: int, ignore_index: int, count_name: str) -> None:
    """Raise when an id is neither in 0, ..., count - 1 nor `ignore_index`: on a CPU always, elsewhere when debugging, since it waits.

    Where it is not checked, such an id counts as ignored; no memory out of bounds is touched.
    """
    if not readable(ids) or ids.numel() == 0 or not (ids.device.type == "cpu" or debugging()):
        return
    wrong = (ids != ignore_index) & ((ids < 0) | (ids >= count))
    if readable(wrong) and bool(wrong.any()):
        first = ids[wrong][0].item()
        raise ValueError(
            f"`{name}` must be from 0 to {count - 1} (`{count_name}` - 1) or {ignore_index} (`ignore_index`), got {first}."
        )


def readable(tensor: Tensor) -> bool:
    """Whether the tensor has numbers that can be looked at: not where a compiler, or who plans memory, sees shapes only."""
    return not (torch.compiler.is_compiling() or isinstance(tensor, FakeTensor))


__all__ = ["IGNORED", "check_floating", "check_ids", "check_number", "check_range", "check_tasks", "readable"]
