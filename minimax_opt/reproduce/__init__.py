"""The experiments behind ``minimax-opt reproduce``: one file each, in the order of the report."""

from __future__ import annotations

from minimax_opt.reproduce.experiment import Claim, Experiment

EXPERIMENTS: tuple[Experiment, ...] = ()

__all__ = ["EXPERIMENTS", "Claim", "Experiment"]
