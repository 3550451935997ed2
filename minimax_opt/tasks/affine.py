"""Affine losses f(x) = A x + b, and the two-sided residuals of Chebyshev approximation: the losses of linear programmes."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import numpy as np

from minimax_opt.arrays import HOST, Array, Host, is_dense, space_of, to_host
from minimax_opt.tasks.base import Evaluation, Tasks
from minimax_opt.tasks.row_data import DENSE_BYTES
from minimax_opt.tasks.row_input import matrix, refuse_mixture, sparse_module, stack, vector
from minimax_opt.tasks.rows import numeric_library


class AffineTasks(Tasks):
    """Affine losses: f(x) = A x + b.

    Parameters
    ----------
    A : array, shape (K, n)
        NumPy or scipy.sparse (converted to float64), or torch, dense or sparse (float32 or float64, on any device, where it stays).
    b : array, shape (K,)

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import AffineTasks
    >>> AffineTasks([[1.0, 0.0], [-1.0, 2.0]], [0.0, 1.0])(np.array([1.0, 1.0])).tolist()
    [1.0, 2.0]
    """

    convex = True
    curvature = "affine"
    has_jacobian = True
    has_hessian = True
    has_hessian_product = True
    has_subset = True

    def __init__(self, A: Any, b: Any) -> None:
        refuse_mixture("A and b", [A], [b])
        A = matrix(A, "`A`")
        b = vector(b, A.shape[0], "`b`")
        self._set(stack([A], widen=True), b if isinstance(b, np.ndarray) else b.to(A.dtype))

    def _set(self, A: Array, b: Array) -> None:
        """Take checked data."""
        self.A, self.b, self.space = A, b, space_of(b)
        self.n_tasks, self.n_variables = A.shape
        if not is_dense(A):
            self.has_jacobian = 8.0 * A.shape[0] * A.shape[1] <= DENSE_BYTES
            self.has_hessian = 8.0 * A.shape[1] ** 2 <= DENSE_BYTES

    @classmethod
    def _from_data(cls, A: Array, b: Array) -> Self:
        tasks = cls.__new__(cls)
        tasks._set(A, b)
        return tasks

    def double(self) -> Self:
        """The same tasks in float64."""
        return self if space_of(self.b).eps <= HOST.eps else self._from_data(self.A.double(), self.b.double())

    def at(self, x: Array) -> AffineEvaluation:
        """Evaluate the losses at `x`, shape (n,), in :attr:`space`."""
        slope = self.A @ x
        return AffineEvaluation(self, slope + self.b, abs(slope) + abs(self.b))

    def weighted_slope(self, weights: Array) -> Array:
        """The gradient of <w, f>, shape (n,)."""
        return weights @ self.A

    def slopes(self) -> Array:
        """The Jacobian, shape (K, n), dense."""
        return self.A if is_dense(self.A) else self._kept_slopes

    @cached_property
    def _kept_slopes(self) -> Array:
        return sparse_module(self.A).dense(self.A)

    def subset(self, indices: Host) -> AffineTasks:
        """The tasks `indices`."""
        return AffineTasks._from_data(self.A[indices], self.b[indices])

    def quadratics(self) -> tuple[Host, Host, Host]:
        """(P, q, c) with P = 0 (shape (K, n, n), no memory behind it), q = the Jacobian, c = f(0)."""
        n = self.A.shape[1]
        P = np.broadcast_to(np.zeros(()), (self.n_tasks, n, n))  # type: ignore[arg-type]
        return P, to_host(self.slopes()), to_host(self(self.space.zeros(n)))  # type: ignore[union-attr]


class AffineEvaluation(Evaluation):
    """Losses of affine tasks, with their constant derivatives."""

    def __init__(self, tasks: AffineTasks, losses: Array, magnitudes: Array) -> None:
        self.tasks, self.losses, self._magnitudes = tasks, losses, magnitudes

    @property
    def magnitudes(self) -> Array:
        return self._magnitudes

    def gradient(self, weights: Array) -> Array:
        return self.tasks.weighted_slope(weights)

    def jacobian(self) -> Array:
        return self.tasks.slopes()

    def hessian(self, weights: Array) -> Array:
        n = self.tasks.A.shape[1]
        return self.tasks.space.zeros(n, n)  # type: ignore[union-attr]

    def hessian_product(self, weights: Array, v: Array) -> Array:
        return 0.0 * v

    def third_derivative_bound(self, weights: Array) -> float:
        return 0.0

    def self_concordance(self, weights: Array, factor: Host) -> float:
        return 0.0


class ChebyshevTasks(AffineTasks):
    """Largest absolute residual: the 2N losses +(A x - b) and -(A x - b), whose worst case is max_i |a_i'x - b_i|.

    Parameters
    ----------
    A : array, shape (N, n)
        NumPy or scipy.sparse (converted to float64), or torch, dense or sparse (float32 or float64, on any device, where it stays).
    b : array, shape (N,)

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import ChebyshevTasks
    >>> ChebyshevTasks([[1.0], [1.0]], [0.0, 3.0])(np.array([1.0])).tolist()
    [1.0, -2.0, -1.0, 2.0]
    """

    def _set(self, A: Array, b: Array) -> None:
        super()._set(A, b)
        self.n_tasks = 2 * A.shape[0]

    def at(self, x: Array) -> AffineEvaluation:
        """Evaluate the losses at `x`, shape (n,), in :attr:`space`."""
        slope = self.A @ x
        residual, size = slope - self.b, abs(slope) + abs(self.b)
        both = numeric_library(slope).concatenate
        return AffineEvaluation(self, both((residual, -residual)), both((size, size)))

    def weighted_slope(self, weights: Array) -> Array:
        """A'(w_plus - w_minus), shape (n,)."""
        n_rows = len(self.b)
        return (weights[:n_rows] - weights[n_rows:]) @ self.A

    def subset(self, indices: Host) -> AffineTasks:
        """The tasks `indices`, as affine ones."""
        n_rows = len(self.b)
        rows, sign = indices % n_rows, self.space.asarray(np.where(indices < n_rows, 1.0, -1.0))  # type: ignore[union-attr]
        A = self.A[rows]
        A = sign[:, None] * A if is_dense(A) else sparse_module(A).scaled(A, sign)
        return AffineTasks._from_data(A, -sign * self.b[rows])

    def slopes(self) -> Array:
        """[A; -A], shape (2N, n), dense; made when first asked for, and kept."""
        return self._kept_slopes

    @cached_property
    def _kept_slopes(self) -> Array:
        A = self.A if is_dense(self.A) else sparse_module(self.A).dense(self.A)
        return numeric_library(A).concatenate((A, -A))


__all__ = ["AffineEvaluation", "AffineTasks", "ChebyshevTasks"]
