r"""The smoothed worst case: theorems A1, A3, A6 and A7 of ``docs/theory/smoothing.md`` as functions.

.. math:: F(x) = \max_k f_k(x), \qquad F_s(x) = s \ln \sum_{k=1}^K e^{f_k(x)/s}, \qquad \nabla F_s = \sum_k w_k \nabla f_k,
          \quad w = \mathrm{softmax}(f/s)

The f_k are convex, with gradients L-Lipschitz (`smoothness`), |grad f_k| <= G (`lipschitz`) and |grad f_j - grad f_k| <= D <= 2G
(`diameter`) on a convex set that holds the iterates. s (`smoothing`) has the unit of the losses. R (`radius`) is |x_0 - u|, and every
bound on F(x_T) - F* holds for F(x_T) - F(u), whatever the point u: a minimiser is only the best-known choice.

All arguments are keywords, numbers or arrays that broadcast; the result is a float or an array. Where `lipschitz` and `diameter` are both
given the better one counts.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minimax_opt.theory.checked import count, plain, real


def bias(*, smoothing: Any, n_tasks: Any, n_close: Any = None, margin: Any = 0.0) -> Any:
    r"""(A1) What F_s exceeds F by at most: s ln K, or less where few tasks are near the top.

    .. math:: F \le F_s \le F + s \ln\big(m + (K - m) e^{-g/s}\big) \le F + s \ln K

    Parameters
    ----------
    smoothing : float or array
        s > 0.
    n_tasks : int or array
        K.
    n_close : int or array, optional
        m: how many losses lie less than `margin` below the largest. K by default.
    margin : float or array
        g >= 0.

    Returns
    -------
    float or array
        In the unit of the losses.

    Examples
    --------
    >>> round(bias(smoothing=0.5, n_tasks=4), 6), round(bias(smoothing=0.5, n_tasks=4, n_close=1, margin=5.0), 6)
    (0.693147, 6.8e-05)
    """
    s, K, g = real("smoothing", smoothing), count("n_tasks", n_tasks), real("margin", margin, strict=False)
    m = K if n_close is None else count("n_close", n_close)
    if np.any(m > K):
        raise ValueError(f"`n_close` must be at most `n_tasks`, got {n_close!r} of {n_tasks!r}.")
    return plain(s * np.log(m + (K - m) * np.exp(-g / s)))


def prior_bias(*, smoothing: Any, prior: Any) -> Any:
    r"""(A1') What s ln sum_k q_k exp(f_k/s) falls below F by at most: s ln(1/q), q the prior of the worst task.

    The uniform prior gives s ln K; with q the least prior of all the bound holds everywhere. The library's values are of this kind.

    Parameters
    ----------
    smoothing : float or array
        s > 0.
    prior : float or array
        q in (0, 1].

    Returns
    -------
    float or array

    Examples
    --------
    >>> round(prior_bias(smoothing=0.5, prior=0.25), 6)
    0.693147
    """
    s, q = real("smoothing", smoothing), real("prior", prior)
    if np.any(q > 1):
        raise ValueError(f"`prior` must be at most 1, got {prior!r}.")
    return plain(s * np.log(1.0 / q))


def steepness(*, lipschitz: Any = None, diameter: Any = None) -> Any:
    """C = min(G^2, D^2/4): what smoothing by s adds to the curvature is C/s.

    Parameters
    ----------
    lipschitz, diameter : float or array, optional
        G and D, at least one of them.

    Returns
    -------
    float or array

    Examples
    --------
    >>> steepness(lipschitz=1.0), steepness(lipschitz=1.0, diameter=1.0)
    (1.0, 0.25)
    """
    if lipschitz is None and diameter is None:
        raise ValueError("`lipschitz` or `diameter` must be given: a bound on the gradients, or on their differences.")
    bounds = [] if lipschitz is None else [real("lipschitz", lipschitz) ** 2]
    bounds += [] if diameter is None else [real("diameter", diameter, strict=False) ** 2 / 4]
    return plain(np.minimum(bounds[0], bounds[-1]))


def curvature(*, smoothness: Any, smoothing: Any, lipschitz: Any = None, diameter: Any = None) -> Any:
    r"""(A3) The smoothness of F_s: L + G^2/s, and sharper L + D^2/(4 s).

    Tight: f_1 = Gx and f_2 = -Gx have F_s'' = G^2/s = D^2/(4 s) at 0.

    Parameters
    ----------
    smoothness : float or array
        L >= 0.
    smoothing : float or array
        s > 0.
    lipschitz, diameter : float or array, optional
        G and D, at least one of them.

    Returns
    -------
    float or array

    Examples
    --------
    >>> curvature(smoothness=1.0, smoothing=0.5, lipschitz=1.0), curvature(smoothness=1.0, smoothing=0.5, diameter=1.0)
    (3.0, 1.5)
    """
    added = steepness(lipschitz=lipschitz, diameter=diameter) / real("smoothing", smoothing)
    return plain(real("smoothness", smoothness, strict=False) + added)


def smoothing_for(*, accuracy: Any, n_tasks: Any) -> Any:
    """(A7) The largest s whose bias alone is within `accuracy`: eps/ln K. An untempered softmax, s = 1, guarantees no more than ln K.

    That s must shrink like eps/ln K is no artefact: see :func:`minimax_opt.theory.worst_case.crowded_pair`.

    Parameters
    ----------
    accuracy : float or array
        eps > 0.
    n_tasks : int or array
        K >= 2.

    Returns
    -------
    float or array

    Examples
    --------
    >>> round(smoothing_for(accuracy=0.01, n_tasks=100), 6)
    0.002171
    """
    return plain(real("accuracy", accuracy) / np.log(count("n_tasks", n_tasks, 2)))


def restarted_schedule(
    *, accuracy: float, radius: float, n_tasks: int, strong_convexity: float, **constants: float
) -> tuple[float, int, int]:
    r"""(A6) The accelerated method on mu-strongly convex f_k, started anew every N iterations: smoothing, N, number of starts.

    With s = eps/(2 ln K), M = L + C/s, N + 1 = ceil(sqrt(8 M/mu)) and 1 + ceil(log2(mu R^2/(2 eps)))_+ starts, F(x) - F* <= eps: in all

    .. math:: T = O\Big(\sqrt{(L + C \ln K/\epsilon)/\mu} \; \ln(\mu R^2/\epsilon)\Big).

    Parameters
    ----------
    accuracy : float
        eps > 0.
    radius : float
        R >= the distance from x_0 to the minimiser of F_s.
    n_tasks : int
        K >= 2.
    strong_convexity : float
        mu > 0.
    **constants : float
        `smoothness`, and `lipschitz` or `diameter` or both.

    Returns
    -------
    tuple of (float, int, int)
        s, N, starts.

    Examples
    --------
    >>> restarted_schedule(accuracy=0.5, radius=4.0, n_tasks=2, strong_convexity=1.0, smoothness=1.0, lipschitz=1.0)
    (0.36067376022224085, 5, 5)
    """
    eps, R = float(real("accuracy", accuracy)), float(real("radius", radius))
    mu = float(real("strong_convexity", strong_convexity))
    if constants.get("smoothness", mu) < mu:
        raise ValueError(
            f"`smoothness` must be at least `strong_convexity`, as it is for every function, got {constants['smoothness']!r}."
        )
    s = smoothing_for(accuracy=eps / 2, n_tasks=n_tasks)
    M = curvature(smoothing=s, **constants)
    return s, math.ceil(math.sqrt(8 * M / mu)) - 1, 1 + max(math.ceil(math.log2(mu * R**2 / (2 * eps))), 0)


__all__ = [
    "bias",
    "curvature",
    "prior_bias",
    "restarted_schedule",
    "smoothing_for",
    "steepness",
]
