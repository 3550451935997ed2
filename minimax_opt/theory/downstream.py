"""Downstream least squares on r features: its excess risk, the whole law of it, and the samples that it takes (C1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.theory.checked import plain, real


def least_squares_excess(*, residual: Any, noise: Any, rank: int, n_samples: Any) -> Any:
    """E excess = b + (sigma^2 + b) r/(n - r - 1) of least squares on r features (C1).

    Parameters
    ----------
    residual : float or ndarray
        b >= 0, what the representation leaves of the task.
    noise : float or ndarray
        sigma > 0, the standard deviation of the noise.
    rank : int
        r >= 1.
    n_samples : float or ndarray
        n >= 0.

    Returns
    -------
    float or ndarray
        Equality, for x ~ N(0, I), a projector that does not depend on the n downstream samples, and least squares without an intercept; inf for
        n <= r + 1, where the expectation is infinite (n = r, r + 1) or least squares is not unique (n < r).

    Examples
    --------
    >>> round(least_squares_excess(residual=0.08257, noise=0.5, rank=2, n_samples=20), 4)
    0.1217
    """
    b, variance, rank, n = _arguments(residual, noise, rank, n_samples)
    spare = n - rank - 1.0
    with np.errstate(divide="ignore"):
        return plain(np.where(spare > 0.0, b + (variance + b) * rank / np.maximum(spare, 0.0), np.inf))


def least_squares_samples(*, residual: Any, noise: Any, rank: int, excess: Any) -> Any:
    """The least n with E excess <= eps: ceil(r + 1 + r (sigma^2 + b)/(eps - b)), inf for eps <= b (C1).

    Parameters
    ----------
    residual, noise, rank
        As in :func:`least_squares_excess`.
    excess : float or ndarray
        eps > 0, what is allowed.

    Returns
    -------
    float or ndarray
        Whole numbers, or inf; a value within rounding of a whole number counts as it.

    Examples
    --------
    >>> least_squares_samples(residual=0.08257, noise=0.5, rank=2, excess=0.12)
    21.0
    """
    b, variance, rank, eps = _arguments(residual, noise, rank, real("excess", excess))
    with np.errstate(divide="ignore"):
        return plain(
            np.where(eps > b, np.ceil((1 - 1e-12) * (rank + 1 + rank * (variance + b) / np.maximum(eps - b, 0.0))), np.inf)
        )


def least_squares_cdf(excess: Any, *, residual: Any, noise: Any, rank: int, n_samples: Any) -> Any:
    """P(excess <= e): (excess - b)/(sigma^2 + b) is the quotient of independent chi^2 of r and of n - r + 1 degrees of freedom (C1').

    Parameters
    ----------
    excess : float or ndarray
        e, any real number.
    residual, noise, rank, n_samples
        As in :func:`least_squares_excess`, with n >= r.

    Returns
    -------
    float or ndarray

    Examples
    --------
    The median lies below the mean, more so with few samples:

    >>> mean = least_squares_excess(residual=0.1, noise=0.5, rank=2, n_samples=6)
    >>> bool(least_squares_cdf(mean, residual=0.1, noise=0.5, rank=2, n_samples=6) > 0.6)
    True
    """
    from scipy.special import fdtr

    b, variance, rank, n = _arguments(residual, noise, rank, real("n_samples", n_samples, rank, strict=False))
    e = real("excess", excess, -np.inf)
    spare = n - rank + 1.0
    return plain(fdtr(rank, spare, np.maximum(e - b, 0.0) * spare / (rank * (variance + b))))


def _arguments(residual: Any, noise: Any, rank: int, last: Any) -> tuple[Any, Any, int, Any]:
    """b, sigma^2, r and the last argument, checked."""
    b, sigma = real("residual", residual, strict=False), real("noise", noise)
    return b, sigma**2, checks.integer("rank", rank, 1), real("n_samples", last, strict=False)


__all__ = ["least_squares_cdf", "least_squares_excess", "least_squares_samples"]
