"""From pixels to the bytes of a file in sRGB, without metadata."""

from io import BytesIO

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from sfumato.errors import ImageError, ImageTooLargeError
from sfumato.images.image_format import ImageFormat

DEFAULT_QUALITY = 90

# From this quality on, JPEG keeps the colour of every pixel.
_FULL_COLOUR_QUALITY = 95
_MAX_SIDES = {ImageFormat.JPEG: 65_500, ImageFormat.WEBP: 16_383}  # of the formats themselves
# Measured on paintings: higher levels cost two to five times the time for a few per cent.
_PNG_LEVEL = 2
_WEBP_METHOD = 2


def encode_photo(
    rgb: npt.NDArray[np.uint8],
    *,
    format: ImageFormat | str,  # noqa: A002
    quality: int = DEFAULT_QUALITY,
    alpha: npt.NDArray[np.uint8] | None = None,
) -> bytes:
    """Encodes pixels.

    Safe to call from many threads; the global interpreter lock is released for most of the time.

    Args:
        rgb: uint8 [H, W, 3] in sRGB.
        format: the format of the file, or its name: jpeg, png or webp.
        quality: 1 to 100, of JPEG and WebP; JPEG keeps full colour resolution from 95 on.
        alpha: opacity, uint8 [H, W]; JPEG, which has none, shows the photo over white.

    Raises:
        ImageTooLargeError: a side longer than the format can hold.
        ImageError: no arrays of that shape and type, an unknown format, or quality out of range.
    """
    image_format = ImageFormat.of(format)
    _check_pixels(rgb, alpha)
    _check_quality(quality)
    check_sides(rgb.shape[1], rgb.shape[0], image_format)
    if image_format is ImageFormat.JPEG:
        return _encode_jpeg(rgb if alpha is None else _over_white(rgb, alpha), quality)
    image = Image.fromarray(rgb if alpha is None else np.dstack([rgb, alpha]))
    buffer = BytesIO()
    if image_format is ImageFormat.PNG:
        image.save(buffer, "PNG", compress_level=_PNG_LEVEL)
    else:
        image.save(buffer, "WEBP", quality=quality, method=_WEBP_METHOD)
    return buffer.getvalue()


def _encode_jpeg(rgb: npt.NDArray[np.uint8], quality: int) -> bytes:
    # Not Pillow: it holds the global interpreter lock while it encodes into memory.
    subsampling = "444" if quality >= _FULL_COLOUR_QUALITY else "420"
    encoded: bytes = simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), quality, "RGB", subsampling)
    return encoded


def _over_white(rgb: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    opacity = alpha[..., None].astype(np.uint16)
    # At most 255 * 255, which fits; the 127 rounds to the nearest.
    return ((rgb * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)


def _check_pixels(rgb: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8] | None) -> None:
    if not _is_uint8(rgb) or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise ImageError(f"pixels must be uint8 [H, W, 3], not {_described(rgb)}")
    if alpha is not None and (not _is_uint8(alpha) or alpha.shape != rgb.shape[:2]):
        raise ImageError(f"opacity must be uint8 {list(rgb.shape[:2])}, not {_described(alpha)}")


def _is_uint8(value: object) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == np.uint8


def _described(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    return f"a {type(value).__name__}, which is no NumPy array"


def _check_quality(quality: int) -> None:
    if not hasattr(quality, "__index__") or not 1 <= quality <= 100:
        raise ImageError(f"the quality is {quality!r}; it must be a whole number from 1 to 100")


def check_sides(width: int, height: int, image_format: ImageFormat | str) -> None:
    """Raises ImageTooLargeError if a picture is too long or too high for a format."""
    image_format = ImageFormat.of(image_format)
    limit = _MAX_SIDES.get(image_format)
    if limit is not None and max(width, height) > limit:
        raise ImageTooLargeError(
            f"{width} x {height} pixels do not fit into {image_format.name}, "
            f"which takes {limit} a side; ask for PNG"
        )
