"""Quadratic losses f_k(x) = x'P_k x / 2 + q_k'x + c_k."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from minimax_opt.arrays import HOST, Array, Host, space_of, to_host
from minimax_opt.semidefinite import convexity, symmetric_part
from minimax_opt.tasks.base import Evaluation, Tasks
from minimax_opt.tasks.row_input import as_finite, refuse_mixture
from minimax_opt.tasks.rows import numeric_library


class QuadraticTasks(Tasks):
    """Quadratic losses: f_k(x) = x'P_k x / 2 + q_k'x + c_k.

    Parameters
    ----------
    P : array, shape (K, n, n)
        Matrices that are symmetric to rounding (and made exactly so), NumPy (converted to float64) or torch (float32 or float64,
        on any device, where it stays).
    q : array, shape (K, n), optional
        Zero by default.
    c : array, shape (K,), optional
        Zero by default.

    Raises
    ------
    ValueError, TypeError
        For wrong shapes, unsymmetric matrices (naming the task), nan or infinite entries, NumPy mixed with torch.

    Notes
    -----
    `convex` is True exactly where every P_k is positive semidefinite up to rounding of its entries, whatever the units of the
    variables, and `strong_convexity` is a lower bound on the eigenvalues of all P_k: the smallest one less rounding errors.

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import QuadraticTasks
    >>> tasks = QuadraticTasks([np.eye(2), 3 * np.eye(2)], c=[0.0, -1.0])
    >>> tasks(np.array([1.0, 1.0])).tolist(), tasks.convex, round(tasks.strong_convexity, 9)
    ([1.0, 2.0], True, 1.0)
    """

    curvature = "quadratic"
    has_jacobian = True
    has_hessian = True
    has_hessian_product = True
    has_subset = True

    def __init__(self, P: Any, q: Any = None, c: Any = None) -> None:
        refuse_mixture("P, q and c", [P], None if q is None else [q], None if c is None else [c])
        self.P = as_finite(P, "`P`")
        if self.P.ndim != 3 or self.P.shape[1] != self.P.shape[2] or 0 in self.P.shape:
            raise ValueError(
                f"`P` must have shape (K, n, n) with K, n >= 1, got shape {tuple(self.P.shape)}; one task is `P[None]`."
            )
        self.n_tasks, self.n_variables = self.P.shape[:2]
        self.space = space_of(self.P)
        self.q = self._part(q, "`q`", (self.n_tasks, self.n_variables))
        self.c = self._part(c, "`c`", (self.n_tasks,))
        self._check_symmetry()
        self.P = symmetric_part(self.P)
        self.convex, self.strong_convexity = convexity(self.P)

    def _part(self, a: Any, what: str, shape: tuple[int, ...]) -> Array:
        """`a` checked against `shape`, zeros where it is None."""
        if a is None:
            return self.space.zeros(*shape)  # type: ignore[union-attr]
        a = as_finite(a, what)
        if tuple(a.shape) != shape:
            raise ValueError(f"{what} must have shape {shape}, got shape {tuple(a.shape)}.")
        return self.space.asarray(a)  # type: ignore[union-attr]

    def _check_symmetry(self) -> None:
        library = numeric_library(self.P)
        asymmetry = to_host(library.amax(abs(self.P - self.P.swapaxes(1, 2)), (1, 2)))
        excess = asymmetry - 1e3 * self.space.eps * to_host(library.amax(abs(self.P), (1, 2)))  # type: ignore[union-attr]
        k = int(np.argmax(excess))
        if excess[k] > 0:
            raise ValueError(
                f"`P`, task {k}, must be symmetric, got entries that differ by {asymmetry[k]:.3g}; pass (P + P.T) / 2."
            )

    def double(self) -> QuadraticTasks:
        """The same tasks in float64."""
        return self if space_of(self.P).eps <= HOST.eps else QuadraticTasks(self.P.double(), self.q.double(), self.c.double())

    def at(self, x: Array) -> QuadraticEvaluation:
        """Evaluate the losses at `x`, shape (n,), in :attr:`space`."""
        return QuadraticEvaluation(self, x)

    def subset(self, indices: Host) -> QuadraticTasks:
        """The tasks `indices`; what is known of the convexity of all holds for them."""
        part = copy.copy(self)
        part.P, part.q, part.c, part.n_tasks = self.P[indices], self.q[indices], self.c[indices], len(indices)
        return part

    def quadratics(self) -> tuple[Host, Host, Host]:
        """(P, q, c) on the host."""
        return to_host(self.P), to_host(self.q), to_host(self.c)


class QuadraticEvaluation(Evaluation):
    """Losses of quadratic tasks at one point; P x is shared by losses and gradients."""

    def __init__(self, tasks: QuadraticTasks, x: Array) -> None:
        self.tasks, self._x = tasks, x
        self._Px = tasks.P @ x
        self.losses = (0.5 * self._Px + tasks.q) @ x + tasks.c

    @property
    def magnitudes(self) -> Array:
        return 0.5 * abs(self._Px @ self._x) + abs(self.tasks.q @ self._x) + abs(self.tasks.c)

    def gradient(self, weights: Array) -> Array:
        return weights @ self.jacobian()

    def jacobian(self) -> Array:
        return self._Px + self.tasks.q

    def hessian(self, weights: Array) -> Array:
        K, n, _ = self.tasks.P.shape
        return (weights @ self.tasks.P.reshape(K, n * n)).reshape(n, n)

    def hessian_product(self, weights: Array, v: Array) -> Array:
        return weights @ (self.tasks.P @ v)

    def third_derivative_bound(self, weights: Array) -> float:
        return 0.0

    def self_concordance(self, weights: Array, factor: Host) -> float:
        return 0.0


__all__ = ["QuadraticEvaluation", "QuadraticTasks"]
