"""Whether upstream tasks are representative of downstream ones: the symmetric hull conv{+-theta_k}, and what is lost outside it (C2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host
from minimax_opt.theory.checked import plain, real
from minimax_opt.theory.representation import span


@dataclass(frozen=True)
class Representativeness:
    """Where m downstream tasks lie beside the symmetric hull of K upstream tasks.

    Attributes
    ----------
    gauge : ndarray, shape (m,)
        g = sum_k |c_k|, the least over all c with sum_k c_k theta_k = theta_par, theta_par the part of theta in the span.
    gauge_bound : ndarray, shape (m,)
        Proven lower bound of the least: <y, theta_par> for a y with |<y, theta_k>| <= 1.
    outside : ndarray, shape (m,)
        |theta - theta_par|: what of the task no upstream task has.
    coefficients : ndarray, shape (m, K)
        The c of `gauge`.
    """

    gauge: Host
    gauge_bound: Host
    outside: Host
    coefficients: Host

    def covered(self, tolerance: float = 1e-9) -> Any:
        """Whether each task lies in the hull, up to `tolerance` in the gauge and relative to 1 outside the span, shape (m,)."""
        return (self.gauge <= 1.0 + tolerance) & (self.outside <= tolerance)


def representativeness(task_vectors: Any, downstream: Any) -> Representativeness:
    """Gauge of the symmetric hull conv{+-theta_k} at each downstream task, by linear programming.

    Parameters
    ----------
    task_vectors : array_like, shape (K, d)
        Upstream tasks.
    downstream : array_like, shape (m, d)
        Downstream tasks.

    Returns
    -------
    Representativeness
        A task with gauge <= 1 and nothing outside the span needs, under any representation, at most as many samples as the worst of the K: the K
        tasks represent it. See :func:`residual_bound` for the others.

    Examples
    --------
    >>> found = representativeness([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.5, -0.5, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> found.gauge.round(9).tolist(), found.outside.round(9).tolist(), found.covered().tolist()
    ([1.0, 2.0, 0.0], [0.0, 0.0, 1.0], [True, False, False])
    """
    space = span(task_vectors)
    targets = checks.matrix("downstream", downstream)
    if targets.shape[1] != len(space.basis):
        raise ValueError(f"`downstream` must have shape (m, {len(space.basis)}), like `task_vectors`, got {targets.shape}.")
    inside = targets @ space.basis
    outside = np.linalg.norm(targets - inside @ space.basis.T, axis=1)
    rows = [_gauge(space.coordinates, target) for target in inside]
    coefficients = np.array([row[0] for row in rows]).reshape(len(rows), len(space.coordinates))
    return Representativeness(np.abs(coefficients).sum(1), np.array([row[1] for row in rows]), outside, coefficients)


def residual_bound(*, gauge: Any, outside: Any, worst: Any) -> Any:
    """b(theta) <= g^2 max_k b_k + |theta_perp|^2, for representations within the span of the tasks (C2').

    Parameters
    ----------
    gauge, outside : float or ndarray
        Of the downstream task, see :class:`Representativeness`.
    worst : float or ndarray
        max_k b_k over the upstream tasks.

    Returns
    -------
    float or ndarray
        For a representation that is not within the span, (g sqrt(max_k b_k) + |theta_perp|)^2 holds instead.

    Examples
    --------
    >>> residual_bound(gauge=2.0, outside=0.5, worst=0.1)
    0.65
    """
    g, perp, b = (real(name, value, strict=False) for name, value in (("gauge", gauge), ("outside", outside), ("worst", worst)))
    return plain(g**2 * b + perp**2)


def _gauge(T: Host, target: Host) -> tuple[Host, float]:
    """Min sum |c| subject to T'c = target, and a lower bound of it from the dual: max <y, target> subject to |T y| <= 1."""
    from scipy.optimize import linprog

    n_tasks = len(T)
    if not target.size or not np.any(target):
        return np.zeros(n_tasks), 0.0
    size = float(np.linalg.norm(target))
    solved = linprog(np.ones(2 * n_tasks), A_eq=np.hstack([T.T, -T.T]), b_eq=target / size, bounds=(0, None), method="highs")
    if solved.x is None:  # the target is in the span, so a solution exists
        raise RuntimeError(f"the linear programme of the gauge failed: {solved.message}")
    c = solved.x[:n_tasks] - solved.x[n_tasks:]
    c = c + np.linalg.lstsq(T.T, target / size - T.T @ c, rcond=None)[0]  # to the last digits: the solver stops at 1e-7
    y = solved.eqlin.marginals
    return size * c, size * max(0.0, float(y @ target) / size / max(float(np.abs(T @ y).max()), 1e-300))


__all__ = ["Representativeness", "representativeness", "residual_bound"]
