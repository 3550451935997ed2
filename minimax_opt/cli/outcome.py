"""How a command ends: its exit code, or a sentence for the user."""

from __future__ import annotations

OK, NOT_CERTIFIED, USAGE, INTERRUPTED = 0, 1, 2, 130
EXIT_CODES = (
    "Exit codes: 0 all certified and no reference disagrees (one that fails does not), 1 otherwise, 2 wrong usage, missing data or a file or "
    "stdout that cannot be written, 130 interrupted."
)


class UsageError(Exception):
    """Something that the user can put right; its text is shown without a traceback."""
