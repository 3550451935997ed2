"""Model B: one vector of weights for all tasks, f_k(x) = |x - theta_k|^2/2; the mean, the centre of the smallest enclosing ball, ridge from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host
from minimax_opt.minimize import minimize_max
from minimax_opt.theory.checked import plain, real


@dataclass(frozen=True)
class SharedWeights:
    """Pre-trained weights and how far each task is from them.

    Attributes
    ----------
    center : ndarray, shape (d,)
        theta_0, where downstream learning starts.
    distances : ndarray, shape (K,)
        |theta_k - theta_0|.
    lower_bound : float or None
        For the minimax weights a proven lower bound of the least possible max_k |theta_k - x|.
    """

    center: Host
    distances: Host
    lower_bound: float | None = None


def average_weights(task_vectors: Any, prior: Any = None) -> SharedWeights:
    """The mean sum_k p_k theta_k, which minimises sum_k p_k f_k.

    Parameters
    ----------
    task_vectors : array_like, shape (K, d)
    prior : array_like, shape (K,), optional
        p, positive up to scale; uniform by default.

    Returns
    -------
    SharedWeights

    Examples
    --------
    >>> average_weights([[0.0], [4.0]], prior=[3, 1]).distances.tolist()
    [1.0, 3.0]
    """
    tasks = checks.matrix("task_vectors", task_vectors)
    p = np.ones(len(tasks)) if prior is None else real("prior", checks.vector("prior", prior, len(tasks)), strict=False)
    if not p.sum() > 0.0:
        raise ValueError("`prior` must have a positive entry.")
    center = p @ tasks / p.sum()
    return SharedWeights(center, np.linalg.norm(tasks - center, axis=1))


def minimax_weights(task_vectors: Any, tol: float = 1e-9) -> SharedWeights:
    """The centre of the smallest ball that holds all tasks: argmin_x max_k |x - theta_k|^2/2, certified.

    Parameters
    ----------
    task_vectors : array_like, shape (K, d)
    tol : float
        Relative gap of the worst loss, positive.

    Returns
    -------
    SharedWeights

    Notes
    -----
    Each f_k is 1-smooth and 1-strongly convex; Hess f_k = I, so that the gradients differ by theta_j - theta_k everywhere.

    Examples
    --------
    >>> best = minimax_weights([[0.0, 0.0], [4.0, 0.0], [2.0, 1.0]])
    >>> best.center.round(6).tolist(), best.distances.round(6).tolist()
    ([2.0, 0.0], [2.0, 2.0, 1.0])
    """
    tasks = checks.matrix("task_vectors", task_vectors)
    mean = tasks.mean(0)

    def losses(x: Host) -> tuple[Host, Host]:
        away = x - (tasks - mean)  # about the mean, where no digits are lost
        return (away**2).sum(1) / 2, away

    solved = minimize_max(losses, np.zeros(tasks.shape[1]), jac=True, strong_convexity=1.0, tol=tol)
    center = mean + solved.x
    return SharedWeights(center, np.linalg.norm(tasks - center, axis=1), float(np.sqrt(max(0.0, 2.0 * solved.lower_bound))))


def shrinkage(*, distance: Any, noise: Any, dimension: Any, n_samples: Any) -> Any:
    """How far ridge tuned for the distance D moves from theta_0 towards least squares: s = D^2/(D^2 + d sigma^2/n) (B).

    Parameters
    ----------
    distance, noise : float or ndarray
        D >= 0 and sigma > 0.
    dimension, n_samples : float or ndarray
        d >= 1, n >= 0.

    Returns
    -------
    float or ndarray

    Examples
    --------
    >>> shrinkage(distance=1.0, noise=0.5, dimension=8, n_samples=2)
    0.5
    """
    D, sigma = real("distance", distance, strict=False), real("noise", noise)
    d, n = real("dimension", dimension, 1.0, strict=False), real("n_samples", n_samples, strict=False)
    return plain(n * D**2 / (n * D**2 + d * sigma**2))


def ridge_excess(*, distance: Any, tuned_for: Any, noise: Any, dimension: Any, n_samples: Any) -> Any:
    """E |theta_hat - theta|^2 = (1 - s)^2 D^2 + s^2 d sigma^2/n of ridge towards theta_0 with X'X = n I, s tuned for another distance (B).

    Parameters
    ----------
    distance : float or ndarray
        D = |theta - theta_0| of the task at hand.
    tuned_for : float or ndarray
        The distance for which s is best. With D itself this is 1/(1/D^2 + n/(d sigma^2)); for D <= tuned_for it is at most that of `tuned_for`.
    noise, dimension, n_samples : float or ndarray
        sigma > 0, d >= 1, n > 0.

    Returns
    -------
    float or ndarray

    Examples
    --------
    >>> ridge_excess(distance=1.0, tuned_for=1.0, noise=0.5, dimension=8, n_samples=2)
    0.5
    """
    s, n = (
        shrinkage(distance=tuned_for, noise=noise, dimension=dimension, n_samples=n_samples),
        real("n_samples", n_samples),
    )
    D, sigma, d = (
        real("distance", distance, strict=False),
        real("noise", noise, strict=False),
        real("dimension", dimension, 1.0, strict=False),
    )
    return plain((1.0 - s) ** 2 * D**2 + s**2 * d * sigma**2 / n)


def ridge_cdf(excess: Any, *, distance: float, tuned_for: float, noise: float, dimension: int, n_samples: int) -> Any:
    """P(excess <= e): n/(s^2 sigma^2) times the excess is noncentral chi^2 of d degrees and noncentrality n (1 - s)^2 D^2/(s^2 sigma^2) (B).

    Parameters
    ----------
    excess : float or ndarray
        e, any real number.
    distance, tuned_for, noise, dimension, n_samples
        As in :func:`ridge_excess`, with tuned_for > 0.

    Returns
    -------
    float or ndarray

    Examples
    --------
    >>> mean = ridge_excess(distance=1.0, tuned_for=1.0, noise=0.5, dimension=50, n_samples=100)
    >>> bool(0.45 < ridge_cdf(mean, distance=1.0, tuned_for=1.0, noise=0.5, dimension=50, n_samples=100) < 0.6)
    True
    """
    from scipy.special import chndtr

    checks.number("tuned_for", tuned_for, 0.0, strict=True)
    s = shrinkage(distance=tuned_for, noise=noise, dimension=dimension, n_samples=n_samples)
    unit = (s * noise) ** 2 / n_samples
    e = np.maximum(real("excess", excess, -np.inf), 0.0)
    return plain(chndtr(e / unit, dimension, ((1.0 - s) * distance) ** 2 / unit))


__all__ = ["SharedWeights", "average_weights", "minimax_weights", "ridge_cdf", "ridge_excess", "shrinkage"]
