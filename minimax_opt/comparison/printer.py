"""Printing that never costs the work that is printed."""

from __future__ import annotations

import io
import os
import sys


class Printer:
    """Prints to stdout; where that fails the work and its files go on in silence.

    Attributes
    ----------
    failed : bool
        Whether text was lost, other than to a reader who has seen enough (``| head``).
    """

    def __init__(self) -> None:
        self.failed = False
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a terminal without the character shows ? in its place

    def __call__(self, text: str) -> None:
        """Print `text` and a line break."""
        try:
            print(text, flush=True)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)  # takes what is still buffered, which would fail again at exit
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
            if not isinstance(error, BrokenPipeError):
                self.failed = True
                print(f"minimax-opt: stdout cannot be written: {error}. Nothing more is printed there.", file=sys.stderr)
