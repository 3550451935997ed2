r"""Lower bounds by Fenchel duality, for losses over rows whose phi* is known: F_w = sum_i d_i phi(a_i'x), Huber losses among them.

Let G(y) = F_w(y) + <s, y> + const, s = 0 without an h (:mod:`minimax_opt.minorant`), and z = A x. For every u with u_i in dom phi*, and all y and
y0, d_i phi(a_i'y) >= d_i (u_i a_i'y - phi*(u_i)) and r(y) >= r(y0) + <grad r(y0), y - y0>, so that A'D u + grad r(y0) + s = 0 implies

    min G >= G(x) - sum_i d_i (phi(z_i) + phi*(u_i) - u_i z_i) - (x - y0)'Q(x - y0) / 2,

where Q = Hess r: what is lost is a sum of nonnegative terms, free of cancellation.

*Which u.* With m >= 0, u = phi'(z) + m A e and y0 = x + e solve the equation for He = -grad G(x), H = A'D diag(m) A + Q. With m = phi''(z) this is
Newton's step, and as far as phi is quadratic between z and z + A e the loss is e'He / 2, half the squared Newton decrement. Where
that leaves H singular (few rows with curvature, at a vertex of the worst case, say), all rows move, most those whose Fenchel-Young losses
grow least, and the loss is linear in e. Rows that
the step leads out of dom phi* are held at its ends, m_i = 0, in the next try. What is still outside is shrunk: t u with t < 1 is in dom phi*,
which contains 0, and solves the equation with t s and t y0 where r has no linear term. (1 - t) F_w(x) + t G(x) takes the place of G(x),
since h*(t s) <= t h*(s) for h >= 0.

*Rounding.* The u at hand misses the equation by a residual. An exact solution differs from it by m A e' with |e'|_H = |residual|_{H^-1}, which is
bounded with an allowance for the rounding of the residual and of H, in Jacobi scaling. So every u_i is known within a margin, over
which the losses are maximised.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from minimax_opt import lapack
from minimax_opt.arrays import Array, Host, norm, to_host
from minimax_opt.curvature_bound import range_basis
from minimax_opt.minorant import curved_minorants
from minimax_opt.tasks.row_data import DENSE_BYTES

if TYPE_CHECKING:
    from minimax_opt.problem import Point
    from minimax_opt.tasks.row_dual import RowDual

TRIES = 4  # sets of rows that may move
SOLVES = 2  # with one factor: the step, and what it missed by rounding


def dual_bound(point: Point, weights: Array) -> float:
    """The bound of the module docstring, the best over some G; -inf without a phi*, where nothing bounds the losses, and where H is too large.

    Parameters
    ----------
    point : Point
        x, evaluated.
    weights : array, shape (K,)
        A point w of the ambiguity set.
    """
    regularizer = point.problem.regularizer
    if not point.problem.square_fits:
        return -np.inf
    duals = point.inner.duals(weights, 0.0 * point.x if regularizer is None else regularizer.gradient(point.x))
    return max((_bound_of(point, weights, rows) for rows in duals), default=-np.inf)


def _bound_of(point: Point, weights: Array, rows: RowDual) -> float:
    """The best bound from one start u."""
    r, value, eps = QuadraticPart.of(point), point.smooth_value(weights), point.problem.eps
    metrics = rows.curvature, rows.ease()  # every row may move where those with curvature do not suffice
    for metric in metrics:
        point.problem.counts.nhev += 1
        system = System.factored(rows.gram(metric) + r.Q, eps)
        if system is not None:
            bounds = (
                (1 - share) * value + share * below.value - loss
                for below in curved_minorants(point, weights, system.H)
                for share, loss in _losses(rows, r, metric, system, below.gradient - to_host(point.gradient(weights)))
            )
            return max(bounds, default=-np.inf)
    return _bound_on_range(point, rows, r, metrics, value) if point.problem.simple is None else -np.inf


def _bound_on_range(point: Point, rows: RowDual, r: QuadraticPart, metrics: tuple[Array, Array], value: float) -> float:
    """The bound where columns depend on each other: for y in coordinates of the range of (sqrt(D) A; sqrt(Q)), Q diagonal."""
    ridge: Host = np.sqrt(r.Q.diagonal())
    if 8.0 * rows.n_rows * len(ridge) > DENSE_BYTES or np.any(np.diag(ridge**2) != r.Q) or r.linear.any():
        return -np.inf
    roots = np.vstack([rows.roots(), np.diag(ridge)])
    basis, condition = range_basis(roots, point.problem.eps)
    if not basis.shape[1]:  # nothing depends on y
        return value
    n_rows = len(roots) - len(ridge)
    upper, lower = basis[:n_rows], basis[n_rows:]
    reduced = QuadraticPart(basis.T @ (roots @ r.x), lower.T @ lower, np.zeros(basis.shape[1]))
    rows = rows.in_coordinates(upper, condition)
    for metric in metrics:
        system = System.factored(rows.gram(metric) + reduced.Q, point.problem.eps)
        if system is not None:
            losses = _losses(rows, reduced, metric, system, reduced.linear)
            return max((value - loss for _, loss in losses), default=-np.inf)
    return -np.inf


def _losses(rows: RowDual, r: QuadraticPart, metric: Array, system: System | None, s: Host) -> Iterator[tuple[float, float]]:
    """(t, what is lost) for one G, while the rows that may move become fewer."""
    u, e = rows.u, np.zeros(len(s))
    for _ in range(TRIES):
        if system is None:
            return
        for _ in range(SOLVES):
            change = system.solve(rows.combine(u) + r.gradient(e) + s)
            u, e = u - metric * rows.product(change), e - change
        sizes = rows.sizes(u)
        residual = rows.combine(u) + r.gradient(e) + s
        distance = system.distance(residual, sizes.sums + r.sizes(e) + np.abs(s))
        margin = metric * system.along(sizes.entries, distance)
        share = rows.share(u, margin)
        if share == 1.0 or not r.linear.any():
            yield share, (1 + 16 * system.eps) * (rows.gap(u, margin, share) + r.gap(e, share, distance))
        if share == 1.0:
            return
        u, inside = rows.clipped(u, margin)
        metric = metric * inside
        system = System.factored(rows.gram(metric) + r.Q, system.eps)


@dataclass(frozen=True)
class QuadraticPart:
    """r around x, on the host: r(y) = y'Qy / 2 + linear'y + const.

    Attributes
    ----------
    x : ndarray, shape (n,)
    Q : ndarray, shape (n, n)
    linear : ndarray, shape (n,)
    """

    x: Host
    Q: Host
    linear: Host

    @classmethod
    def of(cls, point: Point) -> QuadraticPart:
        """That of the problem at `point`, zero where it has none."""
        r, x = point.problem.regularizer, to_host(point.x)
        if r is None:
            return cls(x, np.zeros((len(x), len(x))), np.zeros(len(x)))
        return cls(x, r.hessian(len(x)), to_host(r.gradient(0.0 * point.x)))

    def gradient(self, e: Host) -> Host:
        """The gradient of r at x + e."""
        gradient: Host = self.Q @ (self.x + e) + self.linear
        return gradient

    def sizes(self, e: Host) -> Host:
        """The terms that its rounding is measured by."""
        sizes: Host = np.abs(self.Q) @ (np.abs(self.x) + np.abs(e)) + np.abs(self.linear)
        return sizes

    def gap(self, e: Host, share: float, distance: float) -> float:
        """(x - y0)'Q(x - y0) / 2 for y0 = `share` times x + e, where e is known to `distance`."""
        moved = (1.0 - share) * self.x - share * e
        length = max(float(moved @ self.Q @ moved), 0.0) ** 0.5
        return 0.5 * (length + share * distance) ** 2 if self.Q.any() else 0.0


class System:
    """H, factored in Jacobi scaling, and the rounding of what it solves."""

    def __init__(self, H: Host, eps: float, factor: tuple[Host, Host, float]) -> None:
        self.H, self.eps = H, eps
        self._scale, self._lower, self._smallest = factor
        self._trust = float(np.sqrt(1 - 8 * len(H) * eps / self._smallest))  # H itself is rounded

    @classmethod
    def factored(cls, H: Host, eps: float) -> System | None:
        """The factor, or None where H may be singular."""
        scale = np.sqrt(np.maximum(np.diag(H), np.finfo(float).tiny))
        lower, info = lapack.dpotrf(H / np.outer(scale, scale), lower=True, clean=True)
        smallest = float(lapack.dpocon(lower, 1.0, uplo="L")[0]) if info == 0 else 0.0  # 1/|H^-1|
        return cls(H, eps, (scale, lower, smallest)) if smallest > 32 * len(H) * eps else None

    def solve(self, right: Host) -> Host:
        """H^{-1} right."""
        solution: Host = lapack.dpotrs(self._lower, right / self._scale, lower=True)[0] / self._scale
        return solution

    def distance(self, residual: Host, sizes: Host) -> float:
        """A bound on |residual|_{H^-1} for a residual that sums terms of these sizes."""
        half, _ = lapack.dtrtrs(self._lower, residual / self._scale, lower=True)
        return float((norm(half) + 4 * self.eps * norm(sizes / self._scale) / self._smallest**0.5) / self._trust)

    def along(self, entries: Host, distance: float) -> float:
        """A bound on |a'e| for |a_j| <= entries_j and |e|_H <= distance."""
        return float(distance * norm(entries / self._scale) / self._smallest**0.5 / self._trust)


__all__ = ["dual_bound"]
