"""Mean squared errors f_k(x) = sum_{i in task k} c_i (a_i'x - b_i)^2, one linear model for all tasks."""

from __future__ import annotations

from typing import Any

from minimax_opt.arrays import Array, Host, to_host
from minimax_opt.tasks.row_data import RowData
from minimax_opt.tasks.rows import RowEvaluation, RowTasks


class SquaredError:
    """phi(z, b) = (z - b)^2."""

    def __init__(self, z: Array, b: Array) -> None:
        self.residual = z - b
        self.value = self.residual * self.residual

    def first(self) -> Array:
        """2 (z - b)."""
        return 2.0 * self.residual

    def second(self) -> float:
        """2."""
        return 2.0


class LeastSquaresTasks(RowTasks):
    r"""Mean squared errors: f_k(x) = (1/n_k) |A_k x - b_k|^2 (no factor 1/2), or a weighted mean.

    Parameters
    ----------
    list_of_A : sequence of arrays, shapes (n_k, n), or one array of shape (K, m, n)
        NumPy, scipy.sparse or torch, dense or sparse, on any device, where it stays (see `docs/data.md`). One contiguous (K, m, n)
        array is not copied.
    list_of_b : sequence of arrays, shapes (n_k,)
    sample_weights : sequence of arrays, shapes (n_k,), optional
        Nonnegative weights of the rows; each task's are divided by their sum.

    Raises
    ------
    ValueError, TypeError
        Naming the task, for empty tasks, unequal numbers of columns, wrong lengths, nan or infinite data, NumPy mixed with torch.

    Notes
    -----
    Hess f_k = 2 A_k' C A_k does not depend on x. The Gram matrices are formed once and kept, where that costs less than forming
    weighted sums from the rows and takes below 1 GB. Losses and gradients always come from the residuals, which is exact where
    the Gram form cancels (residuals far smaller than b).

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import LeastSquaresTasks
    >>> tasks = LeastSquaresTasks([[[1.0], [1.0]], [[1.0]]], [[0.0, 2.0], [5.0]])
    >>> tasks(np.array([1.0])).tolist()
    [1.0, 16.0]
    >>> tasks.at(np.array([1.0])).jacobian().tolist()
    [[0.0], [-8.0]]
    """

    curvature = "quadratic"
    residuals = True
    _hessian_stack: Array = None

    def _set(self, data: RowData, names: list[Any] | None = None) -> None:
        super()._set(data, names)
        self._hessian_stack = None  # those of other rows

    def pointwise(self, z: Array) -> SquaredError:
        """(z - b)^2."""
        return SquaredError(z, self.data.b)

    def hessian_at(self, evaluation: RowEvaluation, weights: Array) -> Array:
        """2 sum_k w_k A_k' C A_k, from kept Gram matrices where they pay."""
        if not self.data.grams_pay():
            return super().hessian_at(evaluation, weights)
        n = self.data.n_variables
        return (weights @ self._hessians().reshape(-1, n * n)).reshape(n, n)

    def quadratics(self) -> tuple[Host, Host, Host]:
        """(P, q, c): P_k = 2 A_k' C A_k, q_k = -2 A_k' C b_k, c_k = b_k' C b_k."""
        data = self.data
        return to_host(self._hessians()), -2.0 * to_host(data.jacobian(data.b)), to_host(data.mean(data.b * data.b))

    def _hessians(self) -> Array:
        """2 A_k' C A_k of every task, shape (K, n, n), kept where they are of use again."""
        if self._hessian_stack is not None:
            return self._hessian_stack
        hessians = self.data.grams()
        hessians *= 2.0
        if self.data.grams_pay():
            self._hessian_stack = hessians
        return hessians


__all__ = ["LeastSquaresTasks", "SquaredError"]
