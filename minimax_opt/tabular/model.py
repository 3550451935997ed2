"""A trained model: predicts on new tables, and is saved as JSON, which runs no code when it is loaded."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from minimax_opt.arrays import Host
from minimax_opt.comparison.files import write_atomically
from minimax_opt.comparison.losses import FAMILIES, Loss
from minimax_opt.tabular.choose import listed
from minimax_opt.tabular.columns import column_from, column_to
from minimax_opt.tabular.encoding import Encoding
from minimax_opt.tabular.extras import TableError, pandas
from minimax_opt.tabular.grouping import GroupColumn, Grouping
from minimax_opt.tabular.target import Target

SCHEMA = "minimax_opt.model/1"
Which = Literal["worst_case", "average"]


@dataclass(frozen=True, eq=False)
class Model:
    """The linear model z = A x on an encoded table, for both solutions that were compared.

    Attributes
    ----------
    loss : Loss
    target : Target
    grouping : Grouping
        Not needed to predict; it tells which rows are of groups that training did not have.
    encoding : Encoding
    coefficients : dict of arrays
        ``"worst_case"`` and ``"average"``: shape (n, C), C = 1 but for multinomial, rows as ``encoding.names``.
    """

    loss: Loss
    target: Target
    grouping: Grouping
    encoding: Encoding
    coefficients: dict[str, Host]

    def predict(self, frame: Any, which: Which = "worst_case") -> Any:
        """The prediction for each row of a data frame.

        Parameters
        ----------
        frame : pandas.DataFrame
            With the columns of training, in any order; others are not looked at.
        which : {"worst_case", "average"}
            The model.

        Returns
        -------
        array, shape (N,)
            Numbers; the most probable class, as text, where the target is one; the mean count for a Poisson loss.

        Raises
        ------
        TableError
            If a column is missing, or text where training had numbers.

        Warns
        -----
        UserWarning
            Of categories and groups that training did not have, and of missing numbers where it had none.
        """
        response = self._response(frame, which)
        if not self.target.classes:
            return response
        best = (response >= 0.5).astype(int) if response.ndim == 1 else response.argmax(axis=1)
        return np.array(self.target.classes, dtype=object)[best]

    def predict_proba(self, frame: Any, which: Which = "worst_case") -> Host:
        """Probability of each class, shape (N, len(target.classes)), in that order; see :meth:`predict`."""
        if not self.target.classes:
            raise TableError(f"`{self.target.name}` is a number, so there are no probabilities. Use `predict`.")
        response = self._response(frame, which)
        return response if response.ndim == 2 else np.column_stack([1.0 - response, response])

    def predict_table(self, frame: Any, which: Which = "worst_case", keep: Sequence[str] = ()) -> Any:
        """A data frame of predictions, row by row: the columns `keep`, ``prediction``, and for classes ``probability of ...``."""
        columns = {name: frame[name].to_numpy() for name in keep}
        columns["prediction"] = self.predict(frame, which)
        if self.target.classes:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # said already
                chances = self.predict_proba(frame, which)
            columns |= {f"probability of {name}": chances[:, c] for c, name in enumerate(self.target.classes)}
        return pandas().DataFrame(columns, index=frame.index)

    def scores(self, matrix: Host, which: Which) -> Host:
        """A x for an encoded table, shape (N,) or, for more than two classes, (N, C)."""
        if which not in self.coefficients:
            raise TableError(f"`which` must be one of {', '.join(self.coefficients)}, got {which!r}.")
        x = self.coefficients[which]
        return np.asarray(matrix @ (x[:, 0] if self.loss.n_classes == 1 else x))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the model as JSON, whole or not at all; :func:`load_model` reads it."""
        saved = {
            "schema": SCHEMA,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "loss": asdict(self.loss) | {"parameter": self.loss.parameter if np.isfinite(self.loss.parameter) else None},
            "target": {"name": self.target.name, "classes": list(self.target.classes)},
            "groups": {
                "columns": [{"name": c.name, "edges": list(c.edges)} for c in self.grouping.columns],
                "named": self.grouping.named,
                "groups": list(self.grouping.groups),
                "merged": list(self.grouping.merged),
            },
            "columns": [column_to(column) for column in self.encoding.columns],
            "names": list(self.encoding.names),
            "coefficients": {which: x.tolist() for which, x in self.coefficients.items()},
        }
        return write_atomically(path, json.dumps(saved, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    def _response(self, frame: Any, which: Which) -> Host:
        matrix, told = self.encoding.encode(frame)
        for sentence in told + self._strange_groups(frame):
            warnings.warn(sentence, stacklevel=3)
        return FAMILIES[self.loss.kind].response(self.scores(matrix, which))

    def _strange_groups(self, frame: Any) -> list[str]:
        """A sentence about rows of groups that training did not have, where the table says their groups."""
        if any(column.name not in frame.columns for column in self.grouping.columns):
            return []
        strange = [label for label in self.grouping.labels(frame) if label is not None and label not in self.grouping.groups]
        if not strange:
            return []
        names = listed(map(repr, dict.fromkeys(strange)), 5)
        return [
            f"{len(strange):,} rows are of groups that training did not have ({names}): its worst case says nothing about them"
        ]


def load_model(path: str | os.PathLike[str]) -> Model:
    """Read a model that :meth:`Model.save` or ``minimax-opt solve`` wrote. Nothing in the file is run.

    Raises
    ------
    TableError
        If the file is absent, or no such model, or damaged.
    """
    try:
        saved = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise TableError(f"{path}: {error.strerror}. Pass the model.json that `minimax-opt solve` wrote.") from None
    except ValueError as error:
        raise TableError(f"{path} is not JSON: {error}. Pass the model.json that `minimax-opt solve` wrote.") from None
    schema = saved.get("schema") if isinstance(saved, dict) else None
    if schema != SCHEMA:
        raise TableError(
            f"{path} has schema {schema!r}, expected {SCHEMA!r}. Pass the model.json that `minimax-opt solve` wrote."
        )
    try:
        return _model_from(saved)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise TableError(f"{path} is damaged: {reason}. Make it again with `minimax-opt solve`.") from None


def _model_from(saved: dict[str, Any]) -> Model:
    loss = dict(saved["loss"])
    loss["parameter"] = float("nan") if loss["parameter"] is None else float(loss["parameter"])
    groups, target = saved["groups"], saved["target"]
    columns = tuple(GroupColumn(str(c["name"]), tuple(map(float, c["edges"]))) for c in groups["columns"])
    model = Model(
        loss=Loss(**loss),
        target=Target(str(target["name"]), tuple(map(str, target["classes"]))),
        grouping=Grouping(columns, bool(groups["named"]), tuple(map(str, groups["groups"])), tuple(map(str, groups["merged"]))),
        encoding=Encoding(tuple(column_from(column) for column in saved["columns"])),
        coefficients={which: np.array(saved["coefficients"][which], dtype=np.float64) for which in ("worst_case", "average")},
    )
    if model.loss.kind not in FAMILIES:
        raise ValueError(f"the loss {model.loss.kind!r} is not known")
    n_classes = {"classes": len(model.target.classes)}.get(FAMILIES[model.loss.kind].target, 1)
    shape = (len(model.encoding.names), n_classes)
    if model.loss.n_classes != n_classes or any(
        x.shape != shape or not np.isfinite(x).all() for x in model.coefficients.values()
    ):
        raise ValueError(f"the coefficients are not {shape[0]} by {shape[1]} finite numbers")
    return model
