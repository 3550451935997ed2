"""The four first-order methods with the steps of their theorems, each beside its bound: what several experiments run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt.arrays import Host, norm
from minimax_opt.solvers.accelerated import Accelerated
from minimax_opt.solvers.base import Solver
from minimax_opt.solvers.descent_ascent import DescentAscent
from minimax_opt.solvers.mirror_prox import MirrorProx
from minimax_opt.solvers.softmax_gd import SoftmaxGD
from minimax_opt.tasks import HuberTasks, LogisticTasks, Tasks
from minimax_opt.theory.accelerated import accelerated_bound, accelerated_smoothing
from minimax_opt.theory.constants import Constants
from minimax_opt.theory.gradient_descent import gradient_descent_bound, gradient_descent_smoothing
from minimax_opt.theory.mirror import (
    descent_ascent_bound,
    descent_ascent_steps,
    mirror_prox_bound,
    mirror_prox_scale,
    operator_constant,
)
from minimax_opt.theory.smoothing import curvature
from minimax_opt.theory.trajectory import states

METHODS = ("softmax-gd", "accelerated", "descent-ascent", "mirror-prox")
THEOREMS = {"softmax-gd": "A4", "accelerated": "A5", "descent-ascent": "M1'", "mirror-prox": "M3"}


@dataclass(frozen=True)
class Run:
    """A solver with the steps of its theorem for a horizon, and the bound after t = 1, 2, ... steps."""

    solver: Solver
    bound: Callable[[Any], Any]

    def values(self, tasks: Tasks, x0: Host, horizon: int) -> tuple[list[float], float]:
        """F(x_t) for t = 1 ... horizon, x_t what the theorem is about: the iterate, or the average; and the largest distance from x_0 of any
        point at which losses or gradients were asked for.
        """
        visited: list[Host] = []
        path = list(states(self.solver, tasks, x0, horizon, visited=visited))
        return [state.point.value for state in path[1:]], max(norm(x - x0) for x in visited)


def prepare(method: str, *, horizon: int, radius: float, n_tasks: int, constants: Constants, spread: float) -> Run:
    """`method` with the smoothing or steps that its theorem recommends for `horizon` steps; G and D the proven ones."""
    L, G, D = constants
    smooth: dict[str, Any] = {"smoothness": L, "lipschitz": G, "diameter": D}
    common: dict[str, Any] = {"radius": radius, "n_tasks": n_tasks}
    if method in ("softmax-gd", "accelerated"):
        fast = method == "accelerated"
        s = (accelerated_smoothing if fast else gradient_descent_smoothing)(horizon=horizon, lipschitz=G, diameter=D, **common)
        eta = 1.0 / curvature(smoothing=s, **smooth)
        bound = accelerated_bound if fast else gradient_descent_bound
        solver: Solver = SoftmaxGD(smoothing=s, step_size=eta)
        if fast:
            solver = Accelerated(smoothing=s, step_size=eta, continuation=False, restart=False)
        return Run(solver, lambda t: bound(horizon=t, smoothing=s, **common, **smooth))
    if method == "descent-ascent":
        steps = descent_ascent_steps(horizon=horizon, lipschitz=G, spread=spread, **common)
        solver = DescentAscent(step_size=steps.step_size, weights_step_size=steps.weights_step_size, evaluate_every=1)
        return Run(solver, lambda t: descent_ascent_bound(horizon=t, lipschitz=G, **common, **steps._asdict()))
    scale = mirror_prox_scale(**common)
    eta = 1.0 / operator_constant(smoothness=L, diameter=D, scale=scale)
    solver = MirrorProx(step_size=eta, scale=scale, restart=False, evaluate_every=1)
    return Run(solver, lambda t: mirror_prox_bound(total_step=eta * np.asarray(t), scale=scale, **common))


def diabetes() -> Tasks:
    """Huber losses on scikit-learn's diabetes data, standardised, with an intercept: 442 patients in four quarters of the body mass index."""
    try:
        from sklearn.datasets import load_diabetes
    except ImportError as error:
        raise ImportError("the real data need scikit-learn: pip install 'minimax_opt[data]'") from error
    bundle = load_diabetes()
    X, y = (bundle.data - bundle.data.mean(0)) / bundle.data.std(0), bundle.target
    quarter = np.searchsorted(np.quantile(X[:, 2], [0.25, 0.5, 0.75]), X[:, 2])
    return HuberTasks.from_groups(np.column_stack([X, np.ones(len(X))]), (y - y.mean()) / y.std(), quarter)


def logistic(seed: int) -> Tasks:
    """Six logistic tasks in 20 variables, 60 rows each, labels drawn from each task's own coefficients."""
    rng = np.random.default_rng(seed)
    A, centre = rng.standard_normal((6, 60, 20)) / 20**0.5, 2 * rng.standard_normal(20)
    own = centre + rng.standard_normal((6, 1, 20))
    labels = rng.random((6, 60)) < 1 / (1 + np.exp(-(A * own).sum(2)))
    return LogisticTasks(A, np.where(labels, 1.0, -1.0))


__all__ = ["METHODS", "THEOREMS", "Run", "diabetes", "logistic", "prepare"]
