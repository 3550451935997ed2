"""The methods, by the name that ``minimize_max(method=...)`` takes."""

from __future__ import annotations

from minimax_opt.solvers.accelerated import Accelerated
from minimax_opt.solvers.base import Solver
from minimax_opt.solvers.descent_ascent import DescentAscent
from minimax_opt.solvers.dual_newton import DualNewton
from minimax_opt.solvers.interior_point import InteriorPoint
from minimax_opt.solvers.mirror_prox import MirrorProx
from minimax_opt.solvers.softmax_gd import SoftmaxGD
from minimax_opt.solvers.sqp import SQP
from minimax_opt.solvers.working_set import WorkingSet

METHODS: dict[str, type[Solver]] = {
    cls.name: cls for cls in (SoftmaxGD, Accelerated, MirrorProx, DescentAscent, InteriorPoint, DualNewton, SQP, WorkingSet)
}

__all__ = ["METHODS", "Solver"]
