"""What confines a level set: inequalities that grow with the distance, gathered to a radius. See :mod:`minimax_opt.level_set`.

For the points y of the level set and h = scale (y - x), the right-hand side of each is a level + slope |h|. With a trial R in place of that |h|
they confine h to an ellipsoid, h'Mh <= level; if its longest half-axis is below R, then no point of the level set has |h| = R, and the level
set, being convex and containing h = 0, lies inside. One Cholesky factor proves that: that of M - (level / R^2) I.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from minimax_opt import lapack
from minimax_opt.arrays import Host, norm, to_host
from minimax_opt.minorant import Minorant

if TYPE_CHECKING:
    from minimax_opt.problem import Point

BLOCK = 4096  # rows that are scaled at a time
GROWN = 1.5  # right-hand sides that grow by less need no matrix of their own
POWERS = 4  # steps of inverse iteration: an eigenvalue within a factor of four will do
NOTHING = np.zeros((0, 0))


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

    def with_rows(self, rows: Host, offsets: Host) -> Self:
        """The same, and one more inequality for each row."""
        more = replace(self, rows=[*self.rows], offsets=[*self.offsets])
        more.add(rows, offsets)
        return more

    def radius(self) -> float:
        """R such that no point of the level set has |h| = R, so that all, a convex set that contains h = 0, have |h| < R; inf for none."""
        matrix, level = self._ellipsoid(0.0)
        rounding = (len(matrix) + min(self.count, BLOCK)) * self.eps
        radius = 2 * _longest_axis(matrix, level, rounding)
        if not np.isfinite(radius):
            return np.inf
        grown = 1 + self.slope * radius / self.sigma  # what the right-hand sides are multiplied by, at most
        if grown > GROWN:
            (matrix, level), grown = self._ellipsoid(radius), 1.0
        axis = grown / radius
        return radius if _exceeds(matrix, level * axis * axis + rounding) else np.inf

    def _ellipsoid(self, radius: float) -> tuple[Host, float]:
        """M and the level such that the inequalities with `radius` on their right-hand sides give h'Mh <= level; M of trace 1, or empty."""
        least, level = self.sigma + self.slope * radius, 0
        parts = [_gram(rows, 1.0 / (least + offsets)) / self.count for rows, offsets in zip(self.rows, self.offsets, strict=True)]
        level += bool(parts)
        if self.hessian is not None:
            parts.append(self.hessian / (2 * least))
            level += 1
        if self.spread is not None:
            scaled = self.spread[0] / (least + self.spread[1])
            parts.append(scaled.T @ scaled)
            level += 1
        matrix: Host = np.add.reduce(parts) if parts else NOTHING
        trace = float(np.trace(matrix))
        return (matrix / trace, level / trace) if 0 < trace < np.inf else (NOTHING, 0.0)


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


def _longest_axis(matrix: Host, level: float, rounding: float) -> float:
    """About the largest |h| over h'matrix h <= level; inf for a singular matrix. An estimate: what it is for is proven by :func:`_exceeds`."""
    if not len(matrix):
        return np.inf
    factor, info = lapack.dpotrf(matrix, lower=1)
    if info != 0:
        return np.inf
    v, pivots = np.zeros(len(matrix)), factor.diagonal()
    v[pivots.argmin()] = 1.0
    if not float(pivots.min()) ** 2 > rounding:  # the smallest eigenvalue is at most this
        return np.inf
    for _ in range(POWERS):
        v = lapack.dpotrs(factor, v / norm(v), lower=1)[0]
    smallest = 1.0 / norm(v) - rounding
    return float(np.sqrt(level / smallest)) if smallest > 0 else np.inf


def _exceeds(matrix: Host, least: float) -> bool:
    """Whether every eigenvalue of the matrix exceeds `least`, rounding aside: the matrix less that multiple of I has a Cholesky factor."""
    if not len(matrix):
        return False
    shifted = matrix.copy(order="F")
    np.einsum("ii->i", shifted)[:] -= least
    return bool(lapack.dpotrf(shifted, lower=1, overwrite_a=1)[1] == 0)


__all__ = ["Growth"]
