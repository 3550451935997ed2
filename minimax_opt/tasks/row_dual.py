r"""The dual side of losses over rows: F_w(x) = sum_i d_i phi(z_i), z = A x, d_i = c_i w_k(i) (the rows of tasks without weight left out).

For every u with u_i in dom phi* and every y, Fenchel's inequality d_i phi(a_i'y) >= d_i (u_i a_i'y - phi*(u_i)) gives

    F_w(y) >= <A'D u, y> - sum_i d_i phi*(u_i) = F_w(x) + <A'D u, y - x> - sum_i d_i (phi(z_i) + phi*(u_i) - u_i z_i).

The terms of the last sum are the Fenchel-Young losses of (z_i, u_i): nonnegative, and zero exactly where u_i is a slope of phi at z_i.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from minimax_opt.arrays import Array, Host, to_host

if TYPE_CHECKING:
    from minimax_opt.tasks.row_data import RowData

SHRINKAGE = 0.01  # of slopes, to see what it costs
PREFERENCE = 1e-4  # of rows where that is cheap


class Sizes(NamedTuple):
    """Bounds, shape (n,): |a_ij| <= entries_j, and sum_i d_i |values_i a_ij| <= sums_j."""

    entries: Host
    sums: Host


class RowDual:
    """What :mod:`minimax_opt.dual_bound` asks of the rows at one x and w: vectors of n numbers are on the host, those of M rows with the data.

    Parameters
    ----------
    data : RowData
    weights : array, shape (K,)
        w, in the space of the data.
    pointwise : Conjugate
        phi at z = A x.
    derivatives : (array, array)
        phi'(z) and phi''(z), shape (M,).
    domain : (float, float)
        dom phi* = [low, high] with low < 0 < high.
    excess : callable
        u -> what d_i (u_i z_i - phi*(u_i)) may be wrong by, over d_i, by rounding of z, shape (M,).
    """

    def __init__(
        self,
        data: RowData,
        weights: Array,
        pointwise: Any,
        derivatives: tuple[Array, Array],
        domain: tuple[float, float],
        excess: Callable[[Array], Array],
    ):
        self._data, self._weights, self._pointwise, self._domain = data, weights, pointwise, domain
        self._excess = excess
        self._d = data.row_weights(weights)
        self.u, self.curvature = derivatives
        self.n_rows = data.n_rows

    def product(self, e: Host) -> Array:
        """A e, shape (M,)."""
        return self._data.times(self._data.space.asarray(e))

    def combine(self, values: Array) -> Host:
        """A'D values, shape (n,)."""
        return to_host(self._data.combine(self._d * values, self._weights))

    def gram(self, values: Array) -> Host:
        """A'D diag(values) A for values >= 0, shape (n, n)."""
        return to_host(self._data.gram(self._d * values, self._weights))

    def ease(self) -> Array:
        """Weights m in (0, 1], shape (M,), for all rows: large where it costs little to shrink u_i, by the Fenchel-Young losses.

        About 1 for the rows that lose nothing to first order, PREFERENCE^2 for those of the mean loss: the former move alone where they suffice.
        """
        cost = self._pointwise.fenchel_young((1.0 - SHRINKAGE) * self.u)
        mean = float(self._d @ cost) or 1.0
        ease: Array = (PREFERENCE / (cost / mean + PREFERENCE)) ** 2
        return ease

    def sizes(self, values: Array) -> Sizes:
        """What rounding in :meth:`product` and :meth:`combine` is measured by."""
        largest = self._data.largest_entries
        return Sizes(largest, largest * float(self._d @ abs(values)))

    def share(self, u: Array, margin: Array) -> float:
        """The largest t <= 1 with t (u +- margin) in dom phi* in every row of positive weight."""
        low, high = self._domain
        carrying = self._d > 0
        above, below = float((u + margin)[carrying].max()), float((margin - u)[carrying].max())
        return 1.0 / max(1.0, above / high, below / -low)

    def clipped(self, u: Array, margin: Array) -> tuple[Array, Array]:
        """u, clipped to dom phi*, and 1 where u +- margin is inside it, 0 elsewhere."""
        low, high = self._domain
        return _library(u).clip(u, low, high), 1.0 * ((u + margin <= high) & (u - margin >= low))

    def gap(self, u: Array, margin: Array, share: float) -> float:
        """The largest sum of the Fenchel-Young losses of `share` times anything within `margin` of u, times D; convex, hence at its ends."""
        xp = _library(u)
        ends = [xp.clip(share * end, *self._domain) for end in (u + margin, u - margin)]
        return float(self._d @ xp.maximum(*(self._pointwise.fenchel_young(end) + self._excess(end) for end in ends)))

    def roots(self) -> Host:
        """sqrt(D) A, shape (M, n), on the host."""
        everything: Any = slice(0, self._data.n_rows)
        return to_host(self._data.scaled(everything, self._d**0.5))

    def in_coordinates(self, basis: Host, condition: float) -> RowDual:
        """The same for y = T c, where sqrt(D) A T = `basis`, shape (M, rank), orthonormal, but for rounding times `condition`."""
        return _RowDualInCoordinates(self, basis, condition)


class _RowDualInCoordinates(RowDual):
    def __init__(self, original: RowDual, basis: Host, condition: float) -> None:
        vars(self).update(vars(original))
        self._condition = condition
        root = to_host(self._d) ** 0.5
        self._rows = basis / np.where(root > 0, root, 1.0)[:, None]

    def product(self, e: Host) -> Array:
        return self._data.space.asarray(self._rows @ e)

    def combine(self, values: Array) -> Host:
        combined: Host = to_host(self._d * values) @ self._rows
        return combined

    def gram(self, values: Array) -> Host:
        scaled = self._rows * (to_host(self._d * values) ** 0.5)[:, None]
        gram: Host = scaled.T @ scaled
        return gram

    def sizes(self, values: Array) -> Sizes:
        largest = np.abs(self._rows).max(0)
        turned = self._condition * len(largest) ** 0.5 * float(self._d @ (values * values)) ** 0.5
        return Sizes(largest, largest * float(self._d @ abs(values)) + turned)


def _library(a: Array) -> Any:
    return torch if isinstance(a, torch.Tensor) else np
