"""What programs give where a file is wanted: its bytes, or its path."""

import os
from pathlib import Path


def file_bytes(file: object) -> bytes:
    """Gives the bytes of a file that is given as bytes or as a path.

    Raises:
        TypeError: it is neither; the message says what would do.
        OSError: it cannot be read.
        ValueError: the path has characters of no path.
    """
    if isinstance(file, bytes):
        return file
    if isinstance(file, bytearray | memoryview):
        return bytes(file)
    if isinstance(file, str | os.PathLike):
        return Path(file).read_bytes()
    kind = type(file).__name__
    remedy = "; give what its read() gives" if hasattr(file, "read") else ""
    raise TypeError(f"the bytes of a file or its path, not {kind}{remedy}")


def file_path(file: object) -> Path:
    """Gives the path of a file. Raises TypeError for what is none; the message says what would."""
    if isinstance(file, str | os.PathLike):
        return Path(file)
    remedy = "; write the bytes into it yourself" if hasattr(file, "write") else ""
    raise TypeError(f"a path, not {type(file).__name__}{remedy}")


def reason(error: OSError | ValueError) -> str:
    """Says why a file cannot be used, without its name."""
    return (isinstance(error, OSError) and error.strerror) or str(error)
