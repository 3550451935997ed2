"""Downstream learners simulated as they are: draw the design, fit, measure the excess risk. No formula of the theory is used here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host
from minimax_opt.theory.representation import orthonormal

Seed = int | Sequence[int]
NUMBERS = 4_000_000  # of a design that are drawn at once


def simulate_least_squares(theta: Any, basis: Any, *, noise: float, n_samples: int, n_trials: int, seed: Seed) -> Host:
    """Excess risks |theta - V h|^2 of least squares h on the features V'x, one a trial.

    Parameters
    ----------
    theta : array_like, shape (d,)
        The downstream task: y = <theta, x> + noise * N(0, 1), x ~ N(0, I_d).
    basis : array_like, shape (d, r)
        V, orthonormal columns.
    noise : float
        >= 0.
    n_samples : int
        n >= r.
    n_trials : int
    seed : int or sequence of int

    Returns
    -------
    ndarray, shape (n_trials,)

    Examples
    --------
    >>> simulate_least_squares([1.0, 0.0], [[1.0], [0.0]], noise=0.0, n_samples=3, n_trials=2, seed=0).round(12).tolist()
    [0.0, 0.0]
    """
    V = orthonormal("basis", basis)
    task = checks.vector("theta", theta, len(V))
    n = checks.integer("n_samples", n_samples, V.shape[1])
    generator, sigma = np.random.default_rng(seed), checks.number("noise", noise, 0.0)
    parts = []
    for trials in _chunks(n_trials, n * len(task)):
        X = generator.standard_normal((trials, n, len(task)))
        y = X @ task + sigma * generator.standard_normal((trials, n))
        Z = X @ V
        heads = np.linalg.solve(Z.transpose(0, 2, 1) @ Z, (Z.transpose(0, 2, 1) @ y[..., None]))[..., 0]
        parts.append(((task - heads @ V.T) ** 2).sum(1))
    return np.concatenate(parts)


def simulate_bayes(
    *, distance: float, noise: float, dimension: int, n_samples: int, n_trials: int, seed: Seed, orthogonal: bool = False
) -> tuple[Host, Host]:
    """Excess risks of the best of all learners, for tasks w ~ N(0, (D^2/d) I_d): ridge regression with penalty d sigma^2/D^2.

    Parameters
    ----------
    distance, noise, dimension, n_samples
        D > 0, sigma > 0, d >= 1, n >= 1 (n >= d where orthogonal).
    n_trials : int
    seed : int or sequence of int
    orthogonal : bool
        Designs with X'X = n I, else x ~ N(0, I_d).

    Returns
    -------
    excess, conditional : ndarray, shape (n_trials,)
        |w_hat - w|^2, and its expectation given the design, tr (d/D^2 I + X'X/sigma^2)^{-1}.

    Examples
    --------
    >>> excess, conditional = simulate_bayes(distance=1.0, noise=0.5, dimension=3, n_samples=6, n_trials=2, seed=0, orthogonal=True)
    >>> conditional.round(4).tolist()
    [0.1111, 0.1111]
    """
    D, sigma = checks.number("distance", distance, 0.0, strict=True), checks.number("noise", noise, 0.0, strict=True)
    d = checks.integer("dimension", dimension, 1)
    n = checks.integer("n_samples", n_samples, d if orthogonal else 1)
    generator, parts = np.random.default_rng(seed), []
    for trials in _chunks(n_trials, n * d):
        X = _design(generator, trials, n, d, orthogonal)
        w = generator.standard_normal((trials, d)) * (D / np.sqrt(d))
        y = (X @ w[..., None])[..., 0] + sigma * generator.standard_normal((trials, n))
        precision = d / D**2 * np.eye(d) + X.transpose(0, 2, 1) @ X / sigma**2
        covariance = np.linalg.inv(precision)
        estimate = (covariance @ (X.transpose(0, 2, 1) @ y[..., None]))[..., 0] / sigma**2
        parts.append((((estimate - w) ** 2).sum(1), np.trace(covariance, axis1=1, axis2=2)))
    excess, conditional = zip(*parts, strict=True)
    return np.concatenate(excess), np.concatenate(conditional)


def simulate_ridge(
    theta: Any, start: Any, *, shrinkage: float, noise: float, n_samples: int, n_trials: int, seed: Seed, one_step: bool = False
) -> Host:
    """Excess risks |theta_hat - theta|^2 of learners that move from theta_0 towards the data.

    Parameters
    ----------
    theta, start : array_like, shape (d,)
        The downstream task and theta_0.
    shrinkage : float
        s in [0, 1].
    noise : float
        sigma >= 0.
    n_samples : int
        n >= d, or n >= 1 where one_step.
    n_trials : int
    seed : int or sequence of int
    one_step : bool
        False: ridge towards theta_0, argmin |y - X theta|^2 + n (1 - s)/s |theta - theta_0|^2, for designs with X'X = n I.
        True: theta_0 + s X'(y - X theta_0)/n, for x ~ N(0, I_d).

    Returns
    -------
    ndarray, shape (n_trials,)

    Examples
    --------
    Without a move the distance to the start remains:

    >>> simulate_ridge([3.0, 4.0], [0.0, 0.0], shrinkage=0.0, noise=0.5, n_samples=4, n_trials=2, seed=0).tolist()
    [25.0, 25.0]
    """
    task = checks.vector("theta", theta)
    away = task - checks.vector("start", start, len(task))
    s, sigma = checks.number("shrinkage", shrinkage, 0.0), checks.number("noise", noise, 0.0)
    n = checks.integer("n_samples", n_samples, 1 if one_step else len(task))
    generator, parts = np.random.default_rng(seed), []
    for trials in _chunks(n_trials, n * len(task)):
        X = _design(generator, trials, n, len(task), not one_step)
        y = X @ away + sigma * generator.standard_normal((trials, n))
        moments = (X.transpose(0, 2, 1) @ y[..., None])[..., 0]
        if one_step or s == 0.0:
            move: Any = s * moments / n
        else:
            penalised = X.transpose(0, 2, 1) @ X + n * (1.0 - s) / s * np.eye(len(task))
            move = np.linalg.solve(penalised, moments[..., None])[..., 0]
        parts.append(((move - away) ** 2).sum(1))
    return np.concatenate(parts)


def _design(generator: np.random.Generator, trials: int, n: int, d: int, orthogonal: bool) -> Host:
    """Designs, shape (trials, n, d): Gaussian, or sqrt(n) times orthonormal columns."""
    X = generator.standard_normal((trials, n, d))
    return np.sqrt(n) * np.linalg.qr(X)[0] if orthogonal else X


def _chunks(n_trials: int, numbers: int) -> Iterator[int]:
    """Counts of trials that add up to `n_trials`, each of at most about NUMBERS numbers."""
    left, size = checks.integer("n_trials", n_trials, 1), max(1, NUMBERS // numbers)
    while left > 0:
        yield min(size, left)
        left -= size


__all__ = ["simulate_bayes", "simulate_least_squares", "simulate_ridge"]
