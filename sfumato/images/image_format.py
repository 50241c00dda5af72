"""The image formats that are read and written, and how to tell them apart."""

from enum import StrEnum
from os import PathLike
from pathlib import Path

from sfumato.errors import ImageError, InvalidImageError


class ImageFormat(StrEnum):
    """An encoding of image bytes."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"

    @classmethod
    def of(cls, name: "ImageFormat | str") -> "ImageFormat":
        """Finds a format by its name. Raises ImageError for what is none."""
        try:
            return cls(name)
        except ValueError as error:
            raise ImageError(
                f"the format is {name!r}; it must be one of {', '.join(cls)}"
            ) from error


READABLE = "a JPEG, PNG or WebP file"

_SUFFIXES = {
    ".jpg": ImageFormat.JPEG,
    ".jpeg": ImageFormat.JPEG,
    ".jpe": ImageFormat.JPEG,
    ".jfif": ImageFormat.JPEG,
    ".png": ImageFormat.PNG,
    ".webp": ImageFormat.WEBP,
}

# The beginnings of files that people do send, so that the refusal can name them.
_REFUSED = {
    b"GIF8": "a GIF file",
    b"BM": "a BMP file",
    b"II*\0": "a TIFF or raw camera file",
    b"MM\0*": "a TIFF or raw camera file",
    b"8BPS": "a Photoshop file",
    b"%PDF": "a PDF file",
    b"<svg": "an SVG file",
    b"<?xml": "an XML file",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 file",
    b"\xff\x0a": "a JPEG XL file",
}
_REFUSED_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"avif": "AVIF"}


def detect_format(data: bytes) -> ImageFormat:
    """Tells the format by the first bytes; names and suffixes of files play no part.

    Raises:
        InvalidImageError: empty, or in none of the formats.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return ImageFormat.JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ImageFormat.PNG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return ImageFormat.WEBP
    if not data:
        raise InvalidImageError(f"the photo is empty (zero bytes); send {READABLE}")
    raise InvalidImageError(f"the photo is {_guess(data)}; send {READABLE}")


def format_of_path(path: str | PathLike[str]) -> ImageFormat | None:
    """Tells the format that a file's suffix promises, None for any other suffix."""
    return _SUFFIXES.get(Path(path).suffix.lower())


def format_to_write(path: str | PathLike[str]) -> ImageFormat:
    """Tells in which format to write a file. Raises ImageError for a suffix we cannot write."""
    path = Path(path)
    image_format = format_of_path(path)
    if image_format is None:
        known = ", ".join(_SUFFIXES)
        suffix = f"the suffix {path.suffix!r} of {path.name}" if path.suffix else f"{path.name}"
        raise ImageError(f"{suffix} names no format that can be written; use one of {known}")
    return image_format


def _guess(data: bytes) -> str:
    if data[4:8] == b"ftyp" and data[8:12] in _REFUSED_BRANDS:
        return f"an {_REFUSED_BRANDS[data[8:12]]} file"
    for beginning, name in _REFUSED.items():
        if data.startswith(beginning):
            return name
    return "not an image that can be read"
