"""The names and versions that go with results."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def versions(names: Iterable[str]) -> dict[str, str]:
    """The installed version of each package, or "absent"."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def processor() -> str:
    """The processor's name as the system has it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((entry.split(":", 1)[1].strip() for entry in lines if entry.startswith("model name")), platform.processor())
