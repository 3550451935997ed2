"""Problems for the checks of the bounds: random ones for hypothesis, and scikit-learn's bundled data."""

from __future__ import annotations

from functools import cache

import numpy as np
from hypothesis import strategies as st

import minimax_opt as mo

FAMILIES = ("least squares", "logistic", "huber", "poisson", "multinomial", "quantile", "affine", "quadratic")
GLOBAL = ("logistic", "huber", "multinomial", "affine")  # whose constants are finite over all of space


def random_tasks(family, seed):
    """2 to 5 tasks in 1 to 4 variables."""
    rng = np.random.default_rng(seed)
    K, n, m = int(rng.integers(2, 6)), int(rng.integers(1, 5)), int(rng.integers(3, 12))
    A = rng.standard_normal((K, m, n)) * rng.uniform(0.3, 2.0)
    b = A.sum(2) + rng.standard_normal((K, m)) * rng.uniform(0.1, 2.0) + rng.standard_normal((K, 1))
    weights = rng.uniform(0.1, 1.0, (K, m)) if seed % 2 else None
    if family == "least squares":
        return mo.LeastSquaresTasks(A, b, weights)
    if family == "logistic":
        return mo.LogisticTasks(A, np.where(b > 0, 1.0, -1.0), weights)
    if family == "huber":
        return mo.HuberTasks(A, b, weights, delta=float(rng.uniform(0.2, 2.0)))
    if family == "poisson":
        return mo.PoissonTasks(A, rng.poisson(2.0, (K, m)).astype(float), weights)
    if family == "multinomial":
        return mo.MultinomialTasks(A, rng.integers(0, 3, (K, m)), weights, n_classes=3)
    if family == "quantile":
        return mo.QuantileTasks(A, b, weights, quantile=float(rng.uniform(0.1, 0.9)))
    if family == "affine":
        slopes = rng.standard_normal((K, n))
        return mo.AffineTasks(slopes - rng.dirichlet(np.ones(K)) @ slopes, rng.standard_normal(K))
    roots = rng.standard_normal((K, n, n))
    return mo.QuadraticTasks(roots @ roots.swapaxes(1, 2) + 0.1 * np.eye(n), rng.standard_normal((K, n)), rng.standard_normal(K))


def any_tasks(families=FAMILIES):
    return st.builds(random_tasks, st.sampled_from(families), st.integers(0, 10_000))


@cache
def real_tasks(name):
    """Diabetes (Huber, and least squares), breast cancer (logistic), wine (multinomial), split by quantiles of a feature."""
    from sklearn import datasets

    dataset, column, parts = {
        "diabetes": ("diabetes", 2, 4),
        "squares": ("diabetes", 0, 3),
        "cancer": ("breast_cancer", 0, 5),
        "wine": ("wine", 0, 3),
    }[name]
    bundle = getattr(datasets, f"load_{dataset}")()
    X = (bundle.data - bundle.data.mean(0)) / bundle.data.std(0)
    groups = np.searchsorted(np.quantile(X[:, column], np.linspace(0, 1, parts + 1)[1:-1]), X[:, column])
    kept = X if dataset == "diabetes" else X[:, :3]  # with more features the classes are separable, and no minimiser exists
    A, y = np.column_stack([kept, np.ones(len(X))]), bundle.target
    if name == "diabetes":
        return mo.HuberTasks.from_groups(A, (y - y.mean()) / y.std(), groups)
    if name == "squares":
        return mo.LeastSquaresTasks.from_groups(A, (y - y.mean()) / y.std(), groups)
    return (mo.LogisticTasks if name == "cancer" else mo.MultinomialTasks).from_groups(A, y, groups)


def good_point(tasks, tol=1e-6):
    """(x, F(x), a proven lower bound of F*): the comparator u of the theorems, near a minimiser where one exists."""
    result = mo.minimize_max(tasks, tol=tol, max_iter=60)
    return result.x, result.fun, result.lower_bound


def shared_curvature(seed):
    """K quadratics with one Hessian between I and 3 I: gradients differ by a constant, so that D is finite everywhere."""
    rng = np.random.default_rng(seed)
    K, n = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    return mo.QuadraticTasks(
        np.stack([np.diag(rng.uniform(1.0, 3.0, n))] * K), rng.standard_normal((K, n)), rng.standard_normal(K)
    )
