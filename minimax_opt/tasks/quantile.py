r"""Mean pinball losses, whose minimisers are conditional quantiles, one linear model for all tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Array, norm
from minimax_opt.tasks.base import Rounding
from minimax_opt.tasks.row_dual import RowDual
from minimax_opt.tasks.row_input import rows_from_groups
from minimax_opt.tasks.rows import RowEvaluation, RowTasks, numeric_library

LEAST_COST = 1e-10  # relative to the targets: a row that is fitted exactly has none, and the costs' range is the condition number of a matrix
SHARES = 10.0 ** -np.arange(0, 15)  # barrier parameters that are tried, relative to the mean size of targets and losses


class PinballLoss:
    """phi(z, b) = max(low r, high r), r = z - b, low = -q < 0 < high = 1 - q; phi*(u) = b u on [low, high]."""

    def __init__(self, z: Array, b: Array, low: float, high: float) -> None:
        self.residual, self._low, self._high = z - b, low, high
        self.value = numeric_library(z).maximum(low * self.residual, high * self.residual)

    def first(self) -> Array:
        """A subgradient: low below 0, high above, and 0, which lies between them, at 0."""
        r = self.residual
        return self._high * (r > 0) + self._low * (r < 0)

    def second(self) -> float:
        """0, where it exists."""
        return 0.0

    def fenchel_young(self, u: Array) -> Array:
        """(high - u) max(r, 0) + (u - low) max(-r, 0)."""
        r = self.residual
        return (self._high - u) * r.clip(0.0, None) + (u - self._low) * (-r).clip(0.0, None)

    def central(self, barrier: Array) -> tuple[Array, Array]:
        r"""The slopes u = argmax_u u r + barrier (log(u - low) + log(high - u)), strictly between low and high, and what it costs to change each.

        u = low nu/alpha + high nu/beta where alpha - beta = (high - low) r and nu/alpha + nu/beta = 1, nu = barrier: what an interior point has at
        r. Changing u by e costs the dual value |r e|, hence the cost max(alpha, beta), about |r| + nu.
        """
        xp = numeric_library(self.residual)
        width = (self._high - self._low) * self.residual
        root = xp.hypot(2.0 * barrier, width)
        larger = barrier + 0.5 * (root + abs(width))
        small, large = barrier / larger, larger / (2.0 * barrier + root)  # they sum to one
        below, above = xp.where(width > 0, small, large), xp.where(width > 0, large, small)
        return self._low * below + self._high * above, larger


class QuantileTasks(RowTasks):
    r"""Mean pinball losses: f_k(x) = (1/n_k) sum_{i in task k} max(q (b_i - a_i'x), (q - 1)(b_i - a_i'x)), or a weighted mean.

    The minimiser of one such loss estimates the q-quantile of b given a; q = 1/2 is half the mean absolute error.

    Parameters
    ----------
    list_of_A : sequence of arrays, shapes (n_k, n), or one array of shape (K, m, n)
        NumPy, scipy.sparse or torch, dense or sparse, on any device, where it stays (see `docs/data.md`).
    list_of_b : sequence of arrays, shapes (n_k,)
    sample_weights : sequence of arrays, shapes (n_k,), optional
        Nonnegative weights of the rows; each task's are divided by their sum.
    quantile : float
        q, strictly between 0 and 1.

    Raises
    ------
    ValueError, TypeError
        As :class:`LeastSquaresTasks`, and for other values of `quantile`.

    Notes
    -----
    The losses are piecewise linear. ``interior-point`` gives every row its own pair of slacks and reaches any accuracy; the other methods
    need smooth losses and refuse, but for ``descent-ascent``, which takes subgradients. Lower bounds come from the Fenchel dual
    (:mod:`minimax_opt.dual_bound`).

    R. Koenker and G. Bassett, "Regression quantiles", Econometrica 46 (1978).

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import QuantileTasks
    >>> tasks = QuantileTasks([[[1.0], [1.0]], [[1.0]]], [[0.0, 2.0], [5.0]], quantile=0.75)
    >>> tasks(np.array([1.0])).tolist()
    [0.5, 3.0]
    """

    residuals = True
    third_derivative_ratio = float("inf")
    self_concordant = False
    has_hessian = False
    smooth = False

    def __init__(self, list_of_A: Any, list_of_b: Any, sample_weights: Any = None, quantile: float = 0.5) -> None:
        self.quantile = _inside(quantile)
        super().__init__(list_of_A, list_of_b, sample_weights)

    @classmethod
    def from_groups(cls, A: Any, b: Any, groups: Any, sample_weights: Any = None, quantile: float = 0.5) -> Self:
        """As :meth:`RowTasks.from_groups`, with `quantile`."""
        return cls._from_rows(*rows_from_groups(A, b, groups, sample_weights), quantile=_inside(quantile))

    @property
    def dual_domain(self) -> tuple[float, float]:  # type: ignore[override]
        """[-q, 1 - q], the slopes of the loss."""
        return -self.quantile, 1.0 - self.quantile

    def pointwise(self, z: Array) -> PinballLoss:
        """The pinball losses of b - z."""
        return PinballLoss(z, self.data.b, *self.dual_domain)

    def at(self, x: Array) -> QuantileEvaluation:
        """Evaluate the losses at `x`, shape (n,), in :attr:`space`."""
        return QuantileEvaluation(self, x)


class QuantileEvaluation(RowEvaluation):
    """Losses of quantile tasks at one point."""

    tasks: QuantileTasks
    _pointwise: PinballLoss

    def rounding(self, weights: Array) -> Rounding:
        """As of rows, with the steepest slope everywhere: which slope a row has may itself be a matter of rounding."""
        steepest = max(map(abs, self.tasks.dual_domain))
        value = steepest * float(self.tasks.data.row_weights(weights) @ self.slip)
        return super().rounding(weights)._replace(value=value)

    def duals(self, weights: Array, slope: Array) -> Sequence[RowDual]:
        """The dual around the central slopes, for the barrier parameters at which |A'D u + slope| has its (local) minima.

        Near a solution the slopes of the rows that it fits exactly are anywhere between the two ends, and no derivative at x tells where. The
        central path does: at its x(mu), the sum vanishes for u(mu).
        """
        data = self.tasks.data
        if not data.offers(data.n_variables):
            return ()
        d = data.row_weights(weights)
        size = float(d @ (self._pointwise.value + abs(data.b))) or 1.0
        barriers = size / data.n_rows / d.clip(1e-30 * float(d.max()), None)
        tried = [self._pointwise.central(share * barriers) for share in SHARES]
        misses = np.array([norm(data.combine(d * u, weights) + slope) for u, _ in tried])
        around = np.pad(misses, 1, constant_values=np.inf)
        minima = np.flatnonzero((misses <= around[:-2]) & (misses < around[2:]))
        domain, least = self.tasks.dual_domain, LEAST_COST * size
        return [
            RowDual(data, weights, self._pointwise, (u, 1.0 / (costs + least)), domain, self._excess)
            for u, costs in (tried[i] for i in minima)
        ]


def _inside(quantile: Any) -> float:
    value = checks.number("quantile", quantile, 0.0, strict=True)
    if not value < 1.0:
        raise ValueError(f"`quantile` must be a number strictly between 0 and 1, got {quantile!r}; the median is 0.5.")
    return value


__all__ = ["PinballLoss", "QuantileEvaluation", "QuantileTasks"]
