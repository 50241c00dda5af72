"""Files that are created whole, by exactly one of those who try at the same time."""

import os
import secrets
from pathlib import Path

from serving.models.folder_scan import Stamp, stamp_of


def create_file(path: Path, data: bytes) -> Stamp:
    """Writes a file beside its place and links it there, which fails if the name is taken.

    Returns:
        The stamp of what was written, whatever lies there by now.

    Raises:
        FileExistsError: there is something at ``path``; it is untouched.
        OSError: the file cannot be written.
    """
    staging = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with staging.open("xb") as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            _move(staging, path)
        finally:
            staging.unlink(missing_ok=True)
        _sync(path.parent)
        return stamp_of(os.fstat(file.fileno()))  # now: links change one of its times


def _move(staging: Path, path: Path) -> None:
    try:
        path.hardlink_to(staging)
    except FileExistsError:
        raise
    except OSError:  # of a file system without links: take the name, and then fill it
        path.touch(exist_ok=False)
        staging.replace(path)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
