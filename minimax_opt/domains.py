"""Convex sets that x may be confined to: each has a projection and, where it is bounded, a linear minimiser.

A bounded domain gives lower bounds for any convex losses: F(y) >= F_w(x) + <grad F_w(x), y - x> for every y, and the right-hand
side has a minimum over the domain.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from minimax_opt import checks
from minimax_opt.arrays import HOST, Array, Space, all_finite, norm
from minimax_opt.ops import project_capped_simplex, project_simplex


class Domain(ABC):
    """A closed convex set of vectors x, shape (n,)."""

    bounded: bool = True

    def bind(self, n_variables: int, space: Space) -> Domain:
        """Check the shapes against n = `n_variables` and return a copy whose arrays live in `space`."""
        return self

    @abstractmethod
    def project(self, x: Array) -> Array:
        """argmin_{y in X} |y - x|."""

    @abstractmethod
    def minimize_linear(self, gradient: Array) -> Array:
        """argmin_{y in X} <gradient, y>. Only where :attr:`bounded`."""

    def contains(self, x: Array, tolerance: float = 1e-9) -> bool:
        """Whether x is within `tolerance` * max(1, |x|) of the set."""
        return norm(x - self.project(x)) <= tolerance * max(1.0, norm(x))


class Box(Domain):
    """{x : lower <= x <= upper}, componentwise.

    Parameters
    ----------
    lower, upper : float or array_like, shape (n,)
        -inf and inf are allowed and make the box unbounded.

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import Box
    >>> Box(0.0, 1.0).project(np.array([-1.0, 0.5, 3.0]))
    array([0. , 0.5, 1. ])
    """

    def __init__(self, lower: Any, upper: Any) -> None:
        low, high = checks.number_or_vector("lower", lower), checks.number_or_vector("upper", upper)
        if np.isnan(low).any() or np.isnan(high).any():
            raise ValueError("`lower` and `upper` must be numbers or vectors without nan.")
        if low.ndim and high.ndim and low.shape != high.shape:
            raise ValueError(f"`lower` and `upper` must have the same shape, got {low.shape} and {high.shape}.")
        if np.any(low > high) or np.any(low == np.inf) or np.any(high == -np.inf):
            raise ValueError("`lower` must be <= `upper` everywhere; otherwise the domain is empty.")
        self.bounded = bool(np.isfinite(low).all() and np.isfinite(high).all())
        self.lower: Any = low
        self.upper: Any = high

    def bind(self, n_variables: int, space: Space) -> Box:
        for name, bound in (("lower", self.lower), ("upper", self.upper)):
            if bound.ndim and bound.shape != (n_variables,):
                raise ValueError(f"`{name}` must be a number or have shape ({n_variables},), got shape {bound.shape}.")
        box = object.__new__(Box)
        box.bounded = self.bounded
        box.lower = space.asarray(np.broadcast_to(self.lower, (n_variables,)))
        box.upper = space.asarray(np.broadcast_to(self.upper, (n_variables,)))
        return box

    def project(self, x: Array) -> Array:
        if isinstance(x, torch.Tensor):
            return torch.clamp(x, torch.as_tensor(self.lower, dtype=x.dtype), torch.as_tensor(self.upper, dtype=x.dtype))
        return np.clip(x, self.lower, self.upper)

    def minimize_linear(self, gradient: Array) -> Array:
        where = torch.where if isinstance(gradient, torch.Tensor) else np.where
        return where(gradient > 0, self.lower, self.upper)


class Ball(Domain):
    """{x : |x - center| <= radius}, Euclidean.

    Parameters
    ----------
    radius : float
        Positive and finite.
    center : array_like, shape (n,), optional
        The origin by default.

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import Ball
    >>> Ball(1.0).project(np.array([3.0, 4.0]))
    array([0.6, 0.8])
    """

    def __init__(self, radius: float, center: Any = None) -> None:
        self.radius = checks.number("radius", radius, 0.0, strict=True)
        self.center: Any = 0.0 if center is None else checks.vector("center", center)

    def bind(self, n_variables: int, space: Space) -> Ball:
        ball = Ball(self.radius)
        if not isinstance(self.center, float):
            if self.center.shape != (n_variables,):
                raise ValueError(f"`center` must have shape ({n_variables},), got {self.center.shape}.")
            ball.center = space.asarray(self.center)
        return ball

    def project(self, x: Array) -> Array:
        offset = x - self.center
        length = norm(offset)
        return x if length <= self.radius else self.center + offset * (self.radius / length)

    def minimize_linear(self, gradient: Array) -> Array:
        length = norm(gradient)
        return self.center - gradient * (self.radius / length if length > 0 else 0.0)


class Simplex(Domain):
    """{x >= 0, sum x = scale}.

    Parameters
    ----------
    scale : float
        Positive and finite.

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import domains
    >>> domains.Simplex().project(np.array([0.5, 1.5]))
    array([0., 1.])
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = checks.number("scale", scale, 0.0, strict=True)

    def project(self, x: Array) -> Array:
        return _through_torch(lambda v: project_simplex(v, self.scale), x)

    def minimize_linear(self, gradient: Array) -> Array:
        vertex = gradient * 0.0
        vertex[int(gradient.argmin())] = self.scale
        return vertex


class Fantope(Domain):
    """{P symmetric : 0 <= P <= I, trace P = rank}, the convex hull of the rank-r projectors, as vectors of length d*d.

    Parameters
    ----------
    dimension : int
        d >= 1; x has n = d*d entries, row by row.
    rank : int
        r in [1, d].

    Notes
    -----
    The projection symmetrises, then projects the eigenvalues onto the capped simplex (Overton and Womersley, 1992). The linear
    minimiser is the projector onto the r lowest eigenvectors (Ky Fan).

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import Fantope
    >>> Fantope(2, 1).project(np.diag([3.0, 0.0]).ravel()).reshape(2, 2)
    array([[1., 0.],
           [0., 0.]])
    """

    def __init__(self, dimension: int, rank: int) -> None:
        self.dimension = checks.integer("dimension", dimension, 1)
        self.rank = checks.integer("rank", rank, 1, self.dimension)

    def bind(self, n_variables: int, space: Space) -> Fantope:
        if n_variables != self.dimension**2:
            raise ValueError(f"`x0` must have {self.dimension**2} entries for {self!r}, got {n_variables}.")
        return self

    def _eigen(self, x: Array) -> tuple[Array, Array]:
        matrix = x.reshape(self.dimension, self.dimension)
        linalg: Any = torch.linalg if isinstance(x, torch.Tensor) else np.linalg
        values, vectors = linalg.eigh((matrix + matrix.T) / 2)
        return values, vectors

    def project(self, x: Array) -> Array:
        values, vectors = self._eigen(x)
        projected = _through_torch(lambda v: project_capped_simplex(v, 1.0, float(self.rank)), values)
        return ((vectors * projected) @ vectors.T).reshape(-1)

    def minimize_linear(self, gradient: Array) -> Array:
        lowest = self._eigen(gradient)[1][:, : self.rank]
        return (lowest @ lowest.T).reshape(-1)

    def __repr__(self) -> str:
        return f"Fantope({self.dimension}, {self.rank})"


class CustomDomain(Domain):
    """A convex set given by two functions.

    Parameters
    ----------
    project : callable
        x -> the nearest point of the set.
    minimize_linear : callable, optional
        g -> argmin_{y in X} <g, y>. Only bounded sets have one; without it the set counts as unbounded and gives no lower bound.

    Examples
    --------
    >>> import numpy as np
    >>> from minimax_opt import domains
    >>> half_space = domains.CustomDomain(lambda x: np.maximum(x, 0.0))
    >>> half_space.bounded
    False
    """

    def __init__(self, project: Callable[[Array], Array], minimize_linear: Callable[[Array], Array] | None = None) -> None:
        for name, function in (("project", project), ("minimize_linear", minimize_linear)):
            if function is not None and not callable(function):
                raise TypeError(f"`{name}` must be a function of one vector, got {type(function).__name__}.")
        self.bounded = minimize_linear is not None
        self._project, self._minimize_linear = project, minimize_linear

    def project(self, x: Array) -> Array:
        return _like("project", self._project(x), x)

    def minimize_linear(self, gradient: Array) -> Array:
        if self._minimize_linear is None:
            raise ValueError("this domain has no linear minimiser: pass `minimize_linear` to `CustomDomain`.")
        return _like("minimize_linear", self._minimize_linear(gradient), gradient)


def _like(name: str, result: Array, given: Array) -> Array:
    """What a function of the caller returned, if it is a finite array of the kind and shape of `given`."""
    kind: Any = torch.Tensor if isinstance(given, torch.Tensor) else np.ndarray
    if not isinstance(result, kind) or result.shape != given.shape:
        found = f"shape {tuple(result.shape)}" if isinstance(result, kind) else type(result).__name__
        raise ValueError(f"`{name}` must return a {kind.__name__} of shape {tuple(given.shape)}, like what it gets, got {found}.")
    if not all_finite(result) and all_finite(given):  # an x that is not finite ends the solve elsewhere
        raise ValueError(f"`{name}` must return finite numbers for a finite vector, got nan or infinite entries.")
    return result


def _through_torch(function: Callable[[torch.Tensor], torch.Tensor], x: Array) -> Array:
    """Apply a torch function to a NumPy or torch vector."""
    return function(x) if isinstance(x, torch.Tensor) else function(torch.tensor(x)).numpy()


__all__ = ["HOST", "Ball", "Box", "CustomDomain", "Domain", "Fantope", "Simplex"]
