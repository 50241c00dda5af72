"""Formats in which paintings and photos come, but which no server takes: GIF, TIFF, AVIF, BMP."""

from io import BytesIO
from typing import Final

from PIL import Image, ImageOps

from sfumato.errors import ImageError, ImageTooLargeError, InvalidImageError

FORMATS: Final = ("AVIF", "BMP", "GIF", "TIFF")

_PNG_MODES: Final = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I;16B")


def as_served(data: bytes, max_pixels: int) -> bytes:
    """Returns the picture of a file in a format that a server takes, if it is one of ``FORMATS``.

    What is in any other format is returned as it is. The colour profile stays with the picture.

    Raises:
        ImageTooLargeError: more pixels than ``max_pixels``.
        InvalidImageError: truncated, damaged, or not to be read by this Pillow.
    """
    for name in FORMATS:
        if (image := open_image(data, name, max_pixels)) is not None:
            return _encoded(image)
    return data


def open_image(data: bytes, name: str, max_pixels: int) -> Image.Image | None:
    """Decodes a file with Pillow, upright, if it is in the format ``name``; else returns None.

    Raises:
        ImageTooLargeError: more pixels than ``max_pixels``.
        InvalidImageError: truncated, damaged, or not to be read by this Pillow.
    """
    Image.init()
    # Not Image.open: its limit on pixels is global, and lower than ours.
    factory, accept = Image.OPEN.get(name, (None, None))
    accepted = accept(data[:16]) if accept is not None else False
    if factory is None or not accepted:
        return None
    if isinstance(accepted, str):
        raise InvalidImageError(f"it is a file of {name}, which this Pillow does not read")
    try:
        image = factory(BytesIO(data), "")
        if image.width * image.height > max_pixels:
            raise ImageTooLargeError(
                f"it has {image.width} x {image.height} pixels, the limit is "
                f"{max_pixels / 1e6:.0f} million; scale it down"
            )
        image.load()
        return ImageOps.exif_transpose(image)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # Pillow has no common base for what it raises on hostile files
        raise InvalidImageError(f"the {name} file is truncated or damaged ({error})") from error


def _encoded(image: Image.Image) -> bytes:
    if image.mode in ("I", "F"):
        raise InvalidImageError("it has 32 bits for each pixel; save it with 8 or 16")
    profile, buffer = image.info.get("icc_profile"), BytesIO()
    if image.mode == "CMYK":  # which PNG does not know
        image.save(buffer, "JPEG", quality=100, subsampling=0, icc_profile=profile)
        return buffer.getvalue()
    if image.mode not in _PNG_MODES:
        try:
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        except ValueError as error:
            raise InvalidImageError(
                f"it has colours of the kind {image.mode}; save it as RGB"
            ) from error
    image.save(buffer, "PNG", compress_level=1, icc_profile=profile)
    return buffer.getvalue()
