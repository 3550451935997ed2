"""Placeholder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from minimax_opt.solvers.base import Solver


@dataclass
class DualNewton(Solver):
    """Placeholder."""

    name: ClassVar[str] = "dual-newton"
