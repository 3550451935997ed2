"""What random claims are judged by: intervals for a mean, of bounded variables or of many, and a band for a whole law."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host

CONFIDENCE = 0.999


class Interval(NamedTuple):
    """A confidence interval of a mean, round the observed one."""

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


def bounded_mean_interval(values: Any, low: float, high: float, confidence: float = CONFIDENCE) -> Interval:
    r"""An interval that contains the mean of independent variables in [low, high]; it holds at every sample size.

    With the variables scaled to [0, 1], N of them, p their mean and m the observed one, it is

    .. math:: \{p : N\,kl(m, p) \le \ln(2/(1 - confidence))\}, \qquad kl(m, p) = m \ln\tfrac{m}{p} + (1-m) \ln\tfrac{1-m}{1-p}.

    No normality and no variance is assumed. Each end on its own holds with probability >= (1 + confidence)/2.

    Parameters
    ----------
    values : array_like, shape (N,)
        Independent, N >= 1.
    low, high : float
        What every variable must lie between.
    confidence : float
        In (0, 1).

    Returns
    -------
    Interval

    References
    ----------
    Chernoff's bound in the form of Hoeffding, "Probability inequalities for sums of bounded random variables", JASA 58 (1963), theorem 1.

    Examples
    --------
    >>> interval = bounded_mean_interval([0.4, 0.6] * 500, 0.0, 1.0)
    >>> interval.contains(0.5), round(interval.high - interval.low, 2)
    (True, 0.12)
    """
    low, high = checks.number("low", low, -math.inf), checks.number("high", high, -math.inf)
    if not low < high:
        raise ValueError(f"`high` must be > `low`, got [{low:g}, {high:g}].")
    sample, length = _sample(values, 1), high - low
    if sample.min() < low - 1e-9 * length or sample.max() > high + 1e-9 * length:
        raise ValueError(f"`values` must lie in [low, high] = [{low:g}, {high:g}].")
    mean = min(max((float(sample.mean()) - low) / length, 0.0), 1.0)
    budget = math.log(2.0 / (1.0 - _confidence(confidence))) / len(sample)
    below, above = (_end(mean, extreme, budget) for extreme in (0.0, 1.0))
    return Interval(low + length * mean, low + length * below, low + length * above)


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

    sample = _sample(values, 2)
    half = float(ndtri(0.5 + _confidence(confidence) / 2)) * float(sample.std(ddof=1)) / math.sqrt(len(sample))
    mean = float(sample.mean())
    return Interval(mean, mean - half, mean + half)


def law_test(values: Any, cdf: Callable[[Host], Any], confidence: float = CONFIDENCE) -> LawTest:
    """Sup |F_N - F| against sqrt(ln(2/(1 - confidence))/(2N)), the band of Dvoretzky, Kiefer and Wolfowitz.

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
    sample = np.sort(_sample(values, 2))
    count = len(sample)
    law = np.asarray(cdf(sample))
    steps = np.arange(count + 1) / count
    distance = max(float((steps[1:] - law).max()), float((law - steps[:-1]).max()))
    return LawTest(distance, math.sqrt(math.log(2.0 / (1.0 - _confidence(confidence))) / (2 * count)))


def _end(mean: float, extreme: float, budget: float) -> float:
    """The p between `mean` and `extreme` at which kl(mean, p) = budget, rounded away from `mean`."""
    inside, outside = mean, extreme
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if _divergence(mean, middle) <= budget else (inside, middle)
    return outside


def _divergence(m: float, p: float) -> float:
    """kl(m, p) of two Bernoulli variables."""
    if p in (0.0, 1.0):
        return 0.0 if m == p else math.inf
    return (m * math.log(m / p) if m > 0 else 0.0) + ((1 - m) * math.log((1 - m) / (1 - p)) if m < 1 else 0.0)


def _sample(values: Any, least: int) -> Host:
    sample = checks.vector("values", values)
    if len(sample) < least:
        raise ValueError(f"`values` must hold at least {least} {'numbers' if least > 1 else 'number'}, got {len(sample)}.")
    return sample


def _confidence(value: float) -> float:
    if not 0.0 < checks.number("confidence", value, 0.0, strict=True) < 1.0:
        raise ValueError(f"`confidence` must be in (0, 1), got {value!r}.")
    return float(value)


__all__ = ["CONFIDENCE", "Interval", "LawTest", "bounded_mean_interval", "law_test", "mean_interval"]
