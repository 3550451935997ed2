"""Every weighting, for the tests that hold for all."""

from __future__ import annotations

import pytest

from minimax_opt import ChiSquareBall, CVaR, Simplex
from minimax_opt.nn import (
    ChiSquareBallWeighting,
    CVaRWeighting,
    KLBallWeighting,
    MacroAverageWeighting,
    MirrorAscentWeighting,
    ProjectedAscentWeighting,
    ResponseWeighting,
    SampleAverageWeighting,
    SoftmaxWeighting,
    WorstTaskWeighting,
)

MEMORYLESS = [
    SoftmaxWeighting(0.3),
    SoftmaxWeighting(0.3, prior="frequency", floor=0.1),
    SoftmaxWeighting(0.0, prior=[1.0, 2.0, 3.0, 4.0]),
    WorstTaskWeighting(),
    CVaRWeighting(0.4),
    CVaRWeighting(0.4, smoothing=0.2, prior=[1.0, 2.0, 3.0, 4.0]),
    KLBallWeighting(0.2, prior="frequency"),
    KLBallWeighting(0.2, smoothing=0.1),
    ChiSquareBallWeighting(0.2),
    ChiSquareBallWeighting(0.2, smoothing=0.1, prior=[1.0, 2.0, 3.0, 4.0], floor=0.05),
    ResponseWeighting(Simplex(), smoothing=0.5, geometry="euclidean"),
    ResponseWeighting(CVaR(0.5, prior=[4.0, 3.0, 2.0, 1.0], floor=0.1), smoothing=0.5, geometry="euclidean"),
    ResponseWeighting(ChiSquareBall(3.0)),
]
ASCENTS = [
    MirrorAscentWeighting(0.2),
    MirrorAscentWeighting(0.2, prior=[1.0, 2.0, 3.0, 4.0], floor=0.01),
    MirrorAscentWeighting(0.2, prior="frequency"),
    ProjectedAscentWeighting(0.2),
    ProjectedAscentWeighting(0.2, prior=[1.0, 2.0, 3.0, 4.0], floor=0.01),
    ProjectedAscentWeighting(0.2, prior="frequency"),
]
AVERAGES = [MacroAverageWeighting(), MacroAverageWeighting([1.0, 2.0, 3.0, 4.0]), SampleAverageWeighting()]
ALL = MEMORYLESS + ASCENTS + AVERAGES
N_TASKS = 4

over_all = pytest.mark.parametrize("weighting", ALL, ids=repr)
over_memoryless = pytest.mark.parametrize("weighting", MEMORYLESS, ids=repr)
over_ascents = pytest.mark.parametrize("weighting", ASCENTS, ids=repr)
