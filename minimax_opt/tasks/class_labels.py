"""Class labels of any kind as the integers 0 ... C-1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from minimax_opt import checks
from minimax_opt.arrays import Array


def encode(list_of_labels: Sequence[Any], n_classes: int | None, what: str) -> tuple[list[Array], list[Any]]:
    """The position of each label in `classes`, one array a part, and `classes`.

    Parameters
    ----------
    list_of_labels : sequence of arrays
        Integers, strings, booleans or floats, NumPy or torch.
    n_classes : int or None
        C: the labels must be integers from 0 to C - 1, not all of which need occur. None: `classes` are the distinct labels, sorted.
    what : str
        What error messages call the labels.

    Raises
    ------
    ValueError, TypeError
        For labels of other kinds, nan, integers outside 0 ... C - 1, and fewer than two classes.

    Examples
    --------
    >>> encode([["cat", "dog"], ["cat"]], None, "`b`")
    ([array([0, 1]), array([0])], ['cat', 'dog'])
    """
    parts = [checks.any_array(f"{what} must hold vectors of labels", part) for part in list_of_labels]
    for part in parts:
        if part.ndim != 1:
            raise ValueError(f"{what} must hold vectors of labels, one label a row, got shape {tuple(part.shape)}.")
    if n_classes is not None:
        return _integers(parts, checks.integer("n_classes", n_classes, 2), what)
    tensors = all(isinstance(part, torch.Tensor) for part in parts)
    joined = torch.cat(parts) if tensors else np.concatenate([np.asarray(part) for part in parts])
    if isinstance(joined, np.ndarray) and joined.dtype.kind not in "iubfUS":
        raise TypeError(f"{what} must be integers or strings, got dtype {joined.dtype}.")
    names, codes = (torch if tensors else np).unique(joined, return_inverse=True)
    classes = names.tolist()
    if any(name != name for name in classes):
        raise ValueError(f"{what} must not contain nan; drop those rows or make them a class of their own.")
    if len(classes) < 2:
        raise ValueError(
            f"{what} must hold at least two classes, got {classes}; pass `n_classes` for integer labels of which some do not occur."
        )
    stops = np.cumsum([len(part) for part in parts]).tolist()
    return [codes[stop - len(part) : stop] for part, stop in zip(parts, stops, strict=True)], classes


def _integers(parts: list[Array], n_classes: int, what: str) -> tuple[list[Array], list[Any]]:
    for part in parts:
        numeric = isinstance(part, torch.Tensor) or part.dtype.kind in "iubf"
        if not numeric or not bool(((part >= 0) & (part < n_classes) & (part == part // 1)).all()):
            raise ValueError(
                f"{what} must be integers from 0 to {n_classes - 1}, as `n_classes` is {n_classes}, got {_distinct(part)} among them; "
                "leave out `n_classes` for labels of other names."
            )
    return parts, list(range(n_classes))


def _distinct(part: Array, limit: int = 5) -> list[Any]:
    return sorted(set(part.tolist()), key=str)[:limit]


__all__ = ["encode"]
