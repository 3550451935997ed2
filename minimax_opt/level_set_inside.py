r"""Proven radii of level sets where no weight can be traded at w itself: from weights further inside W. See :mod:`minimax_opt.level_set`.

*A ball of weights* (Kullback-Leibler, chi-square). Its boundary is curved: nothing can be traded both ways at w itself. So step inside,
v = (1 - theta) w + theta q, where slack = radius - D(v, q) > 0. With M = diag D''(v), every d with sum d = 0, <D'(v), d> = 0, d'Md <= rho^2 =
min(slack, min_k v_k^2 M_kk) has |d_k| <= v_k and D(v + d, q) <= D(v, q) + d'Md <= radius, for both divergences ((1+s) ln(1+s) - s <= s^2
on s >= -1). Maximising over d, with P the projector orthogonal to M^{-1/2} 1 and M^{-1/2} D'(v),

    rho |P M^{-1/2} J h| - |grad F_v(x)||h| <= U - F_v(x) + rho |P M^{-1/2} f(x)|,

which bounds |h| once rho times the smallest singular value of P M^{-1/2} J exceeds |grad F_v(x)|: rho is of order sqrt(theta), the gradient
of order theta.

*The centre* (every set). Where w itself lies on so many faces that too little can be traded (degenerate linear programs), any other v in W
with grad F_v(x) near 0 does: the inequality above asks for no more. Take the one nearest to the prior, v_k ~ q_k exp(<B_k, lambda>) with
lambda = argmin log sum_k q_k exp(<B_k, lambda>), where the rows of B are such that sum_k v_k B_k = grad F_v(x) (Csiszar's I-projection). It is
interior to the simplex. Without a ball, M = diag(1 / room_k^2) with room = min(v, cap - v), rho = 1 and P orthogonal to M^{-1/2} 1 only.
R then is of the size of the whole level set and more, but it multiplies a |grad F_w(x)| that is rounding.

*With an h* the same holds for G_v in place of F_v, and where s can be traded too, the inequality above and those of the kinks together confine h
to an ellipsoid, with a trial R in place of |h| on the right-hand sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minimax_opt.arrays import Array, Host, to_host
from minimax_opt.level_set_growth import Growth
from minimax_opt.minorant import nearest_minorant

if TYPE_CHECKING:
    from minimax_opt.problem import Point

CENTRE_MOST = 500  # variables; a step costs of the order of their cube
CENTRE_STEPS = 50  # about ten are needed; where no v in W has grad F_v(x) = 0, none suffice


def radius_by_ball(point: Point, weights: Host, scale: Host | float) -> float:
    """The smallest radius over a few steps inside, and over which tasks d may move."""
    problem = point.problem
    constraints = problem.ambiguity.constraints(problem.n_tasks)
    if constraints.ball is None or constraints.cap is not None:
        return np.inf
    floor, prior = constraints.floor, constraints.prior
    base = np.maximum((weights - floor * prior) / (1 - floor), 0.0)
    base = base / base.sum()
    found = np.inf
    for theta in (0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4):
        found = min(found, _radius_in_ball(point, (1 - theta) * base + theta * prior, scale))
    return found


def inner_weights(point: Point) -> list[Array]:
    """Points of W well inside it, in the problem's space: the prior, and the one nearest to it at which <w, f> + r is flat, if that is in W."""
    problem = point.problem
    prior, floor = problem.ambiguity.prior_weights(problem.n_tasks), problem.ambiguity.floor
    found = [prior]
    if problem.n_variables <= CENTRE_MOST:
        found.append((1 - floor) * _centre(point, 1.0) + floor * prior)
    return [problem.space.asarray(w) for w in found if problem.ambiguity.contains(w, 1e-12)]


def radius_at_centre(point: Point, scale: Host | float) -> float:
    """R from the weights nearest to the prior at which F_v is flat."""
    problem = point.problem
    constraints = problem.ambiguity.constraints(problem.n_tasks)
    if problem.n_tasks <= problem.n_variables if problem.simple is None else problem.n_variables > CENTRE_MOST:
        return np.inf
    inner = _centre(point, scale)
    if constraints.binding_ball is not None:
        return _radius_in_ball(point, inner, scale) if constraints.cap is None else np.inf
    room = inner if constraints.cap is None else np.minimum(inner, constraints.cap - inner)
    if room.min() < 0:
        return np.inf
    return _radius_inside(point, inner, room, np.ones((len(room), 1)), 1.0, scale)


def _centre(point: Point, scale: Host | float) -> Host:
    """The v of the module docstring, shape (K,), by damped Newton steps; positive with sum 1, whether or not they converge."""
    problem = point.problem
    constraints = problem.ambiguity.constraints(problem.n_tasks)
    floor, prior = constraints.floor, constraints.prior
    jacobian = to_host(point.jacobian())
    offset = to_host(point.gradient(problem.space.asarray(prior))) - prior @ jacobian  # the regulariser's
    rows = ((1 - floor) * jacobian + floor * (prior @ jacobian) + offset) / scale
    tilt, v, value = np.zeros(problem.n_variables), prior, 0.0
    for _ in range(CENTRE_STEPS):
        slope = v @ rows
        centred = rows - slope
        step = -np.linalg.lstsq((centred.T * v) @ centred + np.multiply.outer(slope, slope), slope, rcond=None)[0]
        for length in 0.5 ** np.arange(30):
            exponents = rows @ (tilt + length * step)
            top = float(exponents.max())
            terms = prior * np.exp(exponents - top)
            trial = top + float(np.log(terms.sum()))
            if trial < value:
                break
        else:
            return v  # to rounding
        tilt, v, value = tilt + length * step, terms / terms.sum(), trial
    return v


def _radius_in_ball(point: Point, inner: Host, scale: Host | float) -> float:
    """The smallest radius over which tasks d may move: those whose v_k^2 M_kk is at least a share of what limits rho."""
    ball = point.problem.ambiguity.constraints(point.problem.n_tasks).ball
    assert ball is not None  # narrows the type; the callers have checked
    slack = ball.radius - ball.value(inner)
    if slack <= 0:
        return np.inf
    metric = ball.curvature(inner)
    room = inner**2 * metric
    normals = np.column_stack([np.ones_like(inner), ball.gradient(inner)])
    found = np.inf
    for share in (1.0, 0.1, 0.01):
        moving = room >= share * min(slack, float(room.max()))
        rho = float(np.sqrt(min(slack, float(room[moving].min()))))
        found = min(found, _radius_inside(point, inner, np.where(moving, 1 / np.sqrt(metric), 0.0), normals, rho, scale))
    return found


def _radius_inside(point: Point, inner: Host, reach: Host, normals: Host, rho: float, scale: Host | float) -> float:
    """The bound of the module docstring for v = `inner`, M^{-1/2} = diag(reach), 0 for what d leaves alone, and d orthogonal to `normals`."""
    problem = point.problem
    moving = reach > 0
    reach, normals = reach[moving], normals[moving]
    free = len(reach) - normals.shape[1]
    if free < (problem.n_variables if problem.simple is None else 0):
        return np.inf
    basis = np.linalg.qr(reach[:, None] * normals)[0]

    def tangent(values: Host) -> Host:
        scaled = (values.T * reach).T
        return np.asarray(scaled - basis @ (basis.T @ scaled))

    constraints = problem.ambiguity.constraints(problem.n_tasks)
    rho *= 1 - constraints.floor
    mixed = problem.space.asarray((1 - constraints.floor) * inner + constraints.floor * constraints.prior)
    best = nearest_minorant(point, mixed)
    if best is None:
        return np.inf
    growth = Growth.of(best, point, scale)
    if growth.count + free < problem.n_variables:
        return np.inf  # some direction is left
    steepness = rho * tangent(to_host(point.jacobian())[moving] / scale)
    offset = rho * float(np.linalg.norm(tangent(to_host(point.losses)[moving])))
    if best.kinks is not None:
        growth.spread = (steepness, offset)
        return growth.radius()
    singular = np.linalg.svd(steepness, compute_uv=False)
    excess = singular[-1] - len(singular) * problem.eps * singular[0] - growth.slope
    return float((growth.sigma + offset) / excess) if excess > 0 else np.inf
