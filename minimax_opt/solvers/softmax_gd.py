"""Softmax-weighted gradient descent: gradient descent on the smoothed worst case, full batch or mini-batch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from minimax_opt.arrays import Array
from minimax_opt.problem import Point, Problem
from minimax_opt.result import Status
from minimax_opt.solvers import smoothing as sm
from minimax_opt.solvers.averaging import Average, DistanceOverGradients, draw, first_distance, refused_batches
from minimax_opt.solvers.base import Solver, State, Target
from minimax_opt.validation import integer


@dataclass
class SoftmaxGDState(State):
    """`point` is x_t for full batches, the evaluated average for mini-batches."""

    smoothed: Any = None
    value: float = 0.0  # smoothed, at `point`
    curvature: float = 1.0  # 1 / step size
    rounding: float = 0.0
    target: Any = None
    scale: float = 1.0  # of the losses at x0
    # mini-batches only
    generator: Any = None
    x: Array = None
    x0: Array = None
    batch_losses: Array = None  # of the batch before
    average: Average = field(default_factory=Average)
    rule: Any = None  # DistanceOverGradients, or None for a fixed step
    iteration: int = 0


@dataclass
class SoftmaxGD(Solver):
    r"""Softmax-weighted gradient descent.

    .. math:: w = respond(f(x), s), \qquad
              x \leftarrow prox_h\big(x - \eta (\textstyle\sum_k w_k \nabla f_k(x) + \nabla r(x)), \eta\big)

    with the softmax w_k proportional to q_k exp(f_k(x)/s) on the simplex: gradient descent on the smoothed worst case. This is
    the natural reading of the name of Algorithm 1 of Wang et al. (NeurIPS 2023), whose full text was not available to us: step
    rule, smoothing and batch handling are options here. It is the plainest method, not the fastest: see :class:`Accelerated`.

    Parameters
    ----------
    smoothing : float, "auto" or "theory"
        s = 1/lambda, in the unit of the losses. The smoothed value is at most s D_W below the worst case, where D_W is the
        divergence radius of the ambiguity set (ln K for the simplex). "auto": half of the gap asked for divided by D_W, but at
        least 5e-4 of the worst case divided by D_W, below which the steps would be too short to arrive; full batches follow the
        worst case down, so that s is the one of the value reached. "theory": G R / sqrt(2 T D_W) (the best for T steps), which
        needs `horizon`, `lipschitz` and `radius`.
    step_size : float, "auto", "backtracking" or "theory"
        eta. "backtracking" (full batch): the longest step that passes the Armijo test, tried at twice the last one. "theory":
        1/(L + G^2/s), which needs `lipschitz` and `smoothness`. "auto": backtracking; for mini-batches, distance over
        gradients (:class:`~minimax_opt.solvers.averaging.DistanceOverGradients`).
    horizon : int, optional
        T, the number of steps that smoothing="theory" is best for.
    lipschitz, smoothness, radius : float, optional
        G, L and R = |x0 - x*|, over the points that are visited.
    batch_size : int, optional
        Samples of each task in a step; None is the full batch. The seed of ``minimize_max`` governs the draws. x is then the
        average of the iterates, evaluated on all data every `evaluate_every` iterations, at the cost of one full pass: only those
        passes are counted in nfev and njev.
    batch_weights : {"same", "delayed"}
        Weights from this batch's losses, an unbiased gradient of F^B_s, the expected smoothed worst case of a batch, which lies above
        that of all data by at most nu^2/(2 B s) (see Notes); or from those of the batch before.
    evaluate_every : int
        For mini-batches.
    geometry : {"auto", "entropic", "euclidean"}
        "auto" is entropic, or Euclidean where only that exists (chi-square).

    Notes
    -----
    Full batch, theory step, convex L-smooth G-Lipschitz losses, at every T: F(x_T) - F* <= (L + G^2/s) R^2/(2T) + s D_W.
    Mini-batches, weights from the same batch, a fixed step eta, convex G-Lipschitz losses of samples: E F(mean of x_0..x_{T-1}) - F* <=
    R^2/(2 eta T) + eta G^2/2 + s D_W + nu^2/(2 B s), where nu^2 is not the variance of a sample's loss but its sub-Gaussian proxy (for
    losses in an interval a quarter of its squared length). With the theory's step, eta G^2/2 <= s/2. The proofs, and steps for a given
    horizon, are in ``docs/theory/mini-batches.md``.
    Without a certificate on the smoothed problem's own optimum, the solve ends as stalled once no step lowers it beyond rounding.

    References
    ----------
    Wang, Chen, Xie, Fang and Lin, "Task-Robust Pre-Training for Worst-Case Downstream Adaptation", NeurIPS 2023.

    Examples
    --------
    >>> import numpy as np
    >>> import minimax_opt as mo
    >>> tasks = mo.QuadraticTasks(np.stack([np.eye(2)] * 2), np.array([[-1.0, 0.0], [1.0, 0.0]]), np.array([0.5, 0.5]))
    >>> res = mo.minimize_max(tasks, np.array([1.0, 1.0]), method="softmax-gd", tol=1e-3)
    >>> res.success
    True
    """

    name: ClassVar[str] = "softmax-gd"
    max_iter: ClassVar[int] = 10_000

    smoothing: float | Literal["auto", "theory"] = "auto"
    step_size: float | Literal["auto", "backtracking", "theory"] = "auto"
    horizon: int | None = None
    lipschitz: float | None = None
    smoothness: float | None = None
    radius: float | None = None
    batch_size: int | None = None
    batch_weights: Literal["same", "delayed"] = "same"
    evaluate_every: int = 50
    geometry: Literal["auto", "entropic", "euclidean"] = "auto"

    def __post_init__(self) -> None:
        sm.check_choice("smoothing", self.smoothing, ("auto", "theory"))
        sm.check_choice("step_size", self.step_size, ("auto", "backtracking", "theory"))
        sm.check_geometry(self.geometry)
        self.constants.check(("lipschitz", "radius") if self.smoothing == "theory" else (), "smoothing='theory'")
        self.constants.check(("lipschitz", "smoothness") if self.step_size == "theory" else (), "step_size='theory'")
        for name in ("horizon", "batch_size", "evaluate_every"):
            if getattr(self, name) is not None:
                integer(name, getattr(self, name), 1)
        if self.smoothing == "theory" and self.horizon is None:
            raise ValueError("`horizon` must be given for smoothing='theory': the number of steps it is best for.")
        if self.batch_weights not in ("same", "delayed"):
            raise ValueError(f"`batch_weights` must be 'same' or 'delayed', got {self.batch_weights!r}.")
        if self.batch_size is not None and self.step_size == "backtracking":
            raise ValueError(
                "`step_size` must be a number, 'auto' or 'theory' with mini-batches, which a line search cannot compare."
            )

    @property
    def constants(self) -> sm.Constants:
        """G, L and R as given."""
        return sm.Constants(self.lipschitz, self.smoothness, self.radius)

    def refuses(self, problem: Problem) -> str | None:
        """Losses with kinks; a geometry in which the set has no exact smoothed response; mini-batches of tasks that cannot draw them."""
        return (
            sm.refused_kinks(problem)
            or sm.refused_geometry(problem.ambiguity, self.geometry)
            or refused_batches(problem, self.batch_size)
        )

    def init(
        self,
        problem: Problem,
        point: Point,
        weights0: Array | None,
        target: Target,
        seed: int,
    ) -> SoftmaxGDState:
        """The smoothing and the first step size, at x0."""
        geometry, scale = sm.existing_geometry(problem.ambiguity, self.geometry), sm.loss_scale(point)
        smoothed = sm.SmoothedWorstCase(
            problem.ambiguity, geometry, self._smoothing(problem, geometry, target, point.value, scale)
        )
        weights = smoothed.weights(point.losses)
        gradient = sm.worst_gradient(point)
        state = SoftmaxGDState(point, weights, smoothed=smoothed, value=smoothed.value(point), rounding=sm.rounding_level(point))
        state.target, state.scale = target, scale
        if self.step_size == "theory":
            state.curvature = self.constants.curvature(smoothed.smoothing, geometry, problem.n_tasks)
        elif isinstance(self.step_size, str):
            state.curvature = sm.first_curvature(gradient, scale)
        else:
            state.curvature = 1.0 / self.step_size
        if self.batch_size is not None:
            state.generator, state.x, state.x0, state.batch_losses = np.random.default_rng(seed), point.x, point.x, point.losses
            state.rule = DistanceOverGradients(first_distance(gradient, scale)) if self.step_size == "auto" else None
        return state

    def _smoothing(self, problem: Problem, geometry: Any, target: Target, value: float, scale: float) -> float:
        """s; any value will do where W is a single point."""
        if not isinstance(self.smoothing, str):
            return float(self.smoothing)
        radius = problem.ambiguity.divergence_radius(problem.n_tasks, geometry)
        if radius == 0.0:
            return scale
        if self.smoothing == "theory":
            assert self.lipschitz is not None and self.radius is not None and self.horizon is not None  # noqa: PT018
            return self.lipschitz * self.radius / math.sqrt(2 * self.horizon * radius)
        return max(target.gap(value) / 2, 5e-4 * abs(value), 1e-6 * scale) / radius

    def step(self, problem: Problem, state: SoftmaxGDState) -> SoftmaxGDState:
        """One gradient step, on all data or on a mini-batch."""
        return self._full_step(problem, state) if self.batch_size is None else self._batch_step(problem, state)

    def _full_step(self, problem: Problem, state: SoftmaxGDState) -> SoftmaxGDState:
        x, gradient = state.point.x, state.point.gradient(state.weights)

        def propose(curvature: float) -> tuple[Array, None]:
            return problem.prox(x - gradient / curvature, 1.0 / curvature), None

        trial: sm.Trial | None
        if self.step_size in ("auto", "backtracking"):
            trial = sm.line_search(
                state.smoothed, propose, state.point, state.value, gradient, state.curvature / 2, state.rounding
            )
        else:
            point = problem.at(propose(state.curvature)[0])
            trial = sm.Trial(point, state.smoothed.value(point), state.curvature, None)
        if trial is None:
            return replace(state, status=Status.STALLED)
        if not trial.point.finite:
            return replace(state, point=trial.point)
        step = trial.point.x - x
        still = trial.curvature * float(step @ step) <= 1e-4 * state.rounding
        weights = state.smoothed.weights(trial.point.losses)
        status = Status.STALLED if still else None
        state = replace(state, point=trial.point, weights=weights, value=trial.value, curvature=trial.curvature, status=status)
        return self._follow(problem, state) if self.smoothing == "auto" else state

    def _follow(self, problem: Problem, state: SoftmaxGDState) -> SoftmaxGDState:
        """Lower the automatic smoothing once the value has fallen so far that it asks for less than half of it."""
        smoothing = self._smoothing(problem, state.smoothed.geometry, state.target, state.point.value, state.scale)
        if smoothing > state.smoothed.smoothing / 2:
            return state
        smoothed = replace(state.smoothed, smoothing=smoothing)
        weights = smoothed.weights(state.point.losses)
        return replace(state, smoothed=smoothed, value=smoothed.value(state.point), weights=weights, status=None)

    def _batch_step(self, problem: Problem, state: SoftmaxGDState) -> SoftmaxGDState:
        assert self.batch_size is not None
        batch = draw(problem, state.generator, self.batch_size, state.x)
        if not batch.finite:
            return replace(state, point=batch)
        weights = state.smoothed.weights(batch.losses if self.batch_weights == "same" else state.batch_losses)
        gradient, rule, average_weight = batch.gradient(weights), state.rule, 1.0
        if rule is not None:
            rule = rule.see(gradient, state.x, state.x0)
            average_weight = rule.distance
        eta = 1.0 / state.curvature if rule is None else rule.step_size
        x = problem.prox(state.x - eta * gradient, eta)
        iteration, average = state.iteration + 1, state.average.add(state.x, average_weight)
        state = replace(state, x=x, batch_losses=batch.losses, average=average, rule=rule, iteration=iteration, certify=False)
        return state if iteration % self.evaluate_every else self._show_average(problem, state)

    def _show_average(self, problem: Problem, state: SoftmaxGDState) -> SoftmaxGDState:
        point = problem.at(state.average.mean)
        if not point.finite:
            return replace(state, point=point)
        return replace(state, point=point, weights=state.smoothed.weights(point.losses), certify=True)

    def finish(self, problem: Problem, state: SoftmaxGDState) -> SoftmaxGDState:
        """With mini-batches: the average of all iterates, where the last steps are not in the one evaluated last."""
        stale = self.batch_size is not None and state.iteration % self.evaluate_every > 0 and state.point.finite
        return self._show_average(problem, state) if stale else state
