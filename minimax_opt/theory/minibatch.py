r"""What mini-batches cost: theorems N1 and N3 of ``docs/theory/mini-batches.md`` as functions.

The objective is F(x) = max_k f_k(x), f_k the mean of the losses of task k's samples; hat f_k is the mean over B samples of task k,
independent of each other and drawn afresh in every step. No function here asks for independence between tasks.
F_s = s log sum_k exp(f_k/s), and F^B_s = E[s log sum_k exp(hat f_k/s)]: log-SUM-exp, s ln K above the library's values, with their
gradients.

Constants. `loss_noise` nu: E exp(t (loss - f_k)) <= exp(t^2 nu^2/2) for all t and the losses of single samples of every task: for losses
in an interval half of its length; a variance does not suffice. `gradient_noise` gamma: E max_k |grad hat f_k - grad f_k|^2 <= gamma^2/B.
`lipschitz` G and `smoothness` L bound the gradients of single samples, and their Lipschitz constants. `diameter` D >= |grad f_j - grad f_k|.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.theory.checked import count, plain, real


def batch_inflation(*, loss_noise: Any, batch_size: Any, smoothing: Any, n_tasks: Any) -> Any:
    r"""(N1) F^B_s - F_s, which is >= 0, is at most this: batches make the smoothed worst case look worse.

    .. math:: 0 \le F^B_s(x) - F_s(x) \le \min\{\nu^2/(2 B s),\; \nu\sqrt{2 \ln K/B}\}

    The first is attained in the limit of many independent tasks with equal losses; for K such tasks and little noise it is
    missed by the factor 1 - 1/K, and one task alone has no inflation at all.

    Parameters
    ----------
    loss_noise, batch_size, smoothing : float or array
        nu, B and s; they broadcast.
    n_tasks : int or array
        K.

    Examples
    --------
    >>> batch_inflation(loss_noise=1.0, batch_size=64, smoothing=0.125, n_tasks=10)
    0.0625
    """
    variance, s, log_K = _variance(loss_noise, batch_size), real("smoothing", smoothing), np.log(count("n_tasks", n_tasks))
    return plain(np.minimum(variance / (2 * s), np.sqrt(2 * variance * log_K)))


def batch_bias(*, loss_noise: Any, batch_size: Any, smoothing: Any, n_tasks: Any) -> Any:
    r"""(N1) F^B_s - F, which is >= 0, is at most this: inflation and smoothing together.

    .. math:: 0 \le F^B_s(x) - F(x) \le s' \ln K + \nu^2/(2 B s'), \qquad s' = \max\{s, \nu/\sqrt{2 B \ln K}\}

    F^B_s grows with s, so that below :func:`least_smoothing` nothing is lost, nor gained: the bound stays at :func:`noise_floor`.

    Parameters
    ----------
    loss_noise, batch_size, smoothing : float or array
        nu, B and s; they broadcast.
    n_tasks : int or array
        K.

    Examples
    --------
    >>> constants = {"loss_noise": 1.0, "batch_size": 50, "n_tasks": 10}
    >>> batch_bias(smoothing=1e-9, **constants) == noise_floor(**constants) < batch_bias(smoothing=1.0, **constants)
    True
    """
    variance, s, log_K = _variance(loss_noise, batch_size), real("smoothing", smoothing), np.log(count("n_tasks", n_tasks))
    above = s * log_K + variance / (2 * s)
    return plain(np.where(2 * log_K * s**2 >= variance, above, np.sqrt(2 * variance * log_K)))


def least_smoothing(*, loss_noise: Any, batch_size: Any, n_tasks: Any) -> Any:
    r"""(N2) The best smoothing for batches of B is at least :math:`\nu/\sqrt{2 B \ln K}`; inf for one task, which needs no maximum.

    Below it F^B_s is no closer to F by our bound, its gradient less smooth and noisier.

    Parameters
    ----------
    loss_noise, batch_size : float or array
        nu and B; they broadcast.
    n_tasks : int or array
        K.

    Examples
    --------
    >>> round(least_smoothing(loss_noise=1.0, batch_size=50, n_tasks=10), 4)
    0.0659
    """
    with np.errstate(divide="ignore"):
        return plain(np.sqrt(_variance(loss_noise, batch_size) / (2 * np.log(count("n_tasks", n_tasks)))))


def noise_floor(*, loss_noise: Any, batch_size: Any, n_tasks: Any) -> Any:
    r"""(N2) What weights from the same batch may cost however long one trains: :math:`\nu\sqrt{2 \ln K/B}`.

    Parameters
    ----------
    loss_noise, batch_size : float or array
        nu and B; they broadcast.
    n_tasks : int or array
        K.

    Examples
    --------
    >>> round(noise_floor(loss_noise=1.0, batch_size=50, n_tasks=10), 4)
    0.3035
    """
    return plain(np.sqrt(2 * _variance(loss_noise, batch_size) * np.log(count("n_tasks", n_tasks))))


def rare_task_smoothing(*, excess: float, loss_noise: Any, batch_size: Any, n_tasks: int) -> float:
    r"""The least smoothing that keeps the inflation of N1 at or below `excess`, whatever the losses.

    .. math:: s = \max_k \nu_k^2/(2 B_k\,excess), \quad\text{or } 0 \text{ where } \max_k \nu_k \sqrt{2 \ln K/B_k} \le excess

    Parameters
    ----------
    excess : float
        What may be added to the worst case, in the unit of the losses.
    loss_noise : float or array, shape (K,)
        nu_k.
    batch_size : float or array, shape (K,)
        B_k, the samples of each task in a batch; the rarest task decides. Not 0: a task that is absent has no loss to smooth.
    n_tasks : int or array
        K.

    Examples
    --------
    >>> rare_task_smoothing(excess=0.1, loss_noise=1.0, batch_size=[500, 20], n_tasks=2)
    0.25
    >>> rare_task_smoothing(excess=0.1, loss_noise=1.0, batch_size=[500, 200], n_tasks=2)
    0.0
    """
    excess, log_K = checks.number("excess", excess, 0.0, strict=True), np.log(count("n_tasks", n_tasks))
    variance = float(np.max(_variance(loss_noise, batch_size)))
    return 0.0 if math.sqrt(2 * variance * log_K) <= excess else variance / (2 * excess)


def independent_weights_bias(*, diameter: Any, loss_noise: Any, batch_size: Any, smoothing: Any, n_tasks: Any) -> Any:
    r"""(N3) Weights from one batch, gradients from another, both at x: the mean step misses grad F_s by at most this in norm.

    .. math:: \big|E \textstyle\sum_k \hat w'_k \nabla \hat f_k - \nabla F_s\big|
              \le D \min\{1,\; \tfrac{\nu}{2s} \sqrt{2 \ln(2K)/B},\; (1 + \ln 2K)\, \nu^2/(B s^2)\}

    Parameters
    ----------
    diameter, loss_noise, batch_size, smoothing : float or array
        D (at most 2G), nu, B and s; they broadcast.
    n_tasks : int or array
        K.

    Notes
    -----
    ``batch_weights="delayed"`` takes the weights from the batch before, at another x, which adds the drift of the losses in one step.

    Examples
    --------
    >>> [round(independent_weights_bias(diameter=2.0, loss_noise=1.0, batch_size=B, smoothing=1.0, n_tasks=2), 5) for B in (100, 1000)]
    [0.04773, 0.00477]
    """
    D, s = real("diameter", diameter, strict=False), real("smoothing", smoothing)
    first = np.sqrt(2 * np.log(2 * count("n_tasks", n_tasks)) * _variance(loss_noise, batch_size)) / (2 * s)
    second = largest_square(loss_noise, batch_size, n_tasks) / (2 * s**2)
    return plain(D * np.minimum(1.0, np.minimum(first, second)))


def same_batch_bias(*, diameter: Any, gradient_noise: Any, loss_noise: Any, batch_size: Any, smoothing: Any, n_tasks: Any) -> Any:
    r"""(N3') Weights and gradients from the same batch: the mean step, grad F^B_s, misses grad F_s by at most this in norm.

    :func:`independent_weights_bias` plus :math:`\gamma \nu \sqrt{2 (1 + \ln 2K)}/(B s)`, for the weights and gradients of one batch
    depend on each other.

    Parameters
    ----------
    diameter, gradient_noise, loss_noise, batch_size, smoothing : float or array
        D, gamma, nu, B and s; they broadcast.
    n_tasks : int or array
        K.

    Examples
    --------
    >>> constants = {"diameter": 2.0, "loss_noise": 1.0, "batch_size": 100, "smoothing": 1.0, "n_tasks": 2}
    >>> round(same_batch_bias(gradient_noise=1.0, **constants) - independent_weights_bias(**constants), 5)
    0.02185
    """
    noise = {"loss_noise": loss_noise, "batch_size": batch_size, "n_tasks": n_tasks}
    gamma, s = real("gradient_noise", gradient_noise, strict=False), real("smoothing", smoothing)
    joint = gamma * np.sqrt(largest_square(**noise) / real("batch_size", batch_size)) / s
    return plain(independent_weights_bias(diameter=diameter, smoothing=smoothing, **noise) + joint)


def largest_square(loss_noise: Any, batch_size: Any, n_tasks: Any) -> Any:
    """E max_k (hat f_k - f_k)^2 <= 2 (1 + ln 2K) nu^2/B."""
    return 2 * (1 + np.log(2 * count("n_tasks", n_tasks))) * _variance(loss_noise, batch_size)


def _variance(loss_noise: Any, batch_size: Any) -> Any:
    """nu^2/B, that of a batch mean."""
    return real("loss_noise", loss_noise) ** 2 / real("batch_size", batch_size)


__all__ = [
    "batch_bias",
    "batch_inflation",
    "independent_weights_bias",
    "largest_square",
    "least_smoothing",
    "noise_floor",
    "rare_task_smoothing",
    "same_batch_bias",
]
