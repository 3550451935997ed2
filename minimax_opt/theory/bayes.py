"""What no downstream learner can beat without a representation of the task: lower bounds for a vector of which only the length is known (C4)."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.theory.checked import plain, real


def bayes_excess(*, distance: Any, noise: Any, dimension: Any, n_samples: Any) -> Any:
    """1/(1/D^2 + n/(d sigma^2)): no learner has a lower expected excess for a task w ~ N(0, (D^2/d) I_d) (C4, B).

    Parameters
    ----------
    distance : float or ndarray
        D > 0: E |w|^2 = D^2 in C4, |theta - theta_0| in model B.
    noise : float or ndarray
        sigma > 0.
    dimension : float or ndarray
        d >= 1: how many directions are unknown.
    n_samples : float or ndarray
        n >= 0.

    Returns
    -------
    float or ndarray
        A lower bound for x ~ N(0, I_d); exact, and attained by ridge regression with penalty d sigma^2/D^2, where X'X = n I.

    Examples
    --------
    >>> bayes_excess(distance=1.0, noise=0.5, dimension=198, n_samples=0)
    1.0
    """
    D, sigma, d, n = _arguments(distance, noise, dimension, n_samples)
    return plain(1.0 / (1.0 / D**2 + n / (d * sigma**2)))


def bayes_samples(*, distance: Any, noise: Any, dimension: Any, excess: Any) -> Any:
    """No learner brings the expected excess to eps with fewer samples than d sigma^2 (1/eps - 1/D^2)_+ (C4, B).

    Parameters
    ----------
    distance, noise, dimension
        As in :func:`bayes_excess`.
    excess : float or ndarray
        eps > 0.

    Returns
    -------
    float or ndarray
        Not rounded: the least n is its ceiling, where the bound is attained.

    Examples
    --------
    >>> round(bayes_samples(distance=1.0, noise=0.5, dimension=198, excess=0.12), 6)
    363.0
    """
    eps = real("excess", excess)
    D, sigma, d, _ = _arguments(distance, noise, dimension, 0.0)
    return plain(d * sigma**2 * np.maximum(1.0 / eps - 1.0 / D**2, 0.0))


def minimax_excess(*, distance: float, noise: float, dimension: int, n_samples: Any) -> Any:
    """No learner has a lower WORST excess over the ball |w| <= D: max_k 1/(1/(k D^2) + n/(d sigma^2)) - 4 k D^2 P(chi^2_{d+2} > d/k) (C4').

    Parameters
    ----------
    distance, noise, dimension, n_samples
        As in :func:`bayes_excess`, n_samples a number or an array.

    Returns
    -------
    float or ndarray
        Below :func:`bayes_excess`, and close to it for large d: the Gaussian prior is shrunk by k < 1 to lie in the ball nearly always.

    Examples
    --------
    >>> bound = minimax_excess(distance=1.0, noise=0.5, dimension=198, n_samples=300)
    >>> bool(0.9 * bayes_excess(distance=1.0, noise=0.5, dimension=198, n_samples=300) < bound)
    True
    """
    D, sigma, d, n = _arguments(distance, noise, dimension, n_samples)
    shrinkage, outside = _shrinkages(float(D), float(d))
    risk = 1.0 / (1.0 / (shrinkage * D**2) + n[..., None] / (d * sigma**2)) - outside
    return plain(np.maximum(risk, 0.0).max(-1))


def minimax_samples(*, distance: float, noise: float, dimension: int, excess: Any) -> Any:
    """Fewer samples cannot bring the WORST excess over the ball |w| <= D to eps: :func:`minimax_excess` solved for n (C4').

    Parameters
    ----------
    distance, noise, dimension, excess
        As in :func:`bayes_samples`, excess a number or an array.

    Returns
    -------
    float or ndarray

    Examples
    --------
    >>> bool(330 < minimax_samples(distance=1.0, noise=0.5, dimension=198, excess=0.12) < 363)
    True
    """
    eps = real("excess", excess)
    D, sigma, d, _ = _arguments(distance, noise, dimension, 0.0)
    shrinkage, outside = _shrinkages(float(D), float(d))
    samples = d * sigma**2 * (1.0 / (eps[..., None] + outside) - 1.0 / (shrinkage * D**2))
    return plain(np.maximum(samples, 0.0).max(-1))


def one_step_excess(*, distance: Any, noise: Any, dimension: Any, n_samples: Any) -> Any:
    """1/(1/D^2 + n/(d sigma^2 + (d+1) D^2)): what one gradient step from theta_0 attains for every n >= 1, x ~ N(0, I_d) (B').

    Parameters
    ----------
    distance, noise, dimension, n_samples
        As in :func:`bayes_excess`, with D = |theta - theta_0| known.

    Returns
    -------
    float or ndarray
        The expected |theta_hat - theta|^2 of theta_hat = theta_0 + s X'(y - X theta_0)/n with the best s: an upper bound beside the lower one.

    Examples
    --------
    >>> one_step_excess(distance=1.0, noise=0.5, dimension=198, n_samples=0)
    1.0
    """
    D, sigma, d, n = _arguments(distance, noise, dimension, n_samples)
    return plain(1.0 / (1.0 / D**2 + n / (d * sigma**2 + (d + 1.0) * D**2)))


def _shrinkages(D: float, d: float) -> tuple[Host, Host]:
    """Factors k in (0, 1), and 4 E |w|^2 1{|w| > D} for w ~ N(0, (k D^2/d) I_d)."""
    from scipy.special import chdtrc

    k = np.linspace(0.01, 1.0, 199)
    return k, 4.0 * k * D**2 * chdtrc(d + 2.0, d / k)


def _arguments(distance: Any, noise: Any, dimension: Any, n_samples: Any) -> tuple[Host, Host, Host, Host]:
    D, sigma = real("distance", distance), real("noise", noise)
    return D, sigma, real("dimension", dimension, 1.0, strict=False), real("n_samples", n_samples, strict=False)


__all__ = ["bayes_excess", "bayes_samples", "minimax_excess", "minimax_samples", "one_step_excess"]
