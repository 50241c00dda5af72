"""Image files as training sees them, read by the very code that reads a served photo."""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from sfumato.image_codec import decode_photo

IMAGE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})

MAX_PIXELS: Final = 200_000_000
"""Large scans of paintings are welcome; decompression bombs are not."""


def read_image(path: Path) -> Tensor:
    """Returns the image [3, H, W] in [0, 1]: upright, sRGB, without alpha.

    Raises:
        ImageError: not an image that Sfumato reads.
        OSError: the file cannot be opened.
    """
    photo = decode_photo(path.read_bytes(), max_pixels=MAX_PIXELS)
    return torch.tensor(photo.rgb).permute(2, 0, 1).float() / 255
