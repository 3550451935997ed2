"""pandas, imported when a table is first touched, and the error for everything in a table that the user can put right."""

from __future__ import annotations

from importlib import import_module
from typing import Any

PIP = 'Run: pip install "minimax_opt[tabular]"'


class TableError(ValueError):
    """A table, a column or an option that cannot be used; says which one, why, and what to do."""


def pandas() -> Any:
    """The module, untyped. Raises :class:`TableError` with the pip command where it is not installed."""
    try:
        return import_module("pandas")
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        raise TableError(f"pandas reads tables, and is not installed. {PIP}") from None
