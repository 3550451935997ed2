"""Unregularised responses for NumPy solvers on the host, in microseconds. No torch here.

The functions `*_weights(losses, prior, ...)` take float64 arrays of shape (K,), with losses of -inf only where a point of the set
has weight 0 on all of these, and return a maximiser of <w, losses>; ties share in proportion to the prior.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minimax_opt.ambiguity.constraints import BallConstraint, HostConstraints
from minimax_opt.arrays import Host

LEAST_EXPONENT = -800.0  # exp of it is 0
_ROUNDING = 8.0 * np.finfo(np.float64).eps


def simplex_weights(losses: Host, prior: Host) -> Host:
    """The prior on the tasks of largest loss."""
    tied = prior * (losses == losses[losses.argmax()])
    weights: Host = tied / np.add.reduce(tied)
    return weights


def cvar_weights(losses: Host, prior: Host, tail_fraction: float) -> Host:
    """Caps from the largest loss down until the mass is 1; the tasks tied at the last loss share the rest."""
    if tail_fraction <= prior[prior.argmin()]:
        return simplex_weights(losses, prior)
    caps = prior / tail_fraction
    order = (-losses).argsort()
    masses = caps[order].cumsum()
    last = losses[order[min(int(masses.searchsorted(1.0 - _ROUNDING)), len(order) - 1)]]
    certain, tied = caps * (losses > last), caps * (losses == last)
    rest = max(1.0 - float(np.add.reduce(certain)), 0.0)
    weights: Host = certain + (rest / float(np.add.reduce(tied))) * tied
    return weights


def kl_weights(losses: Host, prior: Host, radius: float) -> Host:
    """Weights q exp(t f) / Z with t such that the divergence is `radius`: safeguarded Newton steps over log t."""
    if radius == 0.0:
        return prior
    if radius >= -math.log(prior[prior.argmin()]):
        return simplex_weights(losses, prior)
    g, q, index = _standardized(losses, prior)
    slack = max(radius + math.log(q.sum()), 1e-300) if index is not None else radius
    q = q / q.sum()
    top = q * (g == 0.0)
    mass, below = float(np.add.reduce(top)), g[g < 0.0]
    if below.size and -math.log(mass) > slack:  # else the ball holds the weights that t = inf gives
        with np.errstate(under="ignore"):
            t = _tilt(g, q, slack, min(1500.0 / -float(below.max()), 1e300))
            top = q * np.exp(np.maximum(t * g, LEAST_EXPONENT))
            mass = float(np.add.reduce(top))
    return _embedded(top / mass, index, losses.shape[0])


def chi_square_weights(losses: Host, prior: Host, radius: float) -> Host:
    """Weights q (1 + (f - mean) / d) on the tasks S of loss >= some level, with d such that the divergence is `radius`."""
    if radius == 0.0:
        return prior
    if 1.0 + 2.0 * radius >= 1.0 / prior[prior.argmin()]:
        return simplex_weights(losses, prior)
    g, q, index = _standardized(losses, prior)
    ordered, bound = np.sort(g)[::-1].tolist(), 1.0 + 2.0 * radius
    low, high, middle = 0, len(ordered), len(ordered) - 1  # all tasks first: a small ball has no others
    while high - low > 1:
        x = np.maximum(g - ordered[middle], 0.0)
        largest = -ordered[middle]
        if largest > 0.0:
            x /= largest
        first = float(q @ x)
        inside = largest == 0.0 or float(q @ (x * x)) >= bound * first * first
        low, high = (middle, high) if inside else (low, middle)
        middle = (low + high) // 2
    support = q * (g >= ordered[low])
    mass = float(np.add.reduce(support))
    deviation = (g - float(support @ g) / mass) * (support > 0.0)
    largest = float(np.maximum.reduce(abs(deviation)))
    weights = support / mass
    if largest > 0.0:
        deviation /= largest
        outside = float(np.add.reduce(q * (support == 0.0)))  # 0, not a rounding error, on the full support
        if index is not None:
            outside += float(prior.sum() - q.sum())
        excess = max(2.0 * radius * mass - outside, 0.0)
        stretch = math.sqrt(excess * mass / float(support @ (deviation * deviation)))
        weights = np.maximum(weights + weights * (stretch * deviation), 0.0)
    return _embedded(weights, index, losses.shape[0])


def shifted(losses: Host, prior: Host, least_support: float) -> Host:
    """`losses` - max; with 0 and -1 in place of finite and -inf where every point of the set has weight on a loss of -inf."""
    top = losses[losses.argmax()]
    if losses[losses.argmin()] > -math.inf:
        difference: Host = losses - top
        return difference
    present = losses > -math.inf
    mass = float(prior[present].sum())
    if mass <= 0.0:
        return np.zeros_like(losses)
    return np.where(present, 0.0, -1.0) if mass < least_support - _ROUNDING else losses - top


def mixed(base: Host, prior: Host, floor: float) -> Host:
    """(1 - e) base + e q."""
    return base if floor == 0.0 else (1.0 - floor) * base + floor * prior


def charge(weights: Host, losses: Host) -> float:
    """<w, f> with 0 * -inf = 0, exact under a common offset."""
    top = float(losses[losses.argmax()])
    if top == -math.inf:
        return top
    if losses[losses.argmin()] == -math.inf:
        charged = weights > 0
        weights, losses = weights[charged], losses[charged]
    return top + float(weights @ (losses - top))


def _standardized(losses: Host, prior: Host) -> tuple[Host, Host, Any]:
    """The finite losses with maximum 0 and range 1, their prior, and where they are (None: everywhere)."""
    index: Any = None
    if losses[losses.argmin()] == -math.inf:
        index = np.flatnonzero(losses > -math.inf)
        losses, prior = losses[index], prior[index]
    g = losses - losses[losses.argmax()]
    scale = -float(g[g.argmin()])
    return (g / scale if scale > 0 else g), prior, index


def _tilt(g: Host, q: Host, slack: float, far: float) -> float:
    """The t in (0, far) with KL(t) = slack, by Newton's method for log KL over log t, safeguarded by bisection."""
    lower, upper = math.log(2.8 * math.sqrt(slack)), math.log(far)  # KL(t) <= t^2 / 8 for losses of range 1 (Hoeffding)
    x = 0.5 * math.log(2.0 * slack / max(float(q @ (g - q @ g) ** 2), 1e-300))  # KL(t) is about t^2 variance / 2
    last = upper - lower
    if not lower < x < upper:
        x = 0.5 * (lower + upper)
    moments = _divergence if slack > 1e-3 else _careful_divergence
    for _ in range(80):
        divergence, variance = moments(math.exp(x), g, q)
        lower, upper = (lower, x) if divergence > slack else (x, upper)
        step = math.log(slack / divergence) * divergence / variance if divergence > 0 and variance > 0 else math.inf
        newton = lower <= x + step <= upper and abs(step) <= 0.5 * abs(last)
        following = x + step if newton else 0.5 * (lower + upper)
        last, x = following - x, following
        if abs(last) <= (1e-6 if newton else 4e-16) * max(1.0, abs(x)):  # the error of a Newton step is about its square
            break
    t = math.exp(x)
    for _ in range(2):  # to rounding; a number as large as 1e300 is rounded as its logarithm is: steps relative to t
        divergence, variance = _careful_divergence(t, g, q)
        step = (slack - divergence) / variance if variance > 0 else 0.0
        if abs(step) < 1e-6:
            t *= 1.0 + step
        if abs(step) < 1e-9:
            break
    return t


def _embedded(weights: Host, index: Any, length: int) -> Host:
    if index is None:
        return weights
    full = np.zeros(length)
    full[index] = weights
    return full


def _divergence(t: float, g: Host, q: Host) -> tuple[float, float]:
    """KL(w || q) for w = q exp(t g) / Z and the variance of t g under w, to a few units of rounding of 1."""
    exponent = np.maximum(t * g, LEAST_EXPONENT)
    w = q * np.exp(exponent)
    total = float(np.add.reduce(w))
    weighted = w * exponent
    mean = float(np.add.reduce(weighted)) / total
    return mean - math.log(total), float(weighted @ exponent) / total - mean * mean


def _careful_divergence(t: float, g: Host, q: Host) -> tuple[float, float]:
    """The same, to relative rounding: errors of log(w / q) cancel to first order where it is near 0."""
    exponent = np.maximum(t * g, LEAST_EXPONENT)
    e = np.exp(exponent)
    total = float(q @ e)
    log_ratio = exponent - math.log(total)
    ratio = e / total
    w = q * ratio
    centred = log_ratio - float(w @ log_ratio)
    return float(q @ (ratio * log_ratio - np.expm1(log_ratio))), float(w @ (centred * centred))


__all__ = [
    "BallConstraint",
    "HostConstraints",
    "charge",
    "chi_square_weights",
    "cvar_weights",
    "kl_weights",
    "mixed",
    "shifted",
    "simplex_weights",
]
