"""The pixels of PNG and WebP files, through Pillow."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from sfumato.images import png_header, webp_header
from sfumato.images.header import Header
from sfumato.images.pixels import Pixels

# Where a PNG file says how many bits a sample has, and whether rows are interlaced.
_BIT_DEPTH = 24
_INTERLACE = 28
_ALPHA_MODES = ("LA", "PA", "RGBA", "RGBa", "La")


def decode_png(data: bytes, header: Header) -> Pixels:
    """Decodes the pixels, the first picture of an animation.

    Samples of 16 bits are scaled to 8; Pillow drops the low byte of colours, which is at most one
    level darker than rounding.

    Raises:
        Exception: truncated or damaged, in whatever form Pillow says it.
    """
    data = png_header.picture_only(data)
    # The class, not Image.open: its limit on pixels is global, and ours has been checked.
    image = PngImageFile(BytesIO(data))
    header.check_stored_size(image.size)
    image.load()
    if _may_lack_rows(image, data) and not png_header.holds_all_rows(data):
        raise ValueError("rows are missing")
    return _split(image) if image.mode in _ALPHA_MODES else _keyed(image, data[_BIT_DEPTH])


def decode_webp(data: bytes, header: Header) -> Pixels:
    """Decodes the pixels, the first picture of an animation.

    Raises:
        Exception: truncated or damaged, in whatever form Pillow says it.
    """
    image = WebPImageFile(BytesIO(webp_header.picture_only(data)))
    header.check_stored_size(image.size)
    image.load()
    return _split(image) if image.mode in _ALPHA_MODES else Pixels(np.asarray(image.convert("RGB")))


def _may_lack_rows(image: Image.Image, data: bytes) -> bool:
    # To be sure means inflating once more, so only where the last row is as Pillow began it.
    width, height = image.size
    last_row = image.crop((0, height - 1, width, height))
    return bool(data[_INTERLACE]) or not np.asarray(last_row).any()


def _split(image: Image.Image) -> Pixels:
    """Separates colour and opacity."""
    channels = np.asarray(image if image.mode == "LA" else image.convert("RGBA"))
    colour = channels[..., 0] if image.mode == "LA" else channels[..., :3]
    return Pixels(np.ascontiguousarray(colour), np.ascontiguousarray(channels[..., -1]))


def _keyed(image: Image.Image, bit_depth: int) -> Pixels:
    """Reads a picture whose transparency, if any, is a palette's or one colour's."""
    key = image.info.get("transparency")
    if image.mode == "P":
        return (
            Pixels(np.asarray(image.convert("RGB")))
            if key is None
            else _split(image.convert("RGBA"))
        )
    samples = np.asarray(image.convert("L") if image.mode == "1" else image)
    alpha = None if key is None else _opacity(samples, key, image.mode, bit_depth)
    return Pixels(samples if samples.dtype == np.uint8 else _to_8_bits(samples), alpha)


def _opacity(
    samples: npt.NDArray[np.generic], key: int | tuple[int, ...], mode: str, bit_depth: int
) -> npt.NDArray[np.uint8]:
    """Makes one colour transparent. Pillow scales the samples, but not always the key."""
    scaled: int | tuple[int, ...] = key
    if isinstance(key, tuple):
        scaled = tuple(value >> 8 if bit_depth == 16 else value for value in key)
    elif mode == "L":
        scaled = key * 255 // ((1 << bit_depth) - 1)
    same = samples == np.asarray(scaled)
    transparent = same.all(axis=-1) if samples.ndim == 3 else same
    return np.where(transparent, np.uint8(0), np.uint8(255))


def _to_8_bits(samples: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Scales 0...65535 to 0...255, rounding to the nearest."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
