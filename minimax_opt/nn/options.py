"""The arguments of `MinimaxLoss`, checked: names, and vectors over tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from minimax_opt import checks

When = Literal["current", "lagged", "two-pass"]
LAGGED_EMA = 0.95


def checked_names(names: Sequence[str] | None, n_tasks: int) -> tuple[str, ...]:
    """The names of the tasks; their numbers where none are given."""
    if names is None:
        return tuple(str(k) for k in range(n_tasks))
    if isinstance(names, str) or not all(isinstance(name, str) for name in names) or len(set(names)) != n_tasks:
        raise ValueError(f"`task_names` must be {n_tasks} different strings, got {names!r}.")
    return tuple(names)


def checked_when(when: str | None) -> When | None:
    """A mode, or None for that of the form in which the loss is called."""
    if when is not None:
        checks.choice("`when`", when, get_args(When))
    return when  # type: ignore[return-value]


def checked_ema(ema: float | None) -> float | None:
    """A decay in [0, 1), or None for the mode's."""
    if ema is not None and not (checks.is_number(ema) and 0.0 <= ema < 1.0):
        raise ValueError(f"`ema` must be a float in [0, 1), got {ema!r}. 0 keeps the last loss of each task alone.")
    return ema


def task_vector(argument: str, value: Any, names: Sequence[str], default: float, positive: bool = False) -> tuple[float, ...]:
    """A number for each task: from None, one number, a sequence, or a dict by task name."""
    if value is None:
        return (default,) * len(names)
    if isinstance(value, Mapping):
        if set(value) != set(names):
            raise ValueError(
                f"`{argument}` must hold one number for each of the tasks {', '.join(names)}, got {sorted(map(str, value))}."
            )
        value = [value[name] for name in names]
    if checks.is_number(value):
        value = [value] * len(names)
    vector = checks.vector(argument, value, len(names))
    if positive and not (vector > 0).all():
        raise ValueError(f"`{argument}` must hold numbers > 0, got {value!r}.")
    return tuple(vector.tolist())


def size_bonus(adjustment: Any, group_sizes: Any, names: Sequence[str]) -> tuple[float, ...]:
    """What is added to the scores, adjustment / sqrt(group_sizes)."""
    factors = task_vector("adjustment", adjustment, names, 0.0)
    if group_sizes is None:
        if any(factors):
            raise ValueError("`adjustment` needs `group_sizes`, the number of samples of each task in the data set.")
        return (0.0,) * len(names)
    sizes = task_vector("group_sizes", group_sizes, names, 1.0, positive=True)
    return tuple(factor / size**0.5 for factor, size in zip(factors, sizes, strict=True))


__all__ = ["LAGGED_EMA", "When", "checked_ema", "checked_names", "checked_when", "size_bonus", "task_vector"]
