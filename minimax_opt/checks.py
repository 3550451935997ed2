"""Checks of single values that the caller passed: numbers, vectors, matrices, functions.

Every message names the argument, what it must be, what it got and, where that is not plain, what to do.
"""

from __future__ import annotations

import difflib
import inspect
import math
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from minimax_opt.arrays import Array, Host, to_host


def is_number(value: Any) -> bool:
    """Whether `value` is one real number and no bool; inf and nan are numbers."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def number(name: str, value: Any, low: float, *, strict: bool = False) -> float:
    """A finite real number >= `low` (> where strict)."""
    try:
        result = float(value) if is_number(value) else math.nan
    except OverflowError:  # an integer beyond the floating-point range
        result = math.nan
    if not math.isfinite(result) or result < low or (strict and result == low):
        raise ValueError(f"`{name}` must be a finite number {'>' if strict else '>='} {low:g}, got {value!r}.")
    return result


def integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """An integer >= `low`, and <= `high` where that is given."""
    ok = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not ok or int(value) < low or (high is not None and int(value) > high):
        allowed = f">= {low}" if high is None else f"in [{low}, {high}]"
        raise ValueError(f"`{name}` must be an integer {allowed}, got {value!r}.")
    return int(value)


def boolean(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"`{name}` must be True or False, got {value!r}.")
    return bool(value)


def choice(what: str, value: Any, choices: Iterable[str]) -> str:
    """`value` where it is one of `choices`; else an error that suggests the nearest."""
    known = list(choices)
    if isinstance(value, str) and value in known:
        return value
    near = difflib.get_close_matches(str(value).lower(), known, n=1)
    listed = ", ".join(map(repr, known)) or "none"
    raise ValueError(f"unknown {what}: {value!r}.{f' Did you mean {near[0]!r}?' if near else ''} Known: {listed}.")


def keyword(name: str, function: Any, argument: str) -> None:
    """Check that `function` is one that can be called with the one keyword `argument`."""
    if not callable(function):
        raise TypeError(f"`{name}` must be a function `{name}({argument})`, got {function!r}.")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none
        return
    try:
        signature.bind(**{argument: None})
    except TypeError as error:
        raise TypeError(
            f"`{name}` must accept the keyword `{argument}` alone, got the signature {signature}: {error}."
        ) from error


def any_array(rule: str, value: Any) -> Array:
    """`value` as an array of any dtype: a tensor stays one (detached), everything else becomes NumPy.

    `rule` is the first half of the message, e.g. "`b` must be a vector".
    """
    if isinstance(value, torch.Tensor):
        return value.detach()
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        cause = "with parts of different shapes" if "inhomogeneous" in str(error) else f"({error})"
        raise ValueError(f"{rule}, got {type(value).__name__} {cause}.") from error


def real_array(rule: str, value: Any) -> Array:
    """:func:`any_array` of real numbers or booleans."""
    array = any_array(f"{rule} of real numbers", value)
    if isinstance(array, torch.Tensor):
        if not array.is_complex():
            return array
    elif array.dtype.kind in "fiub":
        return array
    raise TypeError(f"{rule} of real numbers, got {_found(value, array)}.")


def _found(value: Any, array: Array) -> str:
    """What is no array of real numbers, with a hint."""
    if isinstance(value, str):
        return repr(value)
    if hasattr(value, "toarray"):
        return f"{type(value).__name__}; use `.toarray()`"
    if "complex" in str(array.dtype):
        return f"dtype {array.dtype}, whose imaginary part would be lost"
    return f"dtype {array.dtype}" if array.ndim else type(value).__name__


def number_or_vector(name: str, value: Any) -> Host:
    """One real number, shape (), or a vector of them, shape (n,)."""
    rule = f"`{name}` must be a number or a vector"
    if isinstance(value, bool):
        raise TypeError(f"{rule} of real numbers, got {value!r}.")
    array = to_host(real_array(rule, value))
    if array.ndim > 1:
        raise ValueError(f"{rule}, got shape {array.shape}.")
    return array


def vector(name: str, value: Any, length: int | None = None) -> Host:
    """Finite real numbers, shape (length,)."""
    return _finite(name, "vector", value, None if length is None else (length,), 1)


def matrix(name: str, value: Any, shape: tuple[int, int] | None = None) -> Host:
    """Finite real numbers in two dimensions."""
    return _finite(name, "matrix", value, shape, 2)


def _finite(name: str, noun: str, value: Any, shape: tuple[int, ...] | None, ndim: int) -> Host:
    array = to_host(real_array(f"`{name}` must be a {noun}", value))
    if array.ndim != ndim or shape not in (None, array.shape):
        expected = f"have shape {shape}" if shape else f"be a {noun} ({ndim}-D)"
        raise ValueError(f"`{name}` must {expected}, got shape {array.shape}.")
    if not np.isfinite(array).all():
        raise ValueError(f"`{name}` must be finite, got nan or infinite entries.")
    return array
