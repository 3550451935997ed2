"""The arguments of the bounds, checked: numbers or arrays of numbers that NumPy broadcasts."""

from __future__ import annotations

from typing import Any

import numpy as np


def real(name: str, value: Any, low: float = 0.0, *, strict: bool = True) -> Any:
    """A finite number > `low` (>= where not strict), or an array of such numbers.

    Raises
    ------
    ValueError
        For anything else, naming the argument.

    Examples
    --------
    >>> real("radius", [1, 2]).tolist()
    [1.0, 2.0]
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.asarray(np.nan)
    if not (np.isfinite(array).all() and ((array > low) if strict else (array >= low)).all()) or isinstance(value, bool):
        raise ValueError(
            f"`{name}` must be a finite number {'>' if strict else '>='} {low:g}, or an array of such, got {value!r}."
        )
    return array


def count(name: str, value: Any, low: int = 1) -> Any:
    """A whole number >= `low`, or an array of such, as floats.

    Raises
    ------
    ValueError
        For anything else, naming the argument.

    Examples
    --------
    >>> float(count("horizon", 10))
    10.0
    """
    try:
        array = real(name, value, low, strict=False)
    except ValueError:
        array = np.asarray(np.nan)
    if not (array == np.round(array)).all():
        raise ValueError(f"`{name}` must be a whole number >= {low}, or an array of such, got {value!r}.")
    return array


def plain(value: Any) -> Any:
    """A float where `value` has no axis, else the array."""
    return value if np.ndim(value) else float(value)


__all__ = ["count", "plain", "real"]
