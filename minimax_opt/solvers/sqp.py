"""Placeholder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from minimax_opt.solvers.base import Solver


@dataclass
class SQP(Solver):
    """Placeholder."""

    name: ClassVar[str] = "sqp"
