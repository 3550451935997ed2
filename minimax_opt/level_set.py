r"""Proven radii of level sets: R such that value(y) <= value(x) implies |y - x| < R.

Affine losses have no curvature; what keeps a minimiser near is that the worst case grows in every direction. Let w in W, h = y - x, J the
Jacobian at x, U = value(x) and F_v = <v, f> + r. For every v in W, convexity gives F_v(x) + <grad F_v(x), h> <= F_v(y) <= value(y) <= U.

*Trades* (simplex, CVaR). Let w + e_i and w - e_i lie in W, sigma = U - F_w(x), g = grad F_w(x). Both signs together give
|e_i'J h| <= sigma + |e_i'f(x)| + |g||h|, and where the losses are quadratic also h'Hh/2 <= sigma + |g||h|. With a trial R in place of |h| on
the right they confine h to an ellipsoid; if its longest half-axis is below R, then no point of the level set has |h| = R, and the level
set, being convex and containing h = 0, lies inside.

*Kinks* (a 1-norm, a domain). With an h, every F_v above is G_v = F_v + <s, y> - h*(s) for one s (:mod:`minimax_opt.minorant`), g is grad G_w(x), and
U, value(y) include h(x), h(y): nothing else changes. And s can be traded as well: where h* is linear for |d| <= room_i around s_i, with slope kink_i,
the minorants for s + room_i e_i and s - room_i e_i together give room_i |h_i| <= sigma + room_i |x_i - kink_i| + |g||h|.

For a ball of weights, and for weights at too many faces, see :mod:`minimax_opt.level_set_inside`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from minimax_opt.arrays import Host, to_host
from minimax_opt.level_set_growth import Growth
from minimax_opt.level_set_inside import radius_at_centre, radius_by_ball
from minimax_opt.minorant import nearest_minorant

NEGLIGIBLE = 1e-6  # trades that bind this much less than the strongest

if TYPE_CHECKING:
    from minimax_opt.ambiguity import AmbiguitySet
    from minimax_opt.problem import Point


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
    radius = _radius_by_trades(point, weights, scale)
    if not np.isfinite(radius) and point.problem.ambiguity.constraints(point.problem.n_tasks).binding_ball is not None:
        radius = radius_by_ball(point, weights, scale)
    return radius if np.isfinite(radius) else radius_at_centre(point, scale)


def _radius_by_trades(point: Point, weights: Host, scale: Host | float) -> float:
    problem = point.problem
    best = nearest_minorant(point, problem.space.asarray(weights))
    if best is None:
        return np.inf
    receiver, givers, amounts = trades(problem.ambiguity, weights)
    quadratic = problem.tasks.curvature == "quadratic" or (
        problem.tasks.curvature == "affine" and problem.regularizer is not None
    )
    growth = Growth.of(best, point, scale)
    by_span = problem.tasks.curvature == "affine" and problem.simple is None
    if not quadratic and not by_span and growth.count + len(givers) < problem.n_variables:
        return np.inf  # some direction is left: spare the Jacobian and the spectrum
    jacobian, losses = to_host(point.jacobian()), to_host(point.losses)
    offsets = np.abs(amounts * (losses[givers] - losses[receiver]))
    basis: Host | None = None
    if by_span and not quadratic and len(givers) < problem.n_variables:
        basis = _row_space(jacobian[weights > 0] / scale)
        if basis is None:
            return np.inf
    if quadratic:
        units = np.broadcast_to(scale, (problem.n_variables,))
        growth.hessian = point.hessian(problem.space.asarray(weights)) / np.outer(units, units)
    for few in _selections(amounts / (growth.sigma + offsets), problem.n_variables):
        rows = jacobian[givers[few]]  # the one copy of this size: it may be that of the data
        rows -= jacobian[receiver]
        rows /= scale
        rows *= amounts[few, None]
        radius = growth.with_rows(rows if basis is None else rows @ basis, offsets[few]).radius()
        if np.isfinite(radius):
            return radius
    return np.inf


def _selections(strength: Host, n_variables: int) -> list[Any]:
    """The trades that count, where these may do for themselves, and all of them."""
    strong = strength >= NEGLIGIBLE * np.max(strength, initial=0.0)
    count = int(np.count_nonzero(strong))
    return [strong, slice(None)] if n_variables <= count < len(strength) else [slice(None)]


def _row_space(jacobian: Host) -> Host | None:
    """An orthonormal basis, shape (n, rank), of the span of the gradients of the tasks that carry weight; None if it is not clear.

    Affine losses, hence <grad F_w(x), h> too, see h only through its projection on this span: it is the projection that must be bounded.
    The rank is that of the matrix with columns of unit length. It counts as clear if no singular value lies between rounding and 1e-10.
    """
    length = np.linalg.norm(jacobian, axis=0)
    used = length > 0
    _, singular, basis = np.linalg.svd(jacobian[:, used] / length[used], full_matrices=False)
    relative = singular / singular[0] if len(singular) else singular
    noise = 4 * np.finfo(float).eps * np.sqrt(max(jacobian.shape))
    if np.any((relative > noise) & (relative < 1e-10)):
        return None
    span = np.zeros((len(length), int(np.count_nonzero(relative > noise))))
    span[used] = (basis[relative > noise] * length[used]).T
    return np.asarray(np.linalg.qr(span)[0])


def trades(ambiguity: AmbiguitySet, weights: Host) -> tuple[int, Host, Host]:
    """Tasks that can trade weight both ways with one receiver: (receiver, givers, amounts), w +- amount (e_giver - e_receiver) in W."""
    n_tasks = len(weights)
    if ambiguity.constraints(n_tasks).binding_ball is not None:  # its boundary is curved: nothing can be traded both ways
        return 0, np.zeros(0, dtype=int), np.zeros(0)
    lower = ambiguity.floor * ambiguity.prior_weights(n_tasks)
    cap = ambiguity.constraints(n_tasks).cap
    upper = np.full(n_tasks, np.inf) if cap is None else lower + (1 - ambiguity.floor) * cap
    room = np.minimum(weights - lower, upper - weights)
    receiver = int(np.argmax(room))
    amounts = np.minimum(room, room[receiver]) / 2
    givers = np.flatnonzero(amounts > 0)
    givers = givers[givers != receiver]
    return receiver, givers, amounts[givers]
