r"""The constants L, G, D and R that the bounds need, proven for every structured family over a ball B(c, r).

All are upper bounds, with allowance for rounding. Write A_k, c_i for the rows and coefficients of task k, z_i = a_i'x, which ranges over
a_i'c -+ |a_i| r, and [u_i^-, u_i^+] for the range of phi'(z_i) there, u_i its middle and d_i half its length (phi' is monotone). Then

.. math:: L_k &= \lambda_{max}\Big(\sum_{i \in k} c_i \sup \phi''(z_i) \, a_i a_i'\Big), \\
          \nabla f_k(x) &\in v_k + B(0, e_k), \quad v_k = \sum_i c_i u_i a_i, \quad
          e_k = \min\Big(\sum_i c_i d_i |a_i|, \sqrt{\lambda_{max}(A_k'CA_k) \textstyle\sum_i c_i d_i^2}\Big),

and also :math:`\nabla f_k(x) \in \nabla f_k(c) + B(0, L_k r)`. Hence G_k = min(|v_k| + e_k, |grad f_k(c)| + L_k r) and

.. math:: D_{jk} = \min\big(G_j + G_k, \; |v_j - v_k| + e_j + e_k, \; |\nabla f_j(c) - \nabla f_k(c)| + r \max(L_j, L_k)\big),

since the Hessian of f_j - f_k lies between -L_k I and L_j I; for quadratics its norm |P_j - P_k| takes the place of the maximum.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host, norm, to_host
from minimax_opt.tasks.affine import AffineTasks
from minimax_opt.tasks.base import Tasks
from minimax_opt.tasks.multinomial import MultinomialTasks
from minimax_opt.tasks.quadratic import QuadraticTasks
from minimax_opt.tasks.rows import RowTasks
from minimax_opt.theory.curvature_range import largest_second

PAIR_FLOPS = 1e10  # of the eigenvalues of all P_j - P_k
PAIRS = 2000  # tasks up to which every pair is looked at


class Constants(NamedTuple):
    """What the bounds need, over a ball.

    Attributes
    ----------
    smoothness : float
        L >= the Lipschitz constant of every task's gradient; inf where losses have kinks.
    lipschitz : float
        G >= every task's gradient norm.
    diameter : float
        D >= max_jk |grad f_j - grad f_k|, at most 2 G.
    """

    smoothness: float
    lipschitz: float
    diameter: float


class Parts(NamedTuple):
    """Of all tasks: gradients in at + B(0, wrong + L r), and in middle + B(0, spread)."""

    at: Host
    wrong: Host
    smoothness: Host
    middle: Host
    spread: Host


def constants_on_ball(tasks: Tasks, center: Any, radius: float) -> Constants:
    """L, G and D over the ball B(center, radius).

    Parameters
    ----------
    tasks : Tasks
        A structured family, over NumPy or torch, dense or sparse.
    center : array, shape (n,)
    radius : float
        >= 0.

    Returns
    -------
    Constants

    Raises
    ------
    TypeError
        For functions, of which nothing is known.
    ValueError
        For a center of the wrong length, a radius that is no number >= 0.

    Examples
    --------
    >>> from minimax_opt import LeastSquaresTasks
    >>> tasks = LeastSquaresTasks([[[1.0]], [[2.0]]], [[0.0], [2.0]])  # x^2 and (2x - 2)^2
    >>> [round(c, 9) for c in constants_on_ball(tasks, [0.0], 1.0)]
    [8.0, 16.0, 14.0]
    """
    tasks = tasks.double()
    c, r = checks.vector("center", center, tasks.n_variables), checks.number("radius", radius, 0.0)
    if isinstance(tasks, AffineTasks):
        slopes = to_host(tasks.slopes())
        flat = np.zeros(len(slopes))
        parts, differences = Parts(slopes, flat, flat, slopes, flat), None
    elif isinstance(tasks, QuadraticTasks):
        parts, differences = _quadratic(tasks, c, r)
    elif isinstance(tasks, (RowTasks, MultinomialTasks)):
        parts, differences = _rows(tasks, c, r)
    else:
        raise TypeError(f"`tasks` must be a structured family, whose constants are known, got {type(tasks).__name__}.")
    return _combine(parts, differences, r) if len(parts.at) <= PAIRS else _many(parts, r)


def radius_bound(x0: Any, x: Any, *, gap: float, strong_convexity: float) -> float:
    """R: |x_0 - x*| <= |x_0 - x| + sqrt(2 gap/mu), for a point x of certified gap and a mu-strongly convex worst case.

    Without strong convexity no R is proven; then let u = x take the place of x* in the bounds, and add `gap` to them.

    Parameters
    ----------
    x0, x : array, shape (n,)
    gap : float
        >= F(x) - F*, as in ``MinimaxResult.gap``.
    strong_convexity : float
        mu > 0.

    Returns
    -------
    float

    Examples
    --------
    >>> radius_bound([3.0], [1.0], gap=0.5, strong_convexity=4.0)
    2.5
    """
    start, end = checks.vector("x0", x0), checks.vector("x", x)
    error = math.sqrt(2 * checks.number("gap", gap, 0.0) / checks.number("strong_convexity", strong_convexity, 0.0, strict=True))
    return norm(start - end) + error


def _lengths(parts: Parts, r: float) -> Host:
    """A bound on the gradients of every task, the better one of two."""
    return np.minimum(*_radii(parts, r))


def _radii(parts: Parts, r: float) -> tuple[Host, Host]:
    """Two bounds on the gradients: from those at the centre of the ball, and from the ranges of the rows' derivatives."""
    return _norms(parts.at) + parts.wrong + _times(parts.smoothness, r), _norms(parts.middle) + parts.spread


def _many(parts: Parts, r: float) -> Constants:
    """For many tasks: D is twice the radius of one ball that holds all gradients, round the mean of `at`, of `middle`, or 0."""
    lengths = _lengths(parts, r)
    moved = parts._replace(at=parts.at - parts.at.mean(0), middle=parts.middle - parts.middle.mean(0))
    radius = min(lengths.max(), *(radii.max() for radii in _radii(moved, r)))
    return Constants(float(parts.smoothness.max()), float(lengths.max()), 2.0 * float(radius))


def _combine(parts: Parts, differences: Host | None, r: float) -> Constants:
    lengths, wrong, spread = _lengths(parts, r), parts.wrong, parts.spread
    apart = _distances(parts.middle) + spread[:, None] + spread
    if differences is not None:
        apart = np.minimum(apart, _distances(parts.at) + wrong[:, None] + wrong + _times(differences, r))
    apart = np.minimum(apart, lengths[:, None] + lengths)
    np.fill_diagonal(apart, 0.0)
    return Constants(float(parts.smoothness.max()), float(lengths.max()), float(apart.max()))


def _quadratic(tasks: QuadraticTasks, c: Host, r: float) -> tuple[Parts, Host | None]:
    """Gradients P x + q; the slack covers the rounding of eigenvalues and products."""
    P, q, _ = tasks.quadratics()
    K, n = q.shape
    slack = 1.0 + 8 * n * np.finfo(float).eps
    own = slack * np.abs(np.linalg.eigvalsh(P)).max(1)
    at, wrong = P @ c + q, 4 * n * np.finfo(float).eps * (_norms(np.abs(P) @ np.abs(c)) + _norms(q))
    differences = None if K > PAIRS else np.maximum(own[:, None], own)
    if differences is not None and K * K * n**3 <= PAIR_FLOPS:
        for j in range(K):
            differences[j] = slack * np.abs(np.linalg.eigvalsh(P[j] - P)).max(1) + 4 * np.finfo(float).eps * (own[j] + own)
    return Parts(at, wrong, own, at, r * own + wrong), differences


def _rows(tasks: Any, c: Host, r: float) -> tuple[Parts, Host | None]:
    data, K, n_classes = tasks.data, tasks.n_tasks, len(tasks.classes) if isinstance(tasks, MultinomialTasks) else 1
    lengths, unit = data._lengths_of_rows, np.eye(K)
    slack = 1.0 + 8 * (data.n_rows + data.n_variables) * data.n_variables * np.finfo(float).eps
    evaluation = tasks.at(data.space.asarray(c))
    at = np.stack([to_host(evaluation.gradient(data.space.asarray(w))) for w in unit])
    wrong = np.array([evaluation.rounding(data.space.asarray(w)).length for w in unit])
    if n_classes > 1:  # lambda_max(diag p - pp') <= 1/2 and |p - e_y| <= sqrt 2
        second, half, middle = 0.5 + 0.0 * data.b, 2**0.5 + 0.0 * data.b, np.zeros_like(at)
    else:
        second, middle, half = _ranges(tasks, c, r, lengths)
        middle = to_host(data.jacobian(middle))
    smoothness, spread = np.empty(K), np.empty(K)
    for k, w in enumerate(unit):
        weights = data.space.asarray(w)
        d = data.row_weights(weights)
        smoothness[k] = slack * _largest_eigenvalue(data, d * second, weights, lengths) if tasks.smooth else np.inf
        top = slack * _largest_eigenvalue(data, d, weights, lengths)
        spread[k] = min(float((d * half) @ lengths), math.sqrt(top * float((d * half) @ half)))
    sizes = np.array([float(data.row_weights(data.space.asarray(w)) @ lengths) for w in unit])
    rounding = 4 * (data.n_rows + data.n_variables) * np.finfo(float).eps * sizes * (1.0 + _norms(middle))
    parts = Parts(at, wrong, smoothness, middle, slack * spread + rounding)
    return parts, _pairwise(tasks, parts, c)


def _pairwise(tasks: Any, parts: Parts, c: Host) -> Host | None:
    """A bound on the curvature of every f_j - f_k: exact norms for squared errors, else the larger of the two."""
    K, n = tasks.n_tasks, tasks.n_variables
    if K > PAIRS:
        return None
    if tasks.curvature == "quadratic" and K * K * n**3 <= PAIR_FLOPS and 8.0 * K * n**2 < 1e8:
        slack = 4 * (tasks.n_rows + n) * n * np.finfo(float).eps  # of the Gram matrices
        _, differences = _quadratic(QuadraticTasks(tasks.quadratics()[0]), c, 0.0)
        return None if differences is None else differences + slack * (parts.smoothness[:, None] + parts.smoothness)
    return np.maximum(parts.smoothness[:, None], parts.smoothness)


def _ranges(tasks: RowTasks, c: Host, r: float, lengths: Any) -> tuple[Any, Any, Any]:
    """Over the ball, row by row: sup phi'', the middle of the range of phi', and half its length."""
    data = tasks.data
    z = data.times(data.space.asarray(c))
    wrong = 4 * (data.n_variables + 3) * np.finfo(float).eps * (lengths * (norm(c) + r) + abs(data.b))
    low, high = z - lengths * r - wrong, z + lengths * r + wrong
    first, last = tasks.pointwise(low).first(), tasks.pointwise(high).first()
    wrong = 4 * np.finfo(float).eps * (abs(first) + abs(last) + abs(data.b))  # of phi' itself
    second = largest_second(tasks, low, high) if tasks.smooth else 0.0 * z
    return second, (first + last) / 2, (last - first) / 2 + wrong


def _largest_eigenvalue(data: Any, values: Any, weights: Any, lengths: Any) -> float:
    """Of A' diag(values) A; its trace where that matrix would be too large."""
    if not data.offers(data.n_variables):
        return float(values @ (lengths * lengths))
    return float(np.linalg.eigvalsh(to_host(data.gram(values, weights)))[-1])


def _norms(rows: Host) -> Host:
    norms: Host = np.sqrt((rows * rows).sum(1))
    return norms


def _distances(rows: Host) -> Host:
    return np.stack([_norms(rows - row) for row in rows])


def _times(smoothness: Host, r: float) -> Host:
    """L r, where 0 times inf is 0."""
    return smoothness * r if r > 0 else np.zeros_like(smoothness)


__all__ = ["Constants", "constants_on_ball", "radius_bound"]
