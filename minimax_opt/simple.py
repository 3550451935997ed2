r"""The part h of the objective that is not smooth: the weighted 1-norm plus the indicator of the domain.

h(y) = sum_i c_i |y_i| for y in X, infinite elsewhere. It is "simple": its proximal map and its conjugate have closed forms,

    prox(x, t) = argmin_y h(y) + |y - x|^2 / (2t),        h*(s) = max_y <s, y> - h(y).

Fenchel's inequality h(y) >= <s, y> - h*(s) holds for every s and y, with equality exactly where s is a subgradient of h at y. The
residual of a proximal step is one: for y = prox(x, t), s = (x - y) / t is a subgradient of h at y. Every certificate with an h rests on these
two lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from minimax_opt.arrays import Array, Host, all_finite, to_host
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
        """h*(s) = max_y <s, y> - h(y); inf where it is unbounded, or not known (a domain without a linear minimiser)."""
        best = self.maximizer(s)
        return float("inf") if best is None else float(s @ best) - self.value(best)

    def maximizer(self, s: Array) -> Array | None:
        """argmax_y <s, y> - h(y), shape (n,); None where there is none, or none is known."""
        if self.separable:
            c, lower, upper = self.pieces(s)
            where: Any = torch.where if isinstance(s, torch.Tensor) else np.where
            end = where(s > c, upper, where(s < -c, lower, _clip(s * 0.0, lower, upper)))
            return end if all_finite(end) else None
        assert self.domain is not None  # narrows the type: without a domain h is separable
        return self.domain.minimize_linear(-s) if self.domain.bounded else None

    def pieces(self, like: Array) -> tuple[Array, Array, Array]:
        """(c, lower, upper) of a separable h, each of the shape and kind of `like`, infinite bounds included."""
        c = like * 0.0 if self.l1 is None else self.l1
        if isinstance(self.domain, Box):
            return c, self.domain.lower, self.domain.upper
        endless = like * 0.0 + float("inf")
        return c, -endless, endless

    def recession(self, d: Array) -> float:
        """The limit of h(x + a d) / a as a grows: <c, |d|> where the domain contains the ray; inf where it does not, or is not known to."""
        if not self.separable:
            return 0.0 if bool((d == 0).all()) else float("inf")
        c, lower, upper = self.pieces(d)
        leaves = ((d > 0) & (upper < np.inf)) | ((d < 0) & (lower > -np.inf))
        return float("inf") if bool(leaves.any()) else float(c @ abs(d))

    def subgradient(self, s: Array) -> Array:
        """The vector nearest to `s` at which a separable h* is finite."""
        low, high = self.limits(s)
        return _clip(s, low, high)

    def limits(self, s: Array) -> tuple[Array, Array]:
        """(low, high), shape (n,): h* of a separable h is finite exactly between them."""
        c, lower, upper = self.pieces(s)
        where = torch.where if isinstance(s, torch.Tensor) else np.where
        return where(lower == -np.inf, -c, c * 0.0 - np.inf), where(upper == np.inf, c, c * 0.0 + np.inf)

    def kinks(self, s: Host) -> tuple[Host, Host]:
        """(kink, room), shape (n,), of a separable h on the host: h*(s + d) = h*(s) + <kink, d> for |d_i| <= room_i.

        Where h*(s_i) is at the edge of its domain or of two pieces there is no room.
        """
        c, lower, upper = self.pieces(s)
        kink = np.where(s > c, upper, np.where(s < -c, lower, np.clip(0.0, lower, upper)))
        return np.where(np.isfinite(kink), kink, 0.0), np.where(np.isfinite(kink), np.abs(np.abs(s) - c), 0.0)

    def on_host(self) -> Simple:
        """A separable h in NumPy float64."""
        box = Box(to_host(self.domain.lower), to_host(self.domain.upper)) if isinstance(self.domain, Box) else None
        return Simple(None if self.l1 is None else to_host(self.l1), box)


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
