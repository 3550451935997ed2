"""Results on disk: one JSON file an experiment, written whole, trusted only if it is of the same code, seed and size, never deleted."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import minimax_kernels
import minimax_opt
from minimax_opt.comparison.files import write_atomically

FORMAT = "minimax_opt.reproduce/1"
PACKAGES = ("minimax_opt", "numpy", "scipy", "torch", "cvxpy", "clarabel", "pepit")  # those that the numbers depend on
CODE = {".py", ".so", ".pyd"}
UNRELATED = {"cli", "demo", "tabular", "figures"}  # folders of minimax_opt on which no result depends


class StaleError(ValueError):
    """A file is there, but it is not the result that is asked for; the text says why."""


def origin(quick: bool, seed: int) -> dict[str, Any]:
    """What decides an experiment's numbers; a saved result is used again only where all of it is the same.

    Parameters
    ----------
    quick : bool
    seed : int

    Returns
    -------
    dict
        ``format``, ``quick``, ``seed``, ``versions`` (None for a package that is not installed) and ``source``, a digest of the code.

    Examples
    --------
    >>> origin(quick=True, seed=3)["seed"]
    3
    """
    versions = {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES}
    return {"format": FORMAT, "quick": quick, "seed": seed, "versions": versions, "source": _source()}


def read_record(path: str | os.PathLike[str], name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Read the record of experiment `name`.

    Parameters
    ----------
    path : path-like
    name : str
    wanted : mapping
        The :func:`origin` that the record must have.

    Returns
    -------
    dict
        The origin, with ``experiment``, ``seconds`` and ``result``.

    Raises
    ------
    FileNotFoundError
    StaleError
        If the file is damaged, foreign, or of another origin.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # no JSON, or no UTF-8
        raise StaleError(f"is damaged ({error})") from None
    if not isinstance(record, dict) or record.get("format") != wanted["format"] or record.get("experiment") != name:
        raise StaleError(f"is no result of {name} in the format {wanted['format']}")
    for key in ("quick", "seed", "versions", "source"):
        if record.get(key) != wanted[key]:
            raise StaleError(f"was made {_difference(key, record.get(key), wanted[key])}")
    if not isinstance(record.get("result"), dict) or not isinstance(record.get("seconds"), (int, float)):
        raise StaleError("is damaged (`result` or `seconds` is missing)")
    return record


def write_record(
    path: str | os.PathLike[str], name: str, made: Mapping[str, Any], seconds: float, result: Mapping[str, Any]
) -> Path:
    """Write the record atomically, as strict JSON.

    Raises
    ------
    TypeError, ValueError
        If `result` holds what JSON has not: arrays, nan, inf.
    """
    record = {"experiment": name, **made, "seconds": round(seconds, 3), "result": result}
    return write_atomically(path, json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def set_aside(path: str | os.PathLike[str]) -> Path:
    """Rename NAME.json to NAME.old-N.json with the first N that is free, and return that path."""
    path = Path(path)
    number = 1
    while (kept := path.with_name(f"{path.stem}.old-{number}{path.suffix}")).exists():
        number += 1
    return path.rename(kept)


def _difference(key: str, found: Any, wanted: Any) -> str:
    """How the origin of a file differs in `key`: "with seed 1, not 0"."""
    if key == "quick":
        return "without --quick" if wanted else "with --quick"
    if key == "seed":
        return f"with seed {found}, not {wanted}"
    if key == "source" or not isinstance(found, dict):
        return "by another version of the code"
    package = next((name for name in wanted if found.get(name) != wanted[name]), None)
    return f"with {package} {found.get(package)}, not {wanted[package]}" if package else "with other packages"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


@cache
def _source() -> str:
    """SHA-256 of the files that a result can depend on, the compiled module among them: the version number alone would miss an edit."""
    digest = hashlib.sha256()
    for package in (minimax_opt, minimax_kernels):
        for root in map(Path, package.__path__):
            for path in sorted(root.rglob("*")):
                inside = path.relative_to(root)
                if path.suffix in CODE and inside.parts[0] not in UNRELATED:
                    digest.update(f"{root.name}/{inside.as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
