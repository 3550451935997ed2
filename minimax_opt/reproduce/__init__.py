"""The experiments behind ``minimax-opt reproduce``: one file each, in the order of the report."""

from __future__ import annotations

from minimax_opt.reproduce import (
    bias,
    convergence,
    failure,
    minibatch,
    rates,
    representation,
    shared_weights,
    switch,
    tightness,
)
from minimax_opt.reproduce.experiment import Claim, Experiment

EXPERIMENTS: tuple[Experiment, ...] = (
    bias.EXPERIMENT,
    convergence.EXPERIMENT,
    tightness.EXPERIMENT,
    rates.EXPERIMENT,
    minibatch.EXPERIMENT,
    representation.EXPERIMENT,
    switch.EXPERIMENT,
    failure.EXPERIMENT,
    shared_weights.EXPERIMENT,
)

__all__ = ["EXPERIMENTS", "Claim", "Experiment"]
