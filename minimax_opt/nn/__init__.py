"""Train for the worst task: a loss module for any PyTorch loop, and the weightings that its adversary can have.

``MinimaxLoss(SoftmaxWeighting(smoothing=0.1), n_tasks=6)`` is called with one loss and one task id a sample, and returns a scalar whose gradient
is that of the minimax objective, on one device and on many.
"""

from __future__ import annotations

from minimax_opt.nn.ascent import MirrorAscentWeighting, ProjectedAscentWeighting
from minimax_opt.nn.averages import MacroAverageWeighting, SampleAverageWeighting
from minimax_opt.nn.functional import TaskSums, minimax_loss, task_sums, weighted_loss
from minimax_opt.nn.loss import MinimaxLoss
from minimax_opt.nn.meter import TaskEvaluation, TaskMeter
from minimax_opt.nn.responses import (
    ChiSquareBallWeighting,
    CVaRWeighting,
    KLBallWeighting,
    ResponseWeighting,
    SoftmaxWeighting,
    WorstTaskWeighting,
)
from minimax_opt.nn.step import MinimaxStep
from minimax_opt.nn.weighting import Weighting

__all__ = [
    "CVaRWeighting",
    "ChiSquareBallWeighting",
    "KLBallWeighting",
    "MacroAverageWeighting",
    "MinimaxLoss",
    "MinimaxStep",
    "MirrorAscentWeighting",
    "ProjectedAscentWeighting",
    "ResponseWeighting",
    "SampleAverageWeighting",
    "SoftmaxWeighting",
    "TaskEvaluation",
    "TaskMeter",
    "TaskSums",
    "Weighting",
    "WorstTaskWeighting",
    "minimax_loss",
    "task_sums",
    "weighted_loss",
]
