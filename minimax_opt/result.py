"""What a solve returns: :class:`MinimaxResult`, and how it ended: :class:`Status`."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from minimax_opt.arrays import Array, to_host
from minimax_opt.certificate import Certificate


class Status(IntEnum):
    """How a solve ended; ``str(status)`` says what to do next."""

    RUNNING = -1
    CONVERGED = 0
    MAX_ITER = 1
    TIME_LIMIT = 2
    STALLED = 3
    UNBOUNDED = 4
    NOT_CONVEX = 5
    NON_FINITE = 6
    STOPPED = 7
    INTERRUPTED = 8

    def __str__(self) -> str:
        return ADVICE[self]


ADVICE = {
    Status.RUNNING: "Still running: an intermediate result.",
    Status.CONVERGED: "Converged: the stopping test is met.",
    Status.MAX_ITER: "The iteration limit was reached: raise `max_iter`, loosen `tol`, or choose a faster `method`.",
    Status.TIME_LIMIT: "The time limit was reached: raise `time_limit`, or continue from `x0=res.x, weights0=res.weights`.",
    Status.STALLED: "No further progress in this precision: `gap` says how close x is; rescale the problem or loosen `tol` to accept it.",
    Status.UNBOUNDED: "The worst-case loss has no lower bound: add a `regularizer` or a bounded `domain`, or check the signs of the losses.",
    Status.NOT_CONVEX: "A visited point lies below a linearisation, so the losses are not convex as declared: drop `convex=True` for a stationary "
    "point without a certificate, or check the gradients with `mo.check_jacobian`.",
    Status.NON_FINITE: "A loss or gradient became nan or infinite: x is the best finite point; start closer, add a `domain`, or check `fun`.",
    Status.STOPPED: "The callback raised StopIteration.",
    Status.INTERRUPTED: "Interrupted: x is the best point so far; continue from `x0=res.x, weights0=res.weights`.",
}


class TraceRow(NamedTuple):
    """One iteration: `fun` is the best value so far, `value` that of this iterate; counts and `seconds` are cumulative."""

    nit: int
    value: float
    fun: float
    lower_bound: float
    nfev: int
    njev: int
    nhev: int
    seconds: float


@dataclass(eq=False)
class MinimaxResult:
    """The outcome of :func:`minimax_opt.minimize_max`.

    Attributes
    ----------
    x : array, shape (n,)
        Best point found, in the kind (NumPy or torch), dtype and device of ``x0``.
    fun : float
        max_{w in W} <w, f(x)> + r(x): an upper bound on the optimal value.
    losses : array, shape (K,)
        f(x).
    weights : array, shape (K,)
        The adversary's weights, a point of W: the dual solution, which proves `lower_bound`.
    active : ndarray of int
        Tasks that carry weight: above 1e-6 of the largest weight.
    lower_bound : float
        Proven lower bound on the optimal value; nan where none is known.
    gap : float
        ``fun - lower_bound``, in the unit of the losses; nan where there is no bound.
    certificate : Certificate
        How the bound was obtained, in a sentence, or why there is none.
    optimality : float
        Norm of the prox-gradient step's residual at (x, weights) plus the complementarity gap.
    success : bool
        Whether the stopping test is met.
    status : Status
        How the solve ended.
    message : str
        One sentence of advice.
    method : str
        The method that ran.
    nit, nfev, njev, nhev : int
        Iterations; evaluations of all K losses; of their Jacobian or one weighted gradient; of one weighted Hessian.
    seconds : float
        Wall-clock time.
    trace : list of TraceRow
        One row for the start and one for each iteration, nit + 1 in all.
    """

    x: Array
    fun: float
    losses: Array
    weights: Array
    lower_bound: float
    certificate: Certificate
    optimality: float
    status: Status
    method: str
    nit: int
    nfev: int
    njev: int
    nhev: int
    seconds: float
    success: bool = False
    message: str = ""
    trace: list[TraceRow] = field(default_factory=list, repr=False)

    @property
    def gap(self) -> float:
        """``fun - lower_bound``, never below zero by rounding; nan where no bound is known."""
        return max(self.fun - self.lower_bound, 0.0) if np.isfinite(self.lower_bound) else float("nan")

    @property
    def active(self) -> np.ndarray[Any, np.dtype[np.intp]]:
        """Indices of the tasks that carry weight: above 1e-6 of the largest weight."""
        weights = to_host(self.weights)
        return np.flatnonzero(weights > 1e-6 * weights.max())

    def keys(self) -> list[str]:
        """Names of the fields, so that ``dict(res)`` and ``res["x"]`` work as with scipy's results."""
        return [*(f.name for f in fields(self)), "gap", "active"]

    def __getitem__(self, name: str) -> Any:
        if name not in self.keys():
            raise KeyError(name)
        return getattr(self, name)

    def __repr__(self) -> str:
        rows = {
            "message": self.message,
            "success": self.success,
            "method": self.method,
            "fun": f"{self.fun:.12g}",
            "lower_bound": f"{self.lower_bound:.12g}",
            "gap": f"{self.gap:.3g}",
            "certificate": str(self.certificate),
            "active": np.array2string(self.active, threshold=12),
            "nit, nfev, njev, nhev": f"{self.nit}, {self.nfev}, {self.njev}, {self.nhev}",
            "seconds": f"{self.seconds:.3g}",
            "x": np.array2string(to_host(self.x), threshold=12, precision=6),
        }
        return "\n".join(f"{name:>22}: {text}" for name, text in rows.items())
