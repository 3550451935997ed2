"""What a task map is: a function from values to task ids that has names and can be saved."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

from torch import Tensor

FORMAT = 1  # of the files
KINDS: dict[str, type[TaskMap]] = {}


class TaskMap(ABC):
    """From values to task ids; subclasses are frozen dataclasses.

    Attributes
    ----------
    task_names : tuple of str
        One for each task, in the order of the ids.
    """

    kind: ClassVar[str]
    task_names: tuple[str, ...]

    def __init_subclass__(cls, kind: str) -> None:
        cls.kind = kind
        KINDS[kind] = cls

    @property
    def n_tasks(self) -> int:
        """K."""
        return len(self.task_names)

    @abstractmethod
    def __call__(self, values: Any) -> Tensor:
        """The task ids of `values`, int64, of their shape; -100 for values that belong to no task."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The map as numbers, texts, lists and dicts, for JSON or a checkpoint."""

    @classmethod
    @abstractmethod
    def _from_dict(cls, saved: dict[str, Any]) -> Self:
        """The map that gave `saved`."""

    @staticmethod
    def from_dict(saved: dict[str, Any]) -> TaskMap:
        """The map that :meth:`to_dict` was called on."""
        if not isinstance(saved, dict) or saved.get("kind") not in KINDS or saved.get("format") != FORMAT:
            found = {k: saved.get(k) for k in ("kind", "format")} if isinstance(saved, dict) else type(saved).__name__
            raise ValueError(f"a task map has a kind ({', '.join(KINDS)}) and the format {FORMAT}, got {found}.")
        return KINDS[saved["kind"]]._from_dict(saved)

    def _tagged(self, **content: Any) -> dict[str, Any]:
        return {"kind": self.kind, "format": FORMAT, **content}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the map to a JSON file; :func:`load_task_map` reads it."""
        Path(path).write_text(json.dumps(self.to_dict(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def load_task_map(path: str | os.PathLike[str]) -> TaskMap:
    """The map that :meth:`TaskMap.save` wrote; reading it runs no code."""
    return TaskMap.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))


__all__ = ["TaskMap", "load_task_map"]
