"""The solvers in C, where they were built: small dense problems, for which Python's own time would be most of the time.

``MINIMAX_OPT_NATIVE=0`` in the environment turns them off. Their results are starts and steps like any other: what is certified is
certified by the same code, from the same data.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from minimax_kernels.backend import load


@cache
def library() -> Any:
    """The module minimax_kernels._native; None where it was not built or is turned off."""
    return load("minimax_kernels._native")


__all__ = ["library"]
