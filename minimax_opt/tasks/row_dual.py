r"""The dual side of losses over rows: F_w(x) = sum_i d_i phi(z_i), z = A x, d_i = c_i w_k(i) (the rows of tasks without weight left out).

For every u with u_i in dom phi* and every y, Fenchel's inequality d_i phi(a_i'y) >= d_i (u_i a_i'y - phi*(u_i)) gives

    F_w(y) >= <A'D u, y> - sum_i d_i phi*(u_i) = F_w(x) + <A'D u, y - x> - sum_i d_i (phi(z_i) + phi*(u_i) - u_i z_i).

The terms of the last sum are the Fenchel-Young losses of (z_i, u_i): nonnegative, and zero exactly where u_i is a slope of phi at z_i.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from minimax_opt.arrays import Array, Host, to_host

if TYPE_CHECKING:
    from minimax_opt.tasks.row_data import RowData


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
    """

    def __init__(
        self, data: RowData, weights: Array, pointwise: Any, derivatives: tuple[Array, Array], domain: tuple[float, float]
    ):
        self._data, self._weights, self._pointwise, self._domain = data, weights, pointwise, domain
        self._d = data.row_weights(weights)
        self.u, self.curvature = derivatives

    def product(self, e: Host) -> Array:
        """A e, shape (M,)."""
        return self._data.times(self._data.space.asarray(e))

    def combine(self, values: Array) -> Host:
        """A'D values, shape (n,)."""
        return to_host(self._data.combine(self._d * values, self._weights))

    def gram(self, values: Array) -> Host:
        """A'D diag(values) A for values >= 0, shape (n, n)."""
        return to_host(self._data.gram(self._d * values, self._weights))

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
        ends = [self._pointwise.fenchel_young(xp.clip(share * end, *self._domain)) for end in (u + margin, u - margin)]
        return float(self._d @ xp.maximum(*ends))


def _library(a: Array) -> Any:
    return torch if isinstance(a, torch.Tensor) else np
