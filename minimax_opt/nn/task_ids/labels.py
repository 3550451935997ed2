"""Tasks by label: classes, domains, the values of a column, part-of-speech tags in groups."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from minimax_kernels.arguments import IGNORED
from minimax_opt import checks
from minimax_opt.nn.task_ids.base import TaskMap

Label = str | int
Unknown = Literal["raise", "ignore"]

UNIVERSAL_POS_GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "noun": ("NOUN", "PROPN"),
        "pronoun": ("PRON",),
        "verb": ("VERB", "AUX"),
        "adjective": ("ADJ",),
        "adverb": ("ADV",),
        "adposition": ("ADP",),
        "conjunction": ("CCONJ", "SCONJ"),
        "determiner": ("DET",),
        "number": ("NUM",),
        "particle": ("PART",),
        "punctuation": ("PUNCT", "SYM"),
        "other": ("INTJ", "X"),
    }
)
"""The tags of Universal Dependencies in twelve groups."""


@dataclass(frozen=True)
class LabelMap(TaskMap, kind="labels"):
    """A task for each label, or for each group of labels.

    Parameters
    ----------
    groups : dict, or sequence of labels
        The labels (str or int) of each task by its name; of a sequence, each label is a task.
    unknown : {"raise", "ignore"}
        What becomes of other labels: an error, or samples that are left out. None and nan are left out always.

    Examples
    --------
    >>> domains = LabelMap.from_values(["news", "law", "news"])
    >>> domains.task_names, domains(["law", "news", None]).tolist()
    (('law', 'news'), [0, 1, -100])
    >>> LabelMap({"noun": ["NOUN", "PROPN"], "verb": ["VERB"]}, unknown="ignore")([["PROPN", "VERB", "X"]]).tolist()
    [[0, 1, -100]]
    """

    groups: Mapping[str, Sequence[Label]]
    unknown: Unknown = "raise"
    task_names: tuple[str, ...] = field(init=False, repr=False)
    _ids: dict[Label, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        checks.choice("`unknown`", self.unknown, ("raise", "ignore"))
        groups = _grouped(self.groups)
        ids = {label: k for k, labels in enumerate(groups.values()) for label in labels}
        if not groups or not all(groups.values()):
            raise ValueError(f"`groups` must hold at least one task, and each task at least one label, got {self.groups!r}.")
        twice = [label for label, n in Counter(label for labels in groups.values() for label in labels).items() if n > 1]
        if twice:
            raise ValueError(f"`groups` holds the label {twice[0]!r} twice; a label belongs to one task.")
        for name, value in {"groups": groups, "task_names": tuple(groups), "_ids": ids}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_values(cls, values: Any, least_count: int = 1, rest: str | None = None, unknown: Unknown = "raise") -> LabelMap:
        """A task for each of the labels in `values`, in sorted order, whatever the order of the data.

        Labels that occur fewer than `least_count` times are one task together, named `rest`; without `rest` they belong to none, and
        are unknown afterwards.
        """
        checks.integer("least_count", least_count, 1)
        counts = Counter(label for label in map(_label, _objects(values).flat) if label is not None)
        kept = sorted((label for label, n in counts.items() if n >= least_count), key=_order)
        groups: dict[str, Sequence[Label]] = {str(label): (label,) for label in kept}
        if len(groups) < len(kept):
            raise ValueError("`values` holds a number and a text that read the same; make all labels texts.")
        rare = sorted(counts.keys() - set(kept), key=_order)
        if rest is not None and rare:
            if rest in groups:
                raise ValueError(f"`rest` must be a name that no label has, got {rest!r}.")
            groups[rest] = tuple(rare)
        return cls(groups, unknown)

    def __call__(self, values: Any) -> Tensor:
        """The task ids of labels in a list (also a nested one), an array, a pandas column or a tensor of integers."""
        labels = _objects(values)
        ids = [self._id(_label(value)) for value in labels.flat]
        return torch.tensor(ids, dtype=torch.int64, device=getattr(values, "device", None)).reshape(labels.shape)

    def _id(self, label: Label | None) -> int:
        if label is None:
            return IGNORED
        found = self._ids.get(label)
        if found is None and self.unknown == "raise":
            near = difflib.get_close_matches(str(label), map(str, self._ids), n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near and near[0] != str(label) else ""
            raise ValueError(
                f"unknown label: {label!r}, of type {type(label).__name__}, is in none of the {self.n_tasks} tasks.{hint} "
                'unknown="ignore" leaves such samples out.'
            )
        return IGNORED if found is None else found

    def to_dict(self) -> dict[str, Any]:
        return self._tagged(groups={name: list(labels) for name, labels in self.groups.items()}, unknown=self.unknown)

    @classmethod
    def _from_dict(cls, saved: dict[str, Any]) -> LabelMap:
        return cls(saved["groups"], saved["unknown"])


def _grouped(groups: Any) -> dict[str, tuple[Label, ...]]:
    if isinstance(groups, str) or not isinstance(groups, Mapping | Sequence):
        raise TypeError(f"`groups` must be a dict or a sequence of labels, got {type(groups).__name__}.")
    if not isinstance(groups, Mapping):
        groups = {str(label): (label,) for label in groups} if len(set(map(str, groups))) == len(groups) else None
        if groups is None:
            raise ValueError("`groups` holds a label twice.")
    wrong = [labels for labels in groups.values() if isinstance(labels, str)]
    if wrong:
        raise TypeError(f"the labels of a task must be a sequence, got the text {wrong[0]!r}; write [{wrong[0]!r}].")
    found = {str(name): tuple(map(_label, labels)) for name, labels in groups.items()}
    if any(label is None for labels in found.values() for label in labels):
        raise ValueError("`groups` must hold texts and integers, got None or nan.")
    return found  # type: ignore[return-value]


def _objects(values: Any) -> Any:
    """An array of objects, whatever came."""
    if isinstance(values, Tensor):
        return values.detach().cpu().numpy()
    if isinstance(values, str | int):
        return np.array(values, dtype=object)
    try:
        found = np.asarray(values)
        return found if found.dtype.kind in "biuO" else np.array(values, dtype=object)  # NumPy would make texts of mixed ones
    except ValueError as error:
        raise ValueError("`values` must be a list or an array of labels, got lists of different lengths.") from error


def _label(value: Any) -> Label | None:
    """A text or an integer; None for what is missing."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return None
        if float(value).is_integer():
            return int(value)
    if type(value).__name__ == "NAType":  # of pandas
        return None
    raise TypeError(f"labels must be texts or integers, got {value!r}. For numbers, use a BucketMap.")


def _order(label: Label) -> tuple[bool, Any]:
    return isinstance(label, str), label


__all__ = ["UNIVERSAL_POS_GROUPS", "LabelMap"]
