"""Checks that a bound holds at every iterate; a broken twin is a call that must fail."""

from __future__ import annotations

import numpy as np

from minimax_opt.solvers import Accelerated, DescentAscent, MirrorProx, SoftmaxGD
from minimax_opt.theory.accelerated import accelerated_bound
from minimax_opt.theory.constants import constants_on_ball
from minimax_opt.theory.gradient_descent import gradient_descent_bound
from minimax_opt.theory.mirror import descent_ascent_bound, mirror_prox_bound, operator_constant
from minimax_opt.theory.smoothing import curvature
from minimax_opt.theory.trajectory import states

FAR = 1e6  # a ball that no iterate leaves, for families whose constants are finite over all of space


def first_order(tasks, x0, horizon, smoothing, accelerated=False, ball=FAR, stretch=1.0, sharp=True):
    """(iterates, constants) of gradient descent or the accelerated method with steps `stretch`/M."""
    found = constants_on_ball(tasks, x0, ball)
    given = {"diameter": found.diameter} if sharp else {"lipschitz": found.lipschitz}
    M = curvature(smoothness=found.smoothness, smoothing=smoothing, **given)
    own = {"continuation": False, "restart": False} if accelerated else {}
    if sharp or stretch != 1.0:
        solver = (Accelerated if accelerated else SoftmaxGD)(smoothing=smoothing, step_size=stretch / M, **own)
    else:  # the library's own rule
        limits = {"lipschitz": found.lipschitz, "smoothness": found.smoothness}
        solver = (Accelerated if accelerated else SoftmaxGD)(smoothing=smoothing, step_size="theory", **limits, **own)
    return within(ball, solver, tasks, x0, horizon), {"smoothness": found.smoothness, **given}


def within(ball, solver, tasks, x0, horizon, domain=None):
    """The path, whose every point at which losses or gradients were asked for lies where the constants are proven."""
    visited = []
    path = list(states(solver, tasks, x0, horizon, domain, visited))
    assert max(np.linalg.norm(x - x0) for x in visited) <= ball
    return path


def excess(path, fun):
    """F(x_t) - F(u) for t = 1, 2, ..., less what rounding may have added."""
    values = np.array([state.point.value for state in path[1:]])
    size = max(abs(path[0].point.losses).max(), abs(fun))
    return values - fun - 1e-12 * size  # thousands of units of rounding, far below every bound


def holds_for_gradient_descent(tasks, x0, u, fun, horizon, smoothing, factor=1.0, **keywords):
    """A4 at every iterate; `factor` scales the smooth part of the bound."""
    path, given = first_order(tasks, x0, horizon, smoothing, **keywords)
    radius, T = np.linalg.norm(x0 - u) * factor**0.5, np.arange(1, len(path))
    bound = gradient_descent_bound(horizon=T, smoothing=smoothing, radius=radius, n_tasks=tasks.n_tasks, **given)
    return bool((excess(path, fun) <= bound).all())


def holds_for_accelerated(tasks, x0, u, fun, horizon, smoothing, factor=1.0, **keywords):
    """A5 at every iterate."""
    path, given = first_order(tasks, x0, horizon, smoothing, accelerated=True, **keywords)
    radius, T = np.linalg.norm(x0 - u) * factor**0.5, np.arange(1, len(path))
    bound = accelerated_bound(horizon=T, smoothing=smoothing, radius=radius, n_tasks=tasks.n_tasks, **given)
    return bool((excess(path, fun) <= bound).all())


def holds_for_descent_ascent(tasks, x0, u, fun, horizon, steps, domain=None, factor=1.0, ball=FAR):
    """M1 (weights moved first) at every average; `factor` scales the bound."""
    found = constants_on_ball(tasks, x0, ball)
    solver = DescentAscent(step_size=steps[0], weights_step_size=steps[1], evaluate_every=1)
    path = within(ball, solver, tasks, x0, horizon, domain)
    bound = descent_ascent_bound(
        horizon=np.arange(1, len(path)),
        radius=np.linalg.norm(x0 - u),
        lipschitz=found.lipschitz,
        n_tasks=tasks.n_tasks,
        step_size=steps[0],
        weights_step_size=steps[1],
    )
    return bool((excess(path, fun) <= factor * bound).all())


def holds_for_mirror_prox(tasks, x0, u, fun, horizon, scale, adaptive, stretch=1.0, factor=1.0, ball=FAR):
    """M3 at every average."""
    found = constants_on_ball(tasks, x0, ball)
    step = stretch / operator_constant(smoothness=found.smoothness, diameter=found.diameter, scale=scale)
    solver = MirrorProx(step_size="backtracking" if adaptive else step, scale=scale, restart=False, evaluate_every=1)
    path = within(ball, solver, tasks, x0, horizon)
    total = np.array([s.average_x.total for s in path[1:]])
    bound = mirror_prox_bound(total_step=total, scale=scale, radius=np.linalg.norm(x0 - u), n_tasks=tasks.n_tasks)
    return bool((excess(path, fun) <= factor * bound).all())
