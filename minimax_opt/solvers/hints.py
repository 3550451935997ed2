"""What a refusal advises where the losses have kinks: a method that does not refuse them."""

from __future__ import annotations

from minimax_opt.problem import Problem
from minimax_opt.tasks.quantile import QuantileTasks


def method_for_kinks(problem: Problem) -> str:
    """A method for losses with kinks: the interior point where nothing but a smooth regulariser is added to quantile losses."""
    if isinstance(problem.tasks, QuantileTasks) and problem.simple is None and problem.square_fits:
        return "use method='interior-point'"
    return "use method='descent-ascent', which is accurate to about 1e-2 to 1e-4"
