"""Opens files of which others say the names: a pipe would never end, and a device neither."""

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular(path: Path) -> BufferedReader:
    """Opens a file for reading.

    Raises:
        OSError: it cannot be read, or is a pipe, a device or the like; not waiting for any.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except ValueError as error:  # characters of no path
        raise OSError(errno.EINVAL, str(error), str(path)) from error
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return file
