"""Means of ratios."""

from __future__ import annotations

import numpy as np

RESAMPLES = 10_000


def geometric_mean(values: list[float], seed: int = 0) -> tuple[float, float, float]:
    """The geometric mean, and its 95 % percentile interval from cases drawn again with replacement."""
    logs = np.log(values)
    draws = np.random.default_rng(seed).choice(logs, size=(RESAMPLES, len(logs))).mean(1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(np.exp(logs.mean())), float(np.exp(low)), float(np.exp(high))
