"""Any NumPy function x -> losses, with its Jacobian."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Array, Host
from minimax_opt.tasks.base import Evaluation, Tasks

CHOICES = (
    "`jac` must be a function x -> (K, n) Jacobian, True (`fun` returns losses and Jacobian) or '2-point' (finite differences), "
    "got {}; or pass a torch `x0` and write `fun` in torch, which differentiates it by itself."
)


class NumPyTasks(Tasks):
    """Losses from a NumPy function.

    Parameters
    ----------
    fun : callable
        ``fun(x) -> losses``, x of shape (n,) in float64, losses of shape (K,).
    jac : callable, True or "2-point"
        ``jac(x) -> J`` of shape (K, n); True where `fun` returns ``(losses, J)``; "2-point" for forward finite differences (n
        more calls of `fun` for each Jacobian, which counts of evaluations leave out; about half the digits are right).
    n_variables, n_tasks : int, optional
        n and K, where they are known beforehand.

    Raises
    ------
    TypeError, ValueError
        For another `jac`; at evaluations, for results of the wrong shape.

    Notes
    -----
    `fun` and `jac` get copies of x, so that they may do with it what they like.

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import NumPyTasks
    >>> tasks = NumPyTasks(lambda x: np.array([x.sum(), x @ x]), jac=lambda x: np.array([np.ones(2), 2 * x]))
    >>> tasks.at(np.array([1.0, 2.0])).gradient(np.array([0.5, 0.5])).tolist()
    [1.5, 2.5]
    """

    has_jacobian = True

    def __init__(
        self,
        fun: Callable[[Host], Any],
        jac: Callable[[Host], Any] | bool | str | None,
        n_variables: int | None = None,
        n_tasks: int | None = None,
    ) -> None:
        if not callable(fun):
            raise TypeError(f"`fun` must be one function x -> losses of shape (K,), got {type(fun).__name__}.")
        if not (jac is True or callable(jac) or (isinstance(jac, str) and jac == "2-point")):
            raise ValueError(CHOICES.format(repr(jac)))
        self.fun, self.jac, self.exact_gradients = fun, jac, not isinstance(jac, str)
        self.n_variables = None if n_variables is None else checks.integer("n_variables", n_variables, 1)
        self.n_tasks = None if n_tasks is None else checks.integer("n_tasks", n_tasks, 1)

    def at(self, x: Array) -> NumPyEvaluation:
        """Evaluate the losses at `x`, shape (n,)."""
        x = np.array(x, dtype=np.float64)
        if self.jac is not True:
            return NumPyEvaluation(self, x, self._noted(self.fun(x.copy())), None)
        result = self.fun(x.copy())
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"`fun` must return (losses, Jacobian) with jac=True, got {type(result).__name__}.")
        return NumPyEvaluation(self, x, self._noted(result[0]), result[1])

    def _noted(self, values: Any) -> Host:
        """The losses; their dtype says how they are rounded."""
        dtype = getattr(values, "dtype", None)
        if dtype in (np.float16, np.float32):
            self.losses_eps = float(np.finfo(dtype).eps)
        return as_losses(values)


class NumPyEvaluation(Evaluation):
    """Losses at one point; the Jacobian is made when first asked for, and kept."""

    def __init__(self, tasks: NumPyTasks, x: Host, losses: Host, jacobian: Any) -> None:
        self._tasks, self._x, self.losses, self._given = tasks, x, losses, jacobian

    def gradient(self, weights: Host) -> Host:
        return weights @ self._jacobian

    def jacobian(self) -> Host:
        return self._jacobian

    @cached_property
    def _jacobian(self) -> Host:
        jac = self._tasks.jac
        if isinstance(jac, str):
            return self._forward_differences()
        given = jac(self._x.copy()) if callable(jac) else self._given
        jacobian = np.array(checks.real_array("`jac` must return a matrix", given), dtype=np.float64)
        expected = (len(self.losses), len(self._x))
        if jacobian.shape != expected:
            hint = "; it looks transposed" if jacobian.shape == expected[::-1] else ""
            raise ValueError(f"`jac` must return the Jacobian of shape (K, n) = {expected}, got shape {jacobian.shape}{hint}.")
        return jacobian

    def _forward_differences(self) -> Host:
        """(f(x + s e_i) - f(x)) / s with s = sqrt(eps) max(1, |x_i|)."""
        columns = np.empty((len(self._x), len(self.losses)))
        for i, x_i in enumerate(self._x):
            moved = self._x.copy()
            moved[i] += np.sqrt(np.finfo(float).eps) * max(1.0, abs(x_i))
            step = moved[i] - x_i  # the step that was really taken, after rounding
            columns[i] = (as_losses(self._tasks.fun(moved)) - self.losses) / step
        return columns.T.copy()


def as_losses(values: Any) -> Host:
    """`values` as a new float64 vector of shape (K,)."""
    losses = np.array(checks.real_array("`fun` must return one vector of K losses, shape (K,),", values), dtype=np.float64)
    if losses.ndim != 1:
        raise ValueError(f"`fun` must return one vector of K losses, shape (K,), got shape {losses.shape}.")
    if len(losses) == 0:
        raise ValueError("`fun` must return at least one loss, got K = 0.")
    return losses


__all__ = ["NumPyEvaluation", "NumPyTasks"]
