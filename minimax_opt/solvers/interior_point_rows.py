r"""The interior point for losses that are piecewise linear in every row: pinball losses, f_k(x) = sum_{i in k} c_i max(l r_i, h r_i), r = Ax - b.

Each row gets an epigraph variable p_i >= l r_i, p_i >= h r_i with two pairs of its own, beside those of the adversary
(:mod:`minimax_opt.solvers.interior_point_kkt`). With alpha = p - l r, beta = p - h r, multipliers y, y' and d_i = c_i w_k(i), the central path is

x       A'v + grad r(x) = 0,  v = l y + h y'
p       y + y' = d
pairs   alpha y = beta y' = mu,

and the conditions on w with the losses sum_i c_i p_i. Eliminating p, y and y' leaves the same conditions on x and w as smooth losses would, with

Hessian A'Delta A,   Jacobian rows sum_{i in k} c_i m_i a_i,   and sum_{i in k} c_i^2 / S_i added to the stiffness s_k / w_k,

where S = y/alpha + y'/beta, m = (l y/alpha + h y'/beta) / S and Delta = (h - l)^2 (y/alpha)(y'/beta) / S. The matrix stays
n x n (Portnoy and Koenker, "The Gaussian hare and the Laplacian tortoise", Statistical Science 12, 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt.arrays import Array, Host, to_host
from minimax_opt.problem import Point
from minimax_opt.solvers.interior_point_adversary import Adversary
from minimax_opt.solvers.interior_point_iterate import Iterate, Step
from minimax_opt.solvers.interior_point_kkt import Linearisation
from minimax_opt.solvers.interior_point_start import TINY, centred


class Rows:
    """The rows on the host side of the method: vectors of M numbers are NumPy float64, products run where the data are."""

    def __init__(self, tasks: Any) -> None:
        self._data = tasks.data
        self.low, self.high = tasks.dual_domain
        self._all = self._in(np.ones(tasks.data.n_tasks))
        self.coefficients = to_host(tasks.data.row_weights(self._all))

    def _in(self, values: Host) -> Array:
        return self._data.space.asarray(values)

    def residual(self, x: Host) -> Host:
        """Ax - b, shape (M,)."""
        return to_host(self._data.times(self._in(x)) - self._data.b)

    def product(self, dx: Host) -> Host:
        """A dx, shape (M,)."""
        return to_host(self._data.times(self._in(dx)))

    def combine(self, values: Host) -> Host:
        """A'values, shape (n,)."""
        return to_host(self._data.combine(self._in(values), self._all))

    def gram(self, values: Host) -> Host:
        """A' diag(values) A, shape (n, n)."""
        return to_host(self._data.gram(self._in(values), self._all))

    def mean(self, values: Host) -> Host:
        """sum_{i in k} c_i values_i, shape (K,)."""
        return to_host(self._data.mean(self._in(values)))

    def jacobian(self, values: Host) -> Host:
        """sum_{i in k} c_i values_i a_i, shape (K, n)."""
        return to_host(self._data.jacobian(self._in(values)))

    def spread(self, weights: Host) -> Host:
        """d_i = c_i w_k(i), shape (M,)."""
        return to_host(self._data.row_weights(self._in(weights)))


@dataclass
class RowStep(Step):
    """A step of all unknowns; what the rows push the conditions on x and w by comes along, for the refinement."""

    inner: Step = None  # type: ignore[assignment]
    push: Host = None  # type: ignore[assignment]


class AdversaryPart(Linearisation):
    """The conditions on x and w with the rows' unknowns eliminated: what :class:`RowLinearisation` puts there takes the losses' place."""

    delta_gram: Host

    def curvature(self, share: float) -> Host:
        """A'Delta A + Hess r."""
        return self.delta_gram


class RowLinearisation:
    """What :class:`Linearisation` is for smooth losses: the adversary's part is one, with the rows' derivatives in it.

    The losses are linear in x and p, so that full steps need no search. The vectors of pairs hold the adversary's, then y and y' (slack)
    and alpha and beta (multiplier).
    """

    exact = True
    domain = None  # none is supported here

    def __init__(self, adversary: Adversary, iterate: Iterate, rows: Rows) -> None:
        self.adversary, self.iterate, self.rows = adversary, iterate, rows
        n_pairs = adversary.n_pairs
        self.inner = AdversaryPart(
            adversary, Iterate(iterate.point, iterate.slack[:n_pairs], iterate.multiplier[:n_pairs], iterate.level)
        )
        self.y, self.distance = iterate.slack[n_pairs:].reshape(2, -1), iterate.multiplier[n_pairs:].reshape(2, -1)
        self.complementarity = float(iterate.slack @ iterate.multiplier)
        self.slopes = np.array([[rows.low], [rows.high]])
        alpha, beta = self.distance
        epigraph = (rows.high * alpha - rows.low * beta) / (rows.high - rows.low)
        self.inner.residual += adversary.mix * (rows.mean(epigraph) - iterate.point.losses)
        self.gradient = self.inner.gradient = rows.combine((self.slopes * self.y).sum(0)) + self._regularizer(iterate.point)
        self._residual = self.inner.residual
        self.u, self.w = self.inner.u, self.inner.w

    def _regularizer(self, point: Point) -> Any:
        regularizer = point.problem.regularizer
        return 0.0 if regularizer is None else regularizer.gradient(point.x)

    def factor(self, damping: float = 0.0) -> bool:
        """Factor the n x n matrix; whether that worked."""
        rows, mix, problem = self.rows, self.adversary.mix, self.iterate.point.problem
        self.stiffness = self.y / self.distance
        self.total = self.stiffness.sum(0)
        self.mean = (self.slopes * self.stiffness).sum(0) / self.total
        delta = (rows.high - rows.low) ** 2 * self.stiffness[0] * (self.stiffness[1] / self.total)
        hessian = rows.gram(delta)
        if problem.regularizer is not None:
            hessian = hessian + problem.regularizer.hessian(problem.n_variables)
        problem.counts.nhev += 1
        self.inner.rows = mix * rows.jacobian(self.mean)
        self.inner.softness = mix**2 * rows.mean(rows.coefficients / self.total)
        self.inner.delta_gram = hessian
        return self.inner.factor(damping)

    def at(self, iterate: Iterate) -> RowLinearisation:
        """The conditions at another iterate of the same problem."""
        return RowLinearisation(self.adversary, iterate, self.rows)

    def gap(self, weights: Host) -> float:
        """As :meth:`Linearisation.gap`."""
        return self.complementarity

    def decrement(self, gradient: Host) -> float:
        """As :meth:`Linearisation.decrement`."""
        return self.inner.decrement(gradient)

    def ball_remainder(self, step: Step, a: float, b: float) -> Any:
        """As :meth:`Linearisation.ball_remainder`."""
        return self.inner.ball_remainder(step.inner, a, b)  # type: ignore[attr-defined]

    def step(self, target: Host, bend: Any = None) -> RowStep:
        """As :meth:`Linearisation.step`."""
        n_pairs = self.adversary.n_pairs
        push = target[n_pairs:].reshape(2, -1) / self.distance
        self._set_push(push)
        return self._complete(self.inner.step(target[:n_pairs], bend), push)

    def refined(self, step: RowStep) -> RowStep:
        """As :meth:`Linearisation.refined`."""
        self._set_push(step.push)
        return self._complete(self.inner.refined(step.inner), step.push)

    def _set_push(self, push: Host) -> None:
        """The conditions on x and w once the rows' unknowns are eliminated."""
        total = push.sum(0)
        self.inner.gradient = self.gradient + self.rows.combine((self.slopes * push).sum(0) - self.mean * total)
        self.inner.residual = self._residual + self.adversary.mix * self.rows.mean(total / self.total)

    def _complete(self, inner: Step, push: Host) -> RowStep:
        """The changes of y, y', alpha and beta that follow from those of x and w."""
        n_tasks = self.adversary.n_tasks
        dz = self.rows.product(inner.x)
        d = self.rows.spread(self.adversary.mix * inner.slack[:n_tasks])
        dp = (push.sum(0) - d) / self.total + self.mean * dz
        distance = dp - self.slopes * dz
        y = push - self.stiffness * distance
        return RowStep(
            inner.x,
            np.concatenate((inner.slack, y.ravel())),
            np.concatenate((inner.multiplier, distance.ravel())),
            inner.level,
            inner.right,
            inner,
            push,
        )


def first_rows(point: Point, adversary: Adversary, weights: Host) -> RowLinearisation:
    """The conditions at x0, with the weights halfway between the prior and `weights`, and all pairs with the same product: their sum is F(x0)."""
    rows = Rows(point.problem.tasks)
    mu = max(abs(point.value), TINY) / (adversary.n_pairs + 2 * len(rows.coefficients))
    u = 0.5 * (adversary.prior + adversary.unmixed(weights))
    barrier, width = mu / rows.spread(adversary.mixed(u)), (rows.high - rows.low) * rows.residual(point.x)
    root = np.hypot(2 * barrier, width)
    larger = barrier + 0.5 * (root + np.abs(width))
    smaller = barrier * (2 * barrier + root) / larger
    distance = np.concatenate((np.where(width > 0, larger, smaller), np.where(width > 0, smaller, larger)))
    base = centred(point, adversary, u, mu)
    iterate = Iterate(point, np.append(base.slack, mu / distance), np.append(base.multiplier, distance), base.level)
    return RowLinearisation(adversary, iterate, rows)


__all__ = ["RowLinearisation", "first_rows"]
