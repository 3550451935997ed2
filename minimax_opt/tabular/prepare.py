"""From a data frame to the rows of a comparison: which rows and columns are used, and what was done to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.comparison.groups import GroupedRows
from minimax_opt.comparison.losses import FAMILIES, Loss
from minimax_opt.tabular.choose import choose_columns, refuse_broken_numbers, require_column
from minimax_opt.tabular.encoding import Encoding, fit_encoding
from minimax_opt.tabular.extras import TableError, pandas
from minimax_opt.tabular.grouping import Grouping, fit_groups, parse_groups, rare_groups
from minimax_opt.tabular.leaks import leaks
from minimax_opt.tabular.target import Target, fit_target, guess_loss
from minimax_opt.tabular.values import Labels, as_labels, is_number

NOUN = ("group", "groups")
EFFICIENCY = 1.345  # Huber (1981): with delta this many scales, 95 % as efficient as least squares on normal errors
NORMAL = 1.4826  # scale of a normal distribution over its median absolute deviation


@dataclass(frozen=True)
class Recipe:
    """How a table becomes a problem; see :func:`minimax_opt.tabular.solve_table` for each part."""

    target: str
    groups: tuple[str, ...]
    loss: str = "auto"
    features: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    positive: str | None = None
    min_group_size: int = 1
    max_levels: int = 50
    holdout: float = 0.0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class TableRows(GroupedRows):
    """K tasks from a table.

    Attributes
    ----------
    source : str
        Where the table comes from.
    notes : tuple of (str, str)
        What was done to it: a label and a sentence each.
    """

    source: str = "a data frame"
    notes: tuple[tuple[str, str], ...] = ()

    def provenance(self) -> dict[str, Any]:
        return {"source": self.source, "notes": [list(note) for note in self.notes]}


@dataclass(frozen=True)
class Prepared:
    """The training rows, how to make rows like them, and the rows held out (None: none)."""

    rows: TableRows
    loss: Loss
    target: Target
    grouping: Grouping
    encoding: Encoding
    held_out: Any


def prepare(frame: Any, recipe: Recipe, source: str) -> Prepared:
    """Choose rows and columns, learn the encoding on the training rows, and split them into groups.

    Raises
    ------
    TableError
        For whatever in the table or the recipe cannot be used.
    """
    frame = _checked(frame, recipe)
    grouping = parse_groups(frame, recipe.groups)
    kind, parameter = parse_loss(recipe.loss)
    _check_columns(recipe, [column.name for column in grouping.columns])
    _refuse_broken_target(frame[recipe.target], recipe.target, kind)
    kind = kind or guess_loss(frame[recipe.target])
    used, dropped = _complete_rows(frame, recipe.target, grouping, FAMILIES[kind].target in ("number", "count"))
    train, held_out = _split(used, grouping.labels(used), recipe)

    target, about_target = fit_target(recipe.target, train[recipe.target], kind, recipe.positive)
    grouping, about_groups = fit_groups(grouping, train, recipe.min_group_size)
    taken = [recipe.target, *(column.name for column in grouping.columns)]
    choice = choose_columns(frame, taken, recipe.features, recipe.drop, recipe.categorical)
    encoding, about_columns = fit_encoding(train, choice, list(train.columns), recipe.max_levels)
    matrix, b = encoding.encode(train)[0], target.encode(train[recipe.target])
    loss = _loss(kind, parameter, target, b)
    labels, rows_read = grouping.labels(train), len(frame) - (0 if held_out is None else len(held_out))
    rows = split_rows(matrix, b, labels, grouping.groups, encoding.names, rows_read=rows_read, dropped=dropped, source=source)
    warnings = leaks(matrix, b, encoding.names, len(target.classes))
    warnings += rare_groups(rows.rows, rows.names, len(encoding.names) * loss.n_classes)
    rows = replace(rows, notes=(*about_target, *about_groups, *about_columns, *warnings))
    return Prepared(rows, loss, target, grouping, encoding, held_out)


def _checked(frame: Any, recipe: Recipe) -> Any:
    """The data frame with names of text and no index; its columns are there."""
    if not isinstance(frame, pandas().DataFrame):
        raise TableError(f"`frame` must be a pandas.DataFrame, got {type(frame).__name__}. `read_table` reads one from a file.")
    frame = frame.rename(columns=str).reset_index(drop=True)
    if frame.columns.duplicated().any():
        raise TableError(f"More than one column is named {frame.columns[frame.columns.duplicated()][0]!r}. Rename one of them.")
    require_column(frame, recipe.target, "target")
    if not recipe.groups:
        raise TableError("Name at least one column of groups: `--group COL`.")
    if recipe.target in recipe.features:
        raise TableError(f"`--features` names the target {recipe.target!r}, which would predict itself. Leave it out.")
    return frame


def _check_columns(recipe: Recipe, groups: Sequence[str]) -> None:
    """Raise where an option names the target or a group column and would do nothing to it."""
    for option, names in (("drop", recipe.drop), ("categorical", recipe.categorical)):
        if recipe.target in names:
            classes = "; for a target of classes pass `--loss multinomial`" if option == "categorical" else ""
            raise TableError(f"`--{option}` names the target {recipe.target!r}, which is no feature. Leave it out{classes}.")
        for name in groups:
            if name in names and name not in recipe.features:
                raise TableError(
                    f"`--{option}` names {name!r}, the column of the groups, which is no feature unless `--features` names it. "
                    "Leave it out."
                )


def _refuse_broken_target(series: Any, name: str, kind: str) -> None:
    """Raise where a target of text would be numbers but for a few entries, unless the loss takes it as classes."""
    numeric = not kind or FAMILIES[kind].target in ("number", "count")
    if is_number(series) or isinstance(series.dtype, pandas().CategoricalDtype) or not numeric:
        return
    if kind or len(set(as_labels(series)) - {None}) > 2:  # two values are classes, whatever they are
        refuse_broken_numbers(series, name, "`--loss multinomial` if these are classes")


def split_rows(
    matrix: Host, target: Host, labels: Labels, groups: Sequence[str], names: tuple[str, ...], **rest: Any
) -> TableRows:
    """The rows of each of the `groups` that has any."""
    rows = {group: np.flatnonzero(labels == group) for group in groups}
    rows = {group: at for group, at in rows.items() if len(at)}
    return TableRows(
        names=tuple(rows),
        matrices=tuple(matrix[at] for at in rows.values()),
        targets=tuple(target[at] for at in rows.values()),
        features=names,
        noun=NOUN,
        **rest,
    )


def parse_loss(text: str) -> tuple[str, float | None]:
    """``"huber:1.5"`` -> ("huber", 1.5); an empty name for ``"auto"``.

    Examples
    --------
    >>> parse_loss("huber:1.5"), parse_loss("logistic"), parse_loss("auto")
    (('huber', 1.5), ('logistic', None), ('', None))
    """
    kind, colon, number = text.partition(":")
    if kind == "auto" and not colon:
        return "", None
    if kind not in FAMILIES:
        raise TableError(f"`--loss` must be one of {loss_forms()}, got {text!r}.")
    if not colon:
        return kind, None
    if not FAMILIES[kind].parameter:
        raise TableError(f"`--loss {kind}` takes no number, got {text!r}.")
    try:
        return kind, float(number)
    except ValueError:
        raise TableError(
            f"`--loss {text}`: {number!r} is not a number. Write {kind}:{FAMILIES[kind].parameter.upper()}."
        ) from None


def loss_forms() -> str:
    """The names of the losses, for a message."""
    return ", ".join(["auto", *(f"{kind}[:{f.parameter.upper()}]" if f.parameter else kind for kind, f in FAMILIES.items())])


def _loss(kind: str, parameter: float | None, target: Target, b: Host) -> Loss:
    family = FAMILIES[kind]
    if family.parameter and parameter is None:
        parameter = _robust_scale(b) if family.default is None else family.default
    loss = Loss(
        kind=kind,
        label=family.label.format(parameter=parameter),
        unit=family.unit.format(target=target.name),
        mean="mean over all rows",
        parameter=float("nan") if parameter is None else parameter,
        n_classes=len(target.classes) if family.target == "classes" else 1,
    )
    if family.parameter:
        try:
            family.tasks([np.ones((1, 1))], [np.zeros(1)], loss)  # let the family judge its number
        except ValueError as error:
            raise TableError(f"`--loss {kind}`: {error}") from None
    return loss


def _robust_scale(values: Host) -> float:
    """1.345 times the normal-consistent median absolute deviation; times the standard deviation where that is zero."""
    scale = NORMAL * float(np.median(np.abs(values - np.median(values))))
    return EFFICIENCY * (scale or float(values.std()))


def _complete_rows(frame: Any, target: str, grouping: Grouping, numeric: bool) -> tuple[Any, str]:
    """The rows that have a target and a group, and a sentence about the others."""
    no_target = np.array([label is None for label in as_labels(frame[target])])
    if numeric and is_number(frame[target]):
        no_target |= ~np.isfinite(frame[target].to_numpy(dtype=np.float64, na_value=np.nan))
    no_group = np.array([label is None for label in grouping.labels(frame)])
    keep = ~(no_target | no_group)
    if not keep.any():
        raise TableError(f"No row has both a target `{target}` and a group. Are the right columns named?")
    parts = [
        f"{rows.sum():,} without {what}"
        for rows, what in ((no_target, f"the target `{target}`"), (no_group & ~no_target, "a group"))
        if rows.any()
    ]
    return frame[keep].reset_index(drop=True), " and ".join(parts) or "none"


def _split(frame: Any, labels: Labels, recipe: Recipe) -> tuple[Any, Any]:
    """(training rows, held-out rows or None): a share of each group, of which at least one row stays in training."""
    if not recipe.holdout:
        return frame, None
    rng, out = np.random.default_rng(recipe.seed), np.zeros(len(frame), dtype=bool)
    for group in sorted(set(labels)):
        rows = np.flatnonzero(labels == group)
        out[rng.permutation(rows)[: min(round(recipe.holdout * len(rows)), len(rows) - 1)]] = True
    if not out.any():
        raise TableError(
            f"`--holdout {recipe.holdout:g}` takes no row of any group. The groups are too small; take a larger share."
        )
    return frame[~out].reset_index(drop=True), frame[out].reset_index(drop=True)
