"""What is added to the worst-case loss: quadratic regularisers r(x), the weighted 1-norm, and their sums.

``Ridge(0.1) + L1(0.01)`` is an elastic net. The quadratic terms are the smooth part r of the objective; the 1-norm joins the domain in
:mod:`minimax_opt.simple`, the part that is not smooth.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Array, Host, Space, to_host
from minimax_opt.semidefinite import convexity, symmetric_part


class Regularizer:
    """A convex term of the objective. Immutable; `bind` gives a copy whose arrays live with x; ``+`` adds two."""

    strong_convexity: float = 0.0

    @property
    def terms(self) -> tuple[Quadratic | L1, ...]:
        """The summands."""
        assert isinstance(self, (Quadratic, L1))
        return (self,)

    def __add__(self, other: Any) -> Sum:
        return Sum(*self.terms, *other.terms) if isinstance(other, Regularizer) else NotImplemented


class Quadratic(Regularizer, ABC):
    """r(x) = x'Qx/2 + c'x with Q positive semidefinite."""

    @abstractmethod
    def bind(self, n_variables: int, space: Space) -> Quadratic:
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

    def hessian_product(self, v: Array) -> Array:
        """Qv, shape (n,)."""
        return self.gradient(v) - self.gradient(0.0 * v)


class Ridge(Quadratic):
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
        self.strength: Any = _strength(strength, "A negative ridge makes the problem non-convex.")
        self.strong_convexity = float(np.min(self.strength)) if np.size(self.strength) else 0.0

    def bind(self, n_variables: int, space: Space) -> Ridge:
        _check_length(self.strength, n_variables)
        bound = Ridge(self.strength)
        if not isinstance(self.strength, float):
            bound.strength = space.asarray(self.strength)
        return bound

    def value(self, x: Array) -> float:
        return 0.5 * float((self.strength * x) @ x)

    def gradient(self, x: Array) -> Array:
        return self.strength * x

    def hessian(self, n_variables: int) -> Host:
        hessian = np.zeros((n_variables, n_variables))
        hessian.flat[:: n_variables + 1] = to_host(self.strength)
        return hessian

    def __repr__(self) -> str:
        return f"Ridge({self.strength!r})"


class QuadraticRegularizer(Quadratic):
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


class L1(Regularizer):
    """sum_i strength_i |x_i|, which sets entries of the solution to exactly zero.

    Of the methods, the first-order ones take it. It goes with a :class:`~minimax_opt.Box` as the domain, and with no other.

    Parameters
    ----------
    strength : float or array_like, shape (n,)
        Nonnegative and finite; one number for all variables, or one each (0 leaves an intercept free).

    References
    ----------
    Tibshirani, "Regression shrinkage and selection via the lasso", J. R. Statist. Soc. B 58 (1996); with a ridge: Zou and Hastie,
    J. R. Statist. Soc. B 67 (2005).

    Examples
    --------
    >>> import numpy as np
    >>> import minimax_opt as mo
    >>> tasks = mo.LeastSquaresTasks([np.eye(2), np.eye(2)], [np.array([2.0, 0.1]), np.array([2.0, -0.1])])
    >>> mo.minimize_max(tasks, regularizer=mo.L1(1.0), tol=1e-9).x.round(3)
    array([1., 0.])
    """

    def __init__(self, strength: Any) -> None:
        self.strength: Any = _strength(strength, "A negative 1-norm makes the problem non-convex.")

    def bind(self, n_variables: int, space: Space) -> Array:
        """The strengths as a vector of `space`, shape (n,)."""
        _check_length(self.strength, n_variables)
        return space.asarray(np.broadcast_to(self.strength, (n_variables,)).copy())

    def __repr__(self) -> str:
        return f"L1({self.strength!r})"


class Sum(Regularizer):
    """A sum of regularisers, as ``+`` makes it.

    Examples
    --------
    >>> from minimax_opt import L1, Ridge
    >>> Ridge(0.1) + L1(0.5)
    Ridge(0.1) + L1(0.5)
    """

    def __init__(self, *terms: Quadratic | L1) -> None:
        self._terms = terms
        self.strong_convexity = sum(term.strong_convexity for term in terms)

    @property
    def terms(self) -> tuple[Quadratic | L1, ...]:
        return self._terms

    def __repr__(self) -> str:
        return " + ".join(map(repr, self._terms))


def bind(regularizer: Regularizer | None, n_variables: int, space: Space) -> tuple[Quadratic | None, Array]:
    """(r, c): the sum of the quadratic terms, and the strengths of the 1-norm, shape (n,), both in `space`; None for what is absent.

    Raises
    ------
    ValueError
        For a term whose shape does not fit n.
    """
    terms = () if regularizer is None else regularizer.terms
    quadratics = [term.bind(n_variables, space) for term in terms if isinstance(term, Quadratic)]
    norms = [term.bind(n_variables, space) for term in terms if isinstance(term, L1)]
    l1 = sum(norms[1:], start=norms[0]) if norms else None
    return _merged(quadratics, n_variables, space), l1 if l1 is not None and bool((l1 > 0).any()) else None


def _merged(terms: list[Quadratic], n_variables: int, space: Space) -> Quadratic | None:
    """One quadratic for the sum of several: a ridge if all are."""
    if len(terms) <= 1:
        return terms[0] if terms else None
    if all(isinstance(term, Ridge) for term in terms):
        total = Ridge(sum(np.asarray(to_host(term.strength)) for term in terms if isinstance(term, Ridge)))
        return total.bind(n_variables, space)
    zero = space.zeros(n_variables)
    total_Q = sum(term.hessian(n_variables) for term in terms)
    merged = QuadraticRegularizer(total_Q, to_host(sum(term.gradient(zero) for term in terms)))
    merged.strong_convexity = max(merged.strong_convexity, sum(term.strong_convexity for term in terms))
    return merged.bind(n_variables, space)


def _strength(strength: Any, why: str) -> Any:
    """`strength` as a float or a vector, finite and nonnegative."""
    values = checks.number_or_vector("strength", strength)
    if not np.all(np.isfinite(values)) or np.any(values < 0):
        raise ValueError(f"`strength` must be a finite number >= 0, or one for each variable, got {strength!r}. {why}")
    return np.array(values) if values.ndim else float(values)


def _check_length(strength: Any, n_variables: int) -> None:
    if not isinstance(strength, float) and tuple(np.shape(strength)) != (n_variables,):
        raise ValueError(f"`strength` must be one number or have shape ({n_variables},), got shape {tuple(np.shape(strength))}.")
