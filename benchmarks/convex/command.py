"""What the commands of this benchmark share: their options, and the settings that go with the results."""

from __future__ import annotations

import argparse
import platform
from pathlib import Path
from typing import Any

from benchmarks.common.machine import processor, versions

VERSIONS = (
    "minimax_opt",
    "numpy",
    "scipy",
    "torch",
    "cvxpy",
    "clarabel",
    "ecos",
    "piqp",
    "highspy",
    "scs",
    "dro",
    "cooper-optim",
    "torchjd",
)


def settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the rows of a file share."""
    return {
        **{name: getattr(arguments, name) for name in ("seed", "repeat", "method", "budget")},
        "python": platform.python_version(),
        "processor": processor(),
        "versions": versions(VERSIONS),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that all commands of this benchmark share."""
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--repeat", type=int, default=5, help="interleaved runs, fewer where one takes long")
    parser.add_argument("--method", default="auto")
    parser.add_argument("--budget", type=float, default=10.0, help="CPU seconds after which a peer is skipped, reported as such")
    parser.add_argument("--output", type=Path, help="JSON file that the rows are saved to and continued from")
