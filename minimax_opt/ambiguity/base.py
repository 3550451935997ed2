"""What every ambiguity set is: a prior, a floor, a response of the adversary, and its description for host-side solvers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from minimax_opt import checks
from minimax_opt.ambiguity import host, response
from minimax_opt.ambiguity.constraints import HostConstraints
from minimax_opt.arrays import Array, Host, to_host

Geometry = Literal["entropic", "euclidean"]


class AmbiguitySet(ABC):
    r"""A convex set W of weights on K tasks round a prior q; subclasses are frozen dataclasses with the two fields below.

    The *base set* is the subclass's own. With a floor e, all weights are mixed, w = (1 - e) b + e q with b in the base set.

    Parameters
    ----------
    prior : sequence of K positive numbers, optional
        Normalised and stored as a tuple. None is the uniform prior on any number of tasks.
    floor : float
        e in [0, 1).
    """

    prior: Sequence[float] | None
    floor: float

    def __post_init__(self) -> None:
        if not (checks.is_number(self.floor) and 0.0 <= self.floor < 1.0):
            raise ValueError(f"`floor` must be a float in [0, 1), got {self.floor!r}.")
        if self.prior is None:
            return
        prior = checks.vector("prior", self.prior)
        if prior.size == 0 or not (prior > 0).all():
            raise ValueError(
                f"`prior` must be a sequence of finite numbers > 0, one a task, got {self.prior!r}. Leave out tasks of weight 0."
            )
        prior = prior / prior.max()  # first, so that the sum cannot overflow
        object.__setattr__(self, "prior", tuple((prior / prior.sum()).tolist()))

    # ---- the one operation ----

    def respond(
        self, losses: Array, *, smoothing: float = 0.0, geometry: Geometry = "entropic", anchor: Array | None = None
    ) -> Array:
        """The adversary's weights; see :func:`minimax_opt.ambiguity.respond`."""
        return response.respond(self, losses, smoothing, geometry, anchor)

    def worst_case(
        self, losses: Array, *, smoothing: float = 0.0, geometry: Geometry = "entropic", anchor: Array | None = None
    ) -> Array:
        """The adversary's value; see :func:`minimax_opt.ambiguity.worst_case`."""
        return response.worst_case(self, losses, smoothing, geometry, anchor)

    @abstractmethod
    def _respond_in_base(
        self, losses: Tensor, prior: Tensor, least: float, smoothing: float, geometry: Geometry, anchor: Tensor
    ) -> Tensor:
        """The maximiser over the base set, shape (..., K).

        `losses` have their maximum at 0 and may hold -inf, but only where some point of the set has weight 0 on all of these;
        `prior` and `anchor` broadcast to them. `least` is the least prior weight, 0 where only the device knows it. Called with
        options that :meth:`check_pair` has accepted.
        """

    @property
    @abstractmethod
    def _least_support(self) -> float:
        """The infimum of the prior masses that supports of points of the base set can have."""

    def check_pair(self, smoothing: float, geometry: Geometry) -> None:
        """Raise ValueError where this set has no exact response in this geometry."""
        if geometry not in get_args(Geometry):
            raise ValueError(f"`geometry` must be 'entropic' or 'euclidean', got {geometry!r}.")
        if not (checks.is_number(smoothing) and 0.0 <= smoothing < math.inf):
            raise ValueError(f"`smoothing` must be a finite float >= 0, got {smoothing!r}.")

    # ---- the set ----

    def prior_weights(self, n_tasks: int) -> Host:
        """The prior q, shape (n_tasks,), float64."""
        self.check(n_tasks)
        return np.full(n_tasks, 1.0 / n_tasks) if self.prior is None else np.array(self.prior)

    def prior_tensor(self, n_tasks: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """The prior q as a tensor, shape (n_tasks,)."""
        self.check(n_tasks)
        if self.prior is None:
            return torch.full((n_tasks,), 1.0 / n_tasks, dtype=dtype, device=device)
        return torch.tensor(self.prior, dtype=dtype).to(device, non_blocking=True)  # a blocking copy would wait for the device

    def _least_prior(self, n_tasks: int) -> float:
        return 1.0 / n_tasks if self.prior is None else min(self.prior)

    def check(self, n_tasks: int) -> None:
        """Raise ValueError unless the set is one of weights on `n_tasks` tasks."""
        if n_tasks < 1:
            raise ValueError(f"`losses` must hold at least one task along the last dimension, got {n_tasks}.")
        if self.prior is not None and len(self.prior) != n_tasks:
            raise ValueError(f"`prior` of {type(self).__name__} has {len(self.prior)} weights, but there are {n_tasks} tasks.")

    def contains(self, weights: Array, tolerance: float = 1e-9) -> bool:
        """Whether all `weights` (..., K) are in the set, the floor included, up to `tolerance` in each constraint."""
        w = to_host(weights)
        constraints = self.constraints(w.shape[-1])
        base = (w - self.floor * constraints.prior) / (1.0 - self.floor)
        return all(constraints.violation(row) <= tolerance for row in base.reshape(-1, w.shape[-1]))

    def divergence_radius(self, n_tasks: int, geometry: Geometry = "entropic") -> float:
        r"""An upper bound on :math:`\max_{w \in W} D(w, q)`: smoothing times it bounds what smoothing takes off the worst case.

        The bound shrinks with the floor by the factor 1 - e. Where it is attained is said in the docstring of each set.
        """
        self.check_pair(0.0, geometry)
        q = self.prior_weights(n_tasks)
        # Over the whole simplex the maximum is at the vertex of least prior: -log q_min, or |e_k - q|^2 / 2.
        whole = -math.log(q.min()) if geometry == "entropic" else max((1.0 + float(q @ q)) / 2 - float(q.min()), 0.0)
        return (1.0 - self.floor) * min(whole, self._base_divergence_radius(q, geometry))

    @abstractmethod
    def _base_divergence_radius(self, prior: Host, geometry: Geometry) -> float:
        """A bound on the divergence of the base set from the prior; inf where nothing beats that of the simplex."""

    @abstractmethod
    def describe(self) -> str:
        """The set in one line, for messages and plots."""

    def describe_options(self) -> str:
        """The part of :meth:`describe` that is the same for all sets."""
        prior = "" if self.prior is None else ", given prior"
        return prior + ("" if self.floor == 0.0 else f", floor {self.floor:g}")

    # ---- the host side ----

    @abstractmethod
    def constraints(self, n_tasks: int) -> HostConstraints:
        """The base set and the floor as data for NumPy solvers."""

    @abstractmethod
    def _base_host_weights(self, losses: Host, prior: Host) -> Host:
        """A maximiser of <w, losses> over the base set, ties shared in proportion to the prior; NumPy float64, shape (K,)."""

    def host_weights(self, losses: Host) -> Host:
        """:meth:`respond` without smoothing for one NumPy float64 vector, in microseconds."""
        q = self.prior_weights(losses.shape[0])
        return host.mixed(self._base_host_weights(host.shifted(losses, q, self._least_support), q), q, self.floor)

    def host_value(self, losses: Host) -> float:
        """:meth:`worst_case` without smoothing for one NumPy float64 vector, in microseconds."""
        return host.charge(self.host_weights(losses), losses)


__all__ = ["AmbiguitySet", "Geometry"]
