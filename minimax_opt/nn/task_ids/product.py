"""Tasks by two things at once, such as a label and a background."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from minimax_kernels.arguments import IGNORED
from minimax_opt.nn.task_ids.base import TaskMap


@dataclass(frozen=True)
class ProductMap(TaskMap, kind="product"):
    """A task for each pair of a task of `first` and one of `second`.

    Parameters
    ----------
    first, second : TaskMap

    Examples
    --------
    >>> from minimax_opt.nn.task_ids import LabelMap
    >>> groups = ProductMap(LabelMap(["landbird", "waterbird"]), LabelMap(["land", "water"]))
    >>> groups.task_names[1], groups((["landbird", "waterbird"], ["water", "land"])).tolist()
    ('landbird, water', [1, 2])
    """

    first: TaskMap
    second: TaskMap
    task_names: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not (isinstance(self.first, TaskMap) and isinstance(self.second, TaskMap)):
            raise TypeError("`first` and `second` must be task maps.")
        names = tuple(f"{a}, {b}" for a in self.first.task_names for b in self.second.task_names)
        object.__setattr__(self, "task_names", names)

    def __call__(self, values: Any) -> Tensor:
        """The task ids of a pair of values, whose shapes broadcast."""
        if not isinstance(values, tuple | list) or len(values) != 2:
            raise TypeError(f"`values` must be a pair, those of `first` and those of `second`, got {type(values).__name__}.")
        a, b = self.first(values[0]), self.second(values[1])
        return torch.where((a >= 0) & (b >= 0), a * self.second.n_tasks + b, IGNORED)

    def to_dict(self) -> dict[str, Any]:
        return self._tagged(first=self.first.to_dict(), second=self.second.to_dict())

    @classmethod
    def _from_dict(cls, saved: dict[str, Any]) -> ProductMap:
        return cls(TaskMap.from_dict(saved["first"]), TaskMap.from_dict(saved["second"]))


__all__ = ["ProductMap"]
