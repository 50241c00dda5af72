"""From the bytes of a file to a photo, upright and in sRGB, whatever the file holds."""

from collections.abc import Callable
from typing import TypeAlias

from sfumato.errors import ImageError, ImageTooLargeError, InvalidImageError
from sfumato.images.colour.profile import to_srgb
from sfumato.images.header import Header, damaged
from sfumato.images.image_format import ImageFormat, detect_format
from sfumato.images.jpeg.header import read_jpeg_header
from sfumato.images.jpeg.pixels import decode_jpeg
from sfumato.images.orientation import upright
from sfumato.images.photo import Photo
from sfumato.images.pillow_pixels import decode_png, decode_webp
from sfumato.images.pixels import Pixels
from sfumato.images.png_header import read_png_header
from sfumato.images.webp_header import read_webp_header

DEFAULT_MAX_PIXELS = 24_000_000
DEFAULT_MIN_SIDE = 16

_HEADERS: dict[ImageFormat, Callable[[bytes], Header]] = {
    ImageFormat.JPEG: read_jpeg_header,
    ImageFormat.PNG: read_png_header,
    ImageFormat.WEBP: read_webp_header,
}
_PIXELS: dict[ImageFormat, Callable[[bytes, Header], Pixels]] = {
    ImageFormat.JPEG: decode_jpeg,
    ImageFormat.PNG: decode_png,
    ImageFormat.WEBP: decode_webp,
}


Data: TypeAlias = bytes | bytearray | memoryview


def read_size(data: Data) -> tuple[int, int]:
    """Reads width and height of the upright picture from the header alone.

    Raises:
        InvalidImageError: not a JPEG, PNG or WebP file, or damaged before the picture.
        ImageError: no bytes.
    """
    return _read_header(_as_bytes(data)).oriented_size


def decode_photo(
    data: Data, *, max_pixels: int = DEFAULT_MAX_PIXELS, min_side: int = DEFAULT_MIN_SIDE
) -> Photo:
    """Decodes a photo.

    Safe to call from many threads; the global interpreter lock is released for most of the time.

    Args:
        data: a JPEG, PNG or WebP file, as bytes or anything with their buffer; of an animation
            the first picture is taken.
        max_pixels: the most pixels, width times height; checked before anything is decoded.
        min_side: the fewest pixels of a side.

    Returns:
        The photo with its orientation applied and its colours in sRGB.

    Raises:
        ImageTooLargeError: more pixels than ``max_pixels``.
        InvalidImageError: in no readable format, truncated, damaged, or too small.
        ImageError: no bytes.
        MemoryError: there is too little memory for it here, and nothing is wrong with the file.
    """
    data = _as_bytes(data)
    header = _read_header(data)
    _check_size(header, max_pixels, min_side)
    try:
        return _decode(data, header)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # Pillow has no common base for what it raises on hostile files
        raise damaged(header.format, error) from error


def _as_bytes(data: Data) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return memoryview(data).tobytes()
    except TypeError as error:
        kind = type(data).__name__
        raise ImageError(
            f"a photo is the bytes of its file, not {kind}; read them from it first"
        ) from error


def _decode(data: bytes, header: Header) -> Photo:
    pixels = _PIXELS[header.format](data, header)
    rgb = to_srgb(pixels.colour, header.icc_profile, header.rgb_space)
    alpha = pixels.alpha
    return Photo(
        rgb=upright(rgb, header.orientation),
        alpha=None if alpha is None else upright(alpha, header.orientation),
        format=header.format,
    )


def _read_header(data: bytes) -> Header:
    image_format = detect_format(data)
    try:
        return _HEADERS[image_format](data)
    except ImageError:
        raise
    except Exception as error:
        raise damaged(image_format, error) from error


def _check_size(header: Header, max_pixels: int, min_side: int) -> None:
    width, height = header.oriented_size
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"the photo has {width} x {height} pixels ({width * height / 1e6:.1f} million), "
            f"the limit is {max_pixels / 1e6:.1f} million; scale it down"
        )
    if min(width, height) < min_side:
        raise InvalidImageError(
            f"the photo has {width} x {height} pixels; each side needs at least {min_side}"
        )
