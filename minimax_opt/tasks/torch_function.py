"""Any torch function x -> losses, differentiated by autograd."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch

from minimax_opt.arrays import Array, Space
from minimax_opt.tasks.base import Evaluation, Tasks

Batches = Callable[[np.random.Generator, int], Any]


class TorchTasks(Tasks):
    """Losses from a torch function.

    Parameters
    ----------
    fun : callable
        ``fun(x) -> losses``: x a float tensor of shape (n,), losses a tensor of shape (K,) or a list or tuple of K scalars. With
        `batches` it is called as ``fun(x, batch)``, and as ``fun(x, None)`` for the full data.
    n_variables, n_tasks : int, optional
        n and K, where they are known beforehand.
    space : Space, optional
        Dtype and device of x; by default those of x0 (CPU float64 for a NumPy one).
    batches : callable, optional
        ``batches(generator, batch_size) -> batch`` draws a mini-batch of `batch_size` samples of each task with a
        ``numpy.random.Generator``; makes :meth:`sample` available. Draws must make losses and gradients unbiased.
    hessian : bool
        Whether to offer Hessians, by second derivatives: n backward passes each. False by default.

    Raises
    ------
    TypeError, ValueError
        At the first evaluation, where the result of `fun` is no vector of losses or does not depend on x.

    Notes
    -----
    The gradient of <w, f> is one backward pass, the Jacobian one vectorised backward pass (K single ones where `fun` uses
    operations that cannot be vectorised).

    Examples
    --------
    >>> import torch
    >>> from minimax_opt import TorchTasks
    >>> tasks = TorchTasks(lambda x: torch.stack([x.sum(), (x * x).sum()]))
    >>> tasks.at(torch.tensor([1.0, 2.0])).jacobian().tolist()
    [[1.0, 1.0], [2.0, 4.0]]
    """

    has_jacobian = True

    def __init__(
        self,
        fun: Callable[..., Any],
        n_variables: int | None = None,
        n_tasks: int | None = None,
        *,
        space: Space | None = None,
        batches: Batches | None = None,
        hessian: bool = False,
    ) -> None:
        if not callable(fun):
            raise TypeError(f"`fun` must be one function x -> losses of shape (K,), got {type(fun).__name__}.")
        if batches is not None and not callable(batches):
            raise TypeError(f"`batches` must be a function (generator, batch_size) -> batch, got {type(batches).__name__}.")
        if space is not None and space.kind != "torch":
            raise ValueError(f"`space` must be a torch space, got {space}; e.g. `space_of(x0)` for a tensor x0.")
        self.fun, self.batches, self.batch = fun, batches, None
        self.n_variables, self.n_tasks, self.space, self.has_hessian = n_variables, n_tasks, space, bool(hessian)

    def in_space(self, space: Space) -> Self:
        """These tasks for x in `space`; in CPU float64 where that is NumPy."""
        return super().in_space(space if space.kind == "torch" else CPU)

    def losses(self, x: torch.Tensor) -> Any:
        """What `fun` returns at `x` for the batch at hand."""
        return self.fun(x) if self.batches is None else self.fun(x, self.batch)

    def at(self, x: Array) -> TorchEvaluation:
        """Evaluate the losses at `x`, shape (n,)."""
        if not isinstance(x, torch.Tensor):
            x = (self.space or CPU).asarray(x)
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            values = as_losses(self.losses(x))
        self.losses_eps = float(torch.finfo(values.dtype).eps)
        return TorchEvaluation(x, values)

    def sample(self, generator: np.random.Generator, batch_size: int) -> Tasks:
        """The tasks on one mini-batch, drawn by `batches`."""
        if self.batches is None:
            raise NotImplementedError(
                f"{type(self).__name__} draws mini-batches only if it gets `batches=` (a function (generator, batch_size) -> "
                "batch), with `fun(x, batch)`. Pass one, or leave out `batch_size`."
            )
        sampled = copy.copy(self)
        sampled.batch = self.batches(generator, batch_size)
        return sampled


class TorchEvaluation(Evaluation):
    """Losses with the graph that leads to them.

    Parameters
    ----------
    x : tensor, shape (n,)
        A leaf that requires a gradient.
    values : tensor, shape (K,)
        Losses, attached to the graph; of another dtype than x where `fun` computes in that one.
    """

    def __init__(self, x: torch.Tensor, values: torch.Tensor) -> None:
        self._x, self._values = x, values
        self.losses = values.detach().to(x.dtype)

    def gradient(self, weights: torch.Tensor) -> torch.Tensor:
        return self._backward(self._values, weights)

    def jacobian(self) -> torch.Tensor:
        return self._rows(self._values)

    def hessian(self, weights: torch.Tensor) -> torch.Tensor:
        n = len(self._x)
        slope = self._backward(self._values, weights, create_graph=True)
        if not slope.requires_grad:  # affine in x
            return self._x.new_zeros(n, n)
        hessian = self._rows(slope)
        return (hessian + hessian.T) / 2

    def _backward(self, outputs: torch.Tensor, weights: torch.Tensor, **options: bool) -> torch.Tensor:
        """Gradients of <weights, outputs>; a matrix of weights, with is_grads_batched, gives one row each."""
        weights = weights.to(outputs.dtype)
        options = {"retain_graph": True, "materialize_grads": True, **options}
        return torch.autograd.grad(outputs, self._x, grad_outputs=weights, **options)[0]

    def _rows(self, outputs: torch.Tensor) -> torch.Tensor:
        """The Jacobian of `outputs`."""
        identity = torch.eye(len(outputs), dtype=outputs.dtype, device=outputs.device)
        try:
            return self._backward(outputs, identity, is_grads_batched=True)
        except RuntimeError:  # an operation that vmap cannot batch; a real error comes again below
            return torch.stack([self._backward(outputs, row) for row in identity])


CPU = Space("torch", torch.float64, torch.device("cpu"))


def as_losses(values: Any) -> torch.Tensor:
    """`values` as one tensor of shape (K,) that depends on x."""
    if isinstance(values, (list, tuple)) and values and all(isinstance(v, torch.Tensor) and v.numel() == 1 for v in values):
        values = torch.stack([v.reshape(()) for v in values])
    if not isinstance(values, torch.Tensor):
        raise TypeError(
            f"`fun` must return a tensor of K losses (or a list of K scalar tensors), got {type(values).__name__}; with numbers "
            "from `.item()` or NumPy there is nothing to differentiate."
        )
    if values.ndim != 1:
        raise ValueError(f"`fun` must return one vector of K losses, shape (K,), got shape {tuple(values.shape)}.")
    if len(values) == 0:
        raise ValueError("`fun` must return at least one loss, got K = 0.")
    if not values.requires_grad:
        raise ValueError(
            "`fun` must return losses that depend on x through torch operations, got a result without a graph; look for "
            "`.detach()`, `.item()`, `torch.no_grad()`, `torch.tensor(...)` of x, or losses that do not use x."
        )
    return values


__all__ = ["TorchEvaluation", "TorchTasks", "as_losses"]
