r"""What the two stochastic methods reach: theorems N2 (``softmax-gd``) and M2 (``descent-ascent``) of ``docs/theory/mini-batches.md``.

The constants are those of :mod:`minimax_opt.theory.minibatch`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minimax_opt.theory.checked import count, plain, real
from minimax_opt.theory.minibatch import batch_bias, largest_square
from minimax_opt.theory.smoothing import curvature


def gradient_deviation(
    *, lipschitz: Any, gradient_noise: Any, loss_noise: Any, batch_size: Any, smoothing: Any, n_tasks: Any
) -> Any:
    r"""(N2) The root mean squared deviation of the same-batch gradient from its mean is at most this.

    .. math:: \sigma = \min\{G,\; (\gamma + \tfrac{G \nu}{s} \sqrt{2 (1 + \ln 2K)})/\sqrt{B}\}

    Parameters
    ----------
    lipschitz, gradient_noise, loss_noise, batch_size, smoothing : float or array
        G, gamma, nu, B and s; they broadcast.
    n_tasks : int or array
        K.

    Examples
    --------
    >>> constants = {"lipschitz": 1.0, "gradient_noise": 1.0, "loss_noise": 0.5, "n_tasks": 4}
    >>> [round(gradient_deviation(batch_size=B, smoothing=0.5, **constants), 3) for B in (1, 100)]
    [1.0, 0.348]
    """
    G, gamma = real("lipschitz", lipschitz), real("gradient_noise", gradient_noise, strict=False)
    s, B = real("smoothing", smoothing), real("batch_size", batch_size)
    return plain(np.minimum(G, gamma / np.sqrt(B) + G * np.sqrt(largest_square(loss_noise, batch_size, n_tasks)) / s))


def batch_descent_bound(
    *,
    horizon: Any,
    step_size: Any,
    smoothing: Any,
    smoothness: Any,
    lipschitz: Any,
    radius: Any,
    gradient_noise: Any,
    loss_noise: Any,
    batch_size: Any,
    n_tasks: Any,
) -> Any:
    r"""(N2) E F(mean of x_0 ... x_{T-1}) - F* of ``softmax-gd`` with weights from the same batch and the fixed step eta.

    .. math:: \min\Big\{\frac{R^2}{2 \eta T} + \frac{\eta G^2}{2},\;
              \frac1T \Big(G R + \frac{R^2}{2 \eta}\Big) + \frac{\sigma^2}{2 (1/\eta - \beta)}\Big\} + bias,
              \qquad \beta = L + G^2/s

    with sigma from :func:`gradient_deviation` and the bias from :func:`batch_bias`; the second holds where eta < 1/beta. At
    eta = 1/beta the first is at most beta R^2/(2T) + s/2 + bias.

    Parameters
    ----------
    horizon, step_size, smoothing, smoothness, lipschitz, radius, gradient_noise, loss_noise, batch_size : float or array
        T, eta, s, L, G, R = |x_0 - x*|, gamma, nu and B; they broadcast.
    n_tasks : int or array
        K.

    Notes
    -----
    Assumes convex losses of samples that are L-smooth and G-Lipschitz on a closed convex domain, onto which each step projects.

    Examples
    --------
    >>> constants = {"smoothness": 0.0, "lipschitz": 1.0, "radius": 1.0, "gradient_noise": 1.0, "loss_noise": 1.0, "n_tasks": 2}
    >>> eta = batch_descent_step_size(horizon=10_000, smoothing=0.1, batch_size=100, **constants)
    >>> round(batch_descent_bound(horizon=10_000, step_size=eta, smoothing=0.1, batch_size=100, **constants), 3)
    0.129
    """
    T, eta, R = real("horizon", horizon), real("step_size", step_size), real("radius", radius, strict=False)
    G, beta = real("lipschitz", lipschitz), curvature(smoothness=smoothness, lipschitz=lipschitz, smoothing=smoothing)
    noise = {"loss_noise": loss_noise, "batch_size": batch_size, "smoothing": smoothing, "n_tasks": n_tasks}
    sigma = gradient_deviation(lipschitz=lipschitz, gradient_noise=gradient_noise, **noise)
    room = 1 / eta - beta
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.where(room > 0, sigma**2 / (2 * room), math.inf)
    rough, smooth = R**2 / (2 * eta * T) + eta * G**2 / 2, (G * R + R**2 / (2 * eta)) / T + variance
    return plain(np.minimum(rough, smooth) + batch_bias(**noise))


def batch_descent_step_size(
    *,
    horizon: Any,
    smoothing: Any,
    smoothness: Any,
    lipschitz: Any,
    radius: Any,
    gradient_noise: Any,
    loss_noise: Any,
    batch_size: Any,
    n_tasks: Any,
) -> Any:
    r"""(N2) The better by :func:`batch_descent_bound` of the steps :math:`R/(G\sqrt T)` and :math:`1/(\beta + \sigma\sqrt T/R)`.

    They give G R/sqrt(T) and (G R + beta R^2/2)/T + sigma R/sqrt(T), each with the bias added. The parameters are those of
    :func:`batch_descent_bound`, with R > 0.

    Examples
    --------
    >>> constants = {"smoothness": 0.0, "lipschitz": 1.0, "radius": 1.0, "gradient_noise": 1.0, "loss_noise": 1.0, "n_tasks": 2}
    >>> batch_descent_step_size(horizon=10_000, smoothing=0.1, batch_size=1, **constants)
    0.01
    """
    constants: dict[str, Any] = {"smoothness": smoothness, "lipschitz": lipschitz, "gradient_noise": gradient_noise}
    constants.update(loss_noise=loss_noise, batch_size=batch_size, n_tasks=n_tasks)
    T, R, G = real("horizon", horizon), real("radius", radius), real("lipschitz", lipschitz)
    sigma = gradient_deviation(smoothing=smoothing, **{k: v for k, v in constants.items() if k != "smoothness"})
    rough = R / (G * np.sqrt(T))
    smooth = 1 / (curvature(smoothness=smoothness, lipschitz=lipschitz, smoothing=smoothing) + sigma * np.sqrt(T) / R)
    bounds = [
        batch_descent_bound(horizon=horizon, step_size=eta, smoothing=smoothing, radius=radius, **constants)
        for eta in (rough, smooth)
    ]
    return plain(np.where(bounds[0] <= bounds[1], rough, smooth))


def stochastic_ascent_bound(*, horizon: Any, lipschitz: Any, radius: Any, spread: Any, n_tasks: Any, batch_size: Any = 1) -> Any:
    r"""(M2) E F(mean of x_0 ... x_{T-1}) - F* of ``descent-ascent`` on mini-batches.

    .. math:: \frac{G_2 R}{\sqrt T} + M \sqrt{\frac{\ln K}{2T}} \Big(1 + \frac{1}{\sqrt B}\Big)
              \;\le\; \frac{G_2 R}{\sqrt T} + M \sqrt{\frac{2 \ln K}{T}}

    with the steps of :func:`~minimax_opt.theory.mirror.descent_ascent_steps` for G_2 and M. It has no floor: the weights move before the batch that
    they are used on.

    Parameters
    ----------
    horizon, lipschitz, radius, spread, batch_size : float or array
        T; G_2 with E|sum_k w_k grad hat f_k|^2 <= G_2^2 for all weights; R = |x_0 - x*|; M, the length of an interval that holds the
        losses of all samples of all tasks at x_t (another interval in each step, if need be); B. They broadcast.
    n_tasks : int or array
        K.

    Examples
    --------
    >>> round(stochastic_ascent_bound(horizon=10_000, lipschitz=1.0, radius=1.0, spread=1.0, n_tasks=10), 4)
    0.0315
    """
    T, B = real("horizon", horizon), real("batch_size", batch_size)
    G, R, M = real("lipschitz", lipschitz), real("radius", radius, strict=False), real("spread", spread, strict=False)
    return plain(G * R / np.sqrt(T) + M * np.sqrt(np.log(count("n_tasks", n_tasks)) / (2 * T)) * (1 + 1 / np.sqrt(B)))


__all__ = [
    "batch_descent_bound",
    "batch_descent_step_size",
    "gradient_deviation",
    "stochastic_ascent_bound",
]
