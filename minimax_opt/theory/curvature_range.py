"""The largest second derivative of a row's loss over an interval of its predictor, for every family of rows."""

from __future__ import annotations

from typing import Any

from minimax_opt.tasks.huber import HuberTasks
from minimax_opt.tasks.least_squares import LeastSquaresTasks
from minimax_opt.tasks.logistic import LogisticTasks
from minimax_opt.tasks.poisson import PoissonTasks
from minimax_opt.tasks.quantile import QuantileTasks
from minimax_opt.tasks.rows import RowTasks


def largest_second(tasks: RowTasks, low: Any, high: Any) -> Any:
    """Sup of phi'' over [low_i, high_i] for every row, shape (M,); inf for kinks.

    Parameters
    ----------
    tasks : RowTasks
    low, high : array, shape (M,)
        In the space of the rows.

    Returns
    -------
    array, shape (M,)

    Raises
    ------
    TypeError
        For a family that is not known here.

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import PoissonTasks
    >>> largest_second(PoissonTasks([[[1.0]]], [[1.0]]), np.array([-1.0]), np.array([0.0])).tolist()
    [1.0]
    """
    nearest = low.clip(0.0, None) + high.clip(None, 0.0)  # the point of the interval that is nearest to 0
    if isinstance(tasks, LogisticTasks):
        return tasks.pointwise(nearest).second()  # even, and falls with |z|
    if isinstance(tasks, PoissonTasks):
        return tasks.pointwise(high).second()
    if isinstance(tasks, LeastSquaresTasks):
        return 2.0 + 0.0 * low
    if isinstance(tasks, HuberTasks):
        b, delta = tasks.data.b, tasks.delta
        return 1.0 * ((low <= b + delta) & (high >= b - delta))
    if isinstance(tasks, QuantileTasks):
        return 0.0 * low + float("inf")
    raise TypeError(f"`tasks` must be a family of rows with a known second derivative, got {type(tasks).__name__}.")


__all__ = ["largest_second"]
