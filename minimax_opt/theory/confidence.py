"""Confidence intervals of means of bounded variables that hold at every sample size: what random claims are judged by."""

from __future__ import annotations

import math
from typing import Any

from minimax_opt import checks


def mean_interval(values: Any, low: float, high: float, *, level: float = 0.999) -> tuple[float, float]:
    r"""An interval that contains the mean of independent variables in [low, high] with probability >= `level`.

    With the variables scaled to [0, 1], N of them, p their mean and m the observed one, it is

    .. math:: \{p : N\,kl(m, p) \le \ln(2/(1 - level))\}, \qquad kl(m, p) = m \ln\tfrac{m}{p} + (1-m) \ln\tfrac{1-m}{1-p}.

    No normality and no variance is assumed. Each end on its own holds with probability >= (1 + level)/2.

    Parameters
    ----------
    values : array_like, shape (N,)
    low, high : float
        What every variable must lie between.
    level : float
        In (0, 1).

    References
    ----------
    Chernoff's bound in the form of Hoeffding, "Probability inequalities for sums of bounded random variables", JASA 58 (1963), theorem 1.

    Examples
    --------
    >>> below, above = mean_interval([0.4, 0.6] * 500, 0.0, 1.0)
    >>> below < 0.5 < above, round(above - below, 2)
    (True, 0.12)
    """
    sample = checks.vector("values", values)
    low, high, level = (
        checks.number("low", low, -math.inf),
        checks.number("high", high, -math.inf),
        checks.number("level", level, 0.0),
    )
    if not low < high:
        raise ValueError(f"`high` must be > `low`, got [{low:g}, {high:g}].")
    if not 0.0 < level < 1.0:
        raise ValueError(f"`level` must be in (0, 1), got {level!r}.")
    slack = 1e-9 * (high - low)
    if len(sample) == 0 or sample.min() < low - slack or sample.max() > high + slack:
        raise ValueError(f"`values` must be at least one number in [low, high] = [{low:g}, {high:g}].")
    mean = min(max((float(sample.mean()) - low) / (high - low), 0.0), 1.0)
    budget = math.log(2.0 / (1.0 - level)) / len(sample)
    return low + (high - low) * _end(mean, 0.0, budget), low + (high - low) * _end(mean, 1.0, budget)


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


__all__ = ["mean_interval"]
