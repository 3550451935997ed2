r"""Nesterov's method on the smoothed worst case: theorem A5 of ``docs/theory/smoothing.md`` as functions.

The notation and the assumptions are those of :mod:`minimax_opt.theory.smoothing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.theory.checked import count, plain, real
from minimax_opt.theory.smoothing import bias, curvature, steepness


def momentum(horizon: Any) -> Any:
    r"""t_T of the accelerated method: t_1 = 1, t_{k+1} = (1 + sqrt(1 + 4 t_k^2))/2; at least (T+1)/2.

    Parameters
    ----------
    horizon : int or array
        T >= 1.

    Returns
    -------
    float or array

    Examples
    --------
    >>> [round(t, 4) for t in momentum([1, 2, 3]).tolist()]
    [1.0, 1.618, 2.1935]
    """
    T = count("horizon", horizon).astype(int)
    sequence = np.ones(int(T.max()))
    for k in range(1, len(sequence)):
        sequence[k] = (1.0 + np.sqrt(1.0 + 4.0 * sequence[k - 1] ** 2)) / 2.0
    return plain(sequence[T - 1])


def accelerated_bound(
    *, horizon: Any, smoothing: Any, radius: Any, n_tasks: Any, smoothness: Any, lipschitz: Any = None, diameter: Any = None
) -> Any:
    r"""(A5) The accelerated method with fixed M = L + C/s: F(x_T) - F* <= M R^2/(2 t_T^2) + s ln K <= 2 M R^2/(T+1)^2 + s ln K, for every T.

    What is returned is the first, with t_T of :func:`momentum`. All of x, y and z stay in the ball round the minimiser of F_s through x_0.

    Parameters
    ----------
    horizon : int or array
        T >= 1, steps taken.
    smoothing, radius : float or array
        s and R.
    n_tasks : int or array
        K.
    smoothness, lipschitz, diameter : float or array
        L, and G or D or both.

    Returns
    -------
    float or array

    References
    ----------
    Nesterov, "Smooth minimization of non-smooth functions", Math. Programming 103 (2005); Auslender and Teboulle, SIAM J. Optim. 16 (2006).

    Examples
    --------
    >>> round(accelerated_bound(horizon=10, smoothing=0.1, radius=1.0, n_tasks=2, smoothness=0.0, lipschitz=1.0), 6)
    0.210923
    """
    M = curvature(smoothness=smoothness, smoothing=smoothing, lipschitz=lipschitz, diameter=diameter)
    R = real("radius", radius, strict=False)
    return plain(M * R**2 / (2 * momentum(horizon) ** 2) + bias(smoothing=smoothing, n_tasks=n_tasks))


def accelerated_smoothing(*, horizon: Any, radius: Any, n_tasks: Any, lipschitz: Any = None, diameter: Any = None) -> Any:
    r"""The s that minimises 2 M R^2/(T+1)^2 + s ln K: R sqrt(2 C/ln K)/(T+1), with C = G^2 or D^2/4.

    Parameters
    ----------
    horizon, radius, n_tasks, lipschitz, diameter : float or array
        T, R, K >= 2, and G or D or both.

    Returns
    -------
    float or array

    Examples
    --------
    >>> round(accelerated_smoothing(horizon=99, radius=1.0, n_tasks=4, lipschitz=1.0), 6)
    0.012011
    """
    T, R, K = count("horizon", horizon), real("radius", radius), count("n_tasks", n_tasks, 2)
    return plain(R * np.sqrt(2 * steepness(lipschitz=lipschitz, diameter=diameter) / np.log(K)) / (T + 1))


def accelerated_optimum(
    *, horizon: Any, radius: Any, n_tasks: Any, smoothness: Any, lipschitz: Any = None, diameter: Any = None
) -> Any:
    r"""(A5) The bound at its best smoothing: 2 L R^2/(T+1)^2 + 2 R sqrt(2 C ln K)/(T+1), with C = G^2 or D^2/4.

    Parameters
    ----------
    horizon, radius, n_tasks, smoothness, lipschitz, diameter : float or array
        T, R, K >= 2, L, and G or D or both.

    Returns
    -------
    float or array

    Examples
    --------
    >>> round(accelerated_optimum(horizon=99, radius=1.0, n_tasks=4, smoothness=1.0, lipschitz=1.0), 6)
    0.033502
    """
    T, R, K = count("horizon", horizon), real("radius", radius), count("n_tasks", n_tasks, 2)
    C, L = steepness(lipschitz=lipschitz, diameter=diameter), real("smoothness", smoothness, strict=False)
    return plain(2 * L * R**2 / (T + 1) ** 2 + 2 * R * np.sqrt(2 * C * np.log(K)) / (T + 1))


__all__ = ["accelerated_bound", "accelerated_optimum", "accelerated_smoothing", "momentum"]
