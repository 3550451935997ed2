"""The whole simplex: any weights at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minimax_opt.ambiguity import host
from minimax_opt.ambiguity.base import AmbiguitySet, Geometry
from minimax_opt.ambiguity.constraints import HostConstraints
from minimax_opt.arrays import Host
from minimax_opt.ops import project_simplex


@dataclass(frozen=True)
class Simplex(AmbiguitySet):
    r"""All weights w >= 0 with sum 1; the worst case is the maximum of the losses.

    Entropic: :math:`w \propto a_k \exp(f_k / smoothing)` with the anchor a. Euclidean: the projection of a + f / smoothing.

    Parameters
    ----------
    prior : sequence of K positive numbers, optional
        Default uniform. It is the default anchor, and what the floor mixes in.
    floor : float
        e in [0, 1): every weight is at least e q_k.

    Notes
    -----
    The divergence radius is attained, at the task of least prior weight: ln K for a uniform prior.

    Examples
    --------
    >>> import numpy as np
    >>> Simplex().respond(np.array([1.0, 3.0, 3.0]))
    array([0. , 0.5, 0.5])
    >>> Simplex(floor=0.3).respond(np.array([1.0, 3.0, 3.0]))
    array([0.1 , 0.45, 0.45])
    """

    prior: Sequence[float] | None = None
    floor: float = 0.0

    @property
    def _least_support(self) -> float:
        return 0.0

    def _respond_in_base(
        self, losses: Tensor, prior: Tensor, least: float, smoothing: float, geometry: Geometry, anchor: Tensor
    ) -> Tensor:
        return respond_on_simplex(losses, prior, smoothing, geometry, anchor)

    def _base_divergence_radius(self, prior: Host, geometry: Geometry) -> float:
        return math.inf

    def describe(self) -> str:
        """The set in one line."""
        return f"simplex{self.describe_options()}"

    def constraints(self, n_tasks: int) -> HostConstraints:
        """The base set and the floor as data for NumPy solvers."""
        return HostConstraints(self.prior_weights(n_tasks), self.floor)

    def _base_host_weights(self, losses: Host, prior: Host) -> Host:
        return host.simplex_weights(losses, prior)

    def host_value(self, losses: Host) -> float:
        """The largest loss, mixed with the mean under a floor."""
        return super().host_value(losses) if self.floor else float(losses.max())


def respond_on_simplex(losses: Tensor, prior: Tensor, smoothing: float, geometry: Geometry, anchor: Tensor) -> Tensor:
    """The response on the whole simplex: also that of any set that is large enough to hold it."""
    if smoothing == 0.0:
        tied = torch.where(losses == losses.amax(-1, keepdim=True), prior, 0.0)
        return tied / tied.sum(-1, keepdim=True)
    if geometry == "entropic":
        return torch.softmax(losses / smoothing + anchor.log(), dim=-1)
    return project_simplex(anchor + losses / smoothing)


__all__ = ["Simplex", "respond_on_simplex"]
