"""A check of hand-written derivatives against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from minimax_opt import checks
from minimax_opt.arrays import HOST, Array, Host, space_of, to_host
from minimax_opt.tasks.base import Tasks
from minimax_opt.tasks.numpy_function import NumPyTasks
from minimax_opt.tasks.torch_function import TorchTasks

DIRECTIONS = 3
SHORTER = np.array([1.0, 1e-1, 1e-2, 1e-3])  # step lengths to try: a wrong Jacobian disagrees at all of them


def check_jacobian(fun: Tasks | Callable[..., Any], x: Array, jac: Any = None, *, seed: int = 0) -> float:
    """The largest relative error of a Jacobian at `x`, by directional finite differences.

    Along random unit directions h, J h is compared with the Richardson extrapolation (4 D(s/2) - D(s)) / 3 of central differences
    D(s) = (f(x + s h) - f(x - s h)) / (2 s), whose error is O(s^4). Of four step lengths s the one that agrees best with
    the task's row counts. Takes 48 evaluations of the losses.

    Parameters
    ----------
    fun : Tasks or callable
        A family of tasks, or a function x -> losses.
    x : array, shape (n,)
        Where to look: best a random point, because errors hide at special ones.
    jac : callable or True, optional
        The Jacobian of a NumPy `fun`, as in :func:`minimax_opt.minimize_max`.
    seed : int
        Of the directions.

    Returns
    -------
    float
        max over tasks and directions of |J h - difference|, relative to the task's largest derivative along the directions. In
        float64, below 1e-6 for a right Jacobian of a smooth function, and above 1e-3 for a wrong one as a rule (in float32, below
        1e-2); in between, look for kinks near x. nan where losses or derivatives are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import check_jacobian
    >>> fun = lambda x: np.array([np.sin(x).sum(), x @ x])
    >>> check_jacobian(fun, np.array([0.3, 0.7]), lambda x: np.array([np.cos(x), 2 * x])) < 1e-6
    True
    >>> check_jacobian(fun, np.array([0.3, 0.7]), lambda x: np.array([np.cos(x), x])) > 0.1
    True
    """
    tasks = _as_tasks(fun, x, jac)
    space = tasks.space or space_of(x)
    home, eps = to_host(x), max(space.eps, HOST.eps)
    evaluation = tasks.at(space.asarray(home))
    losses, jacobian = to_host(evaluation.losses), to_host(evaluation.jacobian())
    scale = max(1.0, float(np.linalg.norm(home)))

    def central(direction: Host, step: float) -> Host:
        ahead, behind = space.asarray(home + step * direction), space.asarray(home - step * direction)
        return (to_host(tasks(ahead)) - to_host(tasks(behind))) / (2 * step)

    directions = np.random.default_rng(checks.integer("seed", seed, 0)).standard_normal((DIRECTIONS, len(home)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    # s = eps^(1/5) balances the truncation error s^4 with the rounding error eps / s where f varies over lengths of `scale`
    steps = eps**0.2 * scale * SHORTER
    numeric = np.array([[(4 * central(h, s / 2) - central(h, s)) / 3 for h in directions] for s in steps])
    analytic = directions @ jacobian.T
    largest = np.maximum(np.abs(numeric), np.abs(analytic)).max(1, keepdims=True)
    # derivatives so small beside the losses are rounding, and agree with anything
    negligible = eps ** (1 / 3) * np.abs(losses) / scale + np.finfo(float).tiny
    errors = np.abs(numeric - analytic) / np.maximum(largest, negligible)
    return float(errors.max(1).min(0).max())


def _as_tasks(fun: Tasks | Callable[..., Any], x: Array, jac: Any) -> Tasks:
    if isinstance(fun, Tasks):
        return fun
    return TorchTasks(fun) if isinstance(x, torch.Tensor) else NumPyTasks(fun, jac)
