r"""Instances on which the bounds are met, or nearly so: ``docs/theory/smoothing.md``, section "Tightness".

In one variable, with slopes +-G: F(x) = G|x|, F_s(x) = s ln(2 cosh(Gx/s)), C = G^2 = D^2/4, so that M = G^2/s. As long as x is far from the kink
(in units of s/G) the gradient is G, and every method can be followed by hand.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host
from minimax_opt.tasks.affine import AffineTasks
from minimax_opt.theory.accelerated import momentum


class Instance(NamedTuple):
    """Tasks whose worst case has its minimum 0 at 0, and a start.

    Attributes
    ----------
    tasks : AffineTasks
    x0 : array, shape (1,)
        Where to start.
    value : float
        The F(x_T) that the method is shown to have.
    """

    tasks: AffineTasks
    x0: Host
    value: float


def opposite_slopes(lipschitz: float = 1.0) -> AffineTasks:
    """(A3) f_1 = Gx and f_2 = -Gx, on which F_s'' = G^2/s = D^2/(4 s) at 0.

    Parameters
    ----------
    lipschitz : float
        G > 0.

    Returns
    -------
    AffineTasks

    Examples
    --------
    >>> opposite_slopes(2.0)(np.array([1.0])).tolist()
    [2.0, -2.0]
    """
    G = checks.number("lipschitz", lipschitz, 0.0, strict=True)
    return AffineTasks(np.array([[G], [-G]]), np.zeros(2))


def slow_gradient_descent(*, horizon: int, smoothing: float, lipschitz: float = 1.0) -> Instance:
    """(A4) x_0 = 2 T s/G: after T steps of length 1/M it is half-way, F(x_T) = T s, and the smooth part of the bound is 2 T s.

    Parameters
    ----------
    horizon : int
        T >= 1.
    smoothing, lipschitz : float
        s and G.

    Returns
    -------
    Instance

    Examples
    --------
    >>> slow_gradient_descent(horizon=10, smoothing=0.1).value
    1.0
    """
    T, s = checks.integer("horizon", horizon, 1), checks.number("smoothing", smoothing, 0.0, strict=True)
    return Instance(opposite_slopes(lipschitz), np.array([2 * T * s / lipschitz]), T * s)


def slow_accelerated(*, horizon: int, smoothing: float, lipschitz: float = 1.0) -> Instance:
    r"""(A5) x_0 = 2 (s/G) sum_k t_k^3/t_T^2: after T steps it is half-way, and F(x_T) over M R^2/(2 t_T^2) tends to 1.

    The ratio is t_T^4/(2 sum_k t_k^3): no smaller constant than that of A5 holds for every T.

    Parameters
    ----------
    horizon : int
        T >= 1.
    smoothing, lipschitz : float
        s and G.

    Returns
    -------
    Instance

    Examples
    --------
    >>> round(slow_accelerated(horizon=1, smoothing=0.1).value, 9)
    0.1
    """
    T, s = checks.integer("horizon", horizon, 1), checks.number("smoothing", smoothing, 0.0, strict=True)
    t = momentum(np.arange(1, T + 1))
    way = s * float((t**3).sum() / t[-1] ** 2)
    return Instance(opposite_slopes(lipschitz), np.array([2 * way / lipschitz]), way)


def crowded_pair(*, n_tasks: int, smoothing: float, slope: float) -> Instance:
    r"""(A7) f_1 = x and K - 1 copies of -b x: smoothing pulls its minimiser to x_s = s/(1+b) ln(b(K-1)), far on the steep side.

    There F - F* = x_s. With b = 1/ln K that is s ln K (1 - o(1)): the bias of A1 is paid in full, however many iterations are made.

    Parameters
    ----------
    n_tasks : int
        K >= 3.
    smoothing : float
        s > 0.
    slope : float
        b in (1/(K-1), 1], for which x_s > 0.

    Returns
    -------
    Instance
        `x0` is x_s, `value` F(x_s).

    Examples
    --------
    >>> instance = crowded_pair(n_tasks=101, smoothing=1.0, slope=0.2)
    >>> round(instance.value / float(np.log(101)), 3)
    0.541
    """
    K, s = checks.integer("n_tasks", n_tasks, 3), checks.number("smoothing", smoothing, 0.0, strict=True)
    b = checks.number("slope", slope, 1 / (K - 1), strict=True)
    if b > 1:
        raise ValueError(f"`slope` must be in (1/(K-1), 1], got {slope!r}.")
    x = s / (1 + b) * float(np.log(b * (K - 1)))
    slopes = np.full((K, 1), -b)
    slopes[0] = 1.0
    return Instance(AffineTasks(slopes, np.zeros(K)), np.array([x]), x)


__all__ = ["Instance", "crowded_pair", "opposite_slopes", "slow_accelerated", "slow_gradient_descent"]
