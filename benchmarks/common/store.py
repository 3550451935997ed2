"""Results as one JSON file, written whole or not at all, so that a long run can be stopped and continued."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any


class Store:
    """A dict of sections, each a dict from a key to a finished row.

    Parameters
    ----------
    path : Path or None
        The file; None keeps everything in memory.
    settings : dict
        What the rows depend on. Rows of a file with other settings are an error, not a mixture.
    """

    def __init__(self, path: Path | None, settings: dict[str, Any]) -> None:
        self.path = path
        self.content: dict[str, Any] = {"settings": settings}
        if path is not None and path.exists():
            found = load(path)
            if found.get("settings") != settings:
                raise ValueError(
                    f"{path} holds results of other settings, {found.get('settings')}, than those asked for, {settings}: "
                    "give another --output, the same settings, or remove the file."
                )
            self.content = found

    def rows(self, section: str) -> dict[str, Any]:
        return self.content.setdefault(section, {})

    def put(self, section: str, key: str, row: Any) -> None:
        """Add a finished row and write the file."""
        self.rows(section)[key] = _plain(row)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            beside.write_text(json.dumps(self.content, indent=1, allow_nan=False) + "\n")
            os.replace(beside, self.path)


def load(path: Path) -> dict[str, Any]:
    """The content of a file that a :class:`Store` wrote."""
    content = json.loads(path.read_text())
    if not isinstance(content, dict) or "settings" not in content:
        raise ValueError(f"{path} is not a file that this benchmark wrote.")
    return content


def _plain(value: Any) -> Any:
    """What JSON knows; numbers that are not finite become None, floats keep seven digits."""
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    number = float(value)
    return float(f"{number:.7g}") if math.isfinite(number) else None
