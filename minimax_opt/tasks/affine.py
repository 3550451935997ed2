"""Affine losses f(x) = A x + b, and the two-sided residuals of Chebyshev approximation: the losses of linear programmes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from minimax_opt.arrays import HOST, Array, Host, space_of, to_host
from minimax_opt.tasks.base import Evaluation, Tasks
from minimax_opt.tasks.row_input import matrix, refuse_mixture, vector
from minimax_opt.tasks.rows import numeric_library


class AffineTasks(Tasks):
    """Affine losses: f(x) = A x + b.

    Parameters
    ----------
    A : array, shape (K, n)
        NumPy (converted to float64) or torch (float32 or float64, on any device, where it stays).
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
        self.A = matrix(A, "`A`")
        self.b = vector(b, len(self.A), "`b`")
        self.n_tasks, self.n_variables = self.A.shape
        self.space = space_of(self.A)

    def double(self) -> Self:
        """The same tasks in float64."""
        return self if space_of(self.A).eps <= HOST.eps else type(self)(self.A.double(), self.b.double())

    def at(self, x: Array) -> AffineEvaluation:
        """Evaluate the losses at `x`, shape (n,), in :attr:`space`."""
        slope = self.A @ x
        return AffineEvaluation(self, slope + self.b, abs(slope) + abs(self.b))

    def weighted_slope(self, weights: Array) -> Array:
        """The gradient of <w, f>, shape (n,)."""
        return weights @ self.A

    def slopes(self) -> Array:
        """The Jacobian, shape (K, n)."""
        return self.A

    def subset(self, indices: Host) -> AffineTasks:
        """The tasks `indices`."""
        return AffineTasks(self.A[indices], self.b[indices])

    def quadratics(self) -> tuple[Host, Host, Host]:
        """(P, q, c) with P = 0 (shape (K, n, n), no memory behind it), q = the Jacobian, c = f(0)."""
        n = self.A.shape[1]
        P = np.broadcast_to(np.zeros(()), (len(self.slopes()), n, n))
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
        NumPy (converted to float64) or torch (float32 or float64, on any device, where it stays).
    b : array, shape (N,)

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import ChebyshevTasks
    >>> ChebyshevTasks([[1.0], [1.0]], [0.0, 3.0])(np.array([1.0])).tolist()
    [1.0, -2.0, -1.0, 2.0]
    """

    _slopes: Array = None

    def __init__(self, A: Any, b: Any) -> None:
        super().__init__(A, b)
        self.n_tasks = 2 * len(self.A)

    def at(self, x: Array) -> AffineEvaluation:
        """Evaluate the losses at `x`, shape (n,), in :attr:`space`."""
        slope = self.A @ x
        residual, size = slope - self.b, abs(slope) + abs(self.b)
        both = numeric_library(slope).concatenate
        return AffineEvaluation(self, both((residual, -residual)), both((size, size)))

    def weighted_slope(self, weights: Array) -> Array:
        """A'(w_plus - w_minus), shape (n,)."""
        n_rows = len(self.A)
        return (weights[:n_rows] - weights[n_rows:]) @ self.A

    def subset(self, indices: Host) -> AffineTasks:
        """The tasks `indices`, as affine ones."""
        rows, sign = indices % len(self.A), np.where(indices < len(self.A), 1.0, -1.0)
        sign = self.space.asarray(sign)  # type: ignore[union-attr]
        return AffineTasks(sign[:, None] * self.A[rows], -sign * self.b[rows])

    def slopes(self) -> Array:
        """[A; -A], shape (2N, n); made when first asked for, and kept."""
        if self._slopes is None:
            self._slopes = numeric_library(self.A).concatenate((self.A, -self.A))
        return self._slopes


__all__ = ["AffineEvaluation", "AffineTasks", "ChebyshevTasks"]
