"""Mean log losses f_k(x) = sum_{i in task k} c_i log(1 + exp(-s_i a_i'x)), s_i = +-1, one linear classifier for all tasks."""

from __future__ import annotations

from minimax_opt.arrays import Array
from minimax_opt.tasks.rows import RowTasks, distinct, numeric_library


class LogLoss:
    """phi(z, s) = log(1 + exp(-s z)) for s = +-1, from one exponential, without overflow."""

    def __init__(self, z: Array, sign: Array) -> None:
        xp = numeric_library(z)
        self._sign, self._xp = sign, xp
        self._loss_margin = -sign * z
        size = xp.abs(self._loss_margin)
        self._decay = xp.exp(-size)
        self.value = (self._loss_margin + size) * 0.5 + xp.log1p(self._decay)

    def first(self) -> Array:
        """-s sigma(-s z)."""
        decay = self._decay
        # sigma(m) = 1 / (1 + e^-m) for m >= 0 and e^m / (1 + e^m) below: the same denominator
        return -self._sign * (self._xp.where(self._loss_margin >= 0, 1.0, decay) / (1.0 + decay))

    def second(self) -> Array:
        """sigma(z) sigma(-z) = e^-|z| / (1 + e^-|z|)^2: accurate in both tails."""
        return self._decay / (1.0 + self._decay) ** 2


class LogisticTasks(RowTasks):
    r"""Mean log losses in nats: f_k(x) = (1/n_k) sum_{i in task k} log(1 + exp(-s_i a_i'x)), or a weighted mean.

    Parameters
    ----------
    list_of_A : sequence of arrays, shapes (n_k, n), or one array of shape (K, m, n)
        NumPy, scipy.sparse or torch, dense or sparse, on any device, where it stays (see `docs/data.md`).
    list_of_b : sequence of arrays, shapes (n_k,)
        Labels, {0, 1} or {-1, +1} or booleans, one convention for all tasks.
    sample_weights : sequence of arrays, shapes (n_k,), optional
        Nonnegative weights of the rows; each task's are divided by their sum.

    Raises
    ------
    ValueError, TypeError
        As :class:`LeastSquaresTasks`, and for other labels.

    Notes
    -----
    |phi'''| = |1 - 2 sigma| phi'' <= phi'', so that one Hessian gives a certified lower bound (:mod:`minimax_opt.certificate`).

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import LogisticTasks
    >>> tasks = LogisticTasks.from_groups([[1.0], [2.0], [3.0]], [1, 0, 1], groups=["b", "a", "b"])
    >>> tasks.task_names, np.exp(tasks(np.zeros(1))).round(12).tolist()
    (['a', 'b'], [2.0, 2.0])
    """

    third_derivative_ratio = 1.0

    def pointwise(self, z: Array) -> LogLoss:
        """log(1 + exp(-s z))."""
        return LogLoss(z, self.data.b)

    def _check_targets(self) -> None:
        b = self.data.b
        zero_one = bool(((b == 0) | (b == 1)).all())
        if not zero_one and not bool(((b == -1) | (b == 1)).all()):
            raise ValueError(
                f"the labels of LogisticTasks must be {{0, 1}} or {{-1, +1}}, got {distinct(b)} (the smallest distinct values); "
                "for classes of other names pass e.g. `b == 'yes'`."
            )
        if zero_one:
            self.data.b = 2.0 * b - 1.0


__all__ = ["LogLoss", "LogisticTasks"]
