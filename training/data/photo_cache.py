"""Photos kept on disk at training size, so that an epoch decodes no large files."""

import contextlib
import hashlib
import io
import os
import tempfile
import warnings
import zlib
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from training.data.image_file import read_image
from training.data.photos import resize_short_side

WORTH_KEEPING: Final = 1.5
"""Photos whose short side is less than this many times the kept one are decoded each time.

Reading back a photo of nearly its own size saves little and takes several times the disk space.
"""

_FORMAT: Final = "1"
"""Part of each key: change it with whatever changes the bytes of an entry."""

_CHECKSUM_BYTES: Final = 4


class PhotoCache:
    """Decoded photos, shrunk so that their short side is ``short_side``, one file per photo.

    An entry belongs to the photo's path, size and time of change and to ``short_side``: a photo
    that changes gets a new one, and runs with several crop sizes may share a folder. Entries are
    written beside their place and renamed, so any number of workers and runs may write at once,
    and they end in a checksum: one that is damaged is made again. If an entry cannot be written
    (a full disk, say), a warning says so once, and the photos are decoded each time.

    Nothing is ever deleted: remove the folder to get the space back.
    """

    def __init__(self, folder: Path, short_side: int) -> None:
        """Keeps photos below ``folder``; ``short_side`` is in pixels."""
        self.folder = folder
        self.short_side = short_side
        self._writable = True

    def read(self, file: Path) -> Tensor:
        """Returns the photo [3, H, W] in [0, 1], shrunk to ``short_side`` if it is much larger.

        Raises:
            ImageError: not an image that Sfumato reads.
            OSError: the file cannot be opened.
        """
        entry = self._entry(file)
        pixels = _read_entry(entry)
        if pixels is None:
            image = read_image(file)
            if min(image.shape[-2:]) < WORTH_KEEPING * self.short_side:
                return image
            shrunk = resize_short_side(image, self.short_side)
            pixels = (shrunk * 255).round().to(torch.uint8)
            self._write_entry(entry, pixels)
        return pixels.float() / 255

    def _entry(self, file: Path) -> Path:
        stat = file.stat()
        parts = (_FORMAT, str(file.resolve()), stat.st_size, stat.st_mtime_ns, self.short_side)
        name = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:32]
        return self.folder / name[:2] / f"{name[2:]}.photo"

    def _write_entry(self, entry: Path, pixels: Tensor) -> None:
        if not self._writable:
            return
        buffer = io.BytesIO()
        np.save(buffer, pixels.numpy(), allow_pickle=False)
        data = buffer.getvalue()
        try:
            entry.parent.mkdir(parents=True, exist_ok=True)
            _replace(entry, data + _checksum(data))
        except OSError as error:
            self._writable = False
            warnings.warn(
                f"photos are no longer cached: {error}; make room or give another --data.cache",
                stacklevel=2,
            )


def _read_entry(entry: Path) -> Tensor | None:
    """Returns the pixels uint8 [3, H, W], or None if there are none or they are damaged."""
    try:
        data = entry.read_bytes()
    except OSError:
        return None
    body, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if checksum != _checksum(body):
        return None
    pixels = np.load(io.BytesIO(body), allow_pickle=False)
    return torch.from_numpy(pixels)


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_CHECKSUM_BYTES, "little")


def _replace(entry: Path, data: bytes) -> None:
    """Writes ``data`` to a file beside ``entry`` and renames it."""
    descriptor, name = tempfile.mkstemp(dir=entry.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(entry)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
