"""Losses f_k(x) = sum_{i in task k} c_i phi(a_i'x, b_i): generalised linear models, one phi for all rows.

A family gives phi and its derivatives elementwise (a :class:`Pointwise`) and the constant rho with |phi'''| <= rho phi''. The
rest is here: with z = A x computed once, D = diag(c_i w_k(i)),

    gradient    A'D phi'(z)            Jacobian   row k: sum_{i in k} c_i phi'(z_i) a_i
    Hessian     A'D diag(phi''(z)) A = B'B with B = sqrt(D phi'') A, and gradient = B'v with v = sqrt(D / phi'') phi'.
    Its product with v needs no n x n matrix: A'(D phi''(z) A v).

Rounding. The computed z errs by |e_i| <= (n + 3) u (|a_i||x| + |b_i|), u = eps / 2. With D phi'(z + e) - D phi'(z) = D phi'' e to first order, hence
|A'D phi'' e|_{H^-1} <= |sqrt(D phi'') e|, and phi(z) >= phi(z + e) - |phi'(z + e)| |e| by convexity.

Third derivatives: |D^3 F_w[h,h,h]| <= rho sum_i c_i w phi'' |a_i'h|^3 <= rho max_i |a_i'h| D^2 F_w[h,h], and for H = C C'
|a_i'h| <= |C^{-1} a_i| |h|_H, or |a_i| |h| where there is no factor.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Protocol, cast

import numpy as np
import torch

from minimax_opt.arrays import Array, Host, to_host
from minimax_opt.tasks.base import Evaluation, Rounding
from minimax_opt.tasks.row_dual import RowDual
from minimax_opt.tasks.row_family import RowFamily

FEWER = 3  # times fewer rows with weight than rows: then a copy of those pays for the many vectors of a dual bound


class Pointwise(Protocol):
    """phi at all rows. Where a value may be a small difference of large terms, an attribute `size` gives those, shape (M,)."""

    value: Array

    def first(self) -> Array:
        """phi'(z), shape (M,)."""

    def second(self) -> Array:
        """phi''(z), shape (M,), or one number for all."""


class Majorised(Pointwise, Protocol):
    """phi of a family with an upper Hessian."""

    def secant(self) -> Array:
        """The curvature of a parabola in z that touches phi at z and lies above it, shape (M,)."""


class Conjugate(Pointwise, Protocol):
    """phi of a family with a `dual_domain`."""

    def fenchel_young(self, u: Array) -> Array:
        """phi(z) + phi*(u) - u z >= 0, shape (M,), for u in dom phi*, without cancellation."""


class RowTasks(RowFamily):
    """Shared base of the families with one linear predictor. See :class:`LeastSquaresTasks` and :class:`LogisticTasks`.

    Attributes
    ----------
    dual_domain : tuple of float, or None
        dom phi* = [low, high], low < 0 < high, of a family whose phi is a :class:`Conjugate`: :mod:`minimax_opt.dual_bound` then proves
        its lower bounds.
    """

    residuals: ClassVar[bool] = False  # whether phi is a function of z - b
    third_derivative_ratio: ClassVar[float] = 0.0  # rho; inf where third derivatives are unbounded
    dual_domain: tuple[float, float] | None = None

    @abstractmethod
    def pointwise(self, z: Array) -> Pointwise:
        """phi(z_i, b_i) for all rows, shape (M,)."""

    def at(self, x: Array) -> RowEvaluation:
        """Evaluate the losses at `x`, shape (n,), in :attr:`space`."""
        return RowEvaluation(self, x)

    def hessian_at(self, evaluation: RowEvaluation, weights: Array) -> Array:
        """sum_k w_k Hess f_k at an evaluation of this family."""
        data = self.data
        return data.gram(data.row_weights(weights) * evaluation.second, weights)


class RowEvaluation(Evaluation):
    """Losses of a :class:`RowTasks` at one point; phi' and phi'' are computed when first needed."""

    def __init__(self, tasks: RowTasks, x: Array) -> None:
        self.tasks, self.x = tasks, x
        self._pointwise = tasks.pointwise(tasks.data.times(x))
        self.losses = tasks.data.mean(self._pointwise.value)

    @property
    def magnitudes(self) -> Array:
        size = getattr(self._pointwise, "size", None)
        return abs(self.losses) if size is None else self.tasks.data.mean(size)

    @cached_property
    def slip(self) -> Array:
        """What z, or z - b, may be wrong by, shape (M,): units of rounding of all that is summed to it, not of the result."""
        data = self.tasks.data
        size = data.predictor_sizes(self.x)
        if self.tasks.residuals:
            size = size + abs(data.b)
        return (0.5 * (data.longest_sum + 3) * data.space.eps) * size

    def rounding(self, weights: Array) -> Rounding:
        data, e = self.tasks.data, self.slip
        d = data.row_weights(weights)
        slope_change, size = d * self.second * e, d * abs(self.first)
        newton = float(slope_change @ e) ** 0.5
        summed = (0.5 * data.n_rows * data.space.eps) * size
        return Rounding(float(size @ e), newton, float((slope_change + summed) @ data._lengths_of_rows))

    @cached_property
    def first(self) -> Array:
        """phi'(z), shape (M,)."""
        return self._pointwise.first()

    @cached_property
    def second(self) -> Array:
        """phi''(z), shape (M,), or one number for all."""
        return self._pointwise.second()

    def gradient(self, weights: Array) -> Array:
        data = self.tasks.data
        return data.combine(data.row_weights(weights) * self.first, weights)

    def jacobian(self) -> Array:
        return self.tasks.data.jacobian(self.first)

    def hessian(self, weights: Array) -> Array:
        return self.tasks.hessian_at(self, weights)

    def upper_hessian(self, weights: Array, share: float) -> Array:
        data, majorised = self.tasks.data, cast("Majorised", self._pointwise)
        curvature = self.second + share * (majorised.secant() - self.second)
        return data.gram(data.row_weights(weights) * curvature, weights)

    def hessian_product(self, weights: Array, v: Array) -> Array:
        data = self.tasks.data
        return data.combine(data.row_weights(weights) * self.second * data.times(v), weights)

    def third_derivative_bound(self, weights: Array) -> float:
        rho = self.tasks.third_derivative_ratio
        return rho * self.tasks.data.longest_row(weights) if 0 < rho < np.inf else rho

    def self_concordance(self, weights: Array, factor: Host) -> float:
        rho = self.tasks.third_derivative_ratio
        return rho * self.tasks.data.leverage(factor, weights) if 0 < rho < np.inf else rho

    def duals(self, weights: Array, slope: Array) -> Sequence[RowDual]:
        data, domain = self.tasks.data, self.tasks.dual_domain
        if domain is None or not data.offers(data.n_variables):
            return ()
        active: Array = np.flatnonzero(to_host(weights))
        if FEWER * data.sizes[active].sum() <= data.n_rows:
            return self.tasks.subset(active).at(self.x).duals(weights[active], slope)
        return (RowDual(data, weights, self._pointwise, (self.first, self.second), domain, self._excess),)

    def _excess(self, u: Array) -> Array:
        """|u_i - phi'(z_i)| slip_i: what z u - phi*(u) may be wrong by beyond what :meth:`rounding` says of the losses."""
        return abs(u - self.first) * self.slip

    def square_root(self, weights: Array) -> tuple[Array, Array, Array] | None:
        tasks = self.tasks
        d = tasks.data.row_weights(weights)
        curvature = d * self.second
        keep = curvature > 0
        underflow = bool(((d * self.first)[~keep] != 0).any())  # of phi'' where phi' has not
        if underflow or not tasks.data.offers(tasks.n_rows):
            return None
        root = curvature[keep] ** 0.5
        v = d[keep] * self.first[keep] / root
        return tasks.data.scaled(keep, root), v, tasks.third_derivative_ratio / root


def numeric_library(a: Array) -> Any:
    """The module torch for tensors, NumPy for everything else: for the elementwise functions that both name alike."""
    return torch if isinstance(a, torch.Tensor) else np


def distinct(values: Array, limit: int = 5) -> list[float]:
    """The first few distinct values, for error messages."""
    return [float(v) for v in np.unique(to_host(values))[:limit]]
