"""Files and directories that appear whole or not at all, even when the writer is killed."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_file(path: Path, data: bytes) -> None:
    """Writes a file beside its place and moves it there; an old file is replaced.

    Raises:
        OSError: the file cannot be written; the old one is untouched.
    """
    staging = _beside(path)
    with _replacing(path, staging):
        write_durably(staging, data)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Gives the path of a file to write, which becomes ``path`` when the block ends well.

    It lies beside ``path``, under a name that starts with a dot and has the same suffix; when the
    block raises, it is removed. An old file is replaced.

    Raises:
        OSError: the file cannot be moved.
    """
    staging = _beside(path)
    staging = staging.with_name(staging.name + path.suffix)
    with _replacing(path, staging):
        yield staging
        _sync_file(staging)


@contextmanager
def new_directory(path: Path) -> Iterator[Path]:
    """Gives an empty directory to fill, which becomes ``path`` when the block ends well.

    It lies beside ``path``, on the same file system, under a name that starts with a dot; when
    the block raises, it is removed.

    Raises:
        FileExistsError: there is something at ``path``.
        OSError: the directory cannot be made or moved.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists already")
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = _beside(path)
    staging.mkdir()
    try:
        yield staging
        _sync_directory(staging)
        staging.rename(path)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    _sync_directory(path.parent)


def write_durably(path: Path, data: bytes) -> None:
    """Writes a new file and waits until the disk has it. Raises OSError."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _replacing(path: Path, staging: Path) -> Iterator[None]:
    """Moves a file to its place when the block ends well, and removes it otherwise."""
    try:
        yield
        staging.replace(path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename == str(staging):
            error.filename = str(path)  # which was asked for; nobody knows the other
        with suppress(OSError):  # the error on the way says more
            staging.unlink()
        raise
    _sync_directory(path.parent)


def _beside(path: Path) -> Path:
    # Not tempfile: its private modes (0600, 0700) would survive the rename, and a server that
    # runs as another user could not read the result.
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    if os.name == "nt":  # a directory cannot be opened there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
