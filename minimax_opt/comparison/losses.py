"""The losses that a case may have, by name: one entry of :data:`FAMILIES` each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import xlogy

import minimax_opt as mo
from minimax_opt.arrays import Host
from minimax_opt.comparison.poisson_deviance import PoissonDevianceTasks
from minimax_opt.tasks import Tasks

TargetKind = Literal["number", "count", "two classes", "classes"]


@dataclass(frozen=True)
class Loss:
    """How a task's loss is measured.

    Attributes
    ----------
    kind : str
        A name of :data:`FAMILIES`, or ``"chebyshev"``.
    label, unit : str
        For axes and tables.
    mean : str
        What the average over all rows is called.
    parameter : float
        The loss's own number (Huber's delta), where it has one.
    n_classes : int
        Number of scores a row, C; x is the (n, C) matrix, flattened row by row.
    """

    kind: str
    label: str
    unit: str
    mean: str
    parameter: float = float("nan")
    n_classes: int = 1


@dataclass(frozen=True)
class Family:
    """What belongs to the name of a loss.

    Attributes
    ----------
    tasks : callable
        (matrices, targets, loss) -> the K tasks.
    rows : callable
        (cvxpy, z, b, loss) -> the sum of the rows' losses in cvxpy, written independently of `tasks`. z are the scores A x, of shape
        (N,) or, for classes, (N, C).
    response : callable
        scores z -> what is predicted: a number, a probability or one a class.
    target : {"number", "count", "two classes", "classes"}
        What the targets are.
    label, unit : str
        For axes and tables; ``{parameter}`` and ``{target}`` (the target's name) are replaced.
    parameter : str
        Name of :attr:`Loss.parameter`; empty where there is none.
    default : float or None
        Its value where none is given; None: 1.345 robust scales of the target.
    """

    tasks: Callable[[Any, Any, Loss], Tasks]
    rows: Callable[[Any, Any, Host, Loss], Any]
    response: Callable[[Host], Host]
    target: TargetKind
    label: str
    unit: str
    parameter: str = ""
    default: float | None = None


def _identity(z: Host) -> Host:
    return z


def _sigmoid(z: Host) -> Host:
    """1 / (1 + exp(-z)) without overflow."""
    decay = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1.0, decay) / (1.0 + decay))


def _softmax(z: Host) -> Host:
    """exp(z_c) / sum_c exp(z_c) for each row, without overflow."""
    raised = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _one_hot(b: Host, n_classes: int) -> Host:
    return np.asarray(np.eye(n_classes)[b.astype(int)])


FAMILIES: dict[str, Family] = {
    "least-squares": Family(
        tasks=lambda A, b, loss: mo.LeastSquaresTasks(A, b),
        rows=lambda cp, z, b, loss: cp.sum_squares(z - b),
        response=_identity,
        target="number",
        label="mean squared error",
        unit="({target})²",
    ),
    "logistic": Family(
        tasks=lambda A, b, loss: mo.LogisticTasks(A, b),
        rows=lambda cp, z, b, loss: cp.sum(cp.logistic(cp.multiply(1.0 - 2.0 * b, z))),
        response=_sigmoid,
        target="two classes",
        label="mean log loss",
        unit="nats",
    ),
    "multinomial": Family(
        tasks=lambda A, b, loss: mo.MultinomialTasks(A, b, n_classes=loss.n_classes),
        rows=lambda cp, z, b, loss: cp.sum(cp.log_sum_exp(z, axis=1)) - cp.sum(cp.multiply(_one_hot(b, loss.n_classes), z)),
        response=_softmax,
        target="classes",
        label="mean log loss",
        unit="nats",
    ),
    "huber": Family(
        tasks=lambda A, b, loss: mo.HuberTasks(A, b, delta=loss.parameter),
        rows=lambda cp, z, b, loss: cp.sum(cp.huber(z - b, loss.parameter)) / 2.0,  # cvxpy's is r^2 inside, without the 1/2
        response=_identity,
        target="number",
        label="mean Huber loss, delta {parameter:.4g}",
        unit="({target})²",
        parameter="delta",
    ),
    "quantile": Family(
        tasks=lambda A, b, loss: mo.QuantileTasks(A, b, quantile=loss.parameter),
        rows=lambda cp, z, b, loss: cp.sum(cp.maximum(loss.parameter * (b - z), (loss.parameter - 1.0) * (b - z))),
        response=_identity,
        target="number",
        label="mean pinball loss, quantile {parameter:g}",
        unit="{target}",
        parameter="quantile",
        default=0.5,
    ),
    "poisson": Family(
        tasks=lambda A, b, loss: PoissonDevianceTasks(A, b),
        rows=lambda cp, z, b, loss: cp.sum(cp.exp(z) - cp.multiply(b, z)) + np.sum(xlogy(b, b) - b),
        response=np.exp,
        target="count",
        label="half the mean Poisson deviance",
        unit="nats",
    ),
}
