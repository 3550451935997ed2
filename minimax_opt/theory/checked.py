"""The arguments of the formulas, checked: real numbers or arrays of them, of any shapes that NumPy broadcasts."""

from __future__ import annotations

from typing import Any

import numpy as np

from minimax_opt import checks
from minimax_opt.arrays import Host, to_host


def real(name: str, value: Any, low: float = 0.0, *, strict: bool = True) -> Host:
    """A finite number > `low` (>= where not strict), or an array of such numbers, as float64.

    Raises
    ------
    TypeError
        For what is no real number, naming the argument.
    ValueError
        For a number out of range, naming the argument.

    Examples
    --------
    >>> real("radius", [1, 2]).tolist()
    [1.0, 2.0]
    """
    rule = f"`{name}` must be a number or an array"
    if isinstance(value, bool):
        raise TypeError(f"{rule} of real numbers, got {value!r}.")
    array = to_host(checks.real_array(rule, value))
    short = array <= low if strict else array < low
    if not np.isfinite(array).all() or short.any():
        raise ValueError(
            f"`{name}` must be a finite number {'>' if strict else '>='} {low:g}, or an array of such, got {value!r}."
        )
    return array


def count(name: str, value: Any, low: int = 1) -> Host:
    """A whole number >= `low`, or an array of such, as float64.

    Raises
    ------
    TypeError, ValueError
        For anything else, naming the argument.

    Examples
    --------
    >>> float(count("horizon", 10))
    10.0
    """
    array = real(name, value, low, strict=False)
    if not (array == np.round(array)).all():
        raise ValueError(f"`{name}` must be a whole number >= {low}, or an array of such, got {value!r}.")
    return array


def plain(value: Any) -> Any:
    """A float where `value` has no axis, else the array."""
    return value if np.ndim(value) else float(value)


__all__ = ["count", "plain", "real"]
