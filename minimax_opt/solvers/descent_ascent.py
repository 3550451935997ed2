"""Descent in x, mirror ascent in the weights, averaged: group DRO."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from minimax_opt.arrays import Array
from minimax_opt.problem import Point, Problem
from minimax_opt.solvers import smoothing as sm
from minimax_opt.solvers.averaging import Average, DistanceOverGradients, draw, first_distance, refused_batches
from minimax_opt.solvers.base import Solver, State, Target
from minimax_opt.validation import integer, number


@dataclass
class DescentAscentState(State):
    """`point` and `weights` are the averages where they have just been evaluated, else the current pair (full batch)."""

    adversary: Any = None  # SmoothedWorstCase whose anchor is the current weights
    generator: Any = None
    here: Any = None  # x_t, evaluated (full batch)
    x: Array = None
    x0: Array = None
    average_x: Average = field(default_factory=Average)
    average_weights: Average = field(default_factory=Average)
    rule: Any = None  # DistanceOverGradients, or None for a fixed step
    spread_squares: float = 0.0  # sum of (max f - min f)^2
    iteration: int = 0


@dataclass
class DescentAscent(Solver):
    r"""Projected subgradient descent in x against mirror ascent in the weights, both averaged (group DRO).

    .. math:: w \leftarrow respond(f(x), 1/\eta_w, anchor=w), \qquad
              x \leftarrow prox_h\big(x - \eta_x (\textstyle\sum_k w_k \nabla f_k(x) + \nabla r(x)), \eta_x\big)

    The result is the average of the x, proven by the average of the w. Full batch: the weights move first. Mini-batch: x moves
    with the weights from before the batch, so that its gradient is unbiased.

    Parameters
    ----------
    step_size : float, "auto" or "theory"
        eta_x. "auto": distance over gradients (:class:`~minimax_opt.solvers.averaging.DistanceOverGradients`). "theory":
        R/(G sqrt(T)), which needs `horizon`, `lipschitz` and `radius`.
    weights_step_size : float, "auto" or "theory"
        eta_w, in 1/(unit of the losses). "auto": sqrt(2 D_W / sum_t M_t^2) with the ranges M_t = max f - min f seen so far and
        the divergence radius D_W of the set (ln K for the simplex). "theory": sqrt(8 D_W/T)/M, which needs `horizon`, `spread`.
    horizon : int, optional
        T, the number of iterations that the theory's steps are best for.
    lipschitz, radius, spread : float, optional
        G (for mini-batches: a bound on the root mean squared norm of the stochastic gradient), R = |x0 - x*|, and M, a bound on
        max f - min f over the run (for mini-batches: over the losses of all samples at one x).
    batch_size : int, optional
        Samples of each task in a step; None is the full batch. Mini-batches are not counted in nfev and njev.
    evaluate_every : int
        Iterations between evaluations of the average, each a full pass.
    geometry : {"auto", "entropic", "euclidean"}
        "auto" is entropic, or Euclidean where only that exists (chi-square).

    Notes
    -----
    Theory steps, full batch, simplex with a uniform prior, from uniform weights:
    F(mean of x_0..x_{T-1}) - F* <= G R/sqrt(T) + M sqrt(ln K/(2T)). Mini-batches, the losses of all samples at x_t in an interval of
    length M: the expectation is at most G R/sqrt(T) + M sqrt(ln K/(2T)) (1 + 1/sqrt(B)), B samples a task; no floor remains, however
    small the batches (proof in ``docs/theory/mini-batches.md``).

    References
    ----------
    Sagawa, Koh, Hashimoto and Liang, "Distributionally robust neural networks for group shifts", ICLR 2020. Nemirovski, Juditsky,
    Lan and Shapiro, "Robust stochastic approximation approach to stochastic programming", SIAM J. Optim. 19 (2009).

    Examples
    --------
    >>> import numpy as np
    >>> import minimax_opt as mo
    >>> tasks = mo.AffineTasks(np.array([[1.0], [-1.0]]), np.zeros(2))
    >>> res = mo.minimize_max(tasks, np.array([1.0]), method="descent-ascent", domain=mo.Box(-2.0, 2.0), atol=0.05)
    >>> res.success, abs(float(res.x[0])) <= 0.05
    (True, True)
    """

    name: ClassVar[str] = "descent-ascent"
    max_iter: ClassVar[int] = 10_000

    step_size: float | Literal["auto", "theory"] = "auto"
    weights_step_size: float | Literal["auto", "theory"] = "auto"
    horizon: int | None = None
    lipschitz: float | None = None
    radius: float | None = None
    spread: float | None = None
    batch_size: int | None = None
    evaluate_every: int = 10
    geometry: Literal["auto", "entropic", "euclidean"] = "auto"

    def __post_init__(self) -> None:
        sm.check_choice("step_size", self.step_size, ("auto", "theory"))
        sm.check_choice("weights_step_size", self.weights_step_size, ("auto", "theory"))
        sm.check_geometry(self.geometry)
        sm.Constants(self.lipschitz, None, self.radius).check(
            ("lipschitz", "radius") if self.step_size == "theory" else (), "step_size='theory'"
        )
        if self.spread is not None:
            number("spread", self.spread, 0.0, strict=True)
        elif self.weights_step_size == "theory":
            raise ValueError("`spread` must be given for weights_step_size='theory': a bound on max f - min f over the run.")
        for name in ("horizon", "batch_size", "evaluate_every"):
            if getattr(self, name) is not None:
                integer(name, getattr(self, name), 1)
        if self.horizon is None and "theory" in (self.step_size, self.weights_step_size):
            raise ValueError("`horizon` must be given for the theory's steps: the number of iterations they are best for.")

    def refuses(self, problem: Problem) -> str | None:
        """A geometry in which the set has no exact smoothed response; mini-batches of tasks that cannot draw them."""
        return sm.refused_geometry(problem.ambiguity, self.geometry) or refused_batches(problem, self.batch_size)

    def init(
        self,
        problem: Problem,
        point: Point,
        weights0: Array | None,
        target: Target,
        seed: int,
    ) -> DescentAscentState:
        """Both players at their start."""
        prior = problem.space.asarray(problem.ambiguity.prior_weights(problem.n_tasks))
        weights = prior if weights0 is None else weights0
        adversary = sm.SmoothedWorstCase(problem.ambiguity, sm.existing_geometry(problem.ambiguity, self.geometry), 1.0)
        adversary = adversary.anchored_at(weights, problem)
        state = DescentAscentState(
            point, prior, adversary=adversary, generator=np.random.default_rng(seed), here=point, x=point.x, x0=point.x
        )
        if self.step_size == "auto":
            state.rule = DistanceOverGradients(first_distance(sm.worst_gradient(point), sm.loss_scale(point)))
        return state

    def step(self, problem: Problem, state: DescentAscentState) -> DescentAscentState:
        """One move of each player."""
        full = self.batch_size is None
        point = state.here if self.batch_size is None else draw(problem, state.generator, self.batch_size, state.x)
        if not point.finite:
            return replace(state, point=point)
        state, moved = self._ascend(problem, state, point)
        weights = moved if full else self._mixed(problem, state.adversary.anchor)
        gradient, rule = point.gradient(weights), state.rule
        if rule is not None:
            rule = rule.see(gradient, state.x, state.x0)
        importance = 1.0 if rule is None else rule.distance
        averages = state.average_x.add(state.x, importance), state.average_weights.add(weights, importance)
        eta = self._step_size(rule)
        x = problem.prox(state.x - eta * gradient, eta)
        adversary = state.adversary.anchored_at(moved, problem)
        state = replace(state, adversary=adversary, x=x, average_x=averages[0], average_weights=averages[1], rule=rule)
        return self._show(problem, state)

    def _ascend(self, problem: Problem, state: DescentAscentState, point: Point) -> tuple[DescentAscentState, Array]:
        """The state with eta_w of this iteration, and the weights after the ascent."""
        spread = float(point.losses.max() - point.losses.min())
        state = replace(state, iteration=state.iteration + 1, spread_squares=state.spread_squares + spread**2)
        eta = self._weights_step_size(problem, state)
        if eta == 0.0:
            return state, self._mixed(problem, state.adversary.anchor)
        state = replace(state, adversary=replace(state.adversary, smoothing=1.0 / eta))
        return state, state.adversary.weights(point.losses)

    def _show(self, problem: Problem, state: DescentAscentState) -> DescentAscentState:
        """Evaluate what the loop shall see: the average every so often, else x_t (full batch) or what it saw before."""
        here = state.here
        if self.batch_size is None:
            here = problem.at(state.x)
        if state.iteration % self.evaluate_every == 0:
            return self._show_average(problem, replace(state, here=here))
        point = state.point if here is state.here else here
        return replace(state, here=here, point=point, weights=state.average_weights.mean, certify=False)

    def _show_average(self, problem: Problem, state: DescentAscentState) -> DescentAscentState:
        return replace(state, point=problem.at(state.average_x.mean), weights=state.average_weights.mean, certify=True)

    def finish(self, problem: Problem, state: DescentAscentState) -> DescentAscentState:
        """The average of all iterates, where the last steps are not in the one evaluated last."""
        stale = state.iteration % self.evaluate_every > 0 and state.point.finite
        return self._show_average(problem, state) if stale else state

    def _step_size(self, rule: DistanceOverGradients | None) -> float:
        if rule is not None:
            return rule.step_size
        if isinstance(self.step_size, str):
            assert self.radius is not None and self.lipschitz is not None and self.horizon is not None  # noqa: PT018
            return self.radius / (self.lipschitz * math.sqrt(self.horizon))
        return self.step_size

    def _weights_step_size(self, problem: Problem, state: DescentAscentState) -> float:
        if not isinstance(self.weights_step_size, str):
            return self.weights_step_size
        radius = problem.ambiguity.divergence_radius(problem.n_tasks, state.adversary.geometry)
        if self.weights_step_size == "theory":
            assert self.spread is not None and self.horizon is not None  # noqa: PT018
            return math.sqrt(8 * radius / self.horizon) / self.spread
        return math.sqrt(2 * radius / state.spread_squares) if state.spread_squares > 0 else 0.0

    def _mixed(self, problem: Problem, anchor: Array) -> Array:
        """The point of W whose part without the floor is `anchor`."""
        floor = problem.ambiguity.floor
        if floor == 0.0:
            return anchor
        return (1.0 - floor) * anchor + floor * problem.space.asarray(problem.ambiguity.prior_weights(problem.n_tasks))
