"""Small convex problems, each with its statement in cvxpy: the collection that the convex and the contract suites run on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import cvxpy as cp
import numpy as np

import minimax_opt as mo


@dataclass(frozen=True)
class Case:
    """A problem: the package's tasks beside the cvxpy expressions of the same losses."""

    name: str
    tasks: mo.Tasks
    expressions: Callable[[Any], list[Any]] = field(repr=False)
    ambiguity: mo.AmbiguitySet = field(default_factory=mo.Simplex)
    ridge: float | None = None
    l1: Any = None  # a number, or one for each variable
    domain: Any = None
    domain_constraints: Callable[[Any], list[Any]] | None = field(default=None, repr=False)
    hard: bool = False  # ill-conditioned or degenerate: beyond first-order methods

    @property
    def n_tasks(self) -> int:
        return self.tasks.n_tasks

    @property
    def n_variables(self) -> int:
        return self.tasks.n_variables

    @property
    def regularizer(self):
        terms = [mo.Ridge(self.ridge)] if self.ridge is not None else []
        terms += [mo.L1(self.l1)] if self.l1 is not None else []
        return terms[0] if len(terms) == 1 else mo.regularizers.Sum(*terms) if terms else None

    @property
    def in_ball(self) -> bool:
        """Whether the domain is a ball, which only first-order methods take."""
        return isinstance(self.domain, mo.Ball)

    @property
    def smooth(self) -> bool:
        """Neither a domain nor a 1-norm: what every method takes."""
        return self.domain is None and self.l1 is None

    def solve(self, method="auto", **options):
        return mo.minimize_max(
            self.tasks, method=method, ambiguity=self.ambiguity, regularizer=self.regularizer, domain=self.domain, **options
        )

    def __str__(self) -> str:
        return self.name


def _rows(seed, n_tasks, n, rows, cond=1.0):
    rng = np.random.default_rng(seed)
    scale = np.logspace(0, -np.log10(cond), n)
    designs = [rng.standard_normal((m, n)) * scale for m in np.broadcast_to(rows, n_tasks)]
    centre = rng.standard_normal(n)
    solutions = [centre + rng.standard_normal(n) / np.sqrt(n) for _ in range(n_tasks)]
    return rng, designs, solutions


def least_squares(name, n_tasks=5, n=6, rows=20, seed=0, cond=1.0, noise=0.5, **extra):
    rng, designs, solutions = _rows(seed, n_tasks, n, rows, cond)
    targets = [
        A @ s + noise * (0.5 + rng.random()) * rng.standard_normal(len(A)) for A, s in zip(designs, solutions, strict=True)
    ]
    return from_least_squares(name, designs, targets, **extra)


def from_least_squares(name, designs, targets, **extra):
    def expressions(x):
        return [cp.sum_squares((A @ x - b) / np.sqrt(len(b))) for A, b in zip(designs, targets, strict=True)]

    return Case(name, mo.LeastSquaresTasks(designs, targets), expressions, **extra)


def logistic(name, n_tasks=5, n=4, rows=30, seed=0, cond=1.0, **extra):
    rng, designs, solutions = _rows(seed, n_tasks, n, rows, cond)
    signs = [np.where(rng.random(len(A)) < 1 / (1 + np.exp(-A @ s)), 1.0, -1.0) for A, s in zip(designs, solutions, strict=True)]

    def expressions(x):
        return [cp.sum(cp.logistic(-cp.multiply(y, A @ x))) / len(y) for A, y in zip(designs, signs, strict=True)]

    return Case(name, mo.LogisticTasks(designs, signs), expressions, **extra)


def huber(name, n_tasks=5, n=4, rows=30, seed=0, delta=1.0, **extra):
    rng, designs, solutions = _rows(seed, n_tasks, n, rows)
    targets = [A @ s + rng.standard_t(2, len(A)) for A, s in zip(designs, solutions, strict=True)]

    def expressions(x):
        return [cp.sum(cp.huber(A @ x - b, delta)) / (2 * len(b)) for A, b in zip(designs, targets, strict=True)]

    return Case(name, mo.HuberTasks(designs, targets, delta=delta), expressions, **extra)


def poisson(name, n_tasks=5, n=4, rows=30, seed=0, **extra):
    rng, designs, solutions = _rows(seed, n_tasks, n, rows)
    counts = [rng.poisson(np.exp(0.5 * A @ s)).astype(float) for A, s in zip(designs, solutions, strict=True)]

    def expressions(x):
        return [cp.sum(cp.exp(A @ x) - cp.multiply(b, A @ x)) / len(b) for A, b in zip(designs, counts, strict=True)]

    return Case(name, mo.PoissonTasks(designs, counts), expressions, **extra)


def multinomial(name, n_tasks=4, n=3, rows=40, n_classes=3, seed=0, **extra):
    rng = np.random.default_rng(seed)
    designs = [rng.standard_normal((rows, n)) for _ in range(n_tasks)]
    labels = [(A @ rng.standard_normal((n, n_classes)) + rng.gumbel(size=(rows, n_classes))).argmax(1) for A in designs]

    def expressions(x):
        X = cp.reshape(x, (n, n_classes), order="C")
        own = [np.eye(n_classes)[b] for b in labels]
        return [
            (cp.sum(cp.log_sum_exp(A @ X, axis=1)) - cp.sum(cp.multiply(y, A @ X))) / rows
            for A, y in zip(designs, own, strict=True)
        ]

    return Case(name, mo.MultinomialTasks(designs, labels, n_classes=n_classes), expressions, **extra)


def quantile(name, n_tasks=4, n=4, rows=25, seed=0, level=0.3, **extra):
    rng, designs, solutions = _rows(seed, n_tasks, n, rows)
    targets = [A @ s + rng.standard_normal(len(A)) for A, s in zip(designs, solutions, strict=True)]

    def expressions(x):
        residuals = [b - A @ x for A, b in zip(designs, targets, strict=True)]
        return [cp.sum(cp.maximum(level * r, (level - 1) * r)) / len(b) for r, b in zip(residuals, targets, strict=True)]

    return Case(name, mo.QuantileTasks(designs, targets, quantile=level), expressions, **extra)


def affine(name, n_tasks=12, n=4, seed=0, **extra):
    """Bounded below: a convex combination of the gradients vanishes."""
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((n_tasks, n)), rng.standard_normal(n_tasks)
    A -= rng.dirichlet(np.ones(n_tasks)) @ A
    return Case(name, mo.AffineTasks(A, b), lambda x: list(A @ x + b), **extra)


def chebyshev(name, rows=30, n=4, seed=0, **extra):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((rows, n))
    b = A @ rng.standard_normal(n) + rng.standard_normal(rows)
    return Case(name, mo.ChebyshevTasks(A, b), lambda x: [*(A @ x - b), *(b - A @ x)], **extra)


def quadratic(name, n_tasks=4, n=5, seed=0, **extra):
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((n_tasks, n, n))
    P = np.einsum("kij,klj->kil", roots, roots) + 0.1 * np.eye(n)
    q, c = rng.standard_normal((n_tasks, n)), rng.standard_normal(n_tasks)

    def expressions(x):
        return [cp.quad_form(x, cp.psd_wrap(P[k])) / 2 + q[k] @ x + c[k] for k in range(n_tasks)]

    return Case(name, mo.QuadraticTasks(P, q, c), expressions, **extra)


def duplicates(name):
    """Exact and near copies of two tasks, and a dominated one: the weights are not unique, the value is."""
    rng, designs, solutions = _rows(3, 2, 5, 25)
    targets = [A @ s + 0.5 * rng.standard_normal(25) for A, s in zip(designs, solutions, strict=True)]
    near = [b + 1e-6 * rng.standard_normal(25) for b in targets]
    tiny = 1e-3 * designs[0]
    return from_least_squares(name, [*designs, *designs, *designs, tiny], [*targets, *targets, *near, tiny @ np.ones(5) * 1e-3])


SETS = {
    "simplex": mo.Simplex(),
    "floor": mo.Simplex(floor=0.2),
    "cvar": mo.CVaR(0.4),
    "kl": mo.KLBall(0.2),
    "chi2": mo.ChiSquareBall(0.3),
}

BASE = [
    least_squares("lsq"),
    least_squares("lsq unequal rows", rows=[7, 30, 12, 50, 9], seed=1),
    least_squares("lsq one task", n_tasks=1, seed=2),
    least_squares("lsq many tasks", n_tasks=40, n=5, rows=6, seed=3),
    least_squares("lsq ill-conditioned", cond=1e6, n=6, rows=40, seed=4, hard=True),
    least_squares("lsq wide with ridge", n_tasks=3, n=40, rows=8, seed=5, ridge=1e-2),
    replace(duplicates("lsq duplicates"), hard=True),
    logistic("logistic", ridge=1e-3),
    logistic("logistic free", seed=1, rows=60),
    logistic("logistic ill-conditioned", cond=1e3, ridge=1e-8, seed=2, rows=60, hard=True),
    huber("huber"),
    huber("huber nearly absolute", delta=0.02, seed=1, hard=True),
    huber("huber wide with ridge", n_tasks=3, n=20, rows=8, seed=2, ridge=1e-2),
    huber("huber with L1", seed=3, l1=0.1),
    huber("huber in a box", seed=4, ridge=0.1, domain=mo.Box(-0.3, 0.5), domain_constraints=lambda x: [x >= -0.3, x <= 0.5]),
    poisson("poisson", seed=1),
    poisson("poisson with ridge", seed=2, ridge=1e-2),
    multinomial("multinomial"),
    multinomial("multinomial with ridge", seed=1, ridge=1e-2),
    quantile("quantile", hard=True),
    quantile("quantile, unequal rows", rows=[9, 40, 17, 30], seed=1, level=0.9, hard=True),
    quantile("quantile one task", n_tasks=1, rows=60, seed=2, level=0.5, hard=True),
    quantile("quantile with ridge", seed=3, ridge=0.1, hard=True),
    quantile("quantile wide with ridge", n_tasks=3, n=30, rows=8, seed=4, ridge=1e-2, hard=True),
    affine("affine", hard=True),
    affine("affine with ridge", seed=1, ridge=0.1),
    affine("affine with domain", seed=2, domain=mo.Box(-1.0, 1.0), domain_constraints=lambda x: [x >= -1, x <= 1]),
    chebyshev("chebyshev", hard=True),
    quadratic("quadratic"),
    least_squares("lsq with L1", seed=6, l1=2.0),
    least_squares("lsq elastic net, free intercept", seed=7, ridge=0.1, l1=np.array([0.0, 0.3, 0.3, 1.0, 3.0, 0.3])),
    least_squares("lsq wide with L1", n_tasks=3, n=40, rows=8, seed=8, l1=0.2),
    least_squares("lsq nonnegative with L1", seed=9, l1=0.3, domain=mo.Box(0.0, np.inf), domain_constraints=lambda x: [x >= 0]),
    logistic("logistic with L1", seed=3, rows=60, l1=0.05),
    logistic("logistic nonnegative", seed=4, rows=60, domain=mo.Box(0.0, np.inf), domain_constraints=lambda x: [x >= 0]),
    logistic("logistic in a box", seed=5, domain=mo.Box(-0.2, 0.3), domain_constraints=lambda x: [x >= -0.2, x <= 0.3]),
    affine("affine with L1", seed=3, l1=0.2),
    affine("affine nonnegative", seed=4, domain=mo.Box(0.0, np.inf), domain_constraints=lambda x: [x >= 0]),
    quadratic(
        "quadratic with L1 in a box", seed=2, l1=0.4, domain=mo.Box(-0.1, 0.2), domain_constraints=lambda x: [x >= -0.1, x <= 0.2]
    ),
    quadratic("quadratic in a ball", seed=1, domain=mo.Ball(0.3), domain_constraints=lambda x: [cp.norm(x) <= 0.3]),
]


UNDER_EVERY_SET = (
    "lsq",
    "logistic",
    "affine with ridge",
    "quadratic",
    "lsq with L1",
    "logistic nonnegative",
    "affine with L1",
    "huber",
    "poisson with ridge",
    "multinomial",
    "quantile",
)
WITH_SETS = [
    replace(base, name=f"{base.name} / {label}", ambiguity=ambiguity)
    for base in BASE
    if base.name in UNDER_EVERY_SET
    for label, ambiguity in SETS.items()
    if label != "simplex"
]
ALL = [*BASE, *WITH_SETS]
NAMED = {case.name: case for case in ALL}
