"""The pixels of PNG and WebP files, through Pillow."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from sfumato.images import png_header, webp_header
from sfumato.images.header import Header
from sfumato.images.pixels import Pixels, Samples, to_8_bits

# Where a PNG file says how many bits a sample has, what a pixel is, and if rows are interlaced.
_BIT_DEPTH = 24
_KIND = 25
_INTERLACE = 28
_GREY_WITH_OPACITY = 4


def decode_png(data: bytes, header: Header) -> Pixels:
    """Decodes the pixels, the first picture of an animation.

    Of colours of 16 bits Pillow drops the low byte, which is at most one level darker than
    rounding. It is kept where the levels are not those of sRGB, and dark ones may lie far apart.

    Raises:
        Exception: truncated or damaged, in whatever form Pillow says it.
    """
    data = png_header.picture_only(data)
    bits = data[_BIT_DEPTH]
    if bits == 16 and data[_KIND] == _GREY_WITH_OPACITY:
        # Pillow would make RGB of it; two samples of two bytes are as long as four of one.
        image = _open_png(png_header.as_rgba(data), header)
        return _split(np.asarray(image).view(">u2").astype(np.uint16))
    image = _open_png(data, header)
    if image.mode == "P":
        return _looked_up(image)
    samples = np.asarray(image.convert("L") if image.mode == "1" else image)
    if bits == 16 and samples.ndim == 3 and header.rgb_space is not None:
        low = np.asarray(_open_png(data, header, low_bytes=True))
        samples = samples.astype(np.uint16) << 8 | low
    if samples.shape[2:] in ((2,), (4,)):
        return _split(samples)
    key = image.info.get("transparency")
    return Pixels(samples, None if key is None else _opacity(samples, key, image.mode, bits))


def decode_webp(data: bytes, header: Header) -> Pixels:
    """Decodes the pixels, the first picture of an animation.

    Raises:
        Exception: truncated or damaged, in whatever form Pillow says it.
    """
    image = WebPImageFile(BytesIO(webp_header.picture_only(data)))
    header.check_stored_size(image.size)
    image.load()
    samples = np.asarray(image)
    return _split(samples) if samples.shape[2] == 4 else Pixels(samples)


def _open_png(data: bytes, header: Header, *, low_bytes: bool = False) -> Image.Image:
    """Decodes a file; of colours of 16 bits, the high bytes or the low ones."""
    # The class, not Image.open: its limit on pixels is global, and ours has been checked.
    image = PngImageFile(BytesIO(data))
    header.check_stored_size(image.size)
    if low_bytes:  # as if they had been written with the other byte first
        image.tile = [tile._replace(args=f"{image.mode};16L") for tile in image.tile]
    image.load()
    if _may_lack_rows(image, data) and not png_header.holds_all_rows(data):
        raise ValueError("rows are missing")
    return image


def _may_lack_rows(image: Image.Image, data: bytes) -> bool:
    # To be sure means inflating once more, so only where the last row is as Pillow began it.
    width, height = image.size
    last_row = image.crop((0, height - 1, width, height))
    return bool(data[_INTERLACE]) or not np.asarray(last_row).any()


def _split(channels: Samples) -> Pixels:
    """Separates colour and opacity, which comes last."""
    colour = channels[..., 0] if channels.shape[2] == 2 else channels[..., :3]
    return Pixels(np.ascontiguousarray(colour), to_8_bits(np.ascontiguousarray(channels[..., -1])))


def _looked_up(image: Image.Image) -> Pixels:
    """Looks up the colours, and the opacities, of a palette."""
    if "transparency" in image.info:
        return _split(np.asarray(image.convert("RGBA")))
    return Pixels(np.asarray(image.convert("RGB")))


def _opacity(
    samples: Samples, key: int | tuple[int, ...], mode: str, bit_depth: int
) -> npt.NDArray[np.uint8]:
    """Makes one colour transparent. Pillow scales the samples, but not always the key."""
    scaled: int | tuple[int, ...] = key
    if isinstance(key, tuple):
        halved = bit_depth == 16 and samples.dtype == np.uint8
        scaled = tuple(value >> 8 if halved else value for value in key)
    elif mode == "L":
        scaled = key * 255 // ((1 << bit_depth) - 1)
    same = samples == np.asarray(scaled)
    transparent = same.all(axis=-1) if samples.ndim == 3 else same
    return np.where(transparent, np.uint8(0), np.uint8(255))
