"""The contract of what is minimised: K losses of one vector x.

A family of tasks is a function ``x -> losses`` (shape ``(K,)``) that may know more about itself. ``tasks.at(x)`` returns an
:class:`Evaluation`, which holds the losses and gives derivatives at the same point when they are asked for, sharing what the losses
have already computed (the residuals, say).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import HOST, Array, Host, Space, to_host

if TYPE_CHECKING:
    from minimax_opt.tasks.row_dual import RowDual

Curvature = Literal["affine", "quadratic", "general"]


class Rounding(NamedTuple):
    """Bounds on what rounding of the predictors z = A x does, for losses that are convex functions of z.

    Attributes
    ----------
    value : float
        The computed <w, f> exceeds the exact one by at most this.
    newton, length : float
        The computed gradient of <w, f> misses the exact one by at most this in the metric H^{-1} of its Hessian H, and in the Euclidean norm.
    """

    value: float
    newton: float
    length: float


NO_ROUNDING = Rounding(0.0, 0.0, 0.0)


class Evaluation(ABC):
    """The K losses at one point, with derivatives on demand.

    Attributes
    ----------
    losses : array, shape (K,)
        f(x), in the space of x.
    """

    losses: Array

    @property
    def magnitudes(self) -> Array:
        """Size of the largest terms that were summed to each loss, shape (K,), in the space of x: its rounding is about eps times that."""
        return abs(self.losses)

    def rounding(self, weights: Array) -> Rounding:
        """What <w, f> and its gradient may be wrong by, for the weights at hand, beyond a few eps times :attr:`magnitudes`."""
        return NO_ROUNDING

    @abstractmethod
    def gradient(self, weights: Array) -> Array:
        """sum_k w_k grad f_k(x), shape (n,). `weights` has shape (K,) and is in the space of x."""

    def jacobian(self) -> Array:
        """The K gradients as rows, shape (K, n)."""
        raise NotImplementedError

    def hessian(self, weights: Array) -> Array:
        """sum_k w_k Hess f_k(x), shape (n, n)."""
        raise NotImplementedError

    def upper_hessian(self, weights: Array, share: float) -> Array:
        """`share` of the way from :meth:`hessian`, at 0, to the Hessian of a quadratic that touches F_w here and lies above it, at 1."""
        raise NotImplementedError

    def hessian_product(self, weights: Array, v: Array) -> Array:
        """(sum_k w_k Hess f_k(x)) v, shape (n,), without an n x n matrix; for tasks whose `has_hessian_product` is True."""
        raise NotImplementedError

    def third_derivative_bound(self, weights: Array) -> float:
        """T with |D^3 F_w(y)[h,h,h]| <= T |h| D^2 F_w(y)[h,h] for every y and h, |h| the Euclidean norm; inf where nothing is known.

        0 for quadratics. What :meth:`self_concordance` bounds in the metric of a factor, here without one: see :mod:`minimax_opt.krylov_bound`.
        """
        return float("inf")

    def self_concordance(self, weights: Array, factor: Host) -> float:
        """Kappa with |d^3 F_w[h,h,h]| <= kappa |h|_H d^2 F_w[h,h] at every point and for every h, where F_w = sum_k w_k f_k and H = C C'.

        0 for quadratics, ``max_i |C^{-1} a_i|`` for logistic tasks, inf where nothing is known. `factor` is the lower Cholesky
        factor C of a positive definite matrix (NumPy float64, shape (n, n)). It turns one Hessian into a certified lower
        bound: see :mod:`minimax_opt.certificate`.
        """
        return float("inf")

    def duals(self, weights: Array, slope: Array) -> Sequence[RowDual]:
        """The Fenchel dual of <w, f> around slopes at this x, one or a few, for :mod:`minimax_opt.dual_bound`; none where it is not known.

        `slope`, shape (n,), is the gradient of what is added to <w, f>.
        """
        return ()

    def square_root(self, weights: Array) -> tuple[Array, Array, Array] | None:
        """(B, v, t) with sum_k w_k Hess f_k = B'B (B of shape (M, n)) and sum_k w_k grad f_k = B'v; None where it is not known.

        t (shape (M,)) bounds third derivatives: |D^3 F_w[h,h,h]| <= max_i t_i |b_i'h| D^2 F_w[h,h]; zeros for quadratics.
        """
        return None


class Tasks(ABC):
    """K losses of one vector x. A subclass sets the attributes and writes :meth:`at`.

    Attributes
    ----------
    n_tasks : int or None
        K; None for a function that has not been called yet.
    n_variables : int or None
        n; None where any length will do.
    convex : bool
        True only where the structure proves every f_k convex.
    strong_convexity : float
        mu >= 0 such that every f_k is proven mu-strongly convex.
    curvature : {"affine", "quadratic", "general"}
        "affine": no Hessian; "quadratic": constant Hessians; "general": anything.
    has_jacobian, has_hessian : bool
        Whether evaluations offer those derivatives.
    smooth : bool
        Whether every f_k is differentiable everywhere; where it is not, derivatives are subgradients, and methods that need more refuse.
    self_concordant : bool
        Whether :meth:`Evaluation.self_concordance` may be finite: where it never is, no Hessian is bought to ask.
    has_upper_hessian : bool
        Whether evaluations offer :meth:`Evaluation.upper_hessian`.
    has_hessian_product : bool
        Whether evaluations offer products of the weighted Hessian with a vector.
    has_subset : bool
        Whether :meth:`subset` works.
    exact_gradients : bool
        Whether derivatives are exact to rounding; False for finite differences, which prove nothing.
    space : Space or None
        Where x must live; None: wherever x0 lives.
    losses_eps : float
        Unit rounding of the losses where it may be coarser than that of :attr:`space`; 0 where it is not.
    """

    n_tasks: int | None = None
    n_variables: int | None = None
    convex: bool = False
    strong_convexity: float = 0.0
    curvature: Curvature = "general"
    has_jacobian: bool = False
    has_hessian: bool = False
    smooth: bool = True
    self_concordant: bool = True
    has_upper_hessian: bool = False
    has_hessian_product: bool = False
    has_subset: bool = False
    exact_gradients: bool = True
    space: Space | None = HOST
    losses_eps: float = 0.0

    @abstractmethod
    def at(self, x: Array) -> Evaluation:
        """Evaluate the losses at `x`, shape (n,), in :attr:`space`."""

    def __call__(self, x: Array) -> Array:
        """f(x), shape (K,); checks the shape of x, which :meth:`at` takes on trust."""
        shape = tuple(checks.real_array("`x` must be a vector", x).shape)
        if len(shape) != 1 or self.n_variables not in (None, shape[0]):
            expected = "n" if self.n_variables is None else self.n_variables
            raise ValueError(f"`x` must have shape ({expected},) to fit the tasks, got shape {shape}.")
        return self.at(x).losses

    def x0(self) -> Array | None:
        """Where to start if the caller does not say: zeros; None where n is not known."""
        return None if self.n_variables is None else (self.space or HOST).zeros(self.n_variables)

    def in_space(self, space: Space) -> Self:
        """These tasks for x in `space`: for tasks whose :attr:`space` is None."""
        bound = copy.copy(self)
        bound.space = space
        return bound

    def double(self) -> Tasks:
        """The same tasks with their data in float64, where they hold float32 data; else themselves."""
        return self

    def sample(self, generator: np.random.Generator, batch_size: int) -> Tasks:
        """The tasks on a random mini-batch of `batch_size` samples each, drawn with replacement: itself a family of tasks.

        The losses and gradients of the result are unbiased estimates of those of the full tasks.
        """
        raise NotImplementedError(
            f"{type(self).__name__} cannot draw mini-batches. Leave out `batch_size`, or write a method "
            "`sample(generator, batch_size)` that returns the tasks of one mini-batch."
        )

    def subset(self, indices: Host) -> Tasks:
        """The family of the tasks `indices` alone (shape (S,), integers in [0, K), distinct), in that order; for tasks whose `has_subset` is True."""
        raise NotImplementedError(
            f"{type(self).__name__} cannot be restricted to a subset of its tasks. Write a method `subset(indices)` and set `has_subset`."
        )

    def quadratics(self) -> tuple[Host, Host, Host]:
        """(P, q, c) with f_k(x) = x'P_k x / 2 + q_k'x + c_k: shapes (K, n, n), (K, n), (K,). Only where curvature is not "general"."""
        raise NotImplementedError(f"{type(self).__name__} is not quadratic.")

    def flat_directions(self) -> Host | None:
        """An orthonormal basis, shape (n, m), of directions along which no loss ever changes, where the structure has some; else None."""
        return None

    @property
    def n_rows(self) -> int | None:
        """Number of data rows behind all tasks together; None where there are none."""
        return None

    def __repr__(self) -> str:
        parts = {"n_tasks": self.n_tasks, "n_variables": self.n_variables, "n_rows": self.n_rows}
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in parts.items() if v is not None)})"


class HostEvaluation(Evaluation):
    """An evaluation seen from NumPy float64, whatever space it was made in."""

    def __init__(self, inner: Evaluation, space: Space) -> None:
        self._inner, self._space = inner, space
        self.losses = to_host(inner.losses)

    @property
    def magnitudes(self) -> Host:
        return to_host(self._inner.magnitudes)

    def gradient(self, weights: Array) -> Host:
        return to_host(self._inner.gradient(self._space.asarray(weights)))

    def jacobian(self) -> Host:
        return to_host(self._inner.jacobian())

    def hessian(self, weights: Array) -> Host:
        return to_host(self._inner.hessian(self._space.asarray(weights)))

    def hessian_product(self, weights: Array, v: Array) -> Host:
        return to_host(self._inner.hessian_product(self._space.asarray(weights), self._space.asarray(v)))

    def third_derivative_bound(self, weights: Array) -> float:
        return self._inner.third_derivative_bound(self._space.asarray(weights))

    def self_concordance(self, weights: Array, factor: Host) -> float:
        return self._inner.self_concordance(self._space.asarray(weights), factor)

    def duals(self, weights: Array, slope: Array) -> Sequence[RowDual]:
        return self._inner.duals(self._space.asarray(weights), self._space.asarray(slope))

    def rounding(self, weights: Array) -> Rounding:
        return self._inner.rounding(self._space.asarray(weights))

    def square_root(self, weights: Array) -> tuple[Array, Array, Array] | None:
        return self._inner.square_root(self._space.asarray(weights))


def evaluate_on_host(tasks: Tasks, x: Host, space: Space) -> Evaluation:
    """``tasks.at(x)`` for a NumPy float64 `x` and tasks that live in `space`; free of overhead where that is NumPy float64."""
    if space == HOST:
        return tasks.at(x)
    return HostEvaluation(tasks.at(space.asarray(x)), space)


__all__ = ["NO_ROUNDING", "Curvature", "Evaluation", "HostEvaluation", "Rounding", "Tasks", "evaluate_on_host"]
