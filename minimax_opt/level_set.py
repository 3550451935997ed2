r"""Proven radii of level sets: R such that value(y) <= value(x) implies |y - x| < R.

Affine losses have no curvature; what keeps a minimiser near is that the worst case grows in every direction. Let w in W, h = y - x, J the
Jacobian at x, U = value(x) and F_v = <v, f> + r. For every v in W, convexity gives F_v(x) + <grad F_v(x), h> <= F_v(y) <= value(y) <= U.

*Trades* (simplex, CVaR). Let w + e_i and w - e_i lie in W, sigma = U - F_w(x), g = grad F_w(x). Both signs together give
|e_i'J h| <= sigma + |e_i'f(x)| + |g||h|, and where the losses are quadratic also h'Hh/2 <= sigma + |g||h|. With a trial R in place of |h| on
the right they confine h to an ellipsoid; if its longest half-axis is below R, then no point of the level set has |h| = R, and the level
set, being convex and containing h = 0, lies inside.

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
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from minimax_opt.arrays import Array, Host, norm, to_host
from minimax_opt.minorant import nearest_minorant

if TYPE_CHECKING:
    from minimax_opt.ambiguity import AmbiguitySet
    from minimax_opt.problem import Point

EPS = float(np.finfo(float).eps)
CENTRE_STEPS = 50  # about ten are needed; where no v in W has grad F_v(x) = 0, none suffice


def level_set_radius(point: Point, weights: Host, scale: Host | float = 1.0) -> float:
    """R such that value(y) <= value(x) implies |scale (y - x)| < R, for convex tasks with a Jacobian; inf where none is proven.

    Parameters
    ----------
    point : Point
        x, evaluated.
    weights : ndarray, shape (K,)
        A point of W, best the adversary's at the solution.
    scale : ndarray, shape (n,), or float
        Units of the variables, > 0.
    """
    if point.problem.ambiguity.constraints(point.problem.n_tasks).binding_ball is None:
        radius = _radius_by_trades(point, weights, scale)
    else:
        radius = _radius_by_ball(point, weights, scale)
    return radius if np.isfinite(radius) else _radius_at_centre(point, scale)


def _radius_by_trades(point: Point, weights: Host, scale: Host | float) -> float:
    problem = point.problem
    receiver, givers, amounts = trades(problem.ambiguity, weights)
    quadratic = problem.tasks.curvature == "quadratic" or (
        problem.tasks.curvature == "affine" and problem.regularizer is not None
    )
    jacobian, losses = to_host(point.jacobian()) / scale, to_host(point.losses)
    if problem.tasks.curvature == "affine" and not quadratic and problem.simple is None and len(givers) < problem.n_variables:
        basis = _row_space(jacobian[weights > 0])
        if basis is None:
            return np.inf
        jacobian = jacobian @ basis
    rows = amounts[:, None] * (jacobian[givers] - jacobian[receiver])
    offsets = np.abs(amounts * (losses[givers] - losses[receiver]))
    best = nearest_minorant(point, problem.space.asarray(weights))
    if best is None:
        return np.inf
    slope = norm(best.gradient / scale) + norm(best.rounding / scale)
    sigma = max(point.value - best.value, 0.0) + _rounding(losses)
    if best.kinks is not None:
        kink, room = best.kinks
        held = np.flatnonzero(room > 0)
        rows = np.vstack([rows, np.diag(room / scale)[held]])
        offsets = np.append(offsets, (room * np.abs(to_host(point.x) - kink))[held])
    hessian = None
    if quadratic:
        units = np.broadcast_to(scale, (problem.n_variables,))
        hessian = point.hessian(problem.space.asarray(weights)) / np.outer(units, units)

    def longest(radius: float) -> float:
        """The largest |h| that the inequalities allow among |h| <= radius."""
        limits = sigma + offsets + slope * radius
        scaled = rows / limits[:, None]
        gram = scaled.T @ scaled / max(len(limits), 1)
        if hessian is not None:
            gram += hessian / (2 * (sigma + slope * radius))
        return _longest_axis(gram, 1 + (hessian is not None))

    radius = 2 * longest(0.0)
    return radius if np.isfinite(radius) and longest(radius) < radius else np.inf


def _row_space(jacobian: Host) -> Host | None:
    """An orthonormal basis, shape (n, rank), of the span of the gradients of the tasks that carry weight; None if it is not clear.

    Affine losses, hence <grad F_w(x), h> too, see h only through its projection on this span: it is the projection that must be bounded.
    The rank is that of the matrix with columns of unit length. It counts as clear if no singular value lies between rounding and 1e-10.
    """
    length = np.linalg.norm(jacobian, axis=0)
    used = length > 0
    _, singular, basis = np.linalg.svd(jacobian[:, used] / length[used], full_matrices=False)
    relative = singular / singular[0] if len(singular) else singular
    noise = 4 * EPS * np.sqrt(max(jacobian.shape))
    if np.any((relative > noise) & (relative < 1e-10)):
        return None
    span = np.zeros((len(length), int(np.count_nonzero(relative > noise))))
    span[used] = (basis[relative > noise] * length[used]).T
    return np.asarray(np.linalg.qr(span)[0])


def _rounding(losses: Host) -> float:
    return 4 * EPS * float(np.abs(losses).max()) + 1e-140  # where all is zero: its inverse can be squared


def _longest_axis(matrix: Host, level: float) -> float:
    """Max |h| over h'matrix h <= level, rounded up; inf for a singular matrix."""
    if not len(matrix):
        return 0.0
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    rounding = len(matrix) * EPS * float(np.trace(matrix))
    return float(np.sqrt(level / (smallest - rounding))) if smallest > rounding else np.inf


def trades(ambiguity: AmbiguitySet, weights: Host) -> tuple[int, Host, Host]:
    """Tasks that can trade weight both ways with one receiver: (receiver, givers, amounts), w +- amount (e_giver - e_receiver) in W."""
    n_tasks = len(weights)
    lower = ambiguity.floor * ambiguity.prior_weights(n_tasks)
    cap = ambiguity.constraints(n_tasks).cap
    upper = np.full(n_tasks, np.inf) if cap is None else lower + (1 - ambiguity.floor) * cap
    room = np.minimum(weights - lower, upper - weights)
    receiver = int(np.argmax(room))
    amounts = np.minimum(room, room[receiver]) / 2
    givers = np.flatnonzero(amounts > 0)
    givers = givers[givers != receiver]
    return receiver, givers, amounts[givers]


def _radius_by_ball(point: Point, weights: Host, scale: Host | float) -> float:
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
    prior, flat = problem.ambiguity.prior_weights(problem.n_tasks), _centre(point, 1.0)
    floor = problem.ambiguity.floor
    mixed = (1 - floor) * flat + floor * prior
    return [problem.space.asarray(w) for w in (mixed, prior) if problem.ambiguity.contains(w, 1e-12)]


def _radius_at_centre(point: Point, scale: Host | float) -> float:
    constraints = point.problem.ambiguity.constraints(point.problem.n_tasks)
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
    if len(reach) < problem.n_variables + normals.shape[1]:
        return np.inf
    basis = np.linalg.qr(reach[:, None] * normals)[0]

    def tangent(values: Host) -> Host:
        scaled = (values.T * reach).T
        return np.asarray(scaled - basis @ (basis.T @ scaled))

    constraints = problem.ambiguity.constraints(problem.n_tasks)
    rho *= 1 - constraints.floor
    mixed = problem.space.asarray((1 - constraints.floor) * inner + constraints.floor * constraints.prior)
    losses = to_host(point.losses)
    singular = np.linalg.svd(tangent(to_host(point.jacobian())[moving] / scale), compute_uv=False)
    best = nearest_minorant(point, mixed)
    if best is None:
        return np.inf
    growth = rho * (singular[-1] - len(singular) * EPS * singular[0]) - norm(best.gradient / scale) - norm(best.rounding / scale)
    sigma = max(point.value - best.value, 0.0) + _rounding(losses)
    return float((sigma + rho * np.linalg.norm(tangent(losses[moving]))) / growth) if growth > 0 else np.inf
