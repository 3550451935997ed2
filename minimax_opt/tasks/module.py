"""A torch module with one loss per task, as a function of the vector of its parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch.func import functional_call
from torch.nn.utils import parameters_to_vector

from minimax_opt import checks
from minimax_opt.arrays import Array, Space
from minimax_opt.tasks.torch_function import Batches, TorchTasks


class ModuleTasks(TorchTasks):
    """Losses of a ``torch.nn.Module``, as a function of all its trainable parameters in one vector.

    Parameters
    ----------
    module : torch.nn.Module
        Evaluated functionally: neither its parameters nor its buffers (batch-norm statistics, say) ever change, except by
        :meth:`load`.
    losses : callable
        ``losses(model)`` returns a (K,) tensor or K scalar tensors, where ``model(*inputs)`` is the module at the parameters x.
        With `batches` it is called as ``losses(model, batch)``, and as ``losses(model, None)`` for the full data.
    batches : callable, optional
        ``batches(generator, batch_size) -> batch``; see :class:`TorchTasks`.
    hessian : bool
        Whether to offer Hessians, by n backward passes each. False by default.

    Raises
    ------
    TypeError, ValueError
        For something else than a module, for one without trainable parameters, or with parameters of several dtypes or devices.

    Notes
    -----
    The module's mode counts: with dropout in training mode the losses are random, which methods with a line search cannot bear
    (call ``module.eval()`` first, or use a stochastic method).

    Examples
    --------
    >>> import torch
    >>> from minimax_opt import ModuleTasks
    >>> module = torch.nn.Linear(1, 1, bias=False)
    >>> tasks = ModuleTasks(module, lambda model: [model(torch.ones(1)).square(), (model(torch.ones(1)) - 2).square()])
    >>> tasks(torch.tensor([1.0])).tolist()
    [1.0, 1.0]
    >>> tasks.load(torch.tensor([1.0]))
    >>> module.weight.item()
    1.0
    """

    source: ClassVar[str] = "losses"
    cure: ClassVar[str] = "call the `model` passed to `losses`, not the module"

    def __init__(
        self, module: torch.nn.Module, losses: Callable[..., Any], *, batches: Batches | None = None, hessian: bool = False
    ) -> None:
        if not isinstance(module, torch.nn.Module):
            raise TypeError(f"`module` must be a torch.nn.Module, got {type(module).__name__}.")
        trainable = {name: p for name, p in module.named_parameters() if p.requires_grad}
        if not trainable:
            raise ValueError("`module` must have at least one trainable parameter; check `requires_grad`.")
        kinds = {(p.dtype, p.device) for p in trainable.values()}
        if len(kinds) > 1:
            listed = sorted(f"{dtype} on {device}" for dtype, device in kinds)
            raise ValueError(
                f"`module` must have trainable parameters of one dtype on one device, got {listed}; use `module.to(...)`."
            )
        ((dtype, device),) = kinds
        super().__init__(
            losses,
            sum(p.numel() for p in trainable.values()),
            space=Space("torch", dtype, device),
            batches=batches,
            hessian=hessian,
        )
        self.module, self._trainable = module, trainable

    def x0(self) -> torch.Tensor:
        """The module's parameters as they are now, in one new vector, shape (n,)."""
        return parameters_to_vector(self._trainable.values()).detach()

    def load(self, x: Array) -> None:
        """Write `x`, shape (n,), into the module's parameters."""
        x = self.space.asarray(checks.real_array("`x` must be a vector", x))  # type: ignore[union-attr]
        if tuple(x.shape) != (self.n_variables,):
            raise ValueError(
                f"`x` must have shape ({self.n_variables},) to fit the module's parameters, got shape {tuple(x.shape)}."
            )
        with torch.no_grad():
            for name, piece in self._unflatten(x).items():
                self._trainable[name].copy_(piece)

    def _unflatten(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """The pieces of `x` by the names and in the shapes of the parameters."""
        pieces, start = {}, 0
        for name, parameter in self._trainable.items():
            pieces[name] = x[start : start + parameter.numel()].view_as(parameter)
            start += parameter.numel()
        return pieces

    def losses(self, x: torch.Tensor) -> Any:
        """The losses of the module at the parameters `x`."""
        state = self._unflatten(x)
        state |= {name: buffer.clone() for name, buffer in self.module.named_buffers()}  # training mode writes to these copies

        def model(*inputs: Any, **named_inputs: Any) -> Any:
            return functional_call(self.module, state, inputs, named_inputs)

        return self.fun(model) if self.batches is None else self.fun(model, self.batch)


__all__ = ["ModuleTasks"]
