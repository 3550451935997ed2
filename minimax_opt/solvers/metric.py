r"""Quasi-Newton metrics for steps that keep the max intact.

A metric B is a base L L' (L = sqrt(gamma) I or a Cholesky factor of a Hessian) with BFGS pairs on top. In the coordinates z = L'x
the base is the identity, and the inverse has the compact form

H = I + [S Y] [[R^{-T} (D + Y'Y) R^{-1}, -R^{-T}], [-R^{-1}, 0]] [S Y]',      R = triu(S'Y), D = diag(S'Y),

so that the simplex QP's matrix A B^{-1} A' costs a few products with the K gradients and nothing of order n^2 beyond the base.

Reference: Byrd, Nocedal and Schnabel, Representations of quasi-Newton matrices and their use in limited memory methods,
Mathematical Programming 63, 1994.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from minimax_opt import lapack
from minimax_opt.arrays import Host, norm
from minimax_opt.problem import Counts, Point

MEMORY = 40  # pairs kept
SAMPLED_ROWS = 2048
RIDGES = (
    0.0,
    1e-12,
    1e-10,
    1e-8,
    1e-6,
    1e-4,
    1e-2,
    1.0,
    1e2,
    1e4,
)  # relative to the diagonal, tried in turn until it is definite


class Metric:
    """B = base with BFGS pairs on top.

    Parameters
    ----------
    base : float or ndarray, shape (n, n)
        gamma > 0 for gamma I, or a symmetric matrix, which is overwritten and made positive definite if it is not.
    """

    def __init__(self, base: float | Host) -> None:
        self._root: float | Host = float(np.sqrt(base)) if isinstance(base, float) else _cholesky(base)
        self._S = self._Y = np.zeros((0, 0))

    def whiten(self, rows: Host) -> Host:
        """L^{-1} a for each row a, shape (m, n)."""
        if isinstance(self._root, float):
            return rows / self._root
        white: Host = lapack.dtrtrs(self._root, rows.T, lower=True)[0].T
        return white

    def learn(self, s: Host, y: Host) -> None:
        """Add the pair B s = y, unless <s, y> is not clearly positive."""
        s_white = self._root * s if isinstance(self._root, float) else s @ self._root
        y_white = self.whiten(y[None])[0]
        if not float(s_white @ y_white) > 1e-12 * norm(s_white) * norm(y_white):
            return
        pair = s_white[None], y_white[None]
        if len(self._S) == 0:
            self._S, self._Y = pair
        else:
            self._S, self._Y = (
                np.concatenate([old[-MEMORY + 1 :], new]) for old, new in zip((self._S, self._Y), pair, strict=True)
            )
        cross = self._S @ self._Y.T
        self._R = cross  # whose upper triangle is meant
        self._middle = self._Y @ self._Y.T
        self._middle.flat[:: len(cross) + 1] += cross.diagonal()

    def model(self, gradients: Host) -> Model:
        """The quadratic model on the rows of `gradients`, shape (K, n)."""
        return Model(self, gradients)


class Model:
    """A B^{-1} A' and the step -B^{-1}A'w for one A.

    Attributes
    ----------
    M : ndarray, shape (K, K)
        A B^{-1} A'.
    """

    def __init__(self, metric: Metric, gradients: Host) -> None:
        self._metric, self._white = metric, metric.whiten(gradients)
        self.M = self._white @ self._white.T
        if len(metric._S):
            self._T = lapack.dtrtrs(metric._R, metric._S @ self._white.T)[0]
            self._Q = metric._Y @ self._white.T
            half = self._T.T @ (0.5 * (metric._middle @ self._T) - self._Q)
            self.M += half
            self.M += half.T

    def step(self, weights: Host) -> Host:
        """-B^{-1}A'w, shape (n,)."""
        metric = self._metric
        v = weights @ self._white
        if len(metric._S):
            t, q = self._T @ weights, self._Q @ weights
            v = v + lapack.dtrtrs(metric._R, metric._middle @ t - q, trans=1)[0] @ metric._S - t @ metric._Y
        step: Host = (
            v / metric._root if isinstance(metric._root, float) else lapack.dtrtrs(metric._root, v, lower=True, trans=1)[0]
        )
        return -step


def rayleigh_quotient(point: Point, weights: Host, direction: Host, generator: np.random.Generator) -> float | None:
    """The curvature s'Hs / s's of F_w at `point` along `direction`, by a difference of gradients; None where it is not positive.

    From a sample of the rows where there are many, which costs next to nothing.
    """
    problem, x = point.problem, point.x
    size = norm(direction)
    if size == 0:
        return None
    s = direction * (1e-4 * (1.0 + norm(x)) / size)
    rows = problem.tasks.n_rows
    if rows is not None and rows > 8 * SAMPLED_ROWS:
        sample = problem.tasks.sample(generator, max(SAMPLED_ROWS // problem.n_tasks, 1))
        problem = replace(problem, tasks=sample, counts=Counts())
        point = problem.at(x)
    y = problem.at(x + s).gradient(weights) - point.gradient(weights)
    curvature = float(s @ y)
    return curvature / float(s @ s) if np.isfinite(curvature) and curvature > 1e-8 * norm(s) * size else None


def singular(matrix: Host) -> bool:
    """Whether a positive semidefinite matrix, scaled to unit diagonal, has a condition number above 1e10."""
    scale = np.sqrt(matrix.diagonal())
    if not scale.min() > 0:
        return True
    factor, info = lapack.dpotrf(matrix / np.outer(scale, scale), lower=True)
    return bool(info != 0 or lapack.dpocon(factor, 1.0, uplo="L")[0] < 1e-10)


def _cholesky(matrix: Host) -> Host:
    """The lower Cholesky factor of `matrix`, with the least of a ladder of ridges that makes it definite."""
    diagonal = np.abs(matrix.diagonal())
    diagonal += np.finfo(float).eps * diagonal.max() + np.finfo(float).tiny
    for ridge in RIDGES:
        if ridge:
            matrix.flat[:: len(matrix) + 1] += ridge * diagonal
        factor, info = lapack.dpotrf(matrix, lower=True)
        if info == 0:
            break
    lower: Host = factor
    return lower


__all__ = ["Metric", "Model", "rayleigh_quotient", "singular"]
