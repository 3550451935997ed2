r"""The domain of x and the 1-norm in the interior point's terms: rows with multipliers, like those of the tasks.

An inequality g_j(x) <= 0 is a task without a share in t and in the sum of the weights, with the complementary pair (its multiplier, its slack
s_j = -g_j(x)):

box, simplex   lower_i - x_i <= 0,  x_i - upper_i <= 0
1-norm         c_i |x_i| = max_{0 <= l <= c_i} (2 l - c_i) x_i: the row 2 x_i with a multiplier capped at c_i, as the weights of CVaR are

Eliminated, a row adds one number to the diagonal of the n x n matrix. Variables whose bounds coincide and the simplex's sum are kept by the
factor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.domains import Box, Simplex
from minimax_opt.problem import Problem

INSIDE = 0.1  # how far from its boundary x starts: this share of the way that the losses need to change by their spread
NARROW = 0.25  # or of the width of the box
TOUCHING = 1e-6
SUPPORTED = (Box, Simplex)


class DomainRows:
    """The rows of one domain and 1-norm.

    Attributes
    ----------
    index, slope, offset : ndarray, shape (m,)
        Row j is slope_j x_{index_j} + offset_j.
    cap : ndarray, shape (m_cap,)
        The last m_cap rows are those of the 1-norm, with these caps.
    n_rows, n_pairs : int
        m, and m + m_cap.
    fixed : ndarray of bool, shape (n,), or None
        Where the bounds coincide.
    balanced : bool
        Whether the sum of x never changes.
    """

    def __init__(self, problem: Problem) -> None:
        n, domain = problem.n_variables, problem.domain
        self.n, self.domain = n, domain
        self.lower, self.upper = np.full(n, -np.inf), np.full(n, np.inf)
        self.balanced = isinstance(domain, Simplex)
        if isinstance(domain, Box):
            self.lower, self.upper = domain.lower, domain.upper
        elif isinstance(domain, Simplex):
            self.lower = np.zeros(n)
        size = np.maximum(np.abs(self.lower), np.abs(self.upper))
        fixed = self.upper - self.lower <= 8 * np.finfo(float).eps * np.where(np.isfinite(size), size, 0.0)
        self.fixed: Any = fixed if fixed.any() else None
        below, above = (np.flatnonzero(np.isfinite(bound) & ~fixed) for bound in (self.lower, self.upper))
        c = np.zeros(n) if problem.l1 is None else problem.l1
        folded = np.flatnonzero((c > 0) & ~fixed)
        self.index = np.concatenate((below, above, folded))
        self.slope = np.repeat([-1.0, 1.0, 2.0], [len(below), len(above), len(folded)])
        self.offset = np.concatenate((self.lower[below], -self.upper[above], np.zeros(len(folded))))
        self.cap, self.drift = c[folded], np.where(fixed, 0.0, -c)
        self.n_rows = len(self.index)
        self.n_pairs = self.n_rows + len(folded)

    def values(self, x: Host) -> Host:
        """g(x), shape (m,)."""
        values: Host = self.slope * x[self.index] + self.offset
        return values

    def change(self, dx: Host) -> Host:
        """The change of g along dx, shape (m,)."""
        change: Host = self.slope * dx[self.index]
        return change

    def pull(self, multiplier: Host) -> Host:
        """sum_j multiplier_j grad g_j, shape (n,)."""
        pull: Host = np.bincount(self.index, self.slope * multiplier, self.n)  # type: ignore[assignment]
        return pull

    def diagonal(self, d: Host) -> Host:
        """The diagonal of sum_j d_j grad g_j grad g_j', shape (n,)."""
        diagonal: Host = np.bincount(self.index, self.slope**2 * d, self.n)  # type: ignore[assignment]
        return diagonal

    def nearest(self, x: Host) -> Host:
        """X with what rounding took out of the domain put back; the simplex's entries keep their relative accuracy, however small."""
        x = np.minimum(np.maximum(x, self.lower), self.upper)
        return x * (self.domain.scale / float(np.add.reduce(x))) if isinstance(self.domain, Simplex) else x

    def snapped(self, x: Host) -> Host:
        """X with the entries that all but touch a bound or a kink, relative to the largest entry, moved there."""
        target = 0.0 - self.offset / self.slope
        near = np.abs(x[self.index] - target) <= TOUCHING * float(np.abs(x).max())
        x = x.copy()
        x[self.index[near]] = target[near]
        return self.nearest(x)

    def inside(self, x: Host, reach: Host) -> Host:
        """The point of the domain's interior next to x that is about INSIDE * `reach`, shape (n,), off the boundary."""
        if isinstance(self.domain, Simplex):
            x = self.domain.project(x)
            return x + INSIDE * (self.domain.scale / self.n - x)
        margin = np.minimum(INSIDE * reach, NARROW * (self.upper - self.lower))
        margin[self.lower == self.upper] = 0.0
        return np.clip(x, self.lower + margin, self.upper - margin)

    def centred(self, x: Host, mu: float) -> tuple[Host, Host]:
        """Multipliers and slacks at x whose products are mu and whose rows have no residual, for the two vectors of pairs."""
        g, n_cap = self.values(x), len(self.cap)
        s = -g[: self.n_rows - n_cap]
        ratio = g[self.n_rows - n_cap :] * self.cap / mu  # 2 x_i = mu / (c - l) - mu / l, a quadratic equation for l / c
        root = np.hypot(ratio, 2.0)
        less = (1.0 + 2.0 / (root + np.abs(ratio))) / (root + 2.0)
        folded, beyond = self.cap * np.where(ratio > 0, 1.0 - less, less), self.cap * np.where(ratio > 0, less, 1.0 - less)
        return np.concatenate((mu / s, folded, beyond)), np.concatenate((s, mu / folded, mu / beyond))


class DomainConditions:
    """The rows' conditions at one iterate: g(x) + s - y = 0, and what they add to the condition on x.

    Parameters
    ----------
    rows : DomainRows
    x : ndarray, shape (n,)
    slack, multiplier : ndarray, shape (n_pairs,)
        (l, cap - l) and (s, y).
    """

    def __init__(self, rows: DomainRows, x: Host, slack: Host, multiplier: Host) -> None:
        self.rows, m = rows, rows.n_rows
        self.weights, self.capped = slack[:m], slice(m - len(rows.cap), m)
        self.residual = rows.values(x) + multiplier[:m]
        self.residual[self.capped] -= multiplier[m:]
        self.cap_residual = rows.cap - self.weights[self.capped] - slack[m:]
        self.gradient = rows.pull(self.weights) + rows.drift
        self.ratio, self.gap = multiplier / slack, float(slack @ multiplier)

    def diagonal(self) -> Host:
        """What the rows add to the diagonal of the n x n matrix, shape (n,)."""
        m = self.rows.n_rows
        stiffness = self.ratio[:m].copy()
        stiffness[self.capped] += self.ratio[m:]
        self.d = 1.0 / stiffness
        return self.rows.diagonal(self.d)

    def right(self, push: Host) -> Host:
        """The rows' right-hand side once their slacks are eliminated, shape (m,)."""
        m = self.rows.n_rows
        rhs: Host = self.residual + push[:m]
        rhs[self.capped] += self.ratio[m:] * self.cap_residual - push[m:]
        return rhs

    def pulled(self, right: Host, dx: Host | None = None) -> Host:
        """The change of the rows' share in the condition on x for a step dx, shape (n,)."""
        return self.rows.pull(self.d * (right if dx is None else right + self.rows.change(dx)))

    def complete(self, dx: Host, right: Host, push: Host) -> tuple[Host, Host]:
        """The changes of both vectors of pairs."""
        d_weights = self.d * (right + self.rows.change(dx))
        slack = np.concatenate((d_weights, self.cap_residual - d_weights[self.capped]))
        return slack, push - self.ratio * slack
