"""The two averages that everything is compared with, through the same code."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from minimax_opt.nn.weighting import Prior, Weighting, normalized


@dataclass(frozen=True)
class MacroAverageWeighting(Weighting):
    """The prior's average of the task losses, by default their plain mean, whatever their numbers of samples.

    Parameters
    ----------
    prior : {"uniform", "frequency"} or sequence
        As for :class:`Weighting`.
    """

    prior: Prior = "uniform"

    def weights(self, scores: Tensor, prior: Tensor, state: Tensor) -> Tensor:
        return normalized(prior)


@dataclass(frozen=True)
class SampleAverageWeighting(Weighting):
    """The plain average over all samples (tokens) of the step: ordinary training."""

    prior: Prior = field(default="frequency", init=False)

    def weights(self, scores: Tensor, prior: Tensor, state: Tensor) -> Tensor:
        return normalized(prior)


__all__ = ["MacroAverageWeighting", "SampleAverageWeighting"]
