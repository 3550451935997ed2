"""Poisson losses that groups of different mean counts can be compared by: half the mean deviance."""

from __future__ import annotations

import numpy as np
from scipy.special import xlogy

from minimax_opt.arrays import Array, Host
from minimax_opt.tasks.poisson import PoissonLoss, PoissonTasks


def least_loss(b: Host) -> Host:
    """min_z exp(z) - b z = b - b log b, the loss of the mean b itself (0 for b = 0)."""
    return np.asarray(b - xlogy(b, b))


class HalfDeviance(PoissonLoss):
    """phi(z, b) = exp(z) - b z - min_z (exp(z) - b z) >= 0."""

    def __init__(self, z: Array, b: Array) -> None:
        super().__init__(z, b)
        self.value = self.value - least_loss(b)


class PoissonDevianceTasks(PoissonTasks):
    """f_k(x) = the mean of exp(a_i'x) - b_i a_i'x over the rows of task k, less the least value that any means could give it.

    The constant of each task changes no derivative, but the worst case: without it the group with the fewest counts would be the
    worst one whatever the model, since exp(z) - b z falls below any number as b grows.

    Examples
    --------
    >>> import numpy as np
    >>> tasks = PoissonDevianceTasks([[[1.0]], [[1.0]]], [[1.0], [np.e]])
    >>> tasks(np.zeros(1)).round(12).tolist(), tasks(np.ones(1)).round(3).tolist()
    ([0.0, 1.0], [0.718, 0.0])
    """

    def pointwise(self, z: Array) -> HalfDeviance:
        """exp(z) - b z + b log b - b."""
        return HalfDeviance(z, self.data.b)
