"""The sets, and the pairs of set and geometry, that the tests of this folder run over."""

from __future__ import annotations

import itertools

import numpy as np

from minimax_opt.ambiguity import AmbiguitySet, ChiSquareBall, CVaR, KLBall, Simplex

PRIOR = (0.1, 0.3, 0.05, 0.35, 0.2)
N_TASKS = len(PRIOR)

SETS: list[AmbiguitySet] = [
    Simplex(),
    Simplex(PRIOR, floor=0.2),
    CVaR(0.5),
    CVaR(0.37, PRIOR),
    CVaR(0.3, PRIOR, floor=0.1),
    KLBall(0.2),
    KLBall(0.05, PRIOR),
    KLBall(0.9, PRIOR, floor=0.1),
    ChiSquareBall(0.2),
    ChiSquareBall(0.05, PRIOR),
    ChiSquareBall(1.1, PRIOR, floor=0.1),
]


def supports(ambiguity: AmbiguitySet, geometry: str, smoothing: float) -> bool:
    """Whether this pair has an exact response."""
    try:
        ambiguity.check_pair(smoothing, geometry)
    except ValueError:
        return False
    return True


SMOOTH = [(a, g) for a in SETS for g in ("entropic", "euclidean") if supports(a, g, 1.0)]
ALL = [(a, "entropic", 0.0) for a in SETS] + [(a, g, s) for (a, g), s in zip(SMOOTH, itertools.cycle((0.3, 2.0)), strict=False)]


def label(value: object) -> str:
    """A readable test id."""
    return value.describe().replace(" ", "-") if isinstance(value, AmbiguitySet) else str(value)


def divergence(weights: np.ndarray, anchor: np.ndarray, geometry: str) -> float:
    """D(w, anchor) by its definition."""
    if geometry == "euclidean":
        return 0.5 * float(((weights - anchor) ** 2).sum())
    inside = weights > 0
    return float((weights[inside] * np.log(weights[inside] / anchor[inside])).sum())


def base_weights(ambiguity: AmbiguitySet, weights: np.ndarray) -> np.ndarray:
    """The weights before the floor was mixed in."""
    return (weights - ambiguity.floor * ambiguity.prior_weights(weights.shape[-1])) / (1.0 - ambiguity.floor)
