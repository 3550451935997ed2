"""The case in the standard form of cone solvers, written by hand.

min (1/2) v'Pv + c'v subject to E v = e, v >= lower and h - G v in (R_+)^l x Q_1 x ... x Q_q, where the first n entries of v are x. It is smaller than
what a modelling layer makes of the same case, and costs nothing to compile.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

import minimax_opt as mo
from benchmarks.convex.data import QUANTILE, Data
from benchmarks.convex.peers.modelled import triangular

Block = tuple[list[tuple[int, Any]], np.ndarray]  # parts of G, each with its first column, and h


class Form(NamedTuple):
    """`P` is the diagonal of a quadratic term on x (zeros where there is none); `linear` rows of G, h come first, then the cones of `cones` rows.

    `E`, `e` are the equalities. `lower` holds 0 or -inf; where the form was asked for without bounds, they are rows of G, and it is -inf throughout.
    """

    P: np.ndarray
    c: np.ndarray
    G: sparse.csc_matrix
    h: np.ndarray
    linear: int
    cones: list[int]
    E: sparse.csc_matrix
    e: np.ndarray
    lower: np.ndarray


def statable(data: Data) -> bool:
    """Whether linear and second-order cones are enough."""
    return data.loss in ("affine", "least squares", "quantile") and not isinstance(data.ambiguity, mo.KLBall)


def normable(data: Data) -> bool:
    """Whether the worst root of a mean square has the minimisers of the worst mean square."""
    return data.loss == "least squares" and isinstance(data.ambiguity, mo.Simplex) and not (data.ridge or data.l1)


class _Rows:
    """Blocks of rows G v <= h, or cones h - G v in Q, over named groups of variables that are allocated as they come."""

    def __init__(self) -> None:
        self.size = 0
        self.linear: list[Block] = []
        self.conic: list[Block] = []
        self.equal: list[Block] = []
        self.nonnegative: list[tuple[int, int]] = []  # first of the variables, and their number

    def variables(self, count: int) -> int:
        self.size += count
        return self.size - count

    def matrix(self, blocks: list[Block]) -> sparse.csc_matrix:
        """The blocks below each other; parts that overlap add up."""
        rows, columns, values, at = [], [], [], 0
        for parts, h in blocks:
            for first, part in parts:
                coo = sparse.coo_matrix(part)
                rows.append(coo.row + at)
                columns.append(coo.col + first)
                values.append(coo.data)
            at += len(h)
        shape = (at, self.size)
        if not rows:
            return sparse.csc_matrix(shape)
        return sparse.csc_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape)


def standard_form(data: Data, quadratic: bool = True, bounds: bool = False, equalities: bool = False, norm: bool = False) -> Form:
    """Build the form.

    Parameters
    ----------
    quadratic : bool
        Without it the ridge becomes a cone of its own.
    bounds : bool
        Whether the signs of variables are bounds, not rows.
    equalities : bool
        Quantile losses as A x + u - v = b, u, v >= 0: q u + (1 - q) v. Without, as q (b - A x) + v with v >= A x - b, v >= 0.
    norm : bool
        Least squares by min t, |R_k x - r_k| <= t, whose minimisers are those of the squares; see :func:`normable`.
    """
    if norm and not normable(data):
        raise ValueError("The norms have the minimisers of the squares for the simplex without penalties only.")
    rows = _Rows()
    x, level = rows.variables(data.n_variables), rows.variables(1)
    cost: dict[int, Any] = {level: 1.0}
    columns = _ambiguity(data, rows, level, cost)  # task k's loss <= the sum of these columns of v
    _losses(data, rows, x, columns, equalities, norm)
    if data.box:
        eye = sparse.eye(data.n_variables)
        rows.linear += [
            ([(x, eye)], np.full(data.n_variables, data.box[1])),
            ([(x, -eye)], np.full(data.n_variables, -data.box[0])),
        ]
    if data.l1:
        size, eye = rows.variables(data.n_variables), sparse.eye(data.n_variables)
        rows.linear += [([(x, sign * eye), (size, -eye)], np.zeros(data.n_variables)) for sign in (1, -1)]
        cost[size] = np.full(data.n_variables, data.l1)
    if data.ridge and not quadratic:
        square = rows.variables(1)
        _square_below(rows, x, np.sqrt(data.ridge / 2) * sparse.eye(data.n_variables), np.zeros(data.n_variables), [square])
        cost[square] = 1.0
    c, P = np.zeros(rows.size), np.zeros(rows.size)
    for first, values in cost.items():
        c[first : first + np.size(values)] = values
    if quadratic:
        P[: data.n_variables] = data.ridge
    lower = np.full(rows.size, -np.inf)
    for first, count in rows.nonnegative:
        if bounds:
            lower[first : first + count] = 0.0
        else:
            rows.linear.append(([(first, -sparse.eye(count))], np.zeros(count)))
    linear, conic, equal = rows.matrix(rows.linear), rows.matrix(rows.conic), rows.matrix(rows.equal)
    e = np.concatenate([np.zeros(0), *(e for _, e in rows.equal)])
    h = np.concatenate([h for _, h in rows.linear + rows.conic])
    return Form(
        P, c, sparse.vstack([linear, conic], format="csc"), h, linear.shape[0], [len(h) for _, h in rows.conic], equal, e, lower
    )


def _ambiguity(data: Data, rows: _Rows, level: int, cost: dict[int, Any]) -> list[list[int]]:
    """Variables and cost of the worst case; for each task the columns whose sum bounds its loss."""
    K, eye = data.n_tasks, sparse.eye(data.n_tasks)
    if isinstance(data.ambiguity, mo.Simplex):
        return [[level]] * K
    excess = rows.variables(K)
    rows.nonnegative.append((excess, K))
    if isinstance(data.ambiguity, mo.CVaR):
        cost[excess] = np.full(K, 1.0 / (K * data.ambiguity.tail_fraction))
        return [[level, excess + k] for k in range(K)]
    # chi-square: level' + eta (radius - 1/2) + sum excess^2 / (2 K eta) with excess_k >= f_k - level' + eta; level = level' - eta
    eta, square = rows.variables(1), rows.variables(1)
    cost[eta], cost[square] = data.ambiguity.radius + 0.5, 1.0 / (2 * K)
    cone = np.zeros((K + 2, 2))  # |(2 excess, square - eta)| <= square + eta
    cone[0], cone[-1] = (-1.0, -1.0), (1.0, -1.0)
    spread = sparse.vstack([sparse.csr_matrix((1, K)), -2 * eye, sparse.csr_matrix((1, K))])
    rows.conic.append(([(eta, cone), (excess, spread)], np.zeros(K + 2)))
    return [[level, excess + k] for k in range(K)]


def _losses(data: Data, rows: _Rows, x: int, columns: list[list[int]], equalities: bool, norm: bool) -> None:
    K = data.n_tasks
    if data.loss == "least squares":
        for (A, b), mine in zip(data.groups, columns, strict=True):
            (_norm_below if norm else _square_below)(rows, x, *triangular(A, b), mine)
        return
    bound = sparse.coo_matrix(
        (
            np.ones(sum(map(len, columns))),
            ([k for k, mine in enumerate(columns) for _ in mine], [c for mine in columns for c in mine]),
        ),
        shape=(K, rows.size),
    )
    if data.loss == "affine":
        rows.linear.append(([(x, data.A), (0, -bound)], data.b))
    else:
        _quantiles(data, rows, x, bound, equalities)


def _quantiles(data: Data, rows: _Rows, x: int, bound: sparse.coo_matrix, equalities: bool) -> None:
    """Means of q (b - z)_+ + (1 - q) (z - b)_+ below the bounds."""
    N, task = data.n_rows, np.repeat(np.arange(data.n_tasks), data.sizes)
    eye, mean = sparse.eye(N), sparse.csr_matrix((1.0 / data.sizes[task], (task, np.arange(N))), shape=(data.n_tasks, N))
    over = rows.variables(N)
    rows.nonnegative.append((over, N))
    if equalities:
        under = rows.variables(N)
        rows.nonnegative.append((under, N))
        rows.equal.append(([(x, data.A), (under, eye), (over, -eye)], data.b))
        rows.linear.append(([(under, QUANTILE * mean), (over, (1 - QUANTILE) * mean), (0, -bound)], np.zeros(data.n_tasks)))
        return
    rows.linear.append(([(x, data.A), (over, -eye)], data.b))
    rows.linear.append(([(x, -QUANTILE * (mean @ data.A)), (over, mean), (0, -bound)], -QUANTILE * (mean @ data.b)))


def _norm_below(rows: _Rows, x: int, R: Any, r: np.ndarray, bound: list[int]) -> None:
    """|R x - r| <= t."""
    parts = [(x, sparse.vstack([sparse.csr_matrix((1, R.shape[1])), -sparse.csr_matrix(R)]))]
    parts += [(column, sparse.coo_matrix(([-1.0], ([0], [0])), shape=(len(r) + 1, 1))) for column in bound]
    rows.conic.append((parts, np.concatenate([[0.0], -r])))


def _square_below(rows: _Rows, x: int, R: Any, r: np.ndarray, bound: list[int]) -> None:
    """|R x - r|^2 <= t, the sum of the columns `bound`, as |(2 (R x - r), t - 1)| <= t + 1."""
    last, nothing = len(r) + 1, sparse.csr_matrix((1, R.shape[1]))
    parts = [(x, sparse.vstack([nothing, -2 * sparse.csr_matrix(R), nothing]))]
    parts += [(column, sparse.coo_matrix(([-1.0, -1.0], ([0, last], [0, 0])), shape=(last + 1, 1))) for column in bound]
    rows.conic.append((parts, np.concatenate([[1.0], -2 * r, [-1.0]])))
