"""Quadratic regularisers r(x) that are added to the worst-case loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Array, Host, Space, to_host
from minimax_opt.semidefinite import convexity, symmetric_part


class Regularizer(ABC):
    """r(x) = x'Qx/2 + c'x with Q positive semidefinite. Immutable; `bind` gives a copy whose arrays live with x."""

    strong_convexity: float = 0.0

    @abstractmethod
    def bind(self, n_variables: int, space: Space) -> Regularizer:
        """Check the shapes against n = `n_variables` and move the arrays to `space`."""

    @abstractmethod
    def value(self, x: Array) -> float:
        """r(x)."""

    @abstractmethod
    def gradient(self, x: Array) -> Array:
        """Qx + c, shape (n,)."""

    @abstractmethod
    def hessian(self, n_variables: int) -> Host:
        """Q on the host, shape (n, n)."""


class Ridge(Regularizer):
    """r(x) = (1/2) sum_i strength_i x_i^2.

    Parameters
    ----------
    strength : float or array_like, shape (n,)
        Nonnegative and finite; one number for all variables, or one each (0 leaves an intercept free).

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import Ridge
    >>> Ridge(0.5).value(np.array([1.0, 1.0]))
    0.5
    """

    def __init__(self, strength: Any) -> None:
        values = checks.number_or_vector("strength", strength)
        if not np.all(np.isfinite(values)) or np.any(values < 0):
            raise ValueError(
                f"`strength` must be a finite number >= 0, or one for each variable, got {strength!r}. "
                "A negative ridge makes the problem non-convex."
            )
        self.strength: Any = np.array(values) if values.ndim else float(values)
        self.strong_convexity = float(values.min()) if values.size else 0.0

    def bind(self, n_variables: int, space: Space) -> Ridge:
        bound = Ridge(self.strength)
        if not isinstance(self.strength, float):
            if tuple(np.shape(self.strength)) != (n_variables,):
                raise ValueError(
                    f"`strength` must be one number or have shape ({n_variables},), got shape {tuple(np.shape(self.strength))}."
                )
            bound.strength = space.asarray(self.strength)
        return bound

    def value(self, x: Array) -> float:
        return 0.5 * float((self.strength * x) @ x)

    def gradient(self, x: Array) -> Array:
        return self.strength * x

    def hessian(self, n_variables: int) -> Host:
        return np.diag(np.broadcast_to(to_host(self.strength), (n_variables,)))

    def __repr__(self) -> str:
        return f"Ridge({self.strength!r})"


class QuadraticRegularizer(Regularizer):
    """r(x) = x'Qx/2 + c'x.

    Parameters
    ----------
    Q : array_like, shape (n, n)
        Positive semidefinite, and symmetric to rounding: its symmetric part is what counts.
    c : array_like, shape (n,), optional
        Zero by default.

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import QuadraticRegularizer
    >>> QuadraticRegularizer(np.eye(2), [1.0, 0.0]).value(np.array([2.0, 0.0]))
    4.0
    """

    def __init__(self, Q: Any, c: Any = None) -> None:
        host = checks.matrix("Q", Q)
        if host.shape[0] != host.shape[1] or not len(host):
            raise ValueError(f"`Q` must be a finite square matrix, got shape {host.shape}.")
        if not np.allclose(host, host.T, rtol=1e-10, atol=1e-12 * np.abs(host).max(initial=0.0)):
            raise ValueError("`Q` must be symmetric; pass (Q + Q.T) / 2.")
        host = symmetric_part(host[None])[0]
        semidefinite, self.strong_convexity = convexity(host[None])
        if not semidefinite:
            raise ValueError(f"`Q` must be positive semidefinite, its smallest eigenvalue is {np.linalg.eigvalsh(host)[0]:.3g}.")
        linear = np.zeros(len(host)) if c is None else checks.vector("c", c, len(host))
        self.Q: Any = host
        self.c: Any = linear

    def bind(self, n_variables: int, space: Space) -> QuadraticRegularizer:
        if self.Q.shape[0] != n_variables:
            raise ValueError(f"`Q` must have shape ({n_variables}, {n_variables}), got {tuple(self.Q.shape)}.")
        bound = object.__new__(QuadraticRegularizer)
        bound.strong_convexity = self.strong_convexity
        bound.Q, bound.c = space.asarray(self.Q), space.asarray(self.c)
        return bound

    def value(self, x: Array) -> float:
        return float(0.5 * (x @ (self.Q @ x)) + self.c @ x)

    def gradient(self, x: Array) -> Array:
        return self.Q @ x + self.c

    def hessian(self, n_variables: int) -> Host:
        return to_host(self.Q)
