r"""A path of solutions: the same tasks under a sequence of sets or regularisers, each solve warm-started from the one before.

min_x max_{w in W_p} <w, f(x)> + r_p(x)   for p = 1, ..., P: from the mean to the worst case (the tail fraction of CVaR, the radius of a
ball), or from much to little regularisation. Every point is a solve of its own, with its own certificate; what the points share is the data,
their Gram matrices, and the start.

The start is the x of the point before. Its weights come along for CVaR, where they tell the tasks at their caps; elsewhere the methods find them
sooner than they correct those of another problem (measured, docs/paths.md).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
import torch

from minimax_opt import checks, validation
from minimax_opt.ambiguity import AmbiguitySet, CVaR
from minimax_opt.arrays import Array, Host
from minimax_opt.minimize import minimize_max
from minimax_opt.regularizers import Regularizer
from minimax_opt.result import MinimaxResult, Status
from minimax_opt.tasks import Tasks


@dataclass(frozen=True, eq=False)
class PathResult(Sequence[MinimaxResult]):
    """The solutions along a path, in its order: a sequence of :class:`MinimaxResult`, and what they have in common as arrays.

    Attributes
    ----------
    points : list of MinimaxResult
        One for each point that was reached; the last may have ended early.
    asked : int
        How many points were asked for.
    x : array, shape (P, n)
        The minimisers as rows, in the kind (NumPy or torch), dtype and device of ``x0``; so are `losses` and `weights`.
    losses, weights : arrays, shape (P, K)
    fun, lower_bound, gap : ndarrays, shape (P,)
        Values, proven lower bounds and their differences, as in :class:`MinimaxResult`.
    nit, nfev, njev, nhev : int
        Work of all points together.
    seconds : float
        Wall-clock time of all points together.
    success : bool
        Whether every point that was asked for has met its stopping test.
    """

    points: list[MinimaxResult]
    asked: int
    nit: int = field(init=False)
    nfev: int = field(init=False)
    njev: int = field(init=False)
    nhev: int = field(init=False)
    seconds: float = field(init=False)

    def __post_init__(self) -> None:
        for name in ("nit", "nfev", "njev", "nhev", "seconds"):
            object.__setattr__(self, name, sum(getattr(point, name) for point in self.points))

    @property
    def x(self) -> Array:
        return _stacked([point.x for point in self.points])

    @property
    def losses(self) -> Array:
        return _stacked([point.losses for point in self.points])

    @property
    def weights(self) -> Array:
        return _stacked([point.weights for point in self.points])

    @property
    def fun(self) -> Host:
        return np.array([point.fun for point in self.points])

    @property
    def lower_bound(self) -> Host:
        return np.array([point.lower_bound for point in self.points])

    @property
    def gap(self) -> Host:
        return np.array([point.gap for point in self.points])

    @property
    def success(self) -> bool:
        return len(self.points) == self.asked and all(point.success for point in self.points)

    def __len__(self) -> int:
        return len(self.points)

    @overload
    def __getitem__(self, index: int) -> MinimaxResult: ...

    @overload
    def __getitem__(self, index: slice) -> list[MinimaxResult]: ...

    def __getitem__(self, index: int | slice) -> MinimaxResult | list[MinimaxResult]:
        return self.points[index]

    def __repr__(self) -> str:
        lines = [f"{'point':>5} {'fun':>16} {'gap':>9} {'active':>6} {'nit':>5}  {'method':<16} status"]
        lines += [
            f"{p:>5} {r.fun:>16.9g} {r.gap:>9.2g} {len(r.active):>6} {r.nit:>5}  {r.method:<16} {r.status.name}"
            for p, r in enumerate(self.points)
        ]
        return "\n".join([*lines, f"{len(self)} of {self.asked} points, {self.nit} iterations, {self.seconds:.3g} s"])


def minimize_max_path(
    fun: Tasks | Callable[..., Array],
    x0: Array | None = None,
    *,
    ambiguity: AmbiguitySet | Sequence[AmbiguitySet] | None = None,
    regularizer: Regularizer | Sequence[Regularizer] | None = None,
    time_limit: float | None = None,
    callback: Callable[..., Any] | None = None,
    progress: bool = False,
    **arguments: Any,
) -> PathResult:
    r"""Solve ``minimize_max`` along a sequence of ambiguity sets, of regularisers, or of both, with warm starts.

    Parameters
    ----------
    fun, x0
        As in :func:`minimax_opt.minimize_max`; `x0` starts the first point.
    ambiguity, regularizer
        One of the two a sequence, in which neighbours had better be close; if both are, they have the same length and are taken in pairs.
    time_limit : float, optional
        Seconds of wall-clock time for the whole path.
    callback : callable, optional
        Called as ``callback(intermediate_result=path)`` after each point, with the path so far; StopIteration stops.
    progress : bool
        A line a point on standard error.
    **arguments
        Further arguments of :func:`minimax_opt.minimize_max`, the same for every point: `method` ("auto" is decided anew at each), `tol`, ...

    Returns
    -------
    PathResult
        Every point is certified as a solve of its own is. A path that stops early (Ctrl-C, time limit, callback) holds the points so far.

    Raises
    ------
    ValueError, TypeError
        As :func:`minimax_opt.minimize_max`; and where there is no sequence, an empty one, or two of different lengths.

    Examples
    --------
    From the mean of three squared distances to their maximum:

    >>> import numpy as np
    >>> import minimax_opt as mo
    >>> tasks = mo.LeastSquaresTasks(np.ones((3, 1, 1)), [[0.0], [1.0], [5.0]])
    >>> path = mo.minimize_max_path(tasks, ambiguity=[mo.CVaR(t) for t in (1.0, 0.7, 0.4)], tol=1e-9)
    >>> path.success, len(path), np.round(path.x[:, 0], 6).tolist()
    (True, 3, [2.0, 2.428571, 2.5])
    >>> np.round(path.fun, 6).tolist()
    [4.666667, 6.054422, 6.25]
    """
    points = _points(ambiguity, regularizer)
    for point in points:  # before the first solve, not after hours
        validation.check_parts(point[0], None, point[1], None, 0.0)
    checks.boolean("progress", progress)
    if callback is not None:
        checks.keyword("callback", callback, "intermediate_result")
    if time_limit is not None:
        checks.number("time_limit", time_limit, 0.0, strict=True)
    if refused := [name for name in ("checkpoint", "weights0") if arguments.pop(name, None) is not None]:
        raise ValueError(f"`{refused[0]}` must be left out: a path starts each point from the one before, and is not saved.")
    if isinstance(fun, Tasks):
        x0 = fun.x0() if x0 is None else x0  # of the data's own dtype
        fun = fun.double()  # once, with what the points share
    done: list[MinimaxResult] = []
    for result in _solves(fun, x0, points, time_limit, arguments):
        done.append(result)
        if progress:
            print(f"point {len(done)} of {len(points)}  value {result.fun:.9g}  gap {result.gap:.3e}", file=sys.stderr)
        if callback is not None:
            try:
                callback(intermediate_result=PathResult(list(done), len(points)))
            except StopIteration:
                break
    return PathResult(done, len(points))


def _solves(
    fun: Any, x0: Array | None, points: list[tuple[Any, Any]], time_limit: float | None, arguments: dict[str, Any]
) -> Iterator[MinimaxResult]:
    """The solves one by one, each started from the last that has converged; ends after one that was interrupted or out of time."""
    started, best = time.perf_counter(), None
    for ambiguity, regularizer in points:
        left = None if time_limit is None else max(time_limit - (time.perf_counter() - started), 1e-9)
        result = minimize_max(
            fun,
            x0 if best is None else best.x,
            ambiguity=ambiguity,
            regularizer=regularizer,
            weights0=best.weights if best is not None and isinstance(ambiguity, CVaR) else None,
            time_limit=left,
            **arguments,
        )
        best = result if result.success else best
        yield result
        if result.status in (Status.INTERRUPTED, Status.TIME_LIMIT):
            return


def _points(ambiguity: Any, regularizer: Any) -> list[tuple[Any, Any]]:
    """(ambiguity, regularizer) of each point."""
    parts = {"ambiguity": ambiguity, "regularizer": regularizer}
    varied = {name: list(part) for name, part in parts.items() if isinstance(part, (list, tuple, np.ndarray))}
    if not varied:
        raise ValueError(
            "`ambiguity` or `regularizer` must be a sequence, one entry a point; for a single solve use `mo.minimize_max`."
        )
    sizes = {name: len(part) for name, part in varied.items()}
    if 0 in sizes.values():
        raise ValueError(f"`{min(sizes, key=lambda name: sizes[name])}` must hold at least one point, got an empty sequence.")
    if len(set(sizes.values())) > 1:
        raise ValueError(f"`ambiguity` and `regularizer` must have the same length where both are sequences, got {sizes}.")
    n_points = next(iter(sizes.values()))
    both = [varied.get(name, [part] * n_points) for name, part in parts.items()]
    return list(zip(*both, strict=True))


def _stacked(parts: list[Array]) -> Array:
    if parts and isinstance(parts[0], torch.Tensor):
        return torch.stack(parts)
    return np.array(parts)


__all__ = ["PathResult", "minimize_max_path"]
