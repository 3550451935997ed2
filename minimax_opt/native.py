"""The solvers in C, where they were built: small dense problems, for which Python's own time would be most of the time.

``MINIMAX_OPT_NATIVE=0`` in the environment turns them off. Their results are starts and steps like any other: what is certified is
certified by the same code, from the same data.
"""

from __future__ import annotations

import importlib
import os
from functools import cache
from typing import Any


@cache
def library() -> Any:
    """The module minimax_kernels._native; None where it was not built or is turned off."""
    if os.environ.get("MINIMAX_OPT_NATIVE", "1") == "0":
        return None
    try:
        return importlib.import_module("minimax_kernels._native")
    except ImportError:
        return None


__all__ = ["library"]
