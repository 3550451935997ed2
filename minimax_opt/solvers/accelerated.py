"""Nesterov's accelerated gradient on the smoothed worst case, with proximal continuation and restarts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from minimax_opt.arrays import Array, norm
from minimax_opt.problem import Point, Problem
from minimax_opt.result import Status
from minimax_opt.solvers import smoothing as sm
from minimax_opt.solvers.base import Solver, State, Target
from minimax_opt.validation import number


@dataclass
class Phase:
    """A run with one smoothing and one anchor."""

    gap: float = float("inf")  # V(f(x)) - <w, f(x)> at the end of the phase before
    residual: float = 0.0  # of the first step of this phase
    length: int = 0


@dataclass
class AcceleratedState(State):
    """x = `point`, y (where the gradient is taken) and z of the method, in Auslender and Teboulle's form.

    All three stay in the domain.
    """

    value: float = 0.0  # smoothed, at x
    smoothed: Any = None
    z: Array = None
    y: Any = None
    y_value: float = 0.0
    y_weights: Array = None
    t: float = 1.0  # 1/theta, the inverse of the momentum's weight
    curvature: float = 1.0
    phase: Phase = field(default_factory=Phase)
    least_smoothing: float = 0.0
    rounding: float = 0.0


@dataclass
class Accelerated(Solver):
    r"""Accelerated proximal gradient descent on :math:`V_s(f(x)) + r(x) + h(x)`, in phases that move the adversary's anchor.

    One iteration, with :math:`\theta = 1/t`, gradient g of the smoothed worst case at y, and curvature M:

    .. math:: y = (1 - \theta) x + \theta z, \quad z^+ = prox_h(z - g / (\theta M), 1 / (\theta M)), \quad
              x^+ = (1 - \theta) x + \theta z^+, \quad t^+ = (1 + \sqrt{1 + 4 t^2}) / 2.

    Without h (a domain, a 1-norm) this is Nesterov's method (x^+ = y - g/M). M is found by backtracking.

    *Continuation.* A phase ends when the gradient has fallen to `accuracy` times what it was at the phase's start. Then the
    anchor becomes the weights w at x, and the smoothing is divided by `factor` unless the complementarity gap V(f(x)) - <w, f(x)>
    fell fast by itself or the phase was long. This is the proximal point method on the dual problem max_{w in W} min_x <w, f(x)>
    (the exponential method of multipliers in the entropic geometry): the bias s D(w*, anchor) vanishes with the anchor's error,
    so s, and with it the conditioning, need not go to zero.

    *Restart.* The momentum is dropped where it points uphill (gradient test) and where the smoothed value would rise; only then
    may M fall again.

    With a fixed smoothing, ``continuation=False`` and ``restart=False`` it is Nesterov smoothing to the letter, with

    .. math:: F(x_T) - F^* \le 2 (L + G^2/s) R^2 / (T+1)^2 + s D_W

    for step_size="theory" (D_W = ln K for the simplex with a uniform prior).

    Parameters
    ----------
    smoothing : float or "auto"
        s at the start, in the unit of the losses; fixed without continuation. "auto": the range of the losses at x0 with
        continuation; without it, half of the gap asked for divided by D_W, but at least 1e-6 of that range.
    continuation : bool
        Whether to move the anchor and lower the smoothing.
    factor : float
        > 1; what continuation divides the smoothing by.
    accuracy : float
        In (0, 1); the relative fall of the gradient that ends a phase.
    restart : bool
        Whether to drop the momentum where it hurts.
    step_size : float, "backtracking" or "theory"
        1/M; "theory" is 1/(L + G^2/s) and needs `lipschitz` and `smoothness`.
    lipschitz, smoothness : float, optional
        G and L, over the points that are visited.
    geometry : {"auto", "entropic", "euclidean"}
        "auto" is entropic, or Euclidean where only that exists (chi-square).

    References
    ----------
    Nesterov, "Smooth minimization of non-smooth functions", Math. Programming 103 (2005). Auslender and Teboulle, SIAM J. Optim.
    16 (2006). O'Donoghue and Candes, Found. Comput. Math. 15 (2015), for the restarts. Tseng and Bertsekas, Math. Programming
    60 (1993), for the exponential method of multipliers.

    Examples
    --------
    >>> import numpy as np
    >>> import minimax_opt as mo
    >>> tasks = mo.QuadraticTasks(np.stack([np.eye(2)] * 2), np.array([[-1.0, 0.0], [1.0, 0.0]]), np.array([0.5, 0.5]))
    >>> res = mo.minimize_max(tasks, np.array([1.0, 1.0]), method="accelerated")
    >>> res.success, np.round(res.x, 3) + 0.0
    (True, array([0., 0.]))
    """

    name: ClassVar[str] = "accelerated"
    max_iter: ClassVar[int] = 10_000

    smoothing: float | Literal["auto"] = "auto"
    continuation: bool = True
    factor: float = 2.0
    accuracy: float = 0.1
    restart: bool = True
    step_size: float | Literal["backtracking", "theory"] = "backtracking"
    lipschitz: float | None = None
    smoothness: float | None = None
    geometry: Literal["auto", "entropic", "euclidean"] = "auto"

    FAST: ClassVar[float] = 0.2  # a gap that falls by this factor in a phase needs no smaller smoothing
    LONG: ClassVar[int] = 60  # a phase of this many iterations is ill-conditioned enough,
    SLOW: ClassVar[float] = 0.6  # unless the gap hardly falls

    def __post_init__(self) -> None:
        sm.check_choice("smoothing", self.smoothing, ("auto",))
        sm.check_choice("step_size", self.step_size, ("backtracking", "theory"))
        sm.check_geometry(self.geometry)
        number("factor", self.factor, 1.0, strict=True)
        if number("accuracy", self.accuracy, 0.0, strict=True) >= 1:
            raise ValueError(f"`accuracy` must be in (0, 1), got {self.accuracy!r}.")
        if self.continuation and not isinstance(self.step_size, str):
            raise ValueError(
                "`step_size` must be 'backtracking' or 'theory' with `continuation=True`, which changes the curvature, "
                f"got {self.step_size!r}."
            )
        needed = ("lipschitz", "smoothness") if self.step_size == "theory" else ()
        self.constants.check(needed, "step_size='theory'")

    @property
    def constants(self) -> sm.Constants:
        """G and L as given."""
        return sm.Constants(self.lipschitz, self.smoothness)

    def refuses(self, problem: Problem) -> str | None:
        """Losses with kinks; a geometry in which the set has no exact smoothed response."""
        return sm.refused_kinks(problem) or sm.refused_geometry(problem.ambiguity, self.geometry)

    def init(
        self,
        problem: Problem,
        point: Point,
        weights0: Array | None,
        target: Target,
        seed: int,
    ) -> AcceleratedState:
        """The first phase, at x0."""
        geometry, scale = sm.existing_geometry(problem.ambiguity, self.geometry), sm.loss_scale(point)
        radius = problem.ambiguity.divergence_radius(problem.n_tasks, geometry)
        least = target.gap(point.value) / (2 * radius) if radius > 0 else scale
        start = self.smoothing if self.smoothing != "auto" else scale if self.continuation else max(least, 1e-6 * scale)
        smoothed = sm.SmoothedWorstCase(problem.ambiguity, geometry, float(start))
        if weights0 is not None and self.continuation:
            smoothed = smoothed.anchored_at(weights0, problem)
        state = AcceleratedState(point, smoothed.weights(point.losses), smoothed=smoothed, rounding=sm.rounding_level(point))
        state.value = smoothed.value(point)
        state.least_smoothing = max(1e-3 * least, problem.space.eps * scale)
        state.curvature = self._fixed_curvature(problem, smoothed) or sm.first_curvature(sm.worst_gradient(point), scale)
        return _begin(state)

    def step(self, problem: Problem, state: AcceleratedState) -> AcceleratedState:
        """One gradient step with momentum."""
        trial = self._advance(problem, state)
        if trial is None:
            return replace(state, certify=False, status=Status.STALLED)
        if not trial.point.finite:
            return replace(state, point=trial.point)
        state = replace(state, curvature=trial.curvature, certify=False)
        if self.restart and state.t > 1.0 and trial.value > state.value + state.rounding:
            return self._restarted(state)
        step = state.y.x - trial.point.x  # 1/M times a gradient of the smoothed value, h included
        residual = trial.curvature * norm(step)
        uphill = self.restart and float(step @ (trial.point.x - state.point.x)) > 0
        phase = replace(state.phase, length=state.phase.length + 1, residual=state.phase.residual or residual)
        state = replace(state, point=trial.point, value=trial.value, z=trial.extra, phase=phase)
        solved = residual**2 <= 1e-3 * state.rounding * trial.curvature  # a step lowers the value by less than its rounding
        if self.continuation and phase.length > 1 and (solved or residual <= self.accuracy * phase.residual):
            return self._next_phase(problem, state, solved)
        return self._restarted(state) if uphill else _extrapolate(problem, state)

    def _advance(self, problem: Problem, state: AcceleratedState) -> sm.Trial | None:
        gradient, theta = state.y.gradient(state.y_weights), 1.0 / state.t

        def propose(curvature: float) -> tuple[Array, Array]:
            z = problem.prox(state.z - gradient / (theta * curvature), 1.0 / (theta * curvature))
            return (z if theta == 1.0 else (1.0 - theta) * state.point.x + theta * z), z

        if self.step_size == "backtracking":
            return sm.line_search(state.smoothed, propose, state.y, state.y_value, gradient, state.curvature, state.rounding)
        x, z = propose(state.curvature)
        point = problem.at(x)
        return sm.Trial(point, state.smoothed.value(point), state.curvature, z)

    def _fixed_curvature(self, problem: Problem, smoothed: sm.SmoothedWorstCase) -> float | None:
        if self.step_size == "backtracking":
            return None
        if self.step_size == "theory":
            return self.constants.curvature(smoothed.smoothing, smoothed.geometry, problem.n_tasks)
        return 1.0 / float(self.step_size)

    def _restarted(self, state: AcceleratedState) -> AcceleratedState:
        shrink = 0.5 if self.step_size == "backtracking" else 1.0
        return _begin(replace(state, curvature=state.curvature * shrink))

    def _next_phase(self, problem: Problem, state: AcceleratedState, solved: bool) -> AcceleratedState:
        """Move the anchor to the weights at x, and lower the smoothing unless the gap fell enough by itself."""
        point, smoothed, phase = state.point, state.smoothed, state.phase
        weights = smoothed.weights(point.losses)
        gap = point.value - point.weighted_value(weights)
        fell = gap < (self.SLOW if phase.length > self.LONG else self.FAST) * phase.gap
        least = smoothed.smoothing <= state.least_smoothing
        status = Status.STALLED if solved and least and not fell else None
        factor = 1.0 if fell or least else self.factor
        smoothed = replace(smoothed.anchored_at(weights, problem), smoothing=smoothed.smoothing / factor)
        curvature = self._fixed_curvature(problem, smoothed) or state.curvature * factor / 2
        value = smoothed.value(point)
        state = replace(state, smoothed=smoothed, value=value, curvature=curvature, phase=Phase(gap), weights=weights)
        return _begin(replace(state, certify=True, status=status), keep=True)


def _begin(state: AcceleratedState, keep: bool = False) -> AcceleratedState:
    """No momentum: y = z = x. `keep` leaves the adversary that is shown as it is."""
    point = state.point
    weights = state.smoothed.weights(point.losses)
    shown = state.weights if keep else weights
    return replace(state, z=point.x, y=point, y_value=state.value, y_weights=weights, weights=shown, t=1.0)


def _extrapolate(problem: Problem, state: AcceleratedState) -> AcceleratedState:
    t = (1.0 + math.sqrt(1.0 + 4.0 * state.t**2)) / 2.0
    y = problem.at((1.0 - 1.0 / t) * state.point.x + (1.0 / t) * state.z)
    if not y.finite:
        return replace(state, point=y)
    weights = state.smoothed.weights(y.losses)
    return replace(state, y=y, y_value=state.smoothed.value(y), y_weights=weights, weights=weights, t=t)
