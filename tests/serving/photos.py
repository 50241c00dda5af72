"""Photos that the tests draw, as files in memory."""

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def draw(width: int = 40, height: int = 24, seed: int = 0) -> Pixels:
    """Draws noise, uint8 [H, W, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def encode(pixels: Pixels, kind: str = "PNG", **options: Any) -> bytes:
    """Writes ``pixels`` [H, W, 3 or 4] as an image file of Pillow's format ``kind``."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def decode(file: bytes) -> Pixels:
    """Reads an image file as it is stored, uint8 [H, W, 3 or 4]."""
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image)


def kind_of(file: bytes) -> str | None:
    """Gives Pillow's name of the file's format."""
    with Image.open(io.BytesIO(file)) as image:
        return image.format
