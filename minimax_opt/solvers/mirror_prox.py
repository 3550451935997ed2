"""Placeholder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from minimax_opt.solvers.base import Solver


@dataclass
class MirrorProx(Solver):
    """Placeholder."""

    name: ClassVar[str] = "mirror-prox"
