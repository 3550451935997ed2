"""How far to go along a Newton step of the interior point, and where that leads."""

from __future__ import annotations

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.problem import Point, Problem
from minimax_opt.solvers.interior_point_iterate import Iterate, Step, longest
from minimax_opt.solvers.interior_point_kkt import Linearisation

BREGMAN = 0.9  # a step's remainder F_w(x + d) - F_w(x) - <grad F_w(x), d> may be this multiple of d'Hd; it is 1/2 for quadratics
RISE = 2.0  # the worst case may rise to this multiple of the estimated gap: a step that restores grad F_w = 0 may have to climb
ABSORBED = 0.8  # share of a slack that curvature may take before the level rises
OFF_CENTRE = 1e-3  # no pair's product falls below this share of the mean by curvature alone
DAMPING = 1e-3  # first multiple of the diagonal that is added after a step that overshot tenfold
SECANT = 0.1  # first share of the upper Hessian after any step that overshot


def limits_of(linear: Linearisation, step: Step, separate: bool) -> tuple[float, float]:
    """The lengths at which the first slack and the first multiplier would vanish; equal unless `separate`."""
    a, b = longest(linear.iterate.slack, step.slack), longest(linear.iterate.multiplier, step.multiplier)
    return (a, b) if separate else (min(a, b),) * 2


def lengths_of(limits: tuple[float, float], share: float = 1.0) -> tuple[float, float]:
    """At most 1, and at most `share` of the limits."""
    return min(1.0, share * limits[0]), min(1.0, share * limits[1])


def search(problem: Problem, linear: Linearisation, step: Step, length: float) -> tuple[Point, float]:
    """The point x + length * share * dx, with the share halved from 1 until the losses are about as the linearisation says."""
    old, share, curvature = linear.iterate.point, 1.0, problem.tasks.curvature
    point = problem.at(_in_domain(linear, old.x + length * step.x))
    if linear.exact or (curvature == "quadratic" and point.value <= old.value):  # which is below the ceiling
        return point, share
    base, slope = old.weighted_value(linear.w), float(old.gradient(linear.w) @ step.x)
    smooth = old.smooth_value(linear.w)
    excess = max(old.value - base, linear.complementarity) + linear.decrement(linear.gradient)
    rounding = 1e-13 * (abs(base) + abs(old.value))
    ceiling = base + RISE * excess + 10 * rounding
    bend = BREGMAN * float(step.x @ linear.hessian @ step.x) if curvature == "general" else np.inf
    for _ in range(40):
        reach = length * share
        if point.value <= ceiling and point.smooth_value(linear.w) - smooth - reach * slope <= reach**2 * bend + rounding:
            break
        share /= 2
        point = problem.at(_in_domain(linear, old.x + length * share * step.x))
    return point, share


def _in_domain(linear: Linearisation, x: Host) -> Host:
    """The point of the domain that x would be without rounding."""
    return x if linear.domain is None else linear.domain.rows.nearest(x)


def next_damping(damping: float, share: float, upper: bool = False) -> float:
    """More after a step that overshot tenfold, less after any other.

    With an `upper` Hessian after any step that overshot, and less again slowly: steps bring rows to their kinks, and the next one would
    throw them over.
    """
    if upper:
        if share < 1.0:
            return min(max(10 * damping, SECANT), 1.0)
        return damping / 3 if damping > 1e-4 * SECANT else 0.0
    if share < 0.1:
        return max(10 * damping, DAMPING)
    return damping / 10 if damping > 1e-3 * DAMPING else 0.0


def moved(problem: Problem, linear: Linearisation, step: Step, lengths: tuple[float, float], point: Point) -> Iterate:
    """The next iterate: the slacks s absorb the curvature of the losses; where that takes too much of one, the level t rises."""
    old, adversary, n_tasks = linear.iterate, linear.adversary, linear.adversary.n_tasks
    slack = old.slack + lengths[0] * step.slack
    multiplier = old.multiplier + lengths[1] * step.multiplier
    level = old.level + lengths[1] * step.level
    if adversary.mix and not linear.exact:
        u, s = slack[:n_tasks], multiplier[:n_tasks]
        taken = adversary.mix * (point.losses - old.point.losses) - lengths[1] * (linear.rows @ step.x)
        rise = max(0.0, float((taken - ABSORBED * s).max()))
        level += rise
        s += rise - taken
        np.maximum(s, OFF_CENTRE * float(u @ s) / n_tasks / u, out=s)
    return Iterate(point, slack, multiplier, level)


def snapped(problem: Problem, linear: Linearisation, estimate: float, goal: float) -> tuple[Point, float]:
    """The point on the bounds and kinks that x all but touches, where the gap allows for that; and the gap."""
    point = linear.iterate.point
    touching = problem.at(linear.domain.rows.snapped(point.x))  # type: ignore[union-attr]
    worse = touching.value - point.value
    return (touching, estimate + worse) if estimate + worse <= goal else (point, estimate)
