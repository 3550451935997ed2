"""The target: a number, a count or a class, to float64 and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.comparison.losses import FAMILIES
from minimax_opt.tabular.extras import TableError
from minimax_opt.tabular.values import as_labels, as_numbers, in_order, is_number, shown

MANY_CLASSES = 100
LARGEST = {
    "least-squares": 1e35,
    "huber": 1e35,
}  # whose squares are multiplied by each other; other losses are linear in the target
LARGEST_LINEAR = 1e70


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes
    ----------
    name : str
    classes : tuple of str
        Empty for a number. Class c is encoded as the number c; with two classes the second is the positive one.
    """

    name: str
    classes: tuple[str, ...] = ()

    def encode(self, series: Any) -> Host:
        """float64, nan where the entry is missing, infinite, or no class of training."""
        if self.classes:
            place = {name: float(number) for number, name in enumerate(self.classes)}
            return np.array([place.get(label, np.nan) for label in as_labels(series)], dtype=np.float64)
        values = as_numbers(series, self.name)
        return np.where(np.isfinite(values), values, np.nan)


def guess_loss(series: Any) -> str:
    """least-squares for numbers of more than two values, logistic for two classes, multinomial for more."""
    distinct = len(set(as_labels(series)) - {None})
    if distinct == 2:
        return "logistic"
    return "least-squares" if is_number(series) else "multinomial"


def fit_target(name: str, series: Any, kind: str, positive: str | None = None) -> tuple[Target, list[tuple[str, str]]]:
    """The target under the loss of this kind, and what is to be said of it: (label, sentence) each.

    Raises
    ------
    TableError
        If the entries do not fit the loss; the message names one that does.
    """
    family = FAMILIES[kind]
    if family.target in ("number", "count"):
        if positive is not None:
            raise TableError(
                f"`--positive` names a class, but `--loss {kind}` has none. Leave it out, or pass `--loss logistic`."
            )
        return _fit_number(name, series, kind, count=family.target == "count")
    classes = in_order([label for label in set(as_labels(series)) if label is not None])
    if len(classes) < 2:
        raise TableError(
            f"The target `{name}` has {len(classes)} classes in the rows that are used, so there is nothing to learn."
        )
    if family.target == "two classes" and len(classes) > 2:
        other = "least-squares" if is_number(series) else "multinomial"
        raise TableError(
            f"`--loss {kind}` is for two classes, but `{name}` has {len(classes):,}: {shown(classes)}. Pass `--loss {other}`, or "
            "make two classes of them."
        )
    if len(classes) > MANY_CLASSES:
        hint = "pass `--loss least-squares`" if is_number(series) else "merge the rare ones, or choose another target"
        raise TableError(
            f"`{name}` has {len(classes):,} distinct values, too many for classes (the most is {MANY_CLASSES}): {hint}."
        )
    if positive is not None:
        if positive not in classes or family.target == "classes":
            raise TableError(f"`--positive` must be one of two classes of `{name}`, {shown(classes, 5)}, got {positive!r}.")
        classes = [*(c for c in classes if c != positive), positive]
    text = ", ".join(classes[:8]) + (f" and {len(classes) - 8} more" if len(classes) > 8 else "")
    told = f"{len(classes)} classes ({text})" if family.target == "classes" else f"{classes[1]} against {classes[0]}"
    return Target(name, tuple(classes)), [("target", f"{name}: {told}")]


def _fit_number(name: str, series: Any, kind: str, count: bool) -> tuple[Target, list[tuple[str, str]]]:
    if not is_number(series):
        classes = len(set(as_labels(series)) - {None})
        other = "logistic" if classes == 2 else "multinomial"
        raise TableError(
            f"`--loss {kind}` needs a target of numbers, but `{name}` holds text such as {shown(series.dropna(), 3)}. If these are "
            f"classes, pass `--loss {other}`; if they stand for a missing entry, `--missing`."
        )
    values = as_numbers(series, name)
    values = values[np.isfinite(values)]
    largest = float(np.abs(values).max())
    if largest > LARGEST.get(kind, LARGEST_LINEAR):
        squared = " when squared" if kind in LARGEST else ""
        raise TableError(f"The target `{name}` has values up to {largest:.2g}, which overflow{squared}: rescale the target.")
    if count and values.min() < 0:
        raise TableError(
            f"`--loss {kind}` needs counts, but `{name}` goes down to {values.min():g}. Pass `--loss least-squares`."
        )
    if count and values.max() == 0:
        raise TableError(f"The target `{name}` is 0 in every row, so there is nothing to learn.")
    if values.min() == values.max():
        raise TableError(f"The target `{name}` is {values.min():g} in every row, so there is nothing to learn.")
    distinct = np.unique(values)
    notes = [("target", f"{name}: {'counts' if count else 'numbers'} from {distinct[0]:g} to {distinct[-1]:g}")]
    if len(distinct) == 2:
        notes.append(("note", f"{name} has two values; `--loss logistic` would model their probability"))
    elif len(distinct) <= 10 and not count and (distinct == np.round(distinct)).all():
        notes.append(
            ("note", f"{name} has {len(distinct)} distinct whole numbers; if they are classes, pass `--loss multinomial`")
        )
    return Target(name), notes
