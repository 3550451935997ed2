r"""The part h of the objective that is not smooth: the weighted 1-norm plus the indicator of the domain.

h(y) = sum_i c_i |y_i| for y in X, infinite elsewhere. It is "simple": its proximal map and its conjugate have closed forms,

    prox(x, t) = argmin_y h(y) + |y - x|^2 / (2t),        h*(s) = max_y <s, y> - h(y).

Fenchel's inequality h(y) >= <s, y> - h*(s) holds for every s and y, with equality exactly where s is a subgradient of h at y. The
residual of a proximal step is one: for y = prox(x, t), s = (x - y) / t is a subgradient of h at y. Every certificate with an h rests on these
two lines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from minimax_opt.arrays import Array, all_finite
from minimax_opt.domains import Box, Domain


@dataclass(frozen=True)
class Simple:
    """h for one problem, in the problem's space.

    Attributes
    ----------
    l1 : array, shape (n,), or None
        c >= 0; None is zero.
    domain : Domain or None
        X; None is all of R^n. With an `l1` it must be a Box.

    Examples
    --------
    >>> import numpy as np
    >>> h = Simple(np.array([1.0, 1.0]), None)
    >>> h.prox(np.array([3.0, -0.5]), 1.0)
    array([2., 0.])
    >>> h.conjugate(np.array([1.0, -0.3])), h.conjugate(np.array([1.1, 0.0]))
    (0.0, inf)
    """

    l1: Array
    domain: Domain | None

    @property
    def separable(self) -> bool:
        """Whether h is a sum of functions of one variable each."""
        return self.domain is None or isinstance(self.domain, Box)

    @property
    def bounded(self) -> bool:
        """Whether the domain is, so that h* is finite everywhere."""
        return self.domain is not None and self.domain.bounded

    def value(self, x: Array) -> float:
        """h(x) for an x of the domain."""
        return 0.0 if self.l1 is None else float(self.l1 @ abs(x))

    def prox(self, x: Array, step: float | Array) -> Array:
        """argmin_y h(y) + |y - x|^2 / (2 step); where h is separable, `step` may be a vector of one step for each variable."""
        if self.l1 is not None:
            threshold = step * self.l1
            x = x - _clip(x, -threshold, threshold)
        return (
            x if self.domain is None else self.domain.project(x)
        )  # in one dimension, the prox with an interval is the clipped prox

    def conjugate(self, s: Array) -> float:
        """h*(s) = max_y <s, y> - h(y), inf where it is unbounded. For a domain without a linear minimiser only h*(0) is known."""
        if self.domain is None:
            return 0.0 if bool((abs(s) <= self.l1).all()) else float("inf")
        if isinstance(self.domain, Box):
            return self._box_conjugate(self.domain, s)
        if self.domain.bounded:
            return float(s @ self.domain.minimize_linear(-s))
        return 0.0 if bool((s == 0).all()) else float("inf")

    def _box_conjugate(self, box: Box, s: Array) -> float:
        """The sum of the maxima of s_i y_i - c_i |y_i| over [l_i, u_i]: attained at the end that s_i points to, or at the point nearest 0."""
        c = abs(s) * 0.0 if self.l1 is None else self.l1
        nearest = box.project(s * 0.0)
        where = torch.where if isinstance(s, torch.Tensor) else np.where
        end = where(s > c, box.upper, where(s < -c, box.lower, nearest))
        return float(s @ end - c @ abs(end)) if all_finite(end) else float("inf")

    def subgradient(self, s: Array) -> Array:
        """The vector nearest to `s` at which a separable h* is finite."""
        low, high = self.limits(s)
        return _clip(s, low, high)

    def limits(self, s: Array) -> tuple[Array, Array]:
        """(low, high), shape (n,): h* of a separable h is finite exactly between them."""
        c = abs(s) * 0.0 if self.l1 is None else self.l1
        if self.domain is None:
            return -c, c
        assert isinstance(self.domain, Box)  # narrows the type; only asked of a separable h
        where = torch.where if isinstance(s, torch.Tensor) else np.where
        endless = c * 0.0 + np.inf
        return where(self.domain.lower == -np.inf, -c, -endless), where(self.domain.upper == np.inf, c, endless)


def simple(l1: Array, domain: Domain | None) -> Simple | None:
    """h, or None where there is none.

    Raises
    ------
    ValueError
        For a 1-norm together with a domain other than a Box.
    """
    if l1 is None and domain is None:
        return None
    if l1 is not None and not (domain is None or isinstance(domain, Box)):
        raise ValueError(
            f"`regularizer` with an L1 term goes with no `domain` or a Box, got {type(domain).__name__}: the proximal map of the two "
            "together is not known. Leave out one of them, or bound the variables by a Box."
        )
    return Simple(l1, domain)


def _clip(x: Array, low: Array, high: Array) -> Array:
    return torch.clamp(x, low, high) if isinstance(x, torch.Tensor) else np.clip(x, low, high)


__all__ = ["Simple", "simple"]
