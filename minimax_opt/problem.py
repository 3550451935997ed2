"""The problem min_x max_{w in W} <w, f(x)> + r(x) + h(x), as the solvers see it, with every evaluation counted.

r is smooth, h the weighted 1-norm plus the indicator of the domain (:mod:`minimax_opt.simple`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from minimax_opt.ambiguity import AmbiguitySet, Simplex, worst_case
from minimax_opt.arrays import HOST, Array, Host, Space, norm, to_host
from minimax_opt.domains import Domain
from minimax_opt.regularizers import Quadratic
from minimax_opt.simple import Simple, simple
from minimax_opt.tasks.base import Evaluation, Rounding, Tasks, evaluate_on_host
from minimax_opt.tasks.row_data import DENSE_BYTES

SUMMED = 16  # units of rounding that a sum over rows, pairwise or in blocks, may be wrong by, relative to its terms


@dataclass
class Counts:
    """Work done: evaluations of the K losses, of Jacobians or weighted gradients, of weighted Hessians."""

    nfev: int = 0
    njev: int = 0
    nhev: int = 0


@dataclass
class Problem:
    """All that a solver needs to know.

    Attributes
    ----------
    tasks : Tasks
    n_tasks, n_variables : int
        K and n.
    ambiguity : AmbiguitySet
        W.
    regularizer : Quadratic or None
        r, bound to `space`.
    domain : Domain or None
        Where x must stay; None is all of R^n.
    l1 : array, shape (n,), or None
        c >= 0 of the term sum_i c_i |x_i|, in `space`.
    simple : Simple or None
        h: `l1` and `domain` together; None where there is neither.
    convex : bool
        Known (by structure) or declared.
    declared : bool
        Whether convexity is only the caller's word, so that visited points may disprove it.
    strong_convexity : float
        mu of <w, f> + r, whatever w in W.
    space : Space
        Where x lives.
    """

    tasks: Tasks
    n_tasks: int
    n_variables: int
    ambiguity: AmbiguitySet = field(default_factory=Simplex)
    regularizer: Quadratic | None = None
    domain: Domain | None = None
    l1: Array = None
    convex: bool = False
    declared: bool = False
    strong_convexity: float = 0.0
    space: Space = HOST
    counts: Counts = field(default_factory=Counts)
    simple: Simple | None = field(init=False)

    def __post_init__(self) -> None:
        self.simple = simple(self.l1, self.domain)

    def at(self, x: Array) -> Point:
        """Evaluate the losses at `x` (shape (n,), in :attr:`space`)."""
        self.counts.nfev += 1
        inner = evaluate_on_host(self.tasks, x, self.tasks.space or HOST) if self.space == HOST else self.tasks.at(x)
        shape = getattr(inner.losses, "shape", None)
        if shape != (self.n_tasks,):
            found = type(inner.losses).__name__ if shape is None else f"shape {tuple(shape)}"
            raise ValueError(f"`fun` must return {self.n_tasks} losses at every x, as it did at `x0`, got {found}.")
        return Point(self, x, inner)

    @property
    def square_fits(self) -> bool:
        """Whether an n x n matrix takes at most ``DENSE_BYTES``: beyond that, none is made."""
        return 8.0 * self.n_variables**2 <= DENSE_BYTES

    @property
    def has_hessian(self) -> bool:
        """Whether Hessians are offered, and fit."""
        return self.tasks.has_hessian and self.square_fits

    @property
    def has_jacobian(self) -> bool:
        """Whether a K x n Jacobian is offered, and fits: in ``DENSE_BYTES``, unless it is the data."""
        given = self.tasks.curvature == "affine"
        return self.tasks.has_jacobian and (given or 8.0 * self.n_tasks * self.n_variables <= DENSE_BYTES)

    @cached_property
    def eps(self) -> float:
        """Unit rounding of the losses: that of the coarsest dtype on their way."""
        return max(self.space.eps, (self.tasks.space or self.space).eps, getattr(self.tasks, "losses_eps", 0.0))

    def worst_case(self, losses: Array) -> float:
        """max_{w in W} <w, losses>."""
        if self.space == HOST:
            return self.ambiguity.host_value(losses)
        return float(worst_case(losses, self.ambiguity))

    def project(self, x: Array) -> Array:
        """The nearest point of the domain."""
        return x if self.domain is None else self.domain.project(x)

    def prox(self, x: Array, step: float) -> Array:
        """argmin_y h(y) + |y - x|^2 / (2 step); x itself without an h."""
        return x if self.simple is None else self.simple.prox(x, step)


class Point:
    """One x of the domain with its losses; derivatives on demand, of the smooth part <w, f> + r.

    Attributes
    ----------
    x : array, shape (n,)
    losses : array, shape (K,)
    smooth_penalty, simple_penalty, penalty : float
        r(x), h(x) and their sum.
    value : float
        max_{w in W} <w, f(x)> + r(x) + h(x); nan or infinite where the losses are.
    """

    def __init__(self, problem: Problem, x: Array, inner: Evaluation) -> None:
        self.problem, self.x, self.inner = problem, x, inner
        self.losses = inner.losses
        self.smooth_penalty = 0.0 if problem.regularizer is None else problem.regularizer.value(x)
        self.simple_penalty = 0.0 if problem.simple is None else problem.simple.value(x)
        self.penalty = self.smooth_penalty + self.simple_penalty
        self._jacobian: Array = None
        self._gradient: tuple[Array, Array] | None = None
        self._rounding: tuple[Array, Rounding] | None = None

    @cached_property
    def finite(self) -> bool:
        """Whether every loss is finite."""
        losses = self.losses
        return bool(np.isfinite(losses.sum())) if isinstance(losses, np.ndarray) else bool(losses.isfinite().all())

    @cached_property
    def value(self) -> float:
        return self.problem.worst_case(self.losses) + self.penalty if self.finite else float("nan")

    @property
    def scale(self) -> float:
        """Size of the numbers that are compared: the largest loss and the penalty."""
        return float(abs(self.losses).max()) + abs(self.penalty) if self.finite else 0.0

    def weighted_value(self, weights: Array) -> float:
        """<w, f(x)> + r(x) + h(x)."""
        return float(weights @ self.losses) + self.penalty

    def smooth_value(self, weights: Array) -> float:
        """F_w(x) = <w, f(x)> + r(x)."""
        return float(weights @ self.losses) + self.smooth_penalty

    def gradient(self, weights: Array) -> Array:
        """Grad F_w(x), shape (n,); that of the latest weights is kept."""
        if self._gradient is None or self._gradient[0] is not weights:
            if self._jacobian is not None:
                gradient = weights @ self._jacobian
            else:
                self.problem.counts.njev += 1
                gradient = self.inner.gradient(weights)
            if self.problem.regularizer is not None:
                gradient = gradient + self.problem.regularizer.gradient(self.x)
            self._gradient = (weights, gradient)
        return self._gradient[1]

    def rounding(self, weights: Array) -> Rounding:
        """What F_w(x) and its gradient may be wrong by; that of the latest weights is kept."""
        if self._rounding is None or self._rounding[0] is not weights:
            rounding = self.inner.rounding(weights)
            terms = float(weights @ self.inner.magnitudes) + abs(self.penalty)
            rounding = rounding._replace(value=rounding.value + SUMMED * self.problem.eps * terms)
            self._rounding = (weights, rounding)
        return self._rounding[1]

    def known_gradient(self, weights: Array) -> tuple[Array, Array] | None:
        """(weights, grad F_w(x)) for weights at which it costs no evaluation, `weights` if possible; None where there are none."""
        if self._jacobian is not None:
            return weights, self.gradient(weights)
        return self._gradient

    def jacobian(self) -> Array:
        """The K gradients of the tasks (without r) as rows, shape (K, n)."""
        if self._jacobian is None:
            self.problem.counts.njev += 1
            self._jacobian = self.inner.jacobian()
        return self._jacobian

    def hessian(self, weights: Array, share: float = 0.0) -> Host:
        """Hess F_w(x) on the host, shape (n, n), freshly allocated; with `share` > 0 what :meth:`Evaluation.upper_hessian` gives instead."""
        self.problem.counts.nhev += 1
        if self.problem.tasks.curvature == "affine":
            hessian = np.zeros((self.problem.n_variables,) * 2)
        else:
            inner = self.inner
            hessian = np.array(to_host(inner.upper_hessian(weights, share) if share > 0 else inner.hessian(weights)))
        if self.problem.regularizer is not None:
            hessian += self.problem.regularizer.hessian(self.problem.n_variables)
        return hessian

    def hessian_product(self, weights: Array, v: Array) -> Array:
        """Hess F_w(x) v, shape (n,), in the space of x, at the price of a gradient; for tasks that have it."""
        self.problem.counts.njev += 1
        product = self.inner.hessian_product(weights, v)
        return product if self.problem.regularizer is None else product + self.problem.regularizer.hessian_product(v)

    def optimality_parts(self, weights: Array) -> tuple[float, float]:
        """(|x - prox_h(x - grad F_w(x))|, value - F_w(x) - h(x)): both zero exactly at a stationary pair (x, w)."""
        residual = self.gradient(weights)
        if self.problem.simple is not None:
            residual = self.x - self.problem.prox(self.x - residual, 1.0)
        return norm(residual), max(self.value - self.weighted_value(weights), 0.0)

    def optimality(self, weights: Array) -> float:
        """The sum of :meth:`optimality_parts`."""
        return sum(self.optimality_parts(weights))
