"""Seeded generators of problems. Each call gives a maker ``(name, seed) -> Data``; nothing is drawn before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

import minimax_opt as mo
from benchmarks.convex.data import Data

Maker = Callable[[str, int], Data]


def _columns(n: int, condition: float) -> np.ndarray:
    return np.logspace(0, -np.log10(condition), n)


def _equal(n_tasks: int, rows: int) -> np.ndarray:
    return np.arange(n_tasks + 1) * rows


def least_squares(n_tasks, n, rows, condition=1.0, noise=0.5, spread=1.0, ridge=0.0) -> Maker:
    """Group k has its own coefficients around a common centre, and its own noise level."""

    def make(name: str, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        centre = rng.standard_normal(n)
        A = rng.standard_normal((n_tasks * rows, n)) * _columns(n, condition)
        b = np.empty(n_tasks * rows)
        for k in range(n_tasks):
            own = slice(k * rows, (k + 1) * rows)
            coefficients = centre + spread * rng.standard_normal(n) / np.sqrt(n)
            b[own] = A[own] @ coefficients + noise * (0.5 + rng.random()) * rng.standard_normal(rows)
        return Data(name, "least squares", A, b, _equal(n_tasks, rows), 2 * ridge)

    return make


def nearly_equal(n_tasks, n, rows, difference=1e-6) -> Maker:
    """Least squares whose second half repeats tasks 0 and 1, every third copy exactly, and whose task 2 is dominated by all others."""

    def make(name: str, seed: int) -> Data:
        data = least_squares(n_tasks, n, rows)(name, seed)
        rng = np.random.default_rng([seed, 1])
        A, b = data.A.reshape(n_tasks, rows, n), data.b.reshape(n_tasks, rows)
        for k in range(n_tasks // 2, n_tasks):
            A[k] = A[k % 2]
            b[k] = b[k % 2] + (difference * rng.standard_normal(rows) if k % 3 else 0.0)
        A[2] *= 1e-3
        b[2] = A[2].sum(1)
        return data

    return make


def outliers(n_tasks, n, rows) -> Maker:
    """Huber losses; a tenth of the targets are off by a normal of standard deviation 20."""

    def make(name: str, seed: int) -> Data:
        data = least_squares(n_tasks, n, rows)(name, seed)
        rng = np.random.default_rng([seed, 1])
        shift = (rng.random(data.n_rows) < 0.1) * 20.0 * rng.standard_normal(data.n_rows)
        return replace(data, loss="huber", b=data.b + shift)

    return make


def quantile(n_tasks, n, rows) -> Maker:
    """Pinball losses of the 0.9 quantile on the rows of :func:`least_squares`."""
    return lambda name, seed: replace(least_squares(n_tasks, n, rows)(name, seed), loss="quantile")


def logistic(n_tasks, n, rows, ridge=1e-3, condition=1.0) -> Maker:
    """Labels -1, +1 drawn from each group's own coefficients."""

    def make(name: str, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        centre = rng.standard_normal(n)
        A = rng.standard_normal((n_tasks * rows, n)) * _columns(n, condition)
        b = np.empty(n_tasks * rows)
        for k in range(n_tasks):
            own = slice(k * rows, (k + 1) * rows)
            margin = A[own] @ (centre + rng.standard_normal(n)) / np.sqrt(n)
            b[own] = np.where(rng.random(rows) < _probability(2 * margin), 1.0, -1.0)
        return Data(name, "logistic", A, b, _equal(n_tasks, rows), ridge)

    return make


def _probability(margin: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-margin))


def poisson(n_tasks, n, rows, ridge=1e-3) -> Maker:
    """Counts with log-linear means; each group has its own coefficients."""

    def make(name: str, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        centre = rng.standard_normal(n)
        A = rng.standard_normal((n_tasks * rows, n))
        own = np.repeat(centre + 0.5 * rng.standard_normal((n_tasks, n)), rows, axis=0)
        means = np.exp(0.5 * (A * own).sum(1) / np.sqrt(n) + 0.5)
        return Data(name, "poisson", A, rng.poisson(means).astype(float), _equal(n_tasks, rows), ridge)

    return make


def multinomial(n_tasks, n, rows, n_classes, ridge=1e-3) -> Maker:
    """Classes drawn from each group's own softmax model."""

    def make(name: str, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        centre = rng.standard_normal((n, n_classes))
        A = rng.standard_normal((n_tasks * rows, n))
        b = np.empty(n_tasks * rows)
        for k in range(n_tasks):
            own = slice(k * rows, (k + 1) * rows)
            scores = A[own] @ (centre + 0.5 * rng.standard_normal((n, n_classes))) / np.sqrt(n)
            b[own] = (2 * scores + rng.gumbel(size=scores.shape)).argmax(1)
        return Data(name, "multinomial", A, b, _equal(n_tasks, rows), ridge, n_classes=n_classes)

    return make


def sparse(n_tasks, n, rows, density, loss="least squares", ridge=1e-3) -> Maker:
    """Sparse rows, with targets as in :func:`least_squares`, or their signs for the logistic loss."""

    def make(name: str, seed: int) -> Data:
        from scipy.sparse import random_array

        rng = np.random.default_rng(seed)
        A = random_array((n_tasks * rows, n), density=density, format="csr", rng=rng, data_sampler=rng.standard_normal)
        centre = rng.standard_normal(n)
        b = np.empty(n_tasks * rows)
        for k in range(n_tasks):
            own = slice(k * rows, (k + 1) * rows)
            b[own] = A[own] @ (centre + 0.5 * rng.standard_normal(n)) + 0.5 * (0.5 + rng.random()) * rng.standard_normal(rows)
        if loss == "logistic":
            b = np.where(b > 0, 1.0, -1.0)
        return Data(name, loss, A, b, _equal(n_tasks, rows), ridge)

    return make


def chebyshev(rows, n, polynomial=False) -> Maker:
    """min max |A x - b|: 2 * rows affine tasks. Random rows, or a polynomial fit of exp(t) sin(5t) + |t - 0.3| (which no seed changes)."""

    def make(name: str, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        if polynomial:
            t = np.cos(np.pi * (np.arange(rows) + 0.5) / rows)
            A, b = np.polynomial.chebyshev.chebvander(t, n - 1), np.exp(t) * np.sin(5 * t) + np.abs(t - 0.3)
        else:
            A = rng.standard_normal((rows, n))
            b = A @ rng.standard_normal(n) + rng.standard_normal(rows)
        return Data(name, "affine", np.vstack([A, -A]), np.concatenate([b, -b]), np.arange(2 * rows + 1))

    return make


def affine(n_tasks, n) -> Maker:
    """Random affine tasks; a convex combination of the gradients vanishes, so the problem is bounded."""

    def make(name: str, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((n_tasks, n))
        A -= rng.dirichlet(np.ones(n_tasks)) @ A
        return Data(name, "affine", A, rng.standard_normal(n_tasks), np.arange(n_tasks + 1))

    return make


def real(dataset, loss, groups, ridge=1e-4) -> Maker:
    """scikit-learn's bundled data, standardised with an intercept, split by class or by the quantiles of one feature. No seed changes it."""

    def make(name: str, seed: int) -> Data:
        from sklearn import datasets

        bundle = getattr(datasets, f"load_{dataset}")()
        y, X = bundle.target.astype(float), (bundle.data - bundle.data.mean(0)) / (bundle.data.std(0) + 1e-12)
        if groups == "class":
            labels = bundle.target.astype(int)
        else:
            column, parts = groups
            edges = np.quantile(X[:, column], np.linspace(0, 1, parts + 1)[1:-1])
            labels = np.searchsorted(edges, X[:, column])
        X = np.column_stack([X[:, X.std(0) > 1e-9], np.ones(len(X))])
        if loss == "logistic":
            y = np.where(y % 2 == 0, 1.0, -1.0) if dataset == "digits" else np.where(y == y.min(), 1.0, -1.0)
        elif loss != "multinomial":
            y = (y - y.mean()) / y.std()
        order = np.argsort(labels, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.unique(labels, return_counts=True)[1])])
        n_classes = len(np.unique(y)) if loss == "multinomial" else 1
        return Data(name, loss, X[order], y[order], starts, ridge * (2 if loss == "least squares" else 1), n_classes=n_classes)

    return make


def changed(maker: Maker, **fields) -> Maker:
    """The same data with another set, penalty or box."""
    return lambda name, seed: replace(maker(name, seed), **fields)


SETS = {"cvar": mo.CVaR(0.3), "kl": mo.KLBall(0.1), "chi2": mo.ChiSquareBall(0.1)}
