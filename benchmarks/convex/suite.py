"""The convex suite: seeded problem families, synthetic and real, over the sizes and structures that people bring.

Every problem is K groups of rows with one linear predictor: ``Data`` holds the stacked rows, from which our tasks and each peer's
formulation are built alike. Losses are means over a group's rows: (z - b)^2, log(1 + exp(-b z)), or the affine z - b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

import minimax_opt as mo


@dataclass(frozen=True)
class Data:
    """One problem: rows A (N, n), targets b (N,), `starts` (K+1,) of the groups, ridge strength, and the set W."""

    name: str
    loss: str
    A: np.ndarray = field(repr=False)
    b: np.ndarray = field(repr=False)
    starts: np.ndarray = field(repr=False)
    ridge: float = 0.0
    ambiguity: mo.AmbiguitySet = field(default_factory=mo.Simplex)

    @property
    def n_tasks(self) -> int:
        return len(self.starts) - 1

    @property
    def groups(self) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(self.A[i:j], self.b[i:j]) for i, j in zip(self.starts, self.starts[1:], strict=False)]

    def tasks(self) -> mo.Tasks:
        if self.loss == "affine":
            return mo.AffineTasks(self.A, -self.b)
        family = {"least squares": mo.LeastSquaresTasks, "logistic": mo.LogisticTasks}[self.loss]
        return family(*(list(part) for part in zip(*self.groups, strict=True)))

    def regularizer(self) -> mo.Ridge | None:
        return mo.Ridge(self.ridge) if self.ridge else None


def _columns(n: int, condition: float) -> np.ndarray:
    return np.logspace(0, -np.log10(condition), n)


def _equal(n_tasks: int, rows: int) -> np.ndarray:
    return np.arange(n_tasks + 1) * rows


def least_squares(n_tasks, n, rows, condition=1.0, noise=0.5, spread=1.0, ridge=0.0):
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


def logistic(n_tasks, n, rows, ridge=1e-3, condition=1.0):
    """Labels -1, +1 drawn from each group's own coefficients."""

    def make(name: str, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        centre = rng.standard_normal(n)
        A = rng.standard_normal((n_tasks * rows, n)) * _columns(n, condition)
        b = np.empty(n_tasks * rows)
        for k in range(n_tasks):
            own = slice(k * rows, (k + 1) * rows)
            margin = A[own] @ (centre + rng.standard_normal(n)) / np.sqrt(n)
            b[own] = np.where(rng.random(rows) < 1 / (1 + np.exp(-2 * margin)), 1.0, -1.0)
        return Data(name, "logistic", A, b, _equal(n_tasks, rows), ridge)

    return make


def chebyshev(rows, n, polynomial=False):
    """min max |A x - b|: 2 * rows affine tasks. Random rows, or a polynomial fit of exp(t) sin(5t) + |t - 0.3|."""

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


def affine(n_tasks, n):
    """Random affine tasks; a convex combination of the gradients vanishes, so the problem is bounded."""

    def make(name: str, seed: int) -> Data:
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((n_tasks, n))
        A -= rng.dirichlet(np.ones(n_tasks)) @ A
        return Data(name, "affine", A, rng.standard_normal(n_tasks), np.arange(n_tasks + 1))

    return make


def real(dataset, loss, groups, ridge=1e-4):
    """scikit-learn's bundled data, standardised with an intercept, split by class or by the quantiles of one feature."""

    def make(name: str, seed: int) -> Data:
        from sklearn import datasets

        bundle = getattr(datasets, f"load_{dataset}")()
        X, y = bundle.data, bundle.target.astype(float)
        if groups == "class":
            labels = bundle.target.astype(int)
        else:
            column, parts = groups
            standard = (X - X.mean(0)) / (X.std(0) + 1e-12)
            labels = np.searchsorted(np.quantile(standard[:, column], np.linspace(0, 1, parts + 1)[1:-1]), standard[:, column])
        X = (X - X.mean(0)) / (X.std(0) + 1e-12)
        X = np.column_stack([X[:, X.std(0) > 1e-9], np.ones(len(X))])
        if loss == "logistic":
            y = np.where(y % 2 == 0, 1.0, -1.0) if dataset == "digits" else np.where(y == y.min(), 1.0, -1.0)
        else:
            y = (y - y.mean()) / y.std()
        order = np.argsort(labels, kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.unique(labels, return_counts=True)[1])])
        return Data(name, loss, X[order], y[order], starts, ridge * (2 if loss == "least squares" else 1))

    return make


Maker = Callable[[str, int], Data]

SUITE: dict[str, Maker] = {
    "lsq_K5_n10_m50": least_squares(5, 10, 50),
    "lsq_K20_n50_m200": least_squares(20, 50, 200),
    "lsq_K50_n100_m500": least_squares(50, 100, 500),
    "lsq_K200_n50_m200": least_squares(200, 50, 200),
    "lsq_ill4_K20_n100_m300": least_squares(20, 100, 300, condition=1e4),
    "lsq_K20_n500_m1000": least_squares(20, 500, 1000),
    "lsq_K5_n2000_m50_ridge": least_squares(5, 2000, 50, ridge=1e-2),
    "log_K5_n10_m100": logistic(5, 10, 100),
    "log_K20_n50_m500": logistic(20, 50, 500),
    "log_ill_K20_n50_m500": logistic(20, 50, 500, ridge=1e-8, condition=1e3),
    "log_K50_n200_m1000": logistic(50, 200, 1000),
    "log_K10_n800_m4000": logistic(10, 800, 4000),
    "cheb_m500_n20": chebyshev(500, 20),
    "aff_K200_n100": affine(200, 100),
    "aff_K2000_n20": affine(2000, 20),
    "breast_cancer_class": real("breast_cancer", "logistic", "class"),
    "breast_cancer_q10": real("breast_cancer", "logistic", (0, 10)),
    "digits_class": real("digits", "logistic", "class", 1e-3),
    "wine_class": real("wine", "least squares", "class"),
    "diabetes_q8": real("diabetes", "least squares", (2, 8)),
    "lsq_big_K3_n500_m20000": least_squares(3, 500, 20000),
    "log_big_K3_n500_m20000": logistic(3, 500, 20000),
}


def _with(maker: Maker, ambiguity: mo.AmbiguitySet) -> Maker:
    return lambda name, seed: replace(maker(name, seed), ambiguity=ambiguity)


for _name, _set in {"cvar": mo.CVaR(0.3), "kl": mo.KLBall(0.1), "chi2": mo.ChiSquareBall(0.1)}.items():
    SUITE[f"lsq_K20_n50_m200_{_name}"] = _with(SUITE["lsq_K20_n50_m200"], _set)
    SUITE[f"diabetes_q8_{_name}"] = _with(SUITE["diabetes_q8"], _set)

SMALL = [
    name
    for name in SUITE
    if name not in ("lsq_K20_n500_m1000", "log_K10_n800_m4000", "lsq_big_K3_n500_m20000", "log_big_K3_n500_m20000")
]
