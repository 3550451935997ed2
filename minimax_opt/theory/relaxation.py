"""The representation that is best for the worst task: its relaxation to the Fantope, certified, and the best projector found by rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host
from minimax_opt.domains import Fantope
from minimax_opt.minimize import minimize_max
from minimax_opt.tasks.affine import AffineTasks
from minimax_opt.theory.representation import Representation, Span, lift, residuals, span

FRACTIONAL = 1e-6  # an eigenvalue of a solution that is accurate to about 1e-7 counts as 0 or 1 within this
DEPENDENT = 1e-8  # columns whose triangular factor has so small a diagonal entry span fewer dimensions than they should


@dataclass(frozen=True)
class MinimaxRepresentation(Representation):
    """The best projector found, beside what the relaxation proves about every projector.

    Attributes
    ----------
    basis, residuals
        As in :class:`~minimax_opt.theory.representation.Representation`.
    worst : float
        max_k b_k + o_k of the projector.
    relaxed_worst : float
        The same of the relaxed solution, which need not be a projector.
    lower_bound : float
        Proven: no projector and no point of the Fantope has a lower worst case.
    eigenvalues : ndarray, shape (s,)
        Those of the relaxed solution within the span of the tasks, increasing. All 0 or 1: it is a projector, and so is optimal.
    weights : ndarray, shape (K,)
        The adversary's: the mixture of tasks on which even the best average representation leaves most.
    """

    worst: float
    relaxed_worst: float
    lower_bound: float
    eigenvalues: Host
    weights: Host

    @property
    def rounding_gap(self) -> float:
        """`worst` - `lower_bound`: what the projector may lose against the best one, at most."""
        return self.worst - self.lower_bound

    @property
    def n_fractional(self) -> int:
        """How many eigenvalues of the relaxed solution are neither 0 nor 1."""
        return int(np.sum((self.eigenvalues > FRACTIONAL) & (self.eigenvalues < 1 - FRACTIONAL)))


def minimax_representation(
    task_vectors: Any, rank: int, *, offsets: Any = None, tol: float = 1e-6, n_starts: int = 16, seed: int = 0
) -> MinimaxRepresentation:
    """Minimise max_k theta_k'(I - P) theta_k + o_k over the rank-r projectors P, as far as their relaxation allows.

    Parameters
    ----------
    task_vectors : array_like, shape (K, d)
        Solved in their span, whose dimension s <= min(K, d) is what the cost depends on.
    rank : int
        r in [1, d].
    offsets : array_like, shape (K,), optional
        o: zero (the default) for minimax over excess losses, the noise variances sigma_k^2 for minimax over raw losses (C6).
    tol : float
        Relative gap asked of the relaxation, positive.
    n_starts : int
        Random roundings that are improved beside the deterministic one, >= 0.
    seed : int

    Returns
    -------
    MinimaxRepresentation

    Notes
    -----
    The relaxation, over the Fantope {0 <= P <= I, tr P = r}, is linear in P and solved by ``minimize_max(AffineTasks, domain=Fantope)``, whose
    certificate at the weights w is the dual value <w, o> + sum_{i > r} lambda_i(S_w), S_w = sum_k w_k theta_k theta_k'. The rounding takes
    the top r eigenvectors of the relaxed P, and ranges of P^{1/2} G with Gaussian G (s, r); ``method="sqp"`` improves each to a stationary point of
    the worst case over all subspaces of dimension r. That problem is not convex: `rounding_gap` is a bound, not an estimate, of what is lost.

    Examples
    --------
    Nine directions in space and one feature: no direction is as good as a third of each axis would be.

    >>> import numpy as np
    >>> axes, s = np.eye(3), 0.5**0.5
    >>> pairs = [s * (axes[i] + q * axes[j]) for i in range(3) for j in range(i) for q in (1, -1)]
    >>> best = minimax_representation([*axes, *pairs], rank=1)
    >>> round(best.lower_bound, 4), round(best.worst, 4), best.n_fractional
    (0.6667, 0.9535, 3)
    """
    tasks = checks.matrix("task_vectors", task_vectors)
    space = span(tasks)
    rank = checks.integer("rank", rank, 1, tasks.shape[1])
    added = np.zeros(len(tasks)) if offsets is None else checks.vector("offsets", offsets, len(tasks))
    checks.number("tol", tol, 0.0, strict=True)
    checks.integer("n_starts", n_starts, 0)
    size = space.basis.shape[1]
    if rank >= size:
        return _all_of_the_span(tasks, space, rank, added)
    T = space.coordinates
    slopes = -np.einsum("ki,kj->kij", T, T).reshape(len(T), -1)
    solved = minimize_max(AffineTasks(slopes, (T**2).sum(1) + added), domain=Fantope(size, rank), tol=tol)
    values, vectors = np.linalg.eigh(solved.x.reshape(size, size))
    rounded = best_projector(T, rank, values, vectors, offsets=added, n_starts=n_starts, seed=seed)
    basis = lift(space, rounded, rank)
    left = residuals(tasks, basis)
    lower = solved.lower_bound - _allowance(tasks, space)
    return MinimaxRepresentation(basis, left, float((left + added).max()), solved.fun, lower, values, solved.weights)


def best_projector(T: Host, rank: int, values: Host, vectors: Host, *, offsets: Host, n_starts: int, seed: int) -> Host:
    """The best rank-r subspace found from the spectrum of a relaxed solution, as an orthonormal basis (s, r)."""
    generator = np.random.default_rng(seed)
    root = vectors * np.sqrt(np.clip(values, 0.0, 1.0))
    starts = [vectors[:, -rank:]]
    starts += [np.linalg.qr(root @ generator.standard_normal((len(values), rank)))[0] for _ in range(n_starts)]
    found = starts + [_improved(T, start, offsets) for start in starts]
    return min(found, key=lambda basis: float((residuals(T, basis) + offsets).max()))


def _improved(T: Host, start: Host, offsets: Host) -> Host:
    """A stationary point of max_k b_k + o_k over subspaces, from `start`: b depends on the range of B alone, so B (s, r) is free."""

    def losses(x: Host) -> tuple[Host, Host]:
        Q, R = np.linalg.qr(x.reshape(start.shape))
        if not np.abs(np.diag(R)).min() > DEPENDENT * np.abs(R).max():  # a step beyond the bases of r dimensions: refused
            return np.full(len(T), np.nan), np.full((len(T), x.size), np.nan)
        inside = T @ Q
        left, heads = T - inside @ Q.T, np.linalg.solve(R, inside.T).T
        return (left**2).sum(1) + offsets, -2.0 * np.einsum("ki,kj->kij", left, heads).reshape(len(T), -1)

    solved = minimize_max(losses, start.ravel(), jac=True, method="sqp", tol=1e-9, max_iter=200)
    improved: Host = np.linalg.qr(solved.x.reshape(start.shape))[0]
    return improved


def _all_of_the_span(tasks: Host, space: Span, rank: int, offsets: Host) -> MinimaxRepresentation:
    """With r >= s the representation leaves nothing."""
    basis = lift(space, np.eye(space.basis.shape[1]), rank)
    left, worst = residuals(tasks, basis), float(offsets.max())
    weights = (offsets == worst) / np.sum(offsets == worst)
    return MinimaxRepresentation(basis, left, float((left + offsets).max()), worst, worst, np.ones(space.basis.shape[1]), weights)


def _allowance(tasks: Host, space: Span) -> float:
    """What the coordinates may misstate: | |(I - P)^{1/2} theta|^2 - |(I - P)^{1/2} Q tau|^2 | <= e (2 |theta| + e) for |theta - Q tau| <= e."""
    return float((space.error * (2.0 * np.linalg.norm(tasks, axis=1) + space.error)).max())


__all__ = ["MinimaxRepresentation", "best_projector", "minimax_representation"]
