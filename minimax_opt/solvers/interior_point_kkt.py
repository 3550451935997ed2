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
cancellation, and the same for all sets. A domain of x or a 1-norm adds pairs at the end of both vectors, and a diagonal to the matrix
(:mod:`minimax_opt.solvers.interior_point_domain`).
"""

from __future__ import annotations

import numpy as np

from minimax_opt import lapack
from minimax_opt.arrays import Host
from minimax_opt.solvers.interior_point_adversary import Adversary
from minimax_opt.solvers.interior_point_domain import DomainConditions, DomainRows
from minimax_opt.solvers.interior_point_factor import Factor
from minimax_opt.solvers.interior_point_iterate import Iterate, Right, Step

BLOCK = 40_000  # numbers of a block of rows, which fit in the cache
STILL = 3e-3  # share of the gap that F_w may still fall by after a step, up to which the next step does with the same Hessian
TRUSTED = 0.25  # share of a weight that the ball's second-order correction may move it by


class Linearisation:
    """The conditions at one iterate: their residuals, and Newton steps that share one factorisation.

    Attributes
    ----------
    u, w : ndarray, shape (K,)
    gradient : ndarray, shape (n,)
        The residual of the condition on x, grad F_w(x) and what the domain's rows add.
    complementarity : float
        Sum of the products of the pairs: the duality gap where all residuals vanish.
    exact : bool
        Whether the linearised losses are the losses.
    older : ndarray, shape (n, n), or None
        The Hessian of an earlier iterate, which still fits: then none is formed at this one.
    softness : ndarray, shape (K,), or float
        What is added to the stiffness of u: 0, unless the losses themselves give way to the weights.
    """

    softness: Host | float = 0.0
    older: Host | None = None

    def __init__(self, adversary: Adversary, iterate: Iterate, rows: DomainRows | None = None) -> None:
        self.adversary, self.iterate = adversary, iterate
        n_tasks, point = adversary.n_tasks, iterate.point
        self.exact = point.problem.tasks.curvature == "affine"
        self.u, self.s = iterate.slack[:n_tasks], iterate.multiplier[:n_tasks]
        self.w = adversary.mixed(self.u)
        self.rows = point.jacobian() if adversary.mix == 1.0 else adversary.mix * point.jacobian()
        self.gradient = point.gradient(self.w)
        self.complementarity = float(iterate.slack @ iterate.multiplier)
        self.sum_residual = 1.0 - float(np.add.reduce(self.u))
        self.residual = adversary.mix * point.losses + (self.s - iterate.level)
        if adversary.cap is not None:
            self.cap_residual = adversary.cap - self.u - iterate.slack[n_tasks : 2 * n_tasks]
            self.residual -= iterate.multiplier[n_tasks : 2 * n_tasks]
        if adversary.ball is not None:
            self.v, self.eta = float(iterate.slack[adversary.last]), float(iterate.multiplier[adversary.last])
            self.slope = adversary.ball.gradient(self.u)
            self.ball_residual = adversary.ball.radius - adversary.ball.value(self.u) - self.v
            self.residual -= self.eta * self.slope
        self.domain: DomainConditions | None = None
        if rows is not None:
            n_pairs = adversary.n_pairs
            self.domain = DomainConditions(rows, point.x, iterate.slack[n_pairs:], iterate.multiplier[n_pairs:])
            self.gradient = self.gradient + self.domain.gradient

    def at(self, iterate: Iterate) -> Linearisation:
        """The conditions at another iterate of the same problem."""
        return Linearisation(self.adversary, iterate, None if self.domain is None else self.domain.rows)

    def gap(self, weights: Host) -> float:
        """The worst case less <w, f(x)>, and what is left of the domain's pairs: the gap, but for the condition on x."""
        point = self.iterate.point
        return point.value - point.weighted_value(weights) + (0.0 if self.domain is None else self.domain.gap)

    def curvature(self, share: float) -> Host:
        """Hess F_w(x), or `share` of the way to the upper Hessian, freshly allocated."""
        return self.iterate.point.hessian(self.w, share)

    def factor(self, damping: float = 0.0) -> bool:
        """Factor the n x n matrix; whether that worked.

        `damping` is the multiple of its diagonal that is added or, where the tasks have an upper Hessian, the share of that.
        """
        adversary, n_tasks = self.adversary, self.adversary.n_tasks
        upper = damping if self.iterate.point.problem.tasks.has_upper_hessian else 0.0
        damping -= upper
        self.ratio = self.iterate.multiplier[: adversary.n_pairs] / self.iterate.slack[: adversary.n_pairs]
        stiffness = self.ratio[:n_tasks]
        if adversary.cap is not None:
            stiffness = stiffness + self.ratio[n_tasks : 2 * n_tasks]
        if adversary.ball is not None:
            stiffness = stiffness + self.eta * adversary.ball.curvature(self.u)
        self.d = 1.0 / (stiffness + self.softness)
        self.d_sum = float(np.add.reduce(self.d))
        self.mean = self.level_slope = (self.d @ self.rows) / self.d_sum
        self.hessian = self.curvature(upper) if self.older is None or upper else self.older
        matrix = self.hessian.copy()
        if adversary.ball is not None:
            self._regress_on_ball()
            self.level_slope = self.mean - self.slope_mean * self.coefficients
            matrix += self.v_per_eta * np.multiply.outer(self.coefficients, self.coefficients)
        fixed, balanced = None, False
        if self.domain is not None:
            np.einsum("ii->i", matrix)[:] += self.domain.diagonal()
            fixed, balanced = self.domain.rows.fixed, self.domain.rows.balanced
        self.factored = Factor(self._add_rows(matrix), damping, fixed, balanced)
        if damping and self.factored.found:  # of the Hessian too, which the refinement multiplies with
            np.einsum("ii->i", self.hessian)[:] += damping * self.factored.diagonal
        return self.factored.found

    def _regress_on_ball(self) -> None:
        """Regress the rows on R' too, beside 1."""
        self.slope_mean = float(self.d @ self.slope) / self.d_sum
        self.v_per_eta = self.v / self.eta
        self.centred_slope = self.slope - self.slope_mean
        self.weighted_slope = self.d * self.centred_slope
        self.slope_norm = float(self.weighted_slope @ self.centred_slope) + self.v_per_eta
        self.coefficients = (self.weighted_slope @ self.rows) / self.slope_norm

    def _add_rows(self, matrix: Host) -> Host:
        """The lower half of `matrix` + C'DC, in blocks that stay in the cache: C is never stored."""
        root, length = np.sqrt(self.d)[:, None], max(BLOCK // matrix.shape[0], 1)
        for start in range(0, self.adversary.n_tasks, length):
            block = slice(start, start + length)
            part = self.rows[block] - self.mean
            if self.adversary.ball is not None:
                part -= self.centred_slope[block, None] * self.coefficients
            part *= root[block]
            matrix = lapack.dsyrk(1.0, part.T, beta=1.0, c=matrix.T, lower=1, overwrite_c=1).T
        return matrix.T

    def decrement(self, gradient: Host) -> float:
        """Square of the gradient's norm in the matrix's inverse: about twice what F_w can still fall."""
        return float(gradient @ self.factored.inverse(gradient))

    def step(self, target: Host, bend: tuple[Host, float] | None = None, refine: bool = True) -> Step:
        """The Newton step: all linearised residuals vanish, the products of the pairs change by `target`, shape (n_pairs,).

        `bend` adds to the residuals of u and of the ball what :meth:`ball_remainder` expects a step to leave there. Each correction
        of dx takes what is left of the condition on x to zero; D spans many decades, so that one is not enough for a step to `refine`.
        """
        right = self._right(target, bend)
        left = self.gradient + (self.d * right.rows) @ self.rows
        if self.domain is not None and right.domain is not None:
            left += self.domain.pulled(right.domain)
        return self._complete(-self.factored.inverse(left), right)

    def refined(self, step: Step) -> Step:
        """`step` with what rounding left of the condition on x taken to zero: D spans many decades."""
        right = step.right
        left = self.gradient + self.hessian @ step.x + step.slack[: self.adversary.n_tasks] @ self.rows
        if self.domain is not None and right.domain is not None:
            left += self.domain.pulled(right.domain, step.x)
        return self._complete(step.x - self.factored.inverse(left), right)

    def _right(self, target: Host, bend: tuple[Host, float] | None) -> Right:
        n_tasks, push = self.adversary.n_tasks, target / self.iterate.slack
        rhs = self.residual + push[:n_tasks]
        if self.adversary.cap is not None:
            rhs += self.ratio[n_tasks : 2 * n_tasks] * self.cap_residual
            rhs -= push[n_tasks : 2 * n_tasks]
        ball_residual = 0.0 if self.adversary.ball is None else self.ball_residual
        if bend is not None:
            rhs += bend[0]
            ball_residual += bend[1]
        level, d_eta = (float(self.d @ rhs) - self.sum_residual) / self.d_sum, 0.0
        if self.adversary.ball is not None:
            beta = ball_residual - self.v_per_eta * float(push[self.adversary.last]) - self.slope_mean * self.sum_residual
            d_eta = (float(self.weighted_slope @ rhs) - beta) / self.slope_norm
            level -= self.slope_mean * d_eta
            rhs -= d_eta * self.slope
        rhs -= level
        domain = None if self.domain is None else self.domain.right(push[self.adversary.n_pairs :])
        return Right(push, rhs, level, d_eta, ball_residual, domain)

    def _complete(self, dx: Host, right: Right) -> Step:
        """The changes of all unknowns that follow from that of x."""
        adversary, level = self.adversary, float(self.level_slope @ dx)
        du = self.rows @ dx
        du -= level
        if adversary.ball is not None:
            d_eta = float(self.coefficients @ dx)
            du -= d_eta * self.slope
        du += right.rows
        du *= self.d
        slack = du
        if adversary.n_pairs > adversary.n_tasks:
            slack = np.empty(adversary.n_pairs)
            slack[: adversary.n_tasks] = du
            if adversary.cap is not None:
                slack[adversary.n_tasks : 2 * adversary.n_tasks] = self.cap_residual - du
            if adversary.ball is not None:
                slack[-1] = right.ball - float(self.slope @ du)
        push = right.push if self.domain is None else right.push[: adversary.n_pairs]
        multiplier = push - self.ratio * slack
        if adversary.ball is not None:
            multiplier[-1] = right.eta + d_eta  # which the formula above finds as a difference of large numbers
        if self.domain is not None and right.domain is not None:
            more = self.domain.complete(dx, right.domain, right.push[adversary.n_pairs :])
            slack, multiplier = np.concatenate((slack, more[0])), np.concatenate((multiplier, more[1]))
        return Step(dx, slack, multiplier, right.level + level, right)

    def ball_remainder(self, step: Step, a: float, b: float) -> tuple[Host, float] | None:
        """What a step of length a in u and b in eta leaves, beyond first order, in the residuals of u and of the ball.

        In the residual of a u_k no more than would move u_k by the share TRUSTED: log u_k falls without end as u_k nears zero, and a
        correction of that size sets off cycles of long steps that never reduce the residuals.
        """
        ball = self.adversary.ball
        if ball is None:
            return None
        du, d_eta = a * step.slack[: self.adversary.n_tasks], b * float(step.multiplier[self.adversary.last])
        moved = self.u + du
        linear = self.eta * (self.slope + ball.curvature(self.u) * du) + d_eta * self.slope
        value = ball.radius - self.ball_residual - self.v + float(self.slope @ du)
        limit = TRUSTED * self.u / self.d
        bend = linear - (self.eta + d_eta) * ball.gradient(moved)
        return np.minimum(np.maximum(bend, -limit), limit), value - ball.value(moved)
