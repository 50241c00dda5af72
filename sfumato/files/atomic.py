"""Files and directories that appear whole or not at all, even when the writer is killed.

What is no regular file, such as a pipe or ``/dev/stdout``, cannot appear so: it is written into.
"""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_file(path: Path, data: bytes) -> None:
    """Writes a file beside its place and moves it there.

    An old file is replaced by one with the same permissions, and where ``path`` is a symbolic
    link, the file that it names.

    Raises:
        OSError: the file cannot be written; an old regular file is untouched.
    """
    if is_written_into(path):
        _write_into(path, data)
        return
    with _replacing(path, "") as staging, staging.open("wb") as file:
        file.write(data)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Gives the path of an empty file to fill, which becomes ``path`` when the block ends well.

    It lies beside ``path``, under a name that starts with a dot and has the same suffix; when the
    block raises, it is removed. Links and old files are treated as ``write_file`` does.

    Raises:
        OSError: there is something at ``path`` that is no regular file, or it cannot be moved.
    """
    if is_written_into(path):
        raise OSError(errno.EINVAL, "is no regular file; name a file to write", str(path))
    with _replacing(path, path.suffix) as staging:
        yield staging


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
    path = Path(os.path.realpath(path))  # a link to a place where there is nothing yet
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = _beside(path, "")
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


def is_written_into(path: Path) -> bool:
    """Tells whether ``path`` is nothing to replace: a pipe, a device, or a file held open.

    Such as ``/dev/stdout``, which may be a regular file for whose name nobody has asked. Raises
    OSError.
    """
    folder = path.parent.resolve()
    if folder == Path("/dev") or Path("/proc") in folder.parents:
        return True
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))  # a folder is refused in its time


def _write_into(path: Path, data: bytes) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        error.filename = str(path)
        raise


@contextmanager
def _replacing(path: Path, suffix: str) -> Iterator[Path]:
    """Gives an empty file, which is moved to its place when the block ends well."""
    real = Path(os.path.realpath(path))
    staging = _beside(real, suffix)
    try:
        old = real.stat() if real.exists() else None
        _create(staging, old)
        yield staging
        _sync_file(staging)
        if old is not None:
            staging.chmod(stat.S_IMODE(old.st_mode))
        staging.replace(real)
    except BaseException as error:
        with suppress(OSError):  # the error on the way says more
            staging.unlink()
        if isinstance(error, OSError) and error.filename == str(staging):
            # Nobody knows that one; it is the other that was asked for.
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    _sync_directory(real.parent)


def _create(staging: Path, old: os.stat_result | None) -> None:
    """Makes an empty file that nobody can read who could not read the old one."""
    if old is None:
        staging.touch(exist_ok=False)
        return
    staging.touch(0o600, exist_ok=False)
    if hasattr(os, "chown"):
        with suppress(PermissionError):  # only root gives files to others
            os.chown(staging, old.st_uid, old.st_gid)
    staging.chmod(stat.S_IMODE(old.st_mode) | stat.S_IWUSR)


def _beside(path: Path, suffix: str) -> Path:
    # Not tempfile: its private modes (0600, 0700) would survive the rename, and a server that
    # runs as another user could not read the result. Short, whatever the length of the name.
    return path.with_name(f".{secrets.token_hex(6)}.tmp{suffix}")


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
