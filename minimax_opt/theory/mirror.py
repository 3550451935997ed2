r"""Descent in x against mirror ascent in the weights, and mirror-prox: theorems M1 and M3 of ``docs/theory/mirror-ascent.md``.

The f_k are convex with |grad f_k| <= G (`lipschitz`), |grad f_j - grad f_k| <= D (`diameter`) and L-Lipschitz gradients (`smoothness`) on a
convex set that holds the iterates; max f - min f <= M (`spread`) at the iterates. The weights start uniform over K tasks. R (`radius`) is
|x_0 - u|, and every bound on F(x) - F* holds for F(x) - F(u), whatever the point u.

All arguments are keywords, numbers or arrays that broadcast; the result is a float or an array.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minimax_opt.theory.checked import count, plain, real


class Steps(NamedTuple):
    """The steps of descent and ascent.

    Attributes
    ----------
    step_size : float or array
        eta_x, in (unit of x)^2/(unit of the losses).
    weights_step_size : float or array
        eta_w, in 1/(unit of the losses).
    """

    step_size: Any
    weights_step_size: Any


def descent_ascent_steps(*, horizon: Any, radius: Any, lipschitz: Any, spread: Any, n_tasks: Any) -> Steps:
    r"""(M1) eta_x = R/(G sqrt T) and eta_w = sqrt(8 ln K/T)/M, the best for T steps with the weights moved last.

    Parameters
    ----------
    horizon, radius, lipschitz, spread, n_tasks : float or array
        T, R, G, M, K >= 2.

    Returns
    -------
    Steps

    Examples
    --------
    >>> steps = descent_ascent_steps(horizon=100, radius=1.0, lipschitz=2.0, spread=1.0, n_tasks=2)
    >>> round(steps.step_size, 6), round(steps.weights_step_size, 6)
    (0.05, 0.235482)
    """
    T, K = count("horizon", horizon), count("n_tasks", n_tasks, 2)
    eta_x = real("radius", radius) / (real("lipschitz", lipschitz) * np.sqrt(T))
    return Steps(plain(eta_x), plain(np.sqrt(8 * np.log(K) / T) / real("spread", spread)))


def descent_ascent_bound(
    *, horizon: Any, radius: Any, lipschitz: Any, n_tasks: Any, step_size: Any, weights_step_size: Any, spread: Any = None
) -> Any:
    r"""(M1) Any steps, every T: F(mean of x_0 ... x_{T-1}) - F* <= R^2/(2 eta_x T) + eta_x G^2/2 + ln K/(eta_w T) [+ eta_w M^2/8].

    The last term counts where the weights move after x; the library's full-batch method moves them first, and has none (M1').

    Parameters
    ----------
    horizon, radius, lipschitz, n_tasks : float or array
        T, R, G, K.
    step_size, weights_step_size : float or array
        eta_x and eta_w.
    spread : float or array, optional
        M, where the weights move last; None where they move first.

    Returns
    -------
    float or array

    Examples
    --------
    >>> steps = {"step_size": 0.05, "weights_step_size": 0.235482}
    >>> round(descent_ascent_bound(horizon=100, radius=1.0, lipschitz=2.0, n_tasks=2, spread=1.0, **steps), 5)
    0.25887
    >>> round(descent_ascent_bound(horizon=100, radius=1.0, lipschitz=2.0, n_tasks=2, **steps), 5)
    0.22944
    """
    T, eta_x, eta_w = count("horizon", horizon), real("step_size", step_size), real("weights_step_size", weights_step_size)
    in_x = real("radius", radius, strict=False) ** 2 / (2 * eta_x * T) + eta_x * real("lipschitz", lipschitz) ** 2 / 2
    in_weights = np.log(count("n_tasks", n_tasks)) / (eta_w * T)
    late = 0.0 if spread is None else eta_w * real("spread", spread, strict=False) ** 2 / 8
    return plain(in_x + in_weights + late)


def descent_ascent_optimum(*, horizon: Any, radius: Any, lipschitz: Any, spread: Any, n_tasks: Any) -> Any:
    r"""(M1) The bound at its best steps: G R/sqrt(T) + M sqrt(ln K/(2T)). With the weights moved first the second term is half of that.

    Parameters
    ----------
    horizon, radius, lipschitz, spread, n_tasks : float or array
        T, R, G, M, K >= 2.

    Returns
    -------
    float or array

    Examples
    --------
    >>> round(descent_ascent_optimum(horizon=100, radius=1.0, lipschitz=2.0, spread=1.0, n_tasks=2), 5)
    0.25887
    """
    T, K = count("horizon", horizon), count("n_tasks", n_tasks, 2)
    in_x = real("lipschitz", lipschitz) * real("radius", radius) / np.sqrt(T)
    return plain(in_x + real("spread", spread) * np.sqrt(np.log(K) / (2 * T)))


def operator_constant(*, smoothness: Any, diameter: Any, scale: Any) -> Any:
    r"""(M3) The Lipschitz constant of Phi(x, w) = (sum_k w_k grad f_k(x), -f(x)) in the metric |dx|^2/tau + tau |dw|_1^2.

    .. math:: \Lambda = L\tau/2 + \sqrt{(L\tau)^2/4 + D^2/4} \le L\tau + D/2

    Parameters
    ----------
    smoothness, diameter : float or array
        L and D.
    scale : float or array
        tau > 0.

    Returns
    -------
    float or array
        1/Lambda is the longest fixed step of mirror-prox.

    Examples
    --------
    >>> operator_constant(smoothness=1.5, diameter=2.0, scale=1.0)
    2.0
    """
    half = real("smoothness", smoothness, strict=False) * real("scale", scale) / 2
    return plain(half + np.sqrt(half**2 + real("diameter", diameter, strict=False) ** 2 / 4))


def mirror_prox_scale(*, radius: Any, n_tasks: Any) -> Any:
    """(M3) tau = R/sqrt(2 ln K), which makes both halves of R^2/(2 tau) + tau ln K equal.

    Parameters
    ----------
    radius, n_tasks : float or array
        R, K >= 2.

    Returns
    -------
    float or array

    Examples
    --------
    >>> round(mirror_prox_scale(radius=1.0, n_tasks=4), 6)
    0.600561
    """
    return plain(real("radius", radius) / np.sqrt(2 * np.log(count("n_tasks", n_tasks, 2))))


def mirror_prox_bound(*, total_step: Any, scale: Any, radius: Any, n_tasks: Any) -> Any:
    r"""(M3) F(average of the x_h, weighted by eta) - F* <= (R^2/(2 tau) + tau ln K)/(eta_1 + ... + eta_T), for every T.

    The steps are fixed at eta <= 1/Lambda (then the sum is eta T), or pass the local test of :class:`minimax_opt.solvers.MirrorProx`.

    Parameters
    ----------
    total_step : float or array
        The sum of the steps.
    scale, radius : float or array
        tau and R.
    n_tasks : int or array
        K.

    Returns
    -------
    float or array

    References
    ----------
    Nemirovski, "Prox-method with rate of convergence O(1/t) ...", SIAM J. Optim. 15 (2004).

    Examples
    --------
    >>> round(mirror_prox_bound(total_step=50.0, scale=0.600561, radius=1.0, n_tasks=4), 6)
    0.033302
    """
    tau = real("scale", scale)
    divergence = real("radius", radius, strict=False) ** 2 / (2 * tau) + tau * np.log(count("n_tasks", n_tasks))
    return plain(divergence / real("total_step", total_step))


def mirror_prox_optimum(*, horizon: Any, radius: Any, n_tasks: Any, smoothness: Any, diameter: Any) -> Any:
    r"""(M3) With tau = R/sqrt(2 ln K) and eta = 1/(L tau + D/2): F - F* <= (L R^2 + D R sqrt(ln K/2))/T.

    Parameters
    ----------
    horizon, radius, n_tasks, smoothness, diameter : float or array
        T, R, K >= 2, L, D.

    Returns
    -------
    float or array

    Examples
    --------
    >>> round(mirror_prox_optimum(horizon=50, radius=1.0, n_tasks=4, smoothness=0.0, diameter=2.0), 6)
    0.033302
    """
    R, K = real("radius", radius), count("n_tasks", n_tasks, 2)
    L, D = real("smoothness", smoothness, strict=False), real("diameter", diameter, strict=False)
    return plain((L * R**2 + D * R * np.sqrt(np.log(K) / 2)) / count("horizon", horizon))


__all__ = [
    "Steps",
    "descent_ascent_bound",
    "descent_ascent_optimum",
    "descent_ascent_steps",
    "mirror_prox_bound",
    "mirror_prox_optimum",
    "mirror_prox_scale",
    "operator_constant",
]
