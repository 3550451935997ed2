"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path


def prepare_folder(folder: str | os.PathLike[str], names: Sequence[str]) -> None:
    """Make `folder` and prove that files of these names can be written there, so that it is told before the work, not after.

    Raises
    ------
    OSError
        If `folder` is a file or cannot be written, or one of the names is that of a folder inside it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if (folder / name).is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(folder / name))
    tempfile.TemporaryFile(dir=folder).close()


def write_atomically(path: str | os.PathLike[str], content: bytes | str) -> Path:
    """Write `content` to `path`: a reader sees the old file or the new one, never a part.

    Parameters
    ----------
    path : path-like
        Missing parent folders are made.
    content : bytes or str
        Text is written as UTF-8.

    Returns
    -------
    Path
        `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(
        f".{path.name}.{os.getpid()}.tmp"
    )  # the same folder: os.replace is atomic only within a file system
    try:
        with open(temporary, "wb") as stream:
            stream.write(content.encode("utf-8") if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
