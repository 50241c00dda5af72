"""Image files as training sees them, read by the very code that reads a served photo."""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from sfumato.errors import ImageError
from sfumato.images.codec import Photo, decode_photo
from training.data.other_formats import as_served

_READ: Final = "avif bmp gif jfif jpe jpeg jpg png tif tiff webp"
_NOT_READ: Final = "arw cr2 cr3 dng heic heif j2k jp2 jxl nef orf psd raf rw2 svg"

IMAGE_SUFFIXES: Final = frozenset(f".{suffix}" for suffix in _READ.split())

UNREADABLE_SUFFIXES: Final = frozenset(f".{suffix}" for suffix in _NOT_READ.split())
"""Pictures, too, but in formats that are not read: whoever has some of them is told so."""

MAX_PIXELS: Final = 200_000_000
"""Large scans of paintings are welcome; decompression bombs are not."""


def read_photo(path: Path) -> Photo:
    """Returns the picture of a file, upright and in sRGB; of an animation the first one.

    Raises:
        ImageError: not an image that Sfumato reads; it tells what is wrong with the file.
        OSError: the file cannot be opened.
    """
    data = path.read_bytes()
    try:
        return decode_photo(as_served(data, MAX_PIXELS), max_pixels=MAX_PIXELS)
    except ImageError as error:
        raise type(error)(_of_a_file(str(error))) from error


def read_image(path: Path) -> Tensor:
    """Returns the image [3, H, W] in [0, 1]: upright, sRGB, without alpha.

    Raises:
        ImageError: not an image that Sfumato reads.
        OSError: the file cannot be opened.
    """
    return torch.tensor(read_photo(path).rgb).permute(2, 0, 1).float() / 255


def _of_a_file(message: str) -> str:
    """Leaves out what a message says to somebody who sends a photo to a server."""
    return message.partition("; send ")[0].replace("the photo ", "it ", 1)
