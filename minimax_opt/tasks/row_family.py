"""The base of the families whose losses are means over rows of data: how they are made, sampled and restricted."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import HOST, Host
from minimax_opt.tasks.base import Tasks
from minimax_opt.tasks.row_data import RowData
from minimax_opt.tasks.row_input import rows_from_groups, rows_from_lists


class RowFamily(Tasks):
    """Tasks over rows; a subclass writes :meth:`at`.

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
        RowFamily
            An instance of the class that it is called on.
        """
        return cls._from_rows(*rows_from_groups(A, b, groups, sample_weights))

    @classmethod
    def _from_rows(cls, data: RowData, names: list[Any], **settings: Any) -> Self:
        """An instance on given rows; `settings` are its attributes besides."""
        tasks = cls.__new__(cls)
        vars(tasks).update(settings)
        tasks._set(data, names)
        tasks._check_targets()
        return tasks

    def _with_data(self, data: RowData, names: list[Any]) -> Self:
        """The same losses on other rows."""
        tasks = copy.copy(self)
        tasks._set(data, names)
        return tasks

    def _set(self, data: RowData, names: list[Any] | None = None) -> None:
        self.data, self.space = data, data.space
        self.n_tasks, self.n_variables = data.n_tasks, data.n_variables
        self.has_jacobian = data.offers(data.n_tasks)
        self.has_hessian = type(self).has_hessian and data.offers(data.n_variables)
        self.task_names = list(range(data.n_tasks)) if names is None else names

    def _check_targets(self) -> None:
        """Raise where the targets do not fit the loss, and bring them to its convention."""

    @property
    def n_rows(self) -> int:
        """Number of data rows of all tasks together."""
        return self.data.n_rows

    def flat_directions(self) -> Host | None:
        """The unit vectors of the variables that no row uses, shape (n, n_unused), where the data are sparse."""
        return self.data.unused_variables()

    def double(self) -> Self:
        """The same rows in float64."""
        return self if self.data.space.eps <= HOST.eps else self._with_data(self.data.double(), self.task_names)

    def sample(self, generator: np.random.Generator, batch_size: int) -> Self:
        """The family on `batch_size` rows of each task, drawn with replacement with probabilities c_i: unbiased.

        Parameters
        ----------
        generator : numpy.random.Generator
        batch_size : int
            At least 1.
        """
        return self._with_data(self.data.sample(generator, checks.integer("batch_size", batch_size, 1)), self.task_names)

    def subset(self, indices: Host) -> Self:
        """The tasks `indices` with copies of their rows."""
        return self._with_data(self.data.subset(indices), [self.task_names[k] for k in indices])


__all__ = ["RowFamily"]
