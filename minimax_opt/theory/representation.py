"""Linear representations of linear tasks: the span they need, what a representation leaves of each, the one that is best on average.

Model C: x ~ N(0, I_d), a task is a vector theta with y = <theta, x> + noise, a representation is V (d, r) with orthonormal columns, which
hands the r features V'x downstream. What it leaves of a task is b = |(I - V V') theta|^2, the excess risk of the best head.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host


@dataclass(frozen=True)
class Representation:
    """Features V'x and what they leave of each upstream task.

    Attributes
    ----------
    basis : ndarray, shape (d, r)
        V, orthonormal columns; the projector is P = V V'.
    residuals : ndarray, shape (K,)
        b_k = theta_k'(I - P) theta_k.
    """

    basis: Host
    residuals: Host


@dataclass(frozen=True)
class Span:
    """Tasks in coordinates of their span.

    Attributes
    ----------
    basis : ndarray, shape (d, s)
        Q, orthonormal columns; s is the numerical rank of the tasks.
    coordinates : ndarray, shape (K, s)
        tau_k = Q'theta_k, so that theta_k = Q tau_k up to `error`.
    error : ndarray, shape (K,)
        A bound of |theta_k - Q tau_k| for the exactly orthonormal Q next to the computed one, allowance for rounding included.
    """

    basis: Host
    coordinates: Host
    error: Host


def span(task_vectors: Any) -> Span:
    """The span of the tasks and their coordinates in it.

    Parameters
    ----------
    task_vectors : array_like, shape (K, d)

    Returns
    -------
    Span
        Nothing is lost by working in it (C0a): a representation of rank r <= s that is optimal for the coordinates is optimal for the tasks,
        among projectors as among points of the Fantope; with r >= s nothing is left of any task.

    Examples
    --------
    >>> import numpy as np
    >>> space = span(np.eye(200)[:3])
    >>> space.basis.shape, space.coordinates.shape
    ((200, 3), (3, 3))
    """
    tasks = _task_vectors(task_vectors)
    (n_tasks, dimension), eps = tasks.shape, np.finfo(float).eps
    _, values, rows = np.linalg.svd(tasks, full_matrices=False)
    size = int(np.sum(values > max(n_tasks, dimension) * eps * values.max(initial=0.0)))
    basis = rows[:size].T
    coordinates = tasks @ basis
    # the polar factor Q of the computed basis B has |B - Q| <= |B'B - I|, since |s - 1| <= |s^2 - 1| for its singular values s
    drift = np.linalg.norm(basis.T @ basis - np.eye(size)) + 4 * (dimension + size) * eps
    error = np.linalg.norm(tasks - coordinates @ basis.T, axis=1) + drift * np.linalg.norm(tasks, axis=1)
    return Span(basis, coordinates, error)


def residuals(task_vectors: Any, basis: Any) -> Host:
    """b_k = |(I - V V') theta_k|^2: what the representation leaves of each task.

    Parameters
    ----------
    task_vectors : array_like, shape (K, d)
    basis : array_like, shape (d, r)
        V, orthonormal columns.

    Returns
    -------
    ndarray, shape (K,)

    Examples
    --------
    >>> import numpy as np
    >>> residuals([[3.0, 4.0]], [[1.0], [0.0]]).tolist()
    [16.0]
    """
    tasks, basis = _task_vectors(task_vectors), orthonormal("basis", basis)
    if len(basis) != tasks.shape[1]:
        raise ValueError(
            f"`basis` must have a row for each of the {tasks.shape[1]} variables of `task_vectors`, got {len(basis)}."
        )
    left: Host = ((tasks - (tasks @ basis) @ basis.T) ** 2).sum(1)
    return left


def average_representation(task_vectors: Any, rank: int, prior: Any = None) -> Representation:
    """The representation that leaves least on average: the top r eigenvectors of S_p = sum_k p_k theta_k theta_k'.

    Parameters
    ----------
    task_vectors : array_like, shape (K, d)
    rank : int
        r in [1, d].
    prior : array_like, shape (K,), optional
        p: how often each task occurs, nonnegative with sum 1; uniform by default.

    Returns
    -------
    Representation
        Where the r-th and (r+1)-th eigenvalue are equal the minimiser is not unique, and this is one of them.

    Notes
    -----
    sum_k p_k b_k = tr(S_p) - tr(P S_p), and tr(P S_p) is largest at the top eigenvectors (Ky Fan, 1949).

    Examples
    --------
    The frequent task decides:

    >>> average_representation([[1.0, 0.0], [0.0, 2.0]], rank=1, prior=[0.9, 0.1]).residuals.round(12).tolist()
    [0.0, 4.0]
    """
    tasks = _task_vectors(task_vectors)
    rank = checks.integer("rank", rank, 1, tasks.shape[1])
    weights = _prior(prior, len(tasks))
    space = span(tasks)
    _, vectors = np.linalg.eigh((space.coordinates.T * weights) @ space.coordinates)
    basis = lift(space, vectors[:, ::-1][:, :rank], rank)
    return Representation(basis, residuals(tasks, basis))


def lift(space: Span, vectors: Host, rank: int) -> Host:
    """Q V for V (s, min(r, s)), and arbitrary further columns where r > s: shape (d, r), orthonormal."""
    basis: Host = space.basis @ vectors
    if basis.shape[1] < rank:
        basis = np.linalg.qr(basis, mode="complete")[0][:, :rank] if basis.size else np.eye(len(basis))[:, :rank]
    return basis


def orthonormal(name: str, value: Any) -> Host:
    """`value` where its columns are orthonormal to 1e-9."""
    basis = checks.matrix(name, value)
    if np.abs(basis.T @ basis - np.eye(basis.shape[1])).max(initial=0.0) > 1e-9:
        raise ValueError(f"`{name}` must have orthonormal columns: pass `numpy.linalg.qr({name})[0]`.")
    return basis


def _task_vectors(value: Any) -> Host:
    tasks = checks.matrix("task_vectors", value)
    if 0 in tasks.shape:
        raise ValueError(f"`task_vectors` must hold at least one task of at least one variable, got shape {tasks.shape}.")
    return tasks


def _prior(value: Any, n_tasks: int) -> Host:
    if value is None:
        return np.full(n_tasks, 1.0 / n_tasks)
    prior = checks.vector("prior", value, n_tasks)
    if prior.min() < 0.0 or abs(prior.sum() - 1.0) > 1e-9:
        raise ValueError(f"`prior` must be nonnegative with sum 1, got minimum {prior.min():g} and sum {prior.sum():g}.")
    return prior


__all__ = ["Representation", "Span", "average_representation", "lift", "orthonormal", "residuals", "span"]
