r"""The optimality conditions of min_x max_{w in W} <w, f(x)> + r(x), linearised and eliminated down to one n x n matrix.

With g = (1 - e) f, w = (1 - e) u + e q and U = {u >= 0, sum u = 1, u <= cap, R(u) <= rho}, the central path of parameter mu is

x       sum_k w_k grad f_k(x) + grad r(x) = 0
u       g_k(x) - t - y_k - eta R'_k(u) + s_k = 0
sets    sum_k u_k = 1,  u + z = cap,  R(u) + v = rho
pairs   u_k s_k = z_k y_k = v eta = mu,  all of them > 0.

The pairs are kept in two vectors, slack = (u, z, v) and multiplier = (s, y, eta). Eliminating all but dx leaves, with
D = 1 / (s/u + y/z + eta R'') and C the rows of (1 - e) J less their D-weighted regression on (1, R'),

    (Hess F_w + C' D C + (v/eta) c c') dx = right-hand side,

where c are the regression coefficients of R' (with ridge v/eta; absent without a ball): positive semidefinite, free of
cancellation, and the same for all sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas, lapack

from minimax_opt.arrays import Host
from minimax_opt.problem import Point
from minimax_opt.solvers.interior_point_adversary import Adversary

PIVOT = 1e-14  # shift of a singular matrix of unit diagonal; refinement takes its effect back where the system is consistent
TRUSTED = 0.25  # share of a weight that the ball's second-order correction may move it by


@dataclass
class Iterate:
    """One primal-dual point.

    Attributes
    ----------
    point : Point
        x, evaluated.
    slack, multiplier : ndarray, shape (n_pairs,)
        (u, z, v) and (s, y, eta), all > 0.
    level : float
        t.
    """

    point: Point
    slack: Host
    multiplier: Host
    level: float


@dataclass
class Step:
    """A change of all unknowns of an :class:`Iterate`."""

    x: Host
    slack: Host
    multiplier: Host
    level: float


class Linearisation:
    """The conditions at one iterate: their residuals, and Newton steps that share one factorisation.

    Attributes
    ----------
    u, w : ndarray, shape (K,)
    gradient : ndarray, shape (n,)
        The residual of the condition on x, grad F_w(x).
    complementarity : float
        Sum of the products of the pairs: the duality gap where all residuals vanish.
    """

    def __init__(self, adversary: Adversary, iterate: Iterate) -> None:
        self.adversary, self.iterate = adversary, iterate
        n_tasks, point = adversary.n_tasks, iterate.point
        self.u, self.s = iterate.slack[:n_tasks], iterate.multiplier[:n_tasks]
        self.w = adversary.mixed(self.u)
        self.jacobian = point.jacobian()
        self.gradient = point.gradient(self.w)
        self.complementarity = float(iterate.slack @ iterate.multiplier)
        self.sum_residual = 1.0 - float(self.u.sum())
        self.residual = adversary.mix * point.losses - iterate.level + self.s
        if adversary.cap is not None:
            self.z, self.y = iterate.slack[n_tasks : 2 * n_tasks], iterate.multiplier[n_tasks : 2 * n_tasks]
            self.cap_residual = adversary.cap - self.u - self.z
            self.residual -= self.y
        if adversary.ball is not None:
            self.v, self.eta = float(iterate.slack[-1]), float(iterate.multiplier[-1])
            self.slope = adversary.ball.gradient(self.u)
            self.ball_residual = adversary.ball.radius - adversary.ball.value(self.u) - self.v
            self.residual -= self.eta * self.slope

    def factor(self, damping: float = 0.0) -> bool:
        """Factor the n x n matrix plus `damping` times its diagonal; whether that worked."""
        adversary = self.adversary
        stiffness = self.s / self.u
        if adversary.cap is not None:
            self.y_per_z = self.y / self.z
            stiffness += self.y_per_z
        if adversary.ball is not None:
            stiffness += self.eta * adversary.ball.curvature(self.u)
        self.d = 1.0 / stiffness
        self.d_sum = float(self.d.sum())
        self.root = np.sqrt(self.d)
        self.mean = (self.d @ self.jacobian) * (adversary.mix / self.d_sum)
        rows = (self.jacobian if adversary.mix == 1.0 else adversary.mix * self.jacobian) - self.mean
        rows *= self.root[:, None]
        self.rows = rows
        self.hessian = self.iterate.point.hessian(self.w)
        matrix = self.hessian.copy()
        if adversary.ball is not None:
            self._regress_on_ball()
            matrix += self.v_per_eta * np.multiply.outer(self.coefficients, self.coefficients)
        matrix = blas.dsyrk(1.0, rows.T, beta=1.0, c=matrix.T, lower=1, overwrite_c=1)
        return self._cholesky(matrix, damping)

    def _regress_on_ball(self) -> None:
        """Take the regression on R' out of the centred rows."""
        self.slope_mean = float(self.d @ self.slope) / self.d_sum
        self.v_per_eta = self.v / self.eta
        self.scaled_slope = self.root * (self.slope - self.slope_mean)
        self.slope_norm = float(self.scaled_slope @ self.scaled_slope) + self.v_per_eta
        self.coefficients = (self.scaled_slope @ self.rows) / self.slope_norm
        self.rows -= self.scaled_slope[:, None] * self.coefficients

    def _cholesky(self, matrix: Host, damping: float) -> bool:
        """The factor of the matrix scaled to unit diagonal, shifted as little as a factor needs."""
        diagonal = matrix.diagonal()
        diagonal = np.maximum(diagonal, 1e-30 * (float(np.abs(diagonal).max()) or 1.0))
        self.scale = 1.0 / np.sqrt(diagonal)
        if not np.isfinite(self.scale).all():
            return False
        if damping:  # of the Hessian too, which the refinement multiplies with
            np.einsum("ii->i", self.hessian)[:] += damping * diagonal
        matrix *= self.scale[:, None]
        matrix *= self.scale
        shift = PIVOT
        while shift < 1e-2:
            shifted = matrix.copy(order="F")
            np.einsum("ii->i", shifted)[:] += damping + shift
            self.lower, info = lapack.dpotrf(shifted, lower=1, overwrite_a=1, clean=0)
            if info == 0:
                return True
            shift *= 100
        return False

    def apply_inverse(self, right: Host) -> Host:
        """The matrix's inverse times `right`, shape (n,)."""
        solution: Host = self.scale * lapack.dpotrs(self.lower, self.scale * right, lower=1)[0]
        return solution

    def decrement(self, gradient: Host) -> float:
        """Square of the gradient's norm in the matrix's inverse: about twice what F_w can still fall."""
        return float(gradient @ self.apply_inverse(gradient))

    def step(self, target: Host, bend: tuple[Host, float] | None = None) -> Step:
        """The Newton step: all linearised residuals vanish, the products of the pairs change by `target`, shape (n_pairs,).

        `bend` adds to the residuals of u and of the ball what :meth:`ball_remainder` expects a step to leave there.
        """
        adversary, n_tasks = self.adversary, self.adversary.n_tasks
        push = target / self.iterate.slack
        rhs = self.residual + push[:n_tasks]
        ball_residual = self.ball_residual if adversary.ball is not None else 0.0
        if bend is not None:
            rhs += bend[0]
            ball_residual += bend[1]
        if adversary.cap is not None:
            rhs += self.y_per_z * self.cap_residual - push[n_tasks : 2 * n_tasks]
        rhs_mean = float(self.d @ rhs) / self.d_sum
        lift = self.sum_residual / self.d_sum
        free = self.root * (rhs - rhs_mean)
        right = -self.gradient - lift * self.mean - free @ self.rows
        d_eta = 0.0
        if adversary.ball is not None:
            beta = ball_residual - self.v_per_eta * push[-1] - self.slope_mean * self.sum_residual
            d_eta = (float(self.scaled_slope @ free) - beta) / self.slope_norm
            right -= beta * self.coefficients
            free -= d_eta * self.scaled_slope
        dx = self.apply_inverse(right)
        du = self._weights_step(dx, free, lift)
        error = self.gradient + self.hessian @ dx + adversary.mix * (du @ self.jacobian)  # one refinement: D spans many decades
        dx -= self.apply_inverse(error)
        return self._complete(dx, self._weights_step(dx, free, lift), push, rhs_mean - lift, d_eta, ball_residual)

    def _complete(self, dx: Host, du: Host, push: Host, level: float, d_eta: float, ball_residual: float) -> Step:
        """The changes of all unknowns from those of x and u; `level` and `d_eta` are those of t and eta for dx = 0."""
        adversary, n_tasks = self.adversary, self.adversary.n_tasks
        slack, multiplier = [du], [push[:n_tasks] - (self.s / self.u) * du]
        level += float(self.mean @ dx)
        if adversary.cap is not None:
            dz = self.cap_residual - du
            slack.append(dz)
            multiplier.append(push[n_tasks : 2 * n_tasks] - self.y_per_z * dz)
        if adversary.ball is not None:
            d_eta += float(self.coefficients @ dx)
            level -= d_eta * self.slope_mean
            slack.append(np.array([ball_residual - float(self.slope @ du)]))
            multiplier.append(np.array([d_eta]))
        if len(slack) == 1:
            return Step(dx, du, multiplier[0], level)
        return Step(dx, np.concatenate(slack), np.concatenate(multiplier), level)

    def ball_remainder(self, step: Step, a: float, b: float) -> tuple[Host, float] | None:
        """What a step of length a in u and b in eta leaves, beyond first order, in the residuals of u and of the ball.

        In the residual of a u_k no more than would move u_k by the share TRUSTED: log u_k falls without end as u_k nears zero, and a
        correction of that size sets off cycles of long steps that never reduce the residuals.
        """
        ball = self.adversary.ball
        if ball is None:
            return None
        du, d_eta = a * step.slack[: self.adversary.n_tasks], b * float(step.multiplier[-1])
        moved = self.u + du
        linear = self.eta * (self.slope + ball.curvature(self.u) * du) + d_eta * self.slope
        value = ball.value(self.u) + float(self.slope @ du)
        limit = TRUSTED * self.u / self.d
        return np.clip(linear - (self.eta + d_eta) * ball.gradient(moved), -limit, limit), value - ball.value(moved)

    def _weights_step(self, dx: Host, free: Host, lift: float) -> Host:
        """The change of u, D (C dx + centred right-hand side) + D lift."""
        du: Host = self.root * (self.rows @ dx + free)
        return du + lift * self.d if lift else du


def longest(values: Host, change: Host) -> float:
    """The largest a <= 1e10 with values + a change >= 0, for values > 0."""
    steepest = float((change / values).min())
    return -1.0 / steepest if steepest < -1e-10 else 1e10
