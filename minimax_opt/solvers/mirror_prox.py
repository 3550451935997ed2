"""Mirror-prox (the extragradient method) on the saddle point of <w, f(x)> + r(x), with restarts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np

from minimax_opt.arrays import Array, norm
from minimax_opt.problem import Point, Problem
from minimax_opt.result import Status
from minimax_opt.solvers import smoothing as sm
from minimax_opt.solvers.averaging import Average
from minimax_opt.solvers.base import Solver, State, Target
from minimax_opt.validation import integer


@dataclass(frozen=True)
class Pair:
    """A point x and weights w of W; `adversary` is anchored at w."""

    point: Point
    weights: Array
    adversary: sm.SmoothedWorstCase


@dataclass
class MirrorProxState(State):
    """`point` and `weights` are the pair of this iteration, or the better of it and the average where that was evaluated."""

    here: Any = None  # Pair
    origin: Any = None  # Pair at the last restart
    origin_residual: float = math.inf
    step: float = 1.0  # eta
    scale: float = 1.0  # tau
    average_x: Average = field(default_factory=Average)
    average_weights: Average = field(default_factory=Average)
    iteration: int = 0  # since the last restart
    total: int = 0


@dataclass
class MirrorProx(Solver):
    r"""Mirror-prox: an extrapolation and a correction from the same pair (x, w), in the metric |dx|^2/(2 tau) + tau D(w', w).

    .. math:: x_h &= prox_h(x - \eta \tau g(x, w), \eta \tau), & w_h &= respond(f(x), \tau/\eta, anchor=w) \\
              x^+ &= prox_h(x - \eta \tau g(x_h, w_h), \eta \tau), & w^+ &= respond(f(x_h), \tau/\eta, anchor=w)

    with g(x, w) = sum_k w_k grad f_k(x) + grad r(x). The step eta is the longest that passes the local test of the theory,

    .. math:: \eta \langle \Phi(z_h) - \Phi(z), z_h - z^+ \rangle \le V(z_h, z) + V(z^+, z_h), \qquad \Phi = (g, -f),

    so no constant is needed. The averages of the z_h, weighted by eta, are what the theory is about. Every `evaluate_every`
    iterations they are compared with the last pair, by the length of the step that each would take, and the method restarts from
    the better one once that length has halved, or after long, with tau rebalanced by how far x and w have moved.

    Parameters
    ----------
    step_size : float or "backtracking"
        eta, in 1/(unit of the losses) times the unit of x^2 over tau.
    scale : float or "auto"
        tau, in the unit of x, at the start; "auto" guesses the distance to the solution from the first gradient.
    restart : bool
        False: the plain method, with tau and the averages kept from the start.
    evaluate_every : int
        Iterations between evaluations of the average, one value and one gradient each.
    geometry : {"auto", "entropic", "euclidean"}
        D; "auto" is entropic, or Euclidean where only that exists (chi-square).

    Notes
    -----
    Without restarts, entropic, on the simplex with a uniform prior and from uniform weights: for convex L-smooth losses with
    |grad f_j - grad f_k| <= D, and steps that pass the test above, which every eta <= 1/Lambda does,

    .. math:: F(\bar x_T) - F^* \le \frac{R^2/(2\tau) + \tau \ln K}{\eta_1 + \dots + \eta_T}, \qquad
              \Lambda = L\tau/2 + \sqrt{(L\tau)^2/4 + D^2/4} \le L\tau + D/2,

    with R = |x_0 - x*|; tau = R/sqrt(2 ln K) and eta = 1/(L tau + D/2) give (L R^2 + D R sqrt(ln K/2))/T. Proof: theorem M3 in
    `docs/theory/mirror-ascent.md`; as functions: :mod:`minimax_opt.theory.mirror`.

    References
    ----------
    Nemirovski, "Prox-method with rate of convergence O(1/t) ...", SIAM J. Optim. 15 (2004). Applegate, Hinder, Lu and Lubin,
    "Faster first-order primal-dual methods for linear programming using restarts and sharpness", Math. Programming 201 (2023),
    for the restarts.

    Examples
    --------
    >>> import numpy as np
    >>> import minimax_opt as mo
    >>> tasks = mo.AffineTasks(np.array([[1.0], [-1.0]]), np.zeros(2))
    >>> res = mo.minimize_max(tasks, np.array([1.0]), method="mirror-prox", domain=mo.Box(-2.0, 2.0), atol=1e-6)
    >>> res.success, abs(float(res.x[0])) <= 1e-6
    (True, True)
    """

    name: ClassVar[str] = "mirror-prox"
    max_iter: ClassVar[int] = 10_000

    step_size: float | Literal["backtracking"] = "backtracking"
    scale: float | Literal["auto"] = "auto"
    restart: bool = True
    evaluate_every: int = 20
    geometry: Literal["auto", "entropic", "euclidean"] = "auto"

    GROWTH: ClassVar[float] = 1.2  # of eta after an accepted step
    ENOUGH: ClassVar[float] = 0.5  # fall of the residual that makes a restart
    LONG: ClassVar[float] = 0.4  # share of all iterations after which a restart is made anyway, to rebalance tau

    def __post_init__(self) -> None:
        sm.check_choice("step_size", self.step_size, ("backtracking",))
        sm.check_choice("scale", self.scale, ("auto",))
        sm.check_geometry(self.geometry)
        integer("evaluate_every", self.evaluate_every, 1)

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
    ) -> MirrorProxState:
        """The metric and the first step size, at x0."""
        geometry = sm.existing_geometry(problem.ambiguity, self.geometry)
        prior = problem.space.asarray(problem.ambiguity.prior_weights(problem.n_tasks))
        adversary = sm.SmoothedWorstCase(problem.ambiguity, geometry, 1.0)
        pair = _pair(problem, point, prior if weights0 is None else weights0, adversary)
        length = norm(sm.worst_gradient(point))
        radius = problem.ambiguity.divergence_radius(problem.n_tasks, geometry)
        guess = sm.loss_scale(point) / length / math.sqrt(2 * radius) if length > 0 and radius > 0 else 1.0
        return MirrorProxState(
            point,
            prior,
            here=pair,
            origin=pair,
            scale=guess if isinstance(self.scale, str) else self.scale,
            step=(1.0 / length if length > 0 else 1.0) if isinstance(self.step_size, str) else self.step_size,
        )

    def step(self, problem: Problem, state: MirrorProxState) -> MirrorProxState:
        """One extrapolation and one correction."""
        eta, adaptive = state.step, isinstance(self.step_size, str)
        for _ in range(100):
            half = _prox(problem, state, state.here, eta)
            if half.point.finite:
                after = _prox(problem, state, half, eta)
                if not adaptive or (after.point.finite and _admissible(problem, state, half, after, eta)):
                    break
            elif not adaptive:
                return replace(state, point=half.point)
            eta *= 0.6
        else:
            return replace(state, status=Status.STALLED, certify=False)
        if not after.point.finite:
            return replace(state, point=after.point)
        residual = math.sqrt(_distance(problem, state.scale, half, state.here)) / eta
        state = replace(
            state,
            origin_residual=min(state.origin_residual, residual) if state.iteration == 0 else state.origin_residual,
            here=after,
            point=after.point,
            weights=half.weights,
            step=eta * self.GROWTH if adaptive else eta,
            average_x=state.average_x.add(half.point.x, eta),
            average_weights=state.average_weights.add(half.weights, eta),
            iteration=state.iteration + 1,
            total=state.total + 1,
            certify=False,
        )
        return state if state.iteration % self.evaluate_every else self._evaluate(problem, state, eta, residual)

    def _evaluate(self, problem: Problem, state: MirrorProxState, eta: float, residual: float) -> MirrorProxState:
        """Show the better one of the average and the last pair, and restart from it where the residual has fallen enough."""
        average = _pair(problem, problem.at(state.average_x.mean), state.average_weights.mean, state.here.adversary)
        if not average.point.finite:
            return replace(state, point=average.point)
        moved = _prox_from(problem, average, average, eta, state.scale)
        of_average = math.sqrt(_distance(problem, state.scale, moved, average)) / eta
        best = average if of_average < residual or not self.restart else state.here
        state = replace(state, point=best.point, weights=best.weights, certify=True)
        fell = min(of_average, residual) <= self.ENOUGH * state.origin_residual
        if not self.restart or not (fell or state.iteration >= self.LONG * state.total):
            return state
        dx, dw = norm(best.point.x - state.origin.point.x), math.sqrt(2 * _divergence(problem, best, state.origin))
        scale = math.sqrt(state.scale * dx / dw) if dx > 0 and dw > 0 else state.scale
        return replace(
            state,
            here=best,
            origin=best,
            origin_residual=math.inf,
            scale=scale,
            average_x=Average(),
            average_weights=Average(),
            iteration=0,
        )


def _pair(problem: Problem, point: Point, weights: Array, adversary: sm.SmoothedWorstCase) -> Pair:
    return Pair(point, weights, adversary.anchored_at(weights, problem))


def _prox(problem: Problem, state: MirrorProxState, at: Pair, eta: float) -> Pair:
    """The step from the state's pair (x, w) along the operator taken at another pair."""
    return _prox_from(problem, state.here, at, eta, state.scale)


def _prox_from(problem: Problem, start: Pair, at: Pair, eta: float, scale: float) -> Pair:
    x = problem.prox(start.point.x - eta * scale * at.point.gradient(at.weights), eta * scale)
    adversary = replace(start.adversary, smoothing=scale / eta)
    return _pair(problem, problem.at(x), adversary.weights(at.point.losses), adversary)


def _divergence(problem: Problem, new: Pair, old: Pair) -> float:
    """D(w_new, w_old) of the parts without the floor, times 1 - floor."""
    b: Array = new.adversary.anchor
    a: Array = old.adversary.anchor
    if new.adversary.geometry == "euclidean":
        value = float((b - a) @ (b - a)) / 2
    else:
        ratio = b / a
        value = float(b @ (np.log(ratio) if isinstance(ratio, np.ndarray) else ratio.log()))
    return (1.0 - problem.ambiguity.floor) * max(value, 0.0)


def _distance(problem: Problem, scale: float, new: Pair, old: Pair) -> float:
    """V(new, old) = |x_new - x_old|^2 / (2 tau) + tau D(w_new, w_old)."""
    step = new.point.x - old.point.x
    return float(step @ step) / (2 * scale) + scale * _divergence(problem, new, old)


def _admissible(problem: Problem, state: MirrorProxState, half: Pair, after: Pair, eta: float) -> bool:
    """The test on the local Lipschitz constant of the operator, which makes each step a step of the theory."""
    here = state.here
    change = half.point.gradient(half.weights) - here.point.gradient(here.weights)
    drift = float(change @ (half.point.x - after.point.x))
    drift += float((half.point.losses - here.point.losses) @ (after.weights - half.weights))
    allowed = _distance(problem, state.scale, half, here) + _distance(problem, state.scale, after, half)
    return eta * drift <= allowed * (1 + 1e-9) + 1e-300
