"""The judge of accuracy: the definition of the problem in NumPy. It shares no code with any solver, ours included.

The worst case over a ball of weights round the uniform prior is found by bisection on the one multiplier of the ball's constraint.
"""

from __future__ import annotations

import numpy as np

import minimax_opt as mo
from benchmarks.convex.data import Data

LEVELS = (1e-3, 1e-6, 1e-9)  # relative accuracies
HALVINGS = 200


def value(data: Data, x: np.ndarray) -> float:
    """The worst-case loss of x plus the penalties; x is first clipped to the box, as a user would. inf where x is not finite."""
    if x.shape != (data.n_variables,) or not np.isfinite(x).all():
        return float("inf")
    if data.box:
        x = np.clip(x, *data.box)
    with np.errstate(over="ignore", invalid="ignore"):
        losses = data.losses(x)
        return worst_case(losses, data.ambiguity) + data.penalty(x) if np.isfinite(losses).all() else float("inf")


def slack(data: Data) -> float:
    """Differences below this are rounding: 1e-15 of the largest loss at x = 0, which bounds what the arithmetic of the losses resolves."""
    return 1e-15 * float(abs(data.losses(np.zeros(data.n_variables))).max())


def reached(data: Data, found: float, best: float, level: float) -> bool:
    """Whether the value `found` is within a relative `level` of `best`."""
    return bool(found - best <= max(level * abs(best), slack(data)))


def worst_case(losses: np.ndarray, ambiguity: mo.AmbiguitySet) -> float:
    """max_{w in W} <w, losses> for a uniform prior."""
    if ambiguity.prior is not None or ambiguity.floor:
        raise ValueError("The judge knows uniform priors and no floor only.")
    top = float(losses.max())
    if isinstance(ambiguity, mo.Simplex) or np.ptp(losses) == 0.0:
        return top
    if isinstance(ambiguity, mo.CVaR):
        return _tail_mean(losses, ambiguity.tail_fraction)
    if isinstance(ambiguity, mo.KLBall):
        return float(_kl_weights(losses, ambiguity.radius) @ losses)
    if isinstance(ambiguity, mo.ChiSquareBall):
        return float(_chi_square_weights(losses, ambiguity.radius) @ losses)
    raise ValueError(f"The judge does not know {ambiguity!r}.")


def _tail_mean(losses: np.ndarray, fraction: float) -> float:
    share = 1.0 / (len(losses) * fraction)  # the most that one task may weigh
    before = share * np.arange(len(losses))
    return float(np.clip(1.0 - before, 0.0, share) @ np.sort(losses)[::-1])


def _kl_weights(losses: np.ndarray, radius: float) -> np.ndarray:
    """w ~ exp(s f) with the largest s at which sum w log(K w) <= radius."""
    shifted, n_tasks = losses - losses.max(), len(losses)

    def weights(s: float) -> np.ndarray:
        exponentials = np.exp(s * shifted)
        return exponentials / exponentials.sum()

    def divergence(w: np.ndarray) -> float:
        positive = w[w > 0]
        return float(positive @ np.log(n_tasks * positive))

    return _largest(weights, divergence, radius, 1.0 / np.ptp(losses))


def _chi_square_weights(losses: np.ndarray, radius: float) -> np.ndarray:
    """w = the nearest point of the simplex to (1 + s f)/K with the largest s at which (1/2) sum (K w - 1)^2 / K <= radius."""
    shifted, n_tasks = losses - losses.max(), len(losses)

    def weights(s: float) -> np.ndarray:
        target = (1.0 + s * shifted) / n_tasks
        ordered = np.sort(target)[::-1]
        levels = (np.cumsum(ordered) - 1.0) / np.arange(1, n_tasks + 1)
        return np.maximum(target - levels[np.flatnonzero(ordered > levels)[-1]], 0.0)

    return _largest(weights, lambda w: float(((n_tasks * w - 1.0) ** 2).sum() / (2 * n_tasks)), radius, 1.0 / np.ptp(losses))


def _largest(weights, divergence, radius: float, scale: float) -> np.ndarray:
    """weights(s) for the largest s, in units of `scale`, with divergence <= radius: it grows with s."""
    low, high = 0.0, scale
    while divergence(weights(high)) <= radius:
        low, high = high, 4 * high
        if high > 1e16 * scale:  # the ball holds the best vertex, ties shared
            return weights(high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if divergence(weights(middle)) <= radius else (low, middle)
    return weights(low)
