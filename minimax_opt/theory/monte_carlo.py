"""Confidence for simulations: an interval for a mean, and a band for a whole law that holds for every sample size (Dvoretzky, Kiefer, Wolfowitz)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host

CONFIDENCE = 0.999


class Interval(NamedTuple):
    """A confidence interval of a mean."""

    mean: float
    low: float
    high: float

    def contains(self, value: float) -> bool:
        """Whether `value` lies in the interval."""
        return self.low <= value <= self.high


class LawTest(NamedTuple):
    """The largest distance of the empirical distribution function from a law, beside the band that it stays in with the given confidence."""

    distance: float
    band: float

    @property
    def passes(self) -> bool:
        """Whether the values can come from the law."""
        return self.distance <= self.band


def mean_interval(values: Any, confidence: float = CONFIDENCE) -> Interval:
    """Mean -+ z s/sqrt(N), by the central limit theorem: for laws with a third moment and N in the thousands.

    Parameters
    ----------
    values : array_like, shape (N,)
        Independent, N >= 2.
    confidence : float
        In (0, 1).

    Returns
    -------
    Interval

    Examples
    --------
    >>> mean_interval([1.0, 2.0, 3.0], confidence=0.95).mean
    2.0
    """
    from scipy.special import ndtri

    sample = _sample(values)
    half = float(ndtri(0.5 + _confidence(confidence) / 2)) * float(sample.std(ddof=1)) / math.sqrt(len(sample))
    mean = float(sample.mean())
    return Interval(mean, mean - half, mean + half)


def law_test(values: Any, cdf: Callable[[Host], Any], confidence: float = CONFIDENCE) -> LawTest:
    """Sup |F_N - F| against sqrt(ln(2/(1 - confidence))/(2N)).

    Parameters
    ----------
    values : array_like, shape (N,)
        Independent, N >= 2.
    cdf : callable
        The continuous law F that is tested, elementwise.
    confidence : float
        In (0, 1). The band holds with at least this probability for every N (Massart, 1990): no limit theorem, any tails. A law further than two
        bands from the true one is rejected with at least this probability.

    Returns
    -------
    LawTest

    Examples
    --------
    >>> grid = np.linspace(0.0005, 0.9995, 1000)
    >>> law_test(grid, lambda u: u).passes, law_test(grid**2, lambda u: u).passes
    (True, False)
    """
    sample = np.sort(_sample(values))
    count = len(sample)
    law = np.asarray(cdf(sample))
    steps = np.arange(count + 1) / count
    distance = max(float((steps[1:] - law).max()), float((law - steps[:-1]).max()))
    return LawTest(distance, math.sqrt(math.log(2.0 / (1.0 - _confidence(confidence))) / (2 * count)))


def _sample(values: Any) -> Host:
    sample = checks.vector("values", values)
    if len(sample) < 2:
        raise ValueError(f"`values` must hold at least two numbers, got {len(sample)}.")
    return sample


def _confidence(value: float) -> float:
    if not 0.0 < checks.number("confidence", value, 0.0, strict=True) < 1.0:
        raise ValueError(f"`confidence` must be in (0, 1), got {value!r}.")
    return float(value)


__all__ = ["CONFIDENCE", "Interval", "LawTest", "law_test", "mean_interval"]
