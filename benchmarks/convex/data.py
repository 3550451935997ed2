"""What a case is: data from which our tasks, every peer's formulation and the judge are built alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp, softmax

import minimax_opt as mo


class Loss(NamedTuple):
    """phi(z, b) of one row, its derivative and second derivative in z, all elementwise."""

    value: Callable[..., np.ndarray]
    slope: Callable[..., np.ndarray]
    curvature: Callable[..., np.ndarray]


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(0.5 * z))


DELTA = 1.0  # Huber's threshold
QUANTILE = 0.9

LOSSES = {
    "affine": Loss(lambda z, b: z - b, lambda z, b: np.ones_like(z), lambda z, b: np.zeros_like(z)),
    "least squares": Loss(lambda z, b: (z - b) ** 2, lambda z, b: 2 * (z - b), lambda z, b: np.full_like(z, 2.0)),
    "logistic": Loss(
        lambda z, b: np.logaddexp(0.0, -b * z),
        lambda z, b: -b * _sigmoid(-b * z),
        lambda z, b: _sigmoid(b * z) * _sigmoid(-b * z),
    ),
    "huber": Loss(
        lambda z, b: np.where(abs(z - b) <= DELTA, (z - b) ** 2 / 2, DELTA * (abs(z - b) - DELTA / 2)),
        lambda z, b: np.clip(z - b, -DELTA, DELTA),
        lambda z, b: (abs(z - b) <= DELTA) * 1.0,
    ),
    "poisson": Loss(lambda z, b: np.exp(z) - b * z, lambda z, b: np.exp(z) - b, lambda z, b: np.exp(z)),
    "quantile": Loss(
        lambda z, b: np.maximum(QUANTILE * (b - z), (QUANTILE - 1) * (b - z)),
        lambda z, b: np.where(b > z, -QUANTILE, 1 - QUANTILE),
        lambda z, b: np.zeros_like(z),
    ),
}


@dataclass(frozen=True)
class Data:
    """min_x max_{w in W} sum_k w_k (mean of phi over the rows of group k) + (ridge/2) |x|^2 + l1 |x|_1 over a box.

    Attributes
    ----------
    name : str
    loss : str
        A key of `LOSSES`, or "multinomial": the mean of log sum_c exp(z_c) - z_b, where z = X'a for the matrix X of shape (n, n_classes),
        flattened row by row into x.
    A : array or scipy.sparse.csr_array, shape (N, n)
        The stacked rows of all groups.
    b : array, shape (N,)
        Targets; -1 or +1 for the logistic loss, the class for the multinomial.
    starts : array, shape (K + 1,)
        First row of each group, and N.
    ridge, l1 : float
    box : (lower, upper) or None
    n_classes : int
        1 but for the multinomial loss.
    ambiguity : AmbiguitySet
        W, with a uniform prior.
    """

    name: str
    loss: str
    A: Any = field(repr=False)
    b: np.ndarray = field(repr=False)
    starts: np.ndarray = field(repr=False)
    ridge: float = 0.0
    l1: float = 0.0
    box: tuple[float, float] | None = None
    n_classes: int = 1
    ambiguity: mo.AmbiguitySet = field(default_factory=mo.Simplex)

    @property
    def n_tasks(self) -> int:
        return len(self.starts) - 1

    @property
    def n_rows(self) -> int:
        return self.A.shape[0]

    @property
    def n_variables(self) -> int:
        return self.A.shape[1] * self.n_classes

    @property
    def sparse(self) -> bool:
        return not isinstance(self.A, np.ndarray)

    @property
    def sizes(self) -> np.ndarray:
        return np.diff(self.starts)

    @property
    def groups(self) -> list[tuple[Any, np.ndarray]]:
        return [(self.A[i:j], self.b[i:j]) for i, j in zip(self.starts, self.starts[1:], strict=False)]

    @property
    def megabytes(self) -> float:
        """Size of the data."""
        entries = self.A.nnz * 1.5 if self.sparse else self.A.size
        return (entries + self.b.size) * 8 / 2**20

    # ---- the definition, for the judge and for peers that take functions ----

    def losses(self, x: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        """f(x), shape (K,); z = A x where it is known, here and below."""
        return self._mean(self._rows(self.predictor(x) if z is None else z))

    def jacobian(self, x: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        """Gradients of the K losses as rows, shape (K, n)."""
        slopes = self._slopes(self.predictor(x) if z is None else z) / np.repeat(self.sizes, self.sizes).reshape(
            (-1,) + (1,) * (self.n_classes > 1)
        )
        if self.n_rows == self.n_tasks:
            return self.A * slopes[:, None]
        equal = not self.sparse and (self.sizes == self.sizes[0]).all()
        if equal and self.n_classes == 1:
            shape = (self.n_tasks, 1, self.sizes[0])
            return np.matmul(slopes.reshape(shape), self.A.reshape(self.n_tasks, self.sizes[0], -1))[:, 0]
        pairs = zip(self.starts, self.starts[1:], strict=False)
        return np.stack([np.ravel(self.A[i:j].T @ slopes[i:j]) for i, j in pairs])

    def hessian(self, x: np.ndarray, weights: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        """Hessian of <weights, f>, shape (n, n); weights of any sign. Not for the multinomial loss."""
        z = self.predictor(x) if z is None else z
        rows = LOSSES[self.loss].curvature(z, self.b) * np.repeat(weights / self.sizes, self.sizes)
        scaled = self.A.multiply(rows[:, None]) if self.sparse else self.A * rows[:, None]
        product = self.A.T @ scaled
        return product.toarray() if self.sparse else product

    def penalty(self, x: np.ndarray) -> float:
        return self.ridge / 2 * float(x @ x) + (self.l1 * float(abs(x).sum()) if self.l1 else 0.0)

    def predictor(self, x: np.ndarray) -> np.ndarray:
        """z = A x, a row of it for each row of A."""
        return self.A @ (x if self.n_classes == 1 else x.reshape(-1, self.n_classes))

    def _rows(self, z: np.ndarray) -> np.ndarray:
        if self.loss == "multinomial":
            return logsumexp(z, axis=1) - z[np.arange(self.n_rows), self.b.astype(int)]
        return LOSSES[self.loss].value(z, self.b)

    def _slopes(self, z: np.ndarray) -> np.ndarray:
        if self.loss == "multinomial":
            return softmax(z, axis=1) - (self.b[:, None] == np.arange(self.n_classes))
        return LOSSES[self.loss].slope(z, self.b)

    def _mean(self, rows: np.ndarray) -> np.ndarray:
        return rows if self.n_rows == self.n_tasks else np.add.reduceat(rows, self.starts[:-1]) / self.sizes

    # ---- ours ----

    def tasks(self) -> mo.Tasks:
        """Fresh tasks: nothing is cached from a run before."""
        if self.loss == "affine":
            return mo.AffineTasks(self.A, -self.b)
        family = {
            "least squares": "LeastSquaresTasks",
            "logistic": "LogisticTasks",
            "huber": "HuberTasks",
            "poisson": "PoissonTasks",
            "multinomial": "MultinomialTasks",
            "quantile": "QuantileTasks",
        }[self.loss]
        options = {"huber": {"delta": DELTA}, "quantile": {"quantile": QUANTILE}, "multinomial": {"n_classes": self.n_classes}}
        matrices, targets = (list(part) for part in zip(*self.groups, strict=True))
        if self.loss == "multinomial":
            targets = [labels.astype(int) for labels in targets]
        return getattr(mo, family)(matrices, targets, **options.get(self.loss, {}))

    def arguments(self) -> dict[str, Any]:
        """The rest of what :func:`minimax_opt.minimize_max` is told."""
        named: dict[str, Any] = {"ambiguity": self.ambiguity}
        parts = ([mo.Ridge(self.ridge)] if self.ridge else []) + ([mo.L1(self.l1)] if self.l1 else [])
        if parts:
            named["regularizer"] = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        if self.box:
            named["domain"] = mo.Box(*self.box)
        return named
