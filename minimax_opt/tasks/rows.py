"""Losses f_k(x) = sum_{i in task k} c_i phi(a_i'x, b_i): generalised linear models, one phi for all rows.

A family gives phi and its derivatives elementwise (a :class:`Pointwise`) and the constant rho with |phi'''| <= rho phi''. The
rest is here: with z = A x computed once, D = diag(c_i w_k(i)),

    gradient    A'D phi'(z)            Jacobian   row k: sum_{i in k} c_i phi'(z_i) a_i
    Hessian     A'D diag(phi''(z)) A = B'B with B = sqrt(D phi'') A, and gradient = B'v with v = sqrt(D / phi'') phi'.
    Its product with v needs no n x n matrix: A'(D phi''(z) A v).

Third derivatives: |D^3 F_w[h,h,h]| <= rho sum_i c_i w phi'' |a_i'h|^3 <= rho max_i |a_i'h| D^2 F_w[h,h], and for H = C C'
|a_i'h| <= |C^{-1} a_i| |h|_H, or |a_i| |h| where there is no factor.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch

from minimax_opt import checks
from minimax_opt.arrays import HOST, Array, Host, to_host
from minimax_opt.tasks.base import Evaluation, Tasks
from minimax_opt.tasks.row_data import RowData
from minimax_opt.tasks.row_input import rows_from_groups, rows_from_lists


class Pointwise(Protocol):
    """phi at all rows."""

    value: Array

    def first(self) -> Array:
        """phi'(z), shape (M,)."""

    def second(self) -> Array:
        """phi''(z), shape (M,), or one number for all."""


class RowTasks(Tasks):
    """Shared base of the families whose loss is a mean over rows. See :class:`LeastSquaresTasks` and :class:`LogisticTasks`.

    Attributes
    ----------
    data : RowData
        The stacked rows.
    task_names : list
        Labels of the tasks: 0 ... K-1, or the sorted group labels.
    """

    convex = True
    has_jacobian = True
    has_hessian = True
    has_hessian_product = True
    has_subset = True
    third_derivative_ratio: ClassVar[float] = 0.0  # rho

    def __init__(self, list_of_A: Any, list_of_b: Any, sample_weights: Any = None) -> None:
        self._set(rows_from_lists(list_of_A, list_of_b, sample_weights))
        self._check_targets()

    @classmethod
    def from_groups(cls, A: Any, b: Any, groups: Any, sample_weights: Any = None) -> Self:
        """The same family from one stacked matrix, a task for each distinct label.

        Parameters
        ----------
        A : array, shape (M, n)
        b : array, shape (M,)
        groups : array of int or str, shape (M,)
            The task of each row. Tasks come in sorted order of the labels, which :attr:`task_names` lists.
        sample_weights : array, shape (M,), optional
            Nonnegative; normalised within each task.

        Returns
        -------
        RowTasks
            An instance of the class that it is called on.
        """
        data, names = rows_from_groups(A, b, groups, sample_weights)
        tasks = cls._from_data(data, names)
        tasks._check_targets()
        return tasks

    @classmethod
    def _from_data(cls, data: RowData, names: list[Any]) -> Self:
        tasks = cls.__new__(cls)
        tasks._set(data, names)
        return tasks

    def _set(self, data: RowData, names: list[Any] | None = None) -> None:
        self.data, self.space = data, data.space
        self.n_tasks, self.n_variables = data.n_tasks, data.n_variables
        self.has_jacobian, self.has_hessian = data.offers(data.n_tasks), data.offers(data.n_variables)
        self.task_names = list(range(data.n_tasks)) if names is None else names

    def _check_targets(self) -> None:
        """Raise where the targets do not fit phi, and bring them to its convention."""

    @abstractmethod
    def pointwise(self, z: Array) -> Pointwise:
        """phi(z_i, b_i) for all rows, shape (M,)."""

    @property
    def n_rows(self) -> int:
        """Number of data rows of all tasks together."""
        return self.data.n_rows

    def at(self, x: Array) -> RowEvaluation:
        """Evaluate the losses at `x`, shape (n,), in :attr:`space`."""
        return RowEvaluation(self, x)

    def double(self) -> Self:
        """The same rows in float64."""
        return self if self.data.space.eps <= HOST.eps else self._from_data(self.data.double(), self.task_names)

    def sample(self, generator: np.random.Generator, batch_size: int) -> Self:
        """The family on `batch_size` rows of each task, drawn with replacement with probabilities c_i: unbiased.

        Parameters
        ----------
        generator : numpy.random.Generator
        batch_size : int
            At least 1.
        """
        return self._from_data(self.data.sample(generator, checks.integer("batch_size", batch_size, 1)), self.task_names)

    def subset(self, indices: Host) -> Self:
        """The tasks `indices` with copies of their rows."""
        return self._from_data(self.data.subset(indices), [self.task_names[k] for k in indices])

    def hessian_at(self, evaluation: RowEvaluation, weights: Array) -> Array:
        """sum_k w_k Hess f_k at an evaluation of this family."""
        data = self.data
        return data.gram(data.row_weights(weights) * evaluation.second, weights)


class RowEvaluation(Evaluation):
    """Losses of a :class:`RowTasks` at one point; phi' and phi'' are computed when first needed."""

    def __init__(self, tasks: RowTasks, x: Array) -> None:
        self.tasks, self.x = tasks, x
        self._pointwise = tasks.pointwise(tasks.data.times(x))
        self._first: Array = None
        self._second: Array = None
        self.losses = tasks.data.mean(self._pointwise.value)

    @property
    def first(self) -> Array:
        """phi'(z), shape (M,)."""
        if self._first is None:
            self._first = self._pointwise.first()
        return self._first

    @property
    def second(self) -> Array:
        """phi''(z), shape (M,), or one number for all."""
        if self._second is None:
            self._second = self._pointwise.second()
        return self._second

    def gradient(self, weights: Array) -> Array:
        data = self.tasks.data
        return data.combine(data.row_weights(weights) * self.first, weights)

    def jacobian(self) -> Array:
        return self.tasks.data.jacobian(self.first)

    def hessian(self, weights: Array) -> Array:
        return self.tasks.hessian_at(self, weights)

    def hessian_product(self, weights: Array, v: Array) -> Array:
        data = self.tasks.data
        return data.combine(data.row_weights(weights) * self.second * data.times(v), weights)

    def third_derivative_bound(self, weights: Array) -> float:
        rho = self.tasks.third_derivative_ratio
        return rho * self.tasks.data.longest_row(weights) if rho else 0.0

    def self_concordance(self, weights: Array, factor: Host) -> float:
        rho = self.tasks.third_derivative_ratio
        return rho * self.tasks.data.leverage(factor, weights) if rho else 0.0

    def square_root(self, weights: Array) -> tuple[Array, Array, Array] | None:
        tasks = self.tasks
        d = tasks.data.row_weights(weights)
        curvature = d * self.second
        keep = curvature > 0
        if bool(((d * self.first)[~keep] != 0).any()):  # phi'' has underflowed where phi' has not
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
