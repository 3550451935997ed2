"""A safeguarded Newton method for many monotone equations at once, and the implicit function theorem for autograd."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

MAX_ITERATIONS = 80  # bisection alone needs about 60 for the widest bracket in use


def increasing_root(function: Callable[[Tensor], tuple[Tensor, Tensor]], start: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
    """The x in [lower, upper] with function(x) = 0, element by element, for functions that increase.

    Parameters
    ----------
    function : x -> (value, slope)
    start, lower, upper : Tensor, shape (..., 1)
        A guess (nan and what is outside of the bracket is moved into it) and the bracket.
        Elements without a root between them end at one of the two.

    Notes
    -----
    A Newton step that leaves the bracket, or that is not at most half of the step before, is replaced by bisection. A small
    Newton step is the last one: its error is of the order of its square. The early end on a CPU is left out on other devices,
    where asking would wait for them.
    """
    eps = torch.finfo(lower.dtype).eps
    middle = (lower + upper) / 2
    x = torch.where((start > lower) & (start < upper), start, middle)
    last, done = upper - lower, torch.zeros_like(lower, dtype=torch.bool)
    for _ in range(MAX_ITERATIONS):
        value, slope = function(x)
        above = value > 0
        lower, upper = torch.where(above, lower, x), torch.where(above, x, upper)
        newton, middle = x - value / slope, (lower + upper) / 2
        good = (newton > lower) & (newton < upper) & ((newton - x).abs() <= last.abs() / 2)  # false for nan
        following = torch.where(done | (value == 0), x, torch.where(good, newton, middle))
        last, x = following - x, following
        done = done | (last.abs() <= torch.where(good, 0.05 * eps**0.5, 2.0 * eps) * x.abs().clamp(min=1.0))
        if x.device.type == "cpu" and bool(done.all()):
            break
    return x


def attach_root(root: Tensor, residual: Callable[[Tensor], Tensor], slope: Tensor) -> Tensor:
    r"""The same number as `root`, with the derivatives of the solution of residual(root, parameters) = 0.

    Two Newton steps that move nothing but the graph: the first makes the first derivative exact,
    :math:`dx = -(\partial r/\partial x)^{-1} \, \partial r/\partial p \, dp`, the second one the second derivative too.

    Parameters
    ----------
    root : Tensor
        The solution, without graph.
    residual : x -> Tensor
        Differentiable in x and in the parameters that it closes over.
    slope : Tensor
        Its derivative in x at the root, without graph.
    """
    for _ in range(2):
        value = residual(root)
        root = root - (value - value.detach()) / slope
    return root


__all__ = ["attach_root", "increasing_root"]
