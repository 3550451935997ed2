"""Mean Poisson losses: negative log-likelihoods of counts, one log-linear model for all tasks."""

from __future__ import annotations

import numpy as np

from minimax_opt.arrays import Array
from minimax_opt.tasks.rows import RowTasks, distinct, numeric_library


class PoissonLoss:
    """phi(z, b) = exp(z) - b z; infinite where exp(z) overflows."""

    def __init__(self, z: Array, b: Array) -> None:
        with np.errstate(over="ignore"):
            self._mean = numeric_library(z).exp(z)
        self._b, self._part = b, b * z
        self.value = self._mean - self._part

    @property
    def size(self) -> Array:
        """The terms that :attr:`value` is a difference of, added."""
        return self._mean + abs(self._part)

    def first(self) -> Array:
        """exp(z) - b."""
        return self._mean - self._b

    def second(self) -> Array:
        """exp(z)."""
        return self._mean


class PoissonTasks(RowTasks):
    r"""Mean Poisson losses: f_k(x) = (1/n_k) sum_{i in task k} (exp(a_i'x) - b_i a_i'x), or a weighted mean.

    The negative log-likelihood of counts b_i with means exp(a_i'x), without its constant term log(b_i!), as
    ``torch.nn.PoissonNLLLoss(log_input=True, full=False)``. Losses may be negative.

    Parameters
    ----------
    list_of_A : sequence of arrays, shapes (n_k, n), or one array of shape (K, m, n)
        NumPy, scipy.sparse or torch, dense or sparse, on any device, where it stays (see `docs/data.md`).
    list_of_b : sequence of arrays, shapes (n_k,)
        Counts, or any numbers >= 0.
    sample_weights : sequence of arrays, shapes (n_k,), optional
        Nonnegative weights of the rows; each task's are divided by their sum.

    Raises
    ------
    ValueError, TypeError
        As :class:`LeastSquaresTasks`, and for negative targets.

    Notes
    -----
    phi''' = phi'', so that one Hessian gives a certified lower bound (:mod:`minimax_opt.certificate`). Where exp(a_i'x) overflows the
    loss is infinite, and methods take a shorter step. A task whose counts are all zero has no minimiser: its loss falls towards 0 for
    ever, so give a ridge.

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import PoissonTasks
    >>> tasks = PoissonTasks([[[1.0], [1.0]], [[2.0]]], [[0.0, 2.0], [5.0]])
    >>> tasks(np.zeros(1)).tolist(), tasks.at(np.zeros(1)).jacobian().tolist()
    ([1.0, 1.0], [[0.0], [-8.0]])
    """

    third_derivative_ratio = 1.0

    def pointwise(self, z: Array) -> PoissonLoss:
        """exp(z) - b z."""
        return PoissonLoss(z, self.data.b)

    def _check_targets(self) -> None:
        b = self.data.b
        if bool((b < 0).any()):
            raise ValueError(
                f"the targets of PoissonTasks must be >= 0, got {distinct(b[b < 0])} among them; they are counts or rates."
            )


__all__ = ["PoissonLoss", "PoissonTasks"]
