"""Softmax-weighted gradient descent, gradient descent on the smoothed worst case: theorem A4 of ``docs/theory/smoothing.md`` as functions.

The notation and the assumptions are those of :mod:`minimax_opt.theory.smoothing`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.theory.checked import count, plain, real
from minimax_opt.theory.smoothing import bias, curvature, steepness


def gradient_descent_bound(
    *, horizon: Any, smoothing: Any, radius: Any, n_tasks: Any, smoothness: Any, lipschitz: Any = None, diameter: Any = None
) -> Any:
    r"""(A4) Gradient descent with steps 1/M, M = L + C/s: F(x_T) - F* <= M R^2/(2T) + s ln K, for every T.

    The iterates stay in the ball round the minimiser of F_s through x_0, so that the constants need to hold only there.

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

    Examples
    --------
    >>> round(gradient_descent_bound(horizon=10, smoothing=0.5, radius=1.0, n_tasks=4, smoothness=1.0, lipschitz=1.0), 6)
    0.843147
    """
    M = curvature(smoothness=smoothness, smoothing=smoothing, lipschitz=lipschitz, diameter=diameter)
    T, R = count("horizon", horizon), real("radius", radius, strict=False)
    return plain(M * R**2 / (2 * T) + bias(smoothing=smoothing, n_tasks=n_tasks))


def gradient_descent_smoothing(*, horizon: Any, radius: Any, n_tasks: Any, lipschitz: Any = None, diameter: Any = None) -> Any:
    r"""The s that minimises the bound of A4: R sqrt(C/(2 T ln K)), with C = G^2 or D^2/4.

    Parameters
    ----------
    horizon, radius, n_tasks, lipschitz, diameter : float or array
        T, R, K >= 2, and G or D or both.

    Returns
    -------
    float or array

    Examples
    --------
    >>> round(gradient_descent_smoothing(horizon=100, radius=1.0, n_tasks=4, lipschitz=1.0), 6)
    0.060056
    """
    T, R, K = count("horizon", horizon), real("radius", radius), count("n_tasks", n_tasks, 2)
    return plain(R * np.sqrt(steepness(lipschitz=lipschitz, diameter=diameter) / (2 * T * np.log(K))))


def gradient_descent_optimum(
    *, horizon: Any, radius: Any, n_tasks: Any, smoothness: Any, lipschitz: Any = None, diameter: Any = None
) -> Any:
    r"""(A4) The bound at its best smoothing: L R^2/(2T) + R sqrt(2 C ln K/T), with C = G^2 or D^2/4.

    Parameters
    ----------
    horizon, radius, n_tasks, smoothness, lipschitz, diameter : float or array
        T, R, K >= 2, L, and G or D or both.

    Returns
    -------
    float or array

    Examples
    --------
    >>> round(gradient_descent_optimum(horizon=100, radius=1.0, n_tasks=4, smoothness=1.0, lipschitz=1.0), 6)
    0.171511
    """
    T, R, K = count("horizon", horizon), real("radius", radius), count("n_tasks", n_tasks, 2)
    C = steepness(lipschitz=lipschitz, diameter=diameter)
    return plain(real("smoothness", smoothness, strict=False) * R**2 / (2 * T) + R * np.sqrt(2 * C * np.log(K) / T))


__all__ = ["gradient_descent_bound", "gradient_descent_optimum", "gradient_descent_smoothing"]
