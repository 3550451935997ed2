"""Weightings without memory: the adversary's response to the scores, over any ambiguity set."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from minimax_opt.ambiguity import AmbiguitySet, ChiSquareBall, CVaR, Geometry, KLBall, Simplex
from minimax_opt.ambiguity.response import respond_given_prior
from minimax_opt.nn.weighting import Prior, Weighting, known_part, normalized


class _Response(Weighting):
    """Weights by ``respond``; a subclass names the set, the smoothing and the geometry."""

    _set: AmbiguitySet  # without a prior of its own
    _smoothing: float
    _geometry: Geometry
    _softmax: bool

    def _respond_over(self, ambiguity: AmbiguitySet, smoothing: float, geometry: Geometry) -> None:
        """Keep, checked, what `weights` needs."""
        super().__post_init__()
        ambiguity.check_pair(smoothing, geometry)
        softmax = isinstance(ambiguity, Simplex) and geometry == "entropic" and smoothing > 0.0
        kept = {"_set": ambiguity, "_smoothing": float(smoothing), "_geometry": geometry, "_softmax": softmax}
        for name, value in kept.items():
            object.__setattr__(self, name, value)

    def weights(self, scores: Tensor, prior: Tensor, state: Tensor) -> Tensor:
        whole = normalized(prior)
        known = known_part(scores, whole)
        mass = known.sum(-1, keepdim=True)
        response = self._respond(scores, normalized(known))
        return torch.where(known > 0, mass * response, whole)

    def _respond(self, scores: Tensor, prior: Tensor) -> Tensor:
        if self._softmax:  # the same in a tenth of the operations
            wanted = torch.where(prior > 0, scores, -math.inf)
            top = wanted.amax(-1, keepdim=True)
            tilt = torch.where(top > -math.inf, (wanted - top) / self._smoothing, 0.0)
            response = torch.softmax(prior.log() + tilt, dim=-1)
            return response if self._set.floor == 0.0 else (1.0 - self._set.floor) * response + self._set.floor * prior
        if torch.compiler.is_compiling() and isinstance(self._set, (KLBall, ChiSquareBall)):
            ball, smoothing, geometry = self._set, self._smoothing, self._geometry
            found: Tensor = _ball_response(scores, prior, type(ball).__name__, ball.radius, ball.floor, smoothing, geometry)
            return found
        return respond_given_prior(self._set, scores, prior, self._smoothing, self._geometry)


@torch.library.custom_op("minimax_opt::ball_response", mutates_args=())
def _ball_response(
    scores: Tensor, prior: Tensor, ball: str, radius: float, floor: float, smoothing: float, geometry: str
) -> Tensor:
    """One node of a compiled graph in place of the eighty rounds of a root search."""
    ambiguity = KLBall(radius, floor=floor) if ball == "KLBall" else ChiSquareBall(radius, floor=floor)
    return respond_given_prior(ambiguity, scores, prior, smoothing, cast("Geometry", geometry))


@_ball_response.register_fake
def _(scores: Tensor, *_: object) -> Tensor:
    return torch.empty_like(scores)


@dataclass(frozen=True)
class ResponseWeighting(_Response):
    r"""The response over any ambiguity set: argmax over w in W of <w, scores> - smoothing D(w, prior).

    Parameters
    ----------
    ambiguity : AmbiguitySet
        With its floor. Its prior, if it has one, is that of the weighting.
    smoothing : float
        At least 0, in the unit of the scores.
    geometry : {"entropic", "euclidean"}
    prior : {"uniform", "frequency"} or sequence
        As for :class:`Weighting`.

    Examples
    --------
    >>> from minimax_opt import CVaR
    >>> weighting = ResponseWeighting(CVaR(0.5, floor=0.1), smoothing=0.2)
    """

    ambiguity: AmbiguitySet = Simplex()  # noqa: RUF009 - immutable
    smoothing: float = 0.0
    geometry: Geometry = "entropic"
    prior: Prior = "uniform"

    def __post_init__(self) -> None:
        if not isinstance(self.ambiguity, AmbiguitySet):
            raise TypeError(f"`ambiguity` must be an ambiguity set, such as Simplex() or CVaR(0.3), got {self.ambiguity!r}.")
        own = self.ambiguity.prior
        if own is not None:
            if self.prior not in ("uniform", own):
                raise ValueError("`prior` is given twice: to the ambiguity set and to the weighting. Give it to one of them.")
            object.__setattr__(self, "prior", own)
        self._respond_over(replace(self.ambiguity, prior=None), self.smoothing, self.geometry)  # type: ignore[type-var]


@dataclass(frozen=True)
class SoftmaxWeighting(_Response):
    r"""Weights :math:`\propto q_k \exp(score_k / smoothing)`: the paper's algorithm, with its lambda = 1/smoothing.

    Parameters
    ----------
    smoothing : float
        At least 0, in the unit of the scores; 0 is the worst task, and a large one the prior.
    prior : {"uniform", "frequency"} or sequence
        q; see :class:`Weighting`. With "frequency", smoothing -> inf is the plain average over samples.
    floor : float
        e in [0, 1): (1 - e) of the above plus e q.

    Examples
    --------
    >>> import torch
    >>> weighting = SoftmaxWeighting(smoothing=1.0)
    >>> weighting.weights(torch.tensor([0.0, 1.0]), prior=torch.tensor([0.5, 0.5]), state=torch.zeros(2))
    tensor([0.2689, 0.7311])
    """

    smoothing: float
    prior: Prior = "uniform"
    floor: float = 0.0

    def __post_init__(self) -> None:
        self._respond_over(Simplex(floor=self.floor), self.smoothing, "entropic")


@dataclass(frozen=True)
class WorstTaskWeighting(_Response):
    """All weight on the worst task; ties share in proportion to the prior.

    Parameters
    ----------
    prior, floor
        As for :class:`SoftmaxWeighting`.
    """

    prior: Prior = "uniform"
    floor: float = 0.0

    def __post_init__(self) -> None:
        self._respond_over(Simplex(floor=self.floor), 0.0, "entropic")


@dataclass(frozen=True)
class CVaRWeighting(_Response):
    """The mean of the worst tail of tasks; see :class:`minimax_opt.CVaR`.

    Parameters
    ----------
    tail_fraction : float
        In (0, 1], a share of the prior's mass.
    smoothing : float
        Of the entropic kind, as for :class:`SoftmaxWeighting`.
    prior, floor
        As for :class:`SoftmaxWeighting`.
    """

    tail_fraction: float
    smoothing: float = 0.0
    prior: Prior = "uniform"
    floor: float = 0.0

    def __post_init__(self) -> None:
        self._respond_over(CVaR(self.tail_fraction, floor=self.floor), self.smoothing, "entropic")


@dataclass(frozen=True)
class KLBallWeighting(_Response):
    """The worst weights within a Kullback-Leibler ball round the prior; see :class:`minimax_opt.KLBall`.

    Parameters
    ----------
    radius : float
        At least 0.
    smoothing, prior, floor
        As for :class:`CVaRWeighting`.
    """

    radius: float
    smoothing: float = 0.0
    prior: Prior = "uniform"
    floor: float = 0.0

    def __post_init__(self) -> None:
        self._respond_over(KLBall(self.radius, floor=self.floor), self.smoothing, "entropic")


@dataclass(frozen=True)
class ChiSquareBallWeighting(_Response):
    """The worst weights within a chi-square ball round the prior; see :class:`minimax_opt.ChiSquareBall`.

    Parameters
    ----------
    radius : float
        At least 0.
    smoothing : float
        Of the Euclidean kind: times half the squared distance from the prior.
    prior, floor
        As for :class:`SoftmaxWeighting`.
    """

    radius: float
    smoothing: float = 0.0
    prior: Prior = "uniform"
    floor: float = 0.0

    def __post_init__(self) -> None:
        self._respond_over(ChiSquareBall(self.radius, floor=self.floor), self.smoothing, "euclidean")


__all__ = [
    "CVaRWeighting",
    "ChiSquareBallWeighting",
    "KLBallWeighting",
    "ResponseWeighting",
    "SoftmaxWeighting",
    "WorstTaskWeighting",
]
