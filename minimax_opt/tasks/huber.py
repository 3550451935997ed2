"""Mean Huber losses: squared errors whose outliers count linearly, one linear model for all tasks."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from minimax_opt import checks, lapack
from minimax_opt.arrays import Array, to_host
from minimax_opt.tasks.row_input import rows_from_groups
from minimax_opt.tasks.rows import RowTasks, numeric_library

START_FLOPS = 1e8  # rows times n^2 up to which a Gram matrix pays for a good start


class HuberLoss:
    """phi(z, b) = r^2/2 for |r| <= delta, delta (|r| - delta/2) beyond, r = z - b; phi*(u) = u^2/2 + b u on [-delta, delta]."""

    def __init__(self, z: Array, b: Array, delta: float) -> None:
        self._residual, self._delta = z - b, delta
        self._slope = numeric_library(z).clip(self._residual, -delta, delta)
        self.value = self._slope * (self._residual - 0.5 * self._slope)

    def first(self) -> Array:
        """r, clipped to [-delta, delta]."""
        return self._slope

    def second(self) -> Array:
        """1 where |r| <= delta, else 0: an element of the generalised derivative of phi'."""
        return 1.0 * (abs(self._residual) <= self._delta)

    def secant(self) -> Array:
        """phi'(r) / r = min(1, delta/|r|): the curvature of the parabola that touches phi at r and -r, and lies above it."""
        return self._delta / abs(self._residual).clip(min=self._delta)

    def fenchel_young(self, u: Array) -> Array:
        """(p - u)^2 / 2 + (p - u)(r - p) with p = phi'(z): both terms are nonnegative for |u| <= delta."""
        change = self._slope - u
        return change * (0.5 * change + (self._residual - self._slope))


class HuberTasks(RowTasks):
    r"""Mean Huber losses: f_k(x) = (1/n_k) sum_{i in task k} phi(a_i'x - b_i), or a weighted mean.

    phi(r) = r^2/2 for |r| <= delta, and delta (|r| - delta/2) beyond, as ``torch.nn.HuberLoss``.

    Parameters
    ----------
    list_of_A : sequence of arrays, shapes (n_k, n), or one array of shape (K, m, n)
        NumPy, scipy.sparse or torch, dense or sparse, on any device, where it stays (see `docs/data.md`).
    list_of_b : sequence of arrays, shapes (n_k,)
    sample_weights : sequence of arrays, shapes (n_k,), optional
        Nonnegative weights of the rows; each task's are divided by their sum.
    delta : float
        Positive and finite: the residual from which on errors count linearly, in the unit of b.

    Raises
    ------
    ValueError, TypeError
        As :class:`LeastSquaresTasks`, and for other values of `delta`.

    Notes
    -----
    Second derivatives jump where |r| = delta, so that no Hessian bounds the losses from below further away. The Fenchel dual does
    (:mod:`minimax_opt.dual_bound`): with the slopes that one Newton step predicts, it is exact as soon as no row crosses delta.

    P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35 (1964).

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import HuberTasks
    >>> tasks = HuberTasks([[[1.0], [1.0]], [[1.0]]], [[0.0, 2.0], [5.0]], delta=1.0)
    >>> tasks(np.array([1.0])).tolist()
    [0.5, 3.5]
    >>> tasks.at(np.array([1.0])).jacobian().tolist()
    [[0.0], [-1.0]]
    """

    residuals = True
    third_derivative_ratio = float("inf")
    self_concordant = False
    has_upper_hessian = True

    def __init__(self, list_of_A: Any, list_of_b: Any, sample_weights: Any = None, delta: float = 1.0) -> None:
        self.delta = _positive(delta)
        super().__init__(list_of_A, list_of_b, sample_weights)

    @classmethod
    def from_groups(cls, A: Any, b: Any, groups: Any, sample_weights: Any = None, delta: float = 1.0) -> Self:
        """As :meth:`RowTasks.from_groups`, with `delta`."""
        return cls._from_rows(*rows_from_groups(A, b, groups, sample_weights), delta=_positive(delta))

    @property
    def dual_domain(self) -> tuple[float, float]:  # type: ignore[override]
        """[-delta, delta], the range of phi'."""
        return -self.delta, self.delta

    def x0(self) -> Array:
        """One step of iteratively reweighted least squares from 0, for the mean of the tasks; zeros where its Gram matrix is dear.

        At 0 most rows may lie beyond delta, where phi has no curvature that would tell a method how far to go. The quadratic with curvature
        phi'(r)/r touches phi at r and lies above it, so that the step never overshoots.
        """
        data = self.data
        n, n_rows = data.n_variables, data.n_rows
        if not self.has_hessian or n_rows * n**2 > START_FLOPS:
            return data.space.zeros(n)
        uniform = data.space.zeros(data.n_tasks) + 1.0 / data.n_tasks
        d = data.row_weights(uniform) * (self.delta / abs(data.b).clip(min=self.delta))
        gram, right = to_host(data.gram(d, uniform)), to_host(data.combine(d * data.b, uniform))
        gram.flat[:: n + 1] += 1e-10 * gram.diagonal() + np.finfo(float).tiny  # a start need not be exact
        x, info = lapack.dposv(gram, right)[1:]
        return data.space.asarray(x) if info == 0 and np.isfinite(x).all() else data.space.zeros(n)

    def pointwise(self, z: Array) -> HuberLoss:
        """The Huber losses of z - b."""
        return HuberLoss(z, self.data.b, self.delta)


def _positive(delta: Any) -> float:
    return checks.number("delta", delta, 0.0, strict=True)


__all__ = ["HuberLoss", "HuberTasks"]
