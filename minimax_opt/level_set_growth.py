"""What confines a level set: inequalities that grow with the distance, gathered to a radius. See :mod:`minimax_opt.level_set`.

For the points y of the level set and h = scale (y - x), the right-hand side of each is a level + slope |h|. With a trial R in place of that |h|
they confine h to an ellipsoid; if its longest half-axis is below R, then no point of the level set has |h| = R, and the level set, being
convex and containing h = 0, lies inside.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from minimax_opt.arrays import Host, norm, to_host
from minimax_opt.minorant import Minorant

if TYPE_CHECKING:
    from minimax_opt.problem import Point

BLOCK = 4096  # rows that are scaled at a time


@dataclass
class Growth:
    """What confines h = scale (y - x) for the points y of the level set: a set of inequalities whose right-hand sides grow by slope |h|.

    Attributes
    ----------
    sigma : float
        U - G(x) >= 0, rounded up.
    slope : float
        |grad G(x) / scale|, rounded up.
    eps : float
        Unit rounding of the rows.
    rows, offsets : lists of ndarray, shapes (m, n), (m,)
        |rows_j h| <= sigma + offsets_j + slope |h|.
    hessian : ndarray, shape (n, n), or None
        h'Hh/2 <= sigma + slope |h|.
    spread : (ndarray, float) or None
        (T, a) with |T h| <= sigma + a + slope |h|.
    """

    sigma: float
    slope: float
    eps: float
    rows: list[Host] = field(default_factory=list)
    offsets: list[Host] = field(default_factory=list)
    hessian: Host | None = None
    spread: tuple[Host, float] | None = None

    @classmethod
    def of(cls, best: Minorant, point: Point, scale: Host | float) -> Self:
        """What G alone gives: sigma, slope, and the trades at its kinks."""
        growth = cls(
            max(point.value - best.value, 0.0) + rounding(point),
            norm(best.gradient / scale) + norm(best.rounding / scale),
            point.problem.eps,
        )
        if best.kinks is not None:
            kink, room = best.kinks
            held = room > 0
            growth.add(np.diag(room / scale)[held], (room * np.abs(to_host(point.x) - kink))[held])
        return growth

    @property
    def count(self) -> int:
        """The number of rows."""
        return sum(map(len, self.rows))

    def add(self, rows: Host, offsets: Host) -> None:
        """One more inequality for each row."""
        if len(rows):
            self.rows.append(rows)
            self.offsets.append(offsets)

    def radius(self) -> float:
        """R such that no point of the level set has |h| = R, so that all, a convex set that contains h = 0, have |h| < R; inf for none."""
        radius = 2 * self._longest(0.0)
        return radius if np.isfinite(radius) and self._longest(radius) < radius else np.inf

    def _longest(self, radius: float) -> float:
        """The largest |h| that the inequalities allow among |h| <= radius."""
        gram, level, least = None, 0, self.sigma + self.slope * radius
        if self.rows:
            grams = [_gram(rows, 1.0 / (least + offsets)) for rows, offsets in zip(self.rows, self.offsets, strict=True)]
            gram, level = np.add.reduce(grams) / self.count, 1
        if self.hessian is not None:
            curved = self.hessian / (2 * least)
            gram, level = curved if gram is None else gram + curved, level + 1
        if self.spread is not None:
            scaled = self.spread[0] / (least + self.spread[1])
            wide: Host = scaled.T @ scaled
            gram, level = wide if gram is None else wide + gram, level + 1
        return np.inf if gram is None else _longest_axis(gram, level, self.eps)


def _gram(rows: Host, factors: Host) -> Host:
    """B'B for B = diag(factors) rows, block by block: the rows may be as many as the data."""
    total = np.zeros((rows.shape[1],) * 2)
    for first in range(0, len(rows), BLOCK):
        scaled = rows[first : first + BLOCK] * factors[first : first + BLOCK, None]
        total += scaled.T @ scaled
    return total


def rounding(point: Point) -> float:
    """What U - G(x) may be wrong by."""
    return 4 * point.problem.eps * point.scale + 1e-140  # where all is zero: its inverse can be squared


def _longest_axis(matrix: Host, level: float, eps: float) -> float:
    """Max |h| over h'matrix h <= level, rounded up; inf for a singular matrix."""
    if not len(matrix):
        return 0.0
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    rounding = len(matrix) * eps * float(np.trace(matrix))
    return float(np.sqrt(level / (smallest - rounding))) if smallest > rounding else np.inf


__all__ = ["Growth"]
