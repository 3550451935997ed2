"""The smoothed worst case V_s(f(x)) + r(x) + h(x), its gradient and its line search: what the methods that smooth the maximum share.

V_s(f) = max_{w in W} <w, f> - s D(w, anchor) is differentiable with gradient w(f) = respond(f), so x -> V_s(f(x)) + r(x) has the
gradient sum_k w_k grad f_k(x) + grad r(x). With the prior as the anchor, V - s D_W <= V_s <= V, where D_W is the divergence
radius of W (ln K for the simplex); the gradient of V_s(f(x)) is Lipschitz with constant L + G^2 / s for L-smooth, G-Lipschitz
losses. h, the 1-norm and the domain, is not smoothed: its proximal map takes part in every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from minimax_opt.ambiguity import AmbiguitySet
from minimax_opt.arrays import Array
from minimax_opt.problem import Point, Problem
from minimax_opt.solvers.hints import method_for_kinks
from minimax_opt.validation import number

GEOMETRIES = ("auto", "entropic", "euclidean")


@dataclass(frozen=True)
class SmoothedWorstCase:
    """V_s for one problem.

    Attributes
    ----------
    ambiguity : AmbiguitySet
    geometry : {"entropic", "euclidean"}
    smoothing : float
        s >= 0, in the unit of the losses.
    anchor : array, shape (K,), or None
        None is the prior.
    """

    ambiguity: AmbiguitySet
    geometry: Any
    smoothing: float
    anchor: Array | None = None

    def weights(self, losses: Array) -> Array:
        """The maximiser w(f), shape (K,)."""
        return self.ambiguity.respond(losses, smoothing=self.smoothing, geometry=self.geometry, anchor=self.anchor)

    def value(self, point: Point) -> float:
        """V_s(f(x)) + r(x) + h(x); inf where a loss is not finite."""
        if not point.finite:
            return float("inf")
        worst = self.ambiguity.worst_case(point.losses, smoothing=self.smoothing, geometry=self.geometry, anchor=self.anchor)
        return float(worst) + point.penalty

    def anchored_at(self, weights: Array, problem: Problem) -> SmoothedWorstCase:
        """The same with a new anchor, the part of `weights` without the floor, kept positive so that no task is lost for good."""
        ambiguity, prior = self.ambiguity, problem.space.asarray(self.ambiguity.prior_weights(problem.n_tasks))
        base = (weights - ambiguity.floor * prior) / (1.0 - ambiguity.floor)
        least = problem.space.eps * prior
        base = least + (base - least) * (base > least)
        return replace(self, anchor=base / base.sum())


def existing_geometry(ambiguity: AmbiguitySet, geometry: str) -> Any:
    """`geometry`; for "auto" the entropic one where `ambiguity` has it, else the Euclidean one."""
    if geometry != "auto":
        return geometry
    return "entropic" if _exists(ambiguity, "entropic") else "euclidean"


def refused_geometry(ambiguity: AmbiguitySet, geometry: str) -> str | None:
    """The refusal of a pair of set and geometry that has no exact smoothed response."""
    if _exists(ambiguity, existing_geometry(ambiguity, geometry)):
        return None
    return f"has no exact smoothed response of {type(ambiguity).__name__} with geometry={geometry!r}: leave out `geometry`."


def refused_kinks(problem: Problem) -> str | None:
    """The refusal of tasks whose losses have kinks."""
    if problem.tasks.smooth:
        return None
    return f"needs differentiable losses, which {type(problem.tasks).__name__} are not; {method_for_kinks(problem)}."


def _exists(ambiguity: AmbiguitySet, geometry: Any) -> bool:
    try:
        ambiguity.check_pair(1.0, geometry)
    except ValueError:
        return False
    return True


def loss_scale(point: Point) -> float:
    """The scale on which the K losses differ: their range, or their size where they are all (nearly) equal, as at the origin of
    logistic tasks.
    """
    low, high = float(point.losses.min()), float(point.losses.max())
    size = max(abs(low), abs(high))
    return high - low if high - low > 1e-3 * size else size or 1.0


def rounding_level(point: Point) -> float:
    """What a difference of two values means nothing below."""
    return 8 * point.problem.space.eps * (float(abs(point.losses).max()) + abs(point.penalty) + np.finfo(float).tiny)


class Trial(NamedTuple):
    """An accepted step: x+ with its smoothed value, the curvature M that made it, and whatever `propose` gave beside x+."""

    point: Point
    value: float
    curvature: float
    extra: Array


def line_search(
    smoothed: SmoothedWorstCase,
    propose: Callable[[float], tuple[Array, Array]],
    start: Point,
    start_value: float,
    gradient: Array,
    curvature: float,
    rounding: float,
) -> Trial | None:
    """The first curvature M in {m, 2m, 4m, ...} whose quadratic model lies above the smoothed value at the proposed point.

    The test on the smooth part, V = V_s(f) + r: V(x+) <= V(y) + <g, x+ - y> + M/2 |x+ - y|^2, up to rounding, with (x+, extra) =
    propose(M). None where no M of 100 doublings passes: the gradient does not belong to the losses.
    """
    for _ in range(100):
        x, extra = propose(curvature)
        point = start.problem.at(x)
        value = smoothed.value(point)
        step = x - start.x
        rise = value - start_value - (point.simple_penalty - start.simple_penalty)
        if rise <= float(gradient @ step + curvature / 2 * (step @ step)) + rounding:
            return Trial(point, value, curvature, extra)
        curvature *= 2
    return None


def worst_gradient(point: Point) -> Array:
    """A subgradient of the worst case itself: as steep as the problem is, even where softer weights cancel the tasks' slopes."""
    return point.gradient(point.problem.ambiguity.respond(point.losses))


def first_curvature(gradient: Array, scale: float) -> float:
    """A cautiously low guess: a step that is predicted to lower the value by `scale` lowers it by half of that."""
    squared = float(gradient @ gradient)
    return squared / (2 * scale) if squared > 0 else 1.0


@dataclass(frozen=True)
class Constants:
    """What the bounds of the theory need: G, L, R over the points that are visited; None where the caller did not say.

    Attributes
    ----------
    lipschitz : float or None
        G >= the largest gradient norm of a task.
    smoothness : float or None
        L >= the largest Lipschitz constant of a task's gradient, that of the regulariser added.
    radius : float or None
        R >= the distance from x0 to a minimiser.
    """

    lipschitz: float | None = None
    smoothness: float | None = None
    radius: float | None = None

    def check(self, needed: tuple[str, ...], reason: str) -> None:
        """Raise ValueError for a constant that is no number, or that is missing though `reason` needs it."""
        for name in ("lipschitz", "smoothness", "radius"):
            value = getattr(self, name)
            if value is not None:
                number(name, value, 0.0, strict=name != "smoothness")
            elif name in needed:
                raise ValueError(f"`{name}` must be given for {reason}; give the constant or leave out that option.")

    def curvature(self, smoothing: float, geometry: str, n_tasks: int) -> float:
        """L + G^2 / s (entropic), L + K G^2 / s (Euclidean): the Lipschitz constant of the smoothed gradient."""
        assert self.lipschitz is not None and self.smoothness is not None  # noqa: PT018 - checked by check()
        return self.smoothness + (1 if geometry == "entropic" else n_tasks) * self.lipschitz**2 / smoothing


def check_choice(name: str, value: Any, words: tuple[str, ...]) -> None:
    """`value` is one of `words`, or a finite number > 0."""
    if isinstance(value, str):
        if value not in words:
            raise ValueError(f"`{name}` must be a number > 0 or one of {', '.join(map(repr, words))}, got {value!r}.")
    else:
        number(name, value, 0.0, strict=True)


def check_geometry(geometry: str) -> None:
    """`geometry` is one of :data:`GEOMETRIES`."""
    if geometry not in GEOMETRIES:
        raise ValueError(f"`geometry` must be one of {', '.join(map(repr, GEOMETRIES))}, got {geometry!r}.")
