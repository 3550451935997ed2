"""A feature that gives the target away, which is most often a consequence of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.tabular.choose import listed

GIVEN_AWAY = 0.995  # absolute correlation


def leaks(matrix: Host, target: Host, names: Sequence[str], classes: int) -> list[tuple[str, str]]:
    """A warning about the columns that alone tell the target: by correlation, or with two classes by a threshold.

    Parameters
    ----------
    matrix : array, shape (N, n)
        Its first column is that of ones.
    target : array, shape (N,)
        Numbers, or the numbers of classes.
    names : sequence of str
        Names of the columns.
    classes : int
        Number of classes; 0 for numbers.

    Examples
    --------
    >>> leaks(np.array([[1.0, 3.0, 5.0], [1.0, 4.0, 6.0], [1.0, 5.0, 5.0]]), np.array([0.0, 1.0, 1.0]), ["intercept", "a", "b"], 2)
    [('warning', 'told by one column alone: a. If it is a consequence of the target, leave it out: --drop')]
    """
    if classes > 2 or len(target) < 3:
        return []
    told = [name for name, column in zip(names[1:], matrix.T[1:], strict=True) if _tells(column, target, classes)]
    if not told:
        return []
    return [
        ("warning", f"told by one column alone: {listed(told, 5)}. If it is a consequence of the target, leave it out: --drop")
    ]


def _tells(column: Host, target: Host, classes: int) -> bool:
    if classes == 2:
        low, high = column[target == 0.0], column[target == 1.0]
        return bool(len(low) and len(high) and (low.max() < high.min() or high.max() < low.min()))
    x, y = column - column.mean(), target - target.mean()
    size = np.linalg.norm(x) * np.linalg.norm(y)
    return bool(size > 0 and abs(x @ y) >= GIVEN_AWAY * size)
