r"""Mean softmax log losses f_k(X) = sum_{i in task k} c_i (log sum_c exp(z_ic) - z_i,y(i)), z_i = X'a_i, one linear classifier for all tasks.

With p_i = softmax(z_i), Y the one-hot labels, D = diag(c_i w_k(i)) and X flattened row by row:

    gradient    A'D (P - Y)
    Hessian     sum_i d_i (a_i a_i') (x) (diag(p_i) - p_i p_i'); block (c, e) is -A'D diag(p_c p_e) A, and the blocks of a row sum to zero.

Square root: diag(p) - pp' = sum_c p_c (e_c - p)(e_c - p)', so B has the rows b_ic = sqrt(d_i p_ic) a_i (x) (e_c - p_i), and the gradient is B'v with
v_ic = sqrt(d_i p_ic) (1 - [c = y(i)] / p_ic).

Third derivatives: those of log-sum-exp along h are the third central moment of h_c under p, at most the range of h times its variance. So, with
h_i = H'a_i, |D^3 F_w[H,H,H]| <= max_i (max_c h_ic - min_c h_ic) D^2 F_w[H,H]. The range is at most twice max_c |h_ic - mean_e h_ie|, and at
most 2 max_c |b_ic'h| / sqrt(d_i p_ic). It is at most sqrt(2) |a_i| |H|.

Flat directions: the same vector added to every column of X changes nothing. X keeps all its columns nevertheless: leaving out one for reference would
make a ridge depend on which. The certificate takes the flat directions into account instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from minimax_opt import lapack
from minimax_opt.arrays import Array, Host
from minimax_opt.tasks.base import Evaluation, Rounding
from minimax_opt.tasks.class_labels import encode
from minimax_opt.tasks.row_data import RowData
from minimax_opt.tasks.row_family import RowFamily
from minimax_opt.tasks.row_input import rows_from_groups
from minimax_opt.tasks.rows import numeric_library

ROOT_BYTES = 1e9  # a square root of the Hessian is not made beyond


class MultinomialTasks(RowFamily):
    r"""Mean softmax log losses in nats: f_k(X) = (1/n_k) sum_{i in task k} (log sum_c exp(a_i'X_c) - a_i'X_y(i)), or a weighted mean.

    The variables are a matrix X with a column for each class, flattened row by row: ``x.reshape(n_features, n_classes)``.

    Parameters
    ----------
    list_of_A : sequence of arrays, shapes (n_k, n_features), or one array of shape (K, m, n_features)
        NumPy, scipy.sparse or torch, dense or sparse, on any device, where it stays (see `docs/data.md`).
    list_of_b : sequence of arrays, shapes (n_k,)
        Labels: integers, strings or booleans.
    sample_weights : sequence of arrays, shapes (n_k,), optional
        Nonnegative weights of the rows; each task's are divided by their sum.
    n_classes : int, optional
        C: the labels are integers from 0 to C - 1. Without it the classes are the distinct labels of all tasks, sorted.

    Attributes
    ----------
    classes : list
        The label that each column of X stands for.

    Raises
    ------
    ValueError, TypeError
        As :class:`LeastSquaresTasks`; for fewer than two classes, and for labels outside 0 ... C - 1.

    Notes
    -----
    A Hessian takes C (C - 1) / 2 Gram matrices of the rows, and (n_features C)^2 numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import MultinomialTasks
    >>> tasks = MultinomialTasks([[[1.0], [2.0]], [[3.0]]], [["cat", "dog"], ["bird"]])
    >>> tasks.classes, tasks.n_variables, np.exp(tasks(np.zeros(3))).round(12).tolist()
    (['bird', 'cat', 'dog'], 3, [3.0, 3.0])
    """

    classes: list[Any]

    def __init__(self, list_of_A: Any, list_of_b: Any, sample_weights: Any = None, n_classes: int | None = None) -> None:
        if (not isinstance(list_of_b, Sequence) and getattr(list_of_b, "ndim", 0) == 0) or isinstance(list_of_b, str):
            raise TypeError(f"`list_of_b` must be a list of arrays, one a task, got {type(list_of_b).__name__}.")
        codes, self.classes = encode(list_of_b, n_classes, "`list_of_b`")
        super().__init__(list_of_A, codes, sample_weights)

    @classmethod
    def from_groups(cls, A: Any, b: Any, groups: Any, sample_weights: Any = None, n_classes: int | None = None) -> Self:
        """As :meth:`LeastSquaresTasks.from_groups`, with labels b and `n_classes`."""
        (codes,), classes = encode([b], n_classes, "`b`")
        return cls._from_rows(*rows_from_groups(A, codes, groups, sample_weights), classes=classes)

    def _set(self, data: RowData, names: list[Any] | None = None) -> None:
        super()._set(data, names)
        n_classes = len(self.classes)
        self.n_variables = data.n_variables * n_classes
        self.has_jacobian, self.has_hessian = data.offers(data.n_tasks * n_classes), data.offers(self.n_variables * n_classes)
        xp = numeric_library(data.b)
        self._labels = data.b.long() if xp is not np else data.b.astype(np.intp)
        self._rows = xp.arange(data.n_rows) if xp is np else xp.arange(data.n_rows, device=data.b.device)

    def at(self, x: Array) -> MultinomialEvaluation:
        """Evaluate the losses at `x`, shape (n_features * C,), in :attr:`space`."""
        return MultinomialEvaluation(self, x)

    def flat_directions(self) -> Host:
        """The same vector in every column: an orthonormal basis, shape (n_features * C, n_features)."""
        n_classes = len(self.classes)
        return np.kron(np.eye(self.data.n_variables), np.full((n_classes, 1), n_classes**-0.5))


class MultinomialEvaluation(Evaluation):
    """Losses of :class:`MultinomialTasks` at one point."""

    def __init__(self, tasks: MultinomialTasks, x: Array) -> None:
        self.tasks, self._data = tasks, tasks.data
        self.x = x
        self._shape = tasks.data.n_variables, len(tasks.classes)
        z = self._data.times(x.reshape(self._shape))
        xp = numeric_library(z)
        self._index = tasks._rows, tasks._labels
        z = z - xp.amax(z, 1)[:, None]
        self._p = xp.exp(z)
        total = self._p.sum(1)
        self._p /= total[:, None]
        self.losses = self._data.mean(xp.log(total) - z[self._index])
        self._slopes: Array = None

    @property
    def slopes(self) -> Array:
        """P - Y, shape (M, C)."""
        if self._slopes is None:
            self._slopes = self._p + 0.0
            self._slopes[self._index] -= 1.0
        return self._slopes

    def gradient(self, weights: Array) -> Array:
        return self._combine(self.slopes, weights)

    def jacobian(self) -> Array:
        xp = numeric_library(self._p)
        columns = [self._data.jacobian(self.slopes[:, c]) for c in range(self._shape[1])]
        return xp.stack(columns, -1).reshape(self._data.n_tasks, -1)

    def hessian(self, weights: Array) -> Array:
        n, n_classes = self._shape
        d, p = self._data.row_weights(weights), self._p
        hessian = self._data.space.zeros(n, n_classes, n, n_classes)
        for c in range(n_classes):
            for e in range(c):
                gram = self._data.gram(d * p[:, c] * p[:, e], weights)
                hessian[:, c, :, c] += gram
                hessian[:, e, :, e] += gram
                hessian[:, c, :, e] = hessian[:, e, :, c] = -gram
        return hessian.reshape(n * n_classes, n * n_classes)

    def hessian_product(self, weights: Array, v: Array) -> Array:
        change = self._p * self._data.times(v.reshape(self._shape))
        return self._combine(change - self._p * change.sum(1)[:, None], weights)

    def rounding(self, weights: Array) -> Rounding:
        """As :meth:`RowEvaluation.rounding`, with v'(diag(p) - pp')v <= sum_c p_c v_c^2."""
        data = self._data
        d, e = (
            data.row_weights(weights),
            (0.5 * (data.longest_sum + 3) * data.space.eps) * data.predictor_sizes(self.x.reshape(self._shape)),
        )
        summed = (0.5 * data.n_rows * data.space.eps) * abs(self.slopes)
        length = d * (2.0 * self._p * e + summed).sum(1)
        newton = float(d @ (self._p * e * e).sum(1)) ** 0.5
        return Rounding(float(d @ (abs(self.slopes) * e).sum(1)), newton, float(length @ data._lengths_of_rows))

    def _combine(self, values: Array, weights: Array) -> Array:
        """A'D values for values of shape (M, C), flattened."""
        d = self._data.row_weights(weights)
        columns = [self._data.combine(d * values[:, c], weights) for c in range(self._shape[1])]
        return numeric_library(values).stack(columns, -1).reshape(-1)

    def third_derivative_bound(self, weights: Array) -> float:
        return float(2**0.5 * self._data.longest_row(weights))

    def self_concordance(self, weights: Array, factor: Host) -> float:
        """Twice the largest |C^{-1}(a_i (x) (e_c - 1/C))|."""
        data, (n, n_classes) = self._data, self._shape
        inverse, _ = lapack.dtrtri(factor, lower=True)
        columns = np.tril(inverse).reshape(-1, n, n_classes)
        columns = columns - columns.mean(2, keepdims=True)
        carrying, largest = data.row_weights(weights) > 0, 0.0
        for rows in data._blocks(0, data.n_rows):
            block = data.scaled(rows, 1.0 * carrying[rows])
            for c in range(n_classes):
                white = block @ data.space.asarray(columns[:, :, c].T)
                largest = max(largest, float((white * white).sum(1).max()))
        return float(2 * np.sqrt(largest))

    def square_root(self, weights: Array) -> tuple[Array, Array, Array] | None:
        """As the module docstring says; None where a probability has underflowed, or B takes over 1 GB."""
        n, n_classes = self._shape
        d = self._data.row_weights(weights)
        keep = d > 0
        d, p, slopes = d[keep], self._p[keep], self.slopes[keep]
        root = (d[:, None] * p) ** 0.5
        if not bool((root > 0).all()) or 8.0 * len(d) * n * n_classes**2 > ROOT_BYTES:
            return None
        xp = numeric_library(p)
        own = slopes < 0  # the class of the row, unless its probability is 1 to rounding
        v = root * xp.where(own, slopes / p, 1.0 + 0.0 * p)
        A = self._data.scaled(keep, d * 0.0 + 1.0)
        apart = self._data.space.asarray(np.eye(n_classes)) - p[:, None, :]
        B = (A[:, None, :, None] * (root[:, :, None] * apart)[:, :, None, :]).reshape(-1, n * n_classes)
        return B, v.reshape(-1), (2.0 / root).reshape(-1)


__all__ = ["MultinomialEvaluation", "MultinomialTasks"]
