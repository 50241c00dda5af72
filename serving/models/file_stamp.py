"""By what a file that was changed or replaced is known, without reading it."""

import os
import stat
from pathlib import Path

Stamp = tuple[int, int, int, int]
"""Inode, size, and times of the last change of content and of owner or mode, in nanoseconds."""


def stamp(path: Path) -> Stamp | None:
    """Gives the stamp of a file; None if there is none that can be reached.

    What is no regular file is as good as none: a pipe would keep its reader waiting for ever.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return stamp_of(status)


def stamp_of(status: os.stat_result) -> Stamp:
    """Gives the stamp of a file that has this status."""
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
