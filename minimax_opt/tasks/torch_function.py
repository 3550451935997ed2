"""Any torch function x -> losses, differentiated by autograd."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch

from minimax_opt import checks
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
        At the first evaluation, where the result of `fun` is no vector of losses; at the first derivative, where it does not depend
        on x. A task that does not depend on x is legal beside others that do.

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
    has_hessian_product = True
    source: ClassVar[str] = "fun"  # the argument that messages about the losses name
    cure: ClassVar[str] = "compute them from the `x` passed to `fun`"  # where no loss depends on x

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
            raise TypeError(f"`{self.source}` must be one function that returns K losses, got {type(fun).__name__}.")
        if batches is not None and not callable(batches):
            raise TypeError(f"`batches` must be a function (generator, batch_size) -> batch, got {type(batches).__name__}.")
        if space is not None and space.kind != "torch":
            raise ValueError(f"`space` must be a torch space, got {space}; e.g. `space_of(x0)` for a tensor x0.")
        self.fun, self.batches, self.batch = fun, batches, None
        self.n_variables = None if n_variables is None else checks.integer("n_variables", n_variables, 1)
        self.n_tasks = None if n_tasks is None else checks.integer("n_tasks", n_tasks, 1)
        self.space, self.has_hessian = space, checks.boolean("hessian", hessian)

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
            values = as_losses(self._call(x), self.source)
        self.losses_eps = float(torch.finfo(values.dtype).eps)
        return TorchEvaluation(x, values, self.cure)

    def _call(self, x: torch.Tensor) -> Any:
        """:meth:`losses`, with advice where it leaves torch."""
        try:
            return self.losses(x)
        except (RuntimeError, TypeError) as error:
            if "call numpy()" not in str(error) and "tensor to numpy" not in str(error):
                raise
            raise TypeError(
                f"`{self.source}` must use torch operations on a tensor x, got a call of NumPy; for a NumPy function pass a NumPy `x0` and `jac`."
            ) from error

    def sample(self, generator: np.random.Generator, batch_size: int) -> Tasks:
        """The tasks on one mini-batch, drawn by `batches`."""
        if self.batches is None:
            raise NotImplementedError(
                f"{type(self).__name__} draws mini-batches only if it gets `batches=` (a function (generator, batch_size) -> "
                "batch), with `fun(x, batch)`. Pass one, or leave out `batch_size`."
            )
        sampled = copy.copy(self)
        sampled.batch = self.batches(generator, checks.integer("batch_size", batch_size, 1))
        return sampled


class TorchEvaluation(Evaluation):
    """Losses with the graph that leads to them.

    Parameters
    ----------
    x : tensor, shape (n,)
        A leaf that requires a gradient.
    values : tensor, shape (K,)
        Losses, attached to the graph; of another dtype than x where `fun` computes in that one.
    cure : str
        What to do where they do not depend on x.
    """

    def __init__(self, x: torch.Tensor, values: torch.Tensor, cure: str = TorchTasks.cure) -> None:
        self._x, self._values, self._cure = x, values, cure
        self.losses = values.detach().to(x.dtype)

    def gradient(self, weights: torch.Tensor) -> torch.Tensor:
        return self._dependent(self._backward(self._values, weights))

    def jacobian(self) -> torch.Tensor:
        return self._dependent(self._rows(self._values))

    def hessian(self, weights: torch.Tensor) -> torch.Tensor:
        n = len(self._x)
        slope = self._dependent(self._backward(self._values, weights, create_graph=True))
        hessian = self._rows(slope) if slope.requires_grad else None
        if hessian is None:  # affine in x
            return self._x.new_zeros(n, n)
        return (hessian + hessian.T) / 2

    def hessian_product(self, weights: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        slope = self._dependent(self._backward(self._values, weights, create_graph=True))
        product = self._backward(slope, v) if slope.requires_grad else None
        return torch.zeros_like(self._x) if product is None else product

    def _dependent(self, derivative: torch.Tensor | None) -> torch.Tensor:
        """`derivative`; ValueError where the losses have none because x is nowhere in their graph."""
        if derivative is None:
            raise ValueError(f"losses do not depend on x; {self._cure}.")
        return derivative

    def _backward(self, outputs: torch.Tensor, weights: torch.Tensor, **options: bool) -> torch.Tensor | None:
        """Gradients of <weights, outputs>, None without a path to x; a matrix of weights, with is_grads_batched, gives one row each."""
        weights = weights.to(outputs.dtype)
        options = {"retain_graph": True, "allow_unused": True, **options}
        return torch.autograd.grad(outputs, self._x, grad_outputs=weights, **options)[0]

    def _rows(self, outputs: torch.Tensor) -> torch.Tensor | None:
        """The Jacobian of `outputs`; None without a path to x."""
        identity = torch.eye(len(outputs), dtype=outputs.dtype, device=outputs.device)
        try:
            return self._backward(outputs, identity, is_grads_batched=True)
        except RuntimeError:  # an operation that vmap cannot batch; a real error comes again below
            rows = [row for unit in identity if (row := self._backward(outputs, unit)) is not None]
            return torch.stack(rows) if rows else None


CPU = Space("torch", torch.float64, torch.device("cpu"))


def as_losses(values: Any, source: str = "fun") -> torch.Tensor:
    """`values`, the result of the argument named `source`, as one tensor of shape (K,) with a graph."""
    if isinstance(values, (list, tuple)) and values and all(isinstance(v, torch.Tensor) for v in values):
        values = _stacked(values, source)
    if not isinstance(values, torch.Tensor):
        raise TypeError(f"`{source}` must return a tensor of K losses (or a list of K scalar tensors), got {_described(values)}.")
    if values.ndim != 1:
        raise ValueError(
            f"`{source}` must return one vector of K losses, shape (K,), got shape {tuple(values.shape)}; "
            "reduce the losses of each task to one number, e.g. by `.mean()`; one task is `loss[None]`."
        )
    if len(values) == 0:
        raise ValueError(f"`{source}` must return at least one loss, got K = 0.")
    if values.is_complex():
        raise TypeError(f"`{source}` must return real losses, got dtype {values.dtype}, whose imaginary part would be lost.")
    if not values.requires_grad:
        raise ValueError(
            f"`{source}` must return losses that depend on x through torch operations, got a result without a graph; look for "
            "`.detach()`, `.item()`, `torch.no_grad()`, `torch.tensor(...)` of x, or losses that do not use x."
        )
    return values


def _stacked(values: Sequence[torch.Tensor], source: str) -> torch.Tensor:
    """K scalar tensors as one vector."""
    for k, value in enumerate(values):
        if value.numel() != 1:
            raise ValueError(
                f"`{source}` must return one number for each task, got shape {tuple(value.shape)} for task {k}; "
                "reduce it, e.g. by `.mean()`."
            )
    return torch.stack([value.reshape(()) for value in values])


def _described(values: Any) -> str:
    """What is no tensor, with a hint."""
    if isinstance(values, Mapping):
        return f"{type(values).__name__}; return its values as a list, `list(losses.values())`"
    hint = (
        "with numbers from `.item()` or NumPy there is nothing to differentiate (a NumPy function needs a NumPy `x0` and `jac`)"
    )
    return f"{type(values).__name__}; {hint}"


__all__ = ["TorchEvaluation", "TorchTasks", "as_losses"]
