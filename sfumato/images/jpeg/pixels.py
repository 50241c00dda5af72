"""The pixels of a JPEG file: libjpeg-turbo through simplejpeg, Pillow for odd files.

simplejpeg releases the global interpreter lock, is a fifth faster than Pillow, and reports what
libjpeg only warns of. That matters for truncated files, which libjpeg fills up with grey.
"""

from io import BytesIO

import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from sfumato.errors import InvalidImageError
from sfumato.images.header import Header
from sfumato.images.jpeg.picture import picture_only
from sfumato.images.pixels import Pixels

# Errors of libjpeg after which pixels are lost; Pillow would show them grey, without a word.
_LOST = ("Corrupt JPEG data", "Premature end", "Inconsistent progression")
# What it says of a picture that is whole, but for stray bytes behind it, which cameras leave.
_STRAY_AT_END = "extraneous bytes before marker 0xd9"
_STRAY = "extraneous bytes before marker"


def decode_jpeg(data: bytes, header: Header) -> Pixels:
    """Decodes the pixels.

    Raises:
        InvalidImageError: in a variant that neither library reads.
        ValueError: truncated or damaged.
    """
    picture = picture_only(data)
    try:
        return Pixels(_decode_plain(picture.data, header, strict=True))
    except ValueError as error:
        reason = str(error)
        if _STRAY_AT_END in reason:
            return Pixels(_decode_plain(picture.data, header, strict=False))
        lost = _STRAY not in reason and any(text in reason for text in _LOST)
        # Pillow tells missing rows by the end marker alone, so it must be the file's own.
        if lost or not picture.ended:
            raise
        return Pixels(_decode_odd(picture.data, header, error))


def _decode_plain(data: bytes, header: Header, *, strict: bool) -> npt.NDArray[np.uint8]:
    height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    header.check_stored_size((int(width), int(height)))
    if space in ("CMYK", "YCCK"):
        # Adobe's programs, which write nearly all such files, store the inks inverted.
        return 255 - _uint8(simplejpeg.decode_jpeg(data, "CMYK", strict=strict))
    if space == "Gray":
        return _uint8(simplejpeg.decode_jpeg(data, "GRAY", strict=strict))[..., 0]
    return _uint8(simplejpeg.decode_jpeg(data, "RGB", strict=strict))


def _decode_odd(data: bytes, header: Header, reason: ValueError) -> npt.NDArray[np.uint8]:
    """Decodes what simplejpeg does not, for the reason given."""
    try:
        # The class, not Image.open: its limit on pixels is global, and ours has been checked.
        image: Image.Image = JpegImageFile(BytesIO(data))
        header.check_stored_size(image.size)
        if image.mode not in ("L", "CMYK"):
            image = image.convert("RGB")
        return np.asarray(image)
    except (OSError, SyntaxError) as error:
        if "nsupported" not in str(reason):
            raise reason from error
        raise InvalidImageError(
            f"the JPEG file is of a kind that is not read ({reason}); save it as a usual JPEG"
        ) from error


def _uint8(array: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    return np.asarray(array, np.uint8)
