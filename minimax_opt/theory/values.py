"""Checks of numbers or arrays of them, for formulas that broadcast."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host, to_host


def at_least(name: str, value: Any, low: float, *, strict: bool = False) -> Host:
    """Finite real numbers >= `low` (> where strict), any shape, as float64."""
    array = to_host(checks.real_array(f"`{name}` must be a number or an array", value))
    short = array <= low if strict else array < low
    if not np.isfinite(array).all() or short.any():
        raise ValueError(f"`{name}` must be finite and {'>' if strict else '>='} {low:g}, got {value!r}.")
    return array


def plain(array: Any) -> Any:
    """A float for an array without dimensions, else the array."""
    return float(array) if np.ndim(array) == 0 else array


__all__ = ["at_least", "plain"]
