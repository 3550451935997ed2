"""Two mistakes that would otherwise pass in silence, found at no cost to a training that makes none."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

ACCUMULATING = (
    "MinimaxLoss was called twice while the model's gradients were being accumulated: each call takes its batch for the whole step, with counts and "
    "weights of its own, so that the sum is not the gradient of the minimax loss. Use `begin_step(list_of_task_ids)`, `micro_loss(...)` for each "
    "micro-batch and `end_step()`; with accumulation 1, call `optimizer.zero_grad()` once a step."
)
RECOMPUTED = (
    "MinimaxLoss was called while activation checkpointing ran the forward pass again: the adversary would move twice. Checkpoint the model, and "
    "call the loss outside."
)


def refuse_recomputation() -> None:
    """Raise where autograd is running, which calls a forward pass only to recompute it."""
    if not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1:
        raise RuntimeError(RECOMPUTED)


class _Mark(NamedTuple):
    """A parameter after a backward pass."""

    call: int
    gradient: weakref.ref[Tensor]
    gradient_version: int
    version: int


class AccumulationGuard:
    """Raises at the start of the second backward pass whose gradient would be added to that of another call.

    It watches one parameter: its gradient is still that of the last backward pass, unchanged, and so is the parameter. A skipped optimizer step
    that is followed by `zero_grad` is no such case. Where gradients never stay in `.grad` (FSDP2's unsharded parameters, `torch.autograd.grad`) it
    says nothing.
    """

    def __init__(self) -> None:
        self._parameter: weakref.ref[Tensor] | None = None
        self._mark: _Mark | None = None
        self._calls = 0

    def watch(self, loss: Tensor) -> None:
        """Look at the backward pass of `loss` when it comes."""
        if torch.compiler.is_compiling() or not loss.requires_grad:
            return
        watched = self._watched()
        if watched is None or (self._untouched(watched) and not any(leaf is watched for leaf in _leaves(loss))):
            leaf = next(_leaves(loss), None)  # nothing is watched, or what is has no part in this loss
            self._parameter, self._mark = None if leaf is None else weakref.ref(leaf), None
        self._calls += 1
        call = self._calls
        loss.register_hook(lambda gradient: self._begin_backward(call))  # type: ignore[no-untyped-call]

    def _begin_backward(self, call: int) -> None:
        watched = self._watched()
        if watched is not None and self._untouched(watched) and self._mark is not None and self._mark.call != call:
            raise RuntimeError(ACCUMULATING)
        _after_backward(lambda: self._end_backward(call), deferrals=3)

    def _end_backward(self, call: int) -> None:
        watched = self._watched()
        if watched is None or watched.grad is None:
            self._mark = None
        else:
            self._mark = _Mark(call, weakref.ref(watched.grad), watched.grad._version, watched._version)

    def _watched(self) -> Tensor | None:
        return None if self._parameter is None else self._parameter()

    def _untouched(self, watched: Tensor) -> bool:
        """Whether neither the parameter nor its gradient has changed since the last backward pass."""
        gradient, mark = watched.grad, self._mark
        if mark is None or gradient is None or gradient is not mark.gradient():
            return False
        return gradient._version == mark.gradient_version and watched._version == mark.version

    def __deepcopy__(self, memo: dict[int, Any]) -> AccumulationGuard:
        return AccumulationGuard()

    def __reduce__(self) -> tuple[type[AccumulationGuard], tuple[()]]:
        return AccumulationGuard, ()


def _after_backward(function: Any, deferrals: int) -> None:
    """Run `function` when the backward pass is over, also after what others (DDP) run then: they queue from within queued calls."""
    if deferrals:
        queue = torch.autograd.Variable._execution_engine.queue_callback
        queue(lambda: _after_backward(function, deferrals - 1))
    else:
        function()


def _leaves(loss: Tensor) -> Iterator[Tensor]:
    """The leaves of the graph, which collect gradients."""
    if loss.grad_fn is None:
        yield loss
        return
    stack, seen = [loss.grad_fn], {loss.grad_fn}
    while stack:
        node = stack.pop()
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            yield variable
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                stack.append(following)


__all__ = ["AccumulationGuard", "refuse_recomputation"]
