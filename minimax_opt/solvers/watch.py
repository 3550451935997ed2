"""Do the visited points bear out what the caller declared?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from minimax_opt.arrays import Array, all_finite, norm
from minimax_opt.problem import Point, Problem

KEPT = 8  # points and planes, besides the first point


class Plane(NamedTuple):
    """The linearisation of F_w at x."""

    weights: Array
    value: float
    gradient: Array
    point: Point


@dataclass
class ConvexityWatch:
    """Tests F_w(y) >= F_w(x) + <grad F_w(x), y - x> + mu/2 |y - x|^2 for pairs of visited points, whenever a gradient is at hand.

    Attributes
    ----------
    problem : Problem
    disproved : bool
        Whether a pair has violated it by more than rounding. It stays True.
    """

    problem: Problem
    disproved: bool = False
    points: list[Point] = field(default_factory=list)
    planes: list[Plane] = field(default_factory=list)

    def see(self, point: Point, weights: Array) -> None:
        """Test a point against the planes so far, and its own plane, if its gradient is known, against the points so far."""
        if self.disproved or not point.finite:
            return
        if not any(point is old for old in self.points):
            self.disproved = any(self._violated(plane, point) for plane in self.planes)
            self.points = [*self.points[:1], *self.points[1:][-KEPT + 1 :], point]
        known = point.known_gradient(weights)
        if known is not None and all_finite(known[1]) and not any(plane.gradient is known[1] for plane in self.planes):
            plane = Plane(known[0], point.smooth_value(known[0]), known[1], point)
            self.disproved = self.disproved or any(self._violated(plane, old) for old in self.points)
            self.planes = [*self.planes[-KEPT + 1 :], plane]

    def _violated(self, plane: Plane, point: Point) -> bool:
        step = point.x - plane.point.x
        distance, mu = norm(step), self.problem.strong_convexity
        least = plane.value + float(plane.gradient @ step) + mu / 2 * distance**2
        scale = max(point.scale, plane.point.scale, self.points[0].scale if self.points else 0.0)
        slack = 64 * self.problem.eps * scale + 1e-10 * distance * (norm(plane.gradient) + mu * distance)
        return bool(point.smooth_value(plane.weights) < least - slack - np.finfo(float).tiny)
