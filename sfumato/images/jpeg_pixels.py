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

from sfumato.images.header import Header
from sfumato.images.pixels import Pixels

# Warnings of libjpeg after which the picture is whole all the same; cameras do cause them.
_HARMLESS = ("extraneous bytes before marker", "Unknown Adobe", "JFIF revision", "Invalid SOS")
# What simplejpeg cannot do and Pillow can.
_UNSUPPORTED = ("Could not determine subsampling", "Unsupported color conversion")


def decode_jpeg(data: bytes, header: Header) -> Pixels:
    """Decodes the pixels.

    Raises:
        ValueError: truncated, damaged, or in a variant that neither library reads.
        OSError: the same, from Pillow.
    """
    try:
        return Pixels(_decode_plain(data, header))
    except ValueError as error:
        if not any(text in str(error) for text in (*_HARMLESS, *_UNSUPPORTED)):
            raise
    return Pixels(_decode_odd(data, header))


def _decode_plain(data: bytes, header: Header) -> npt.NDArray[np.uint8]:
    height, width, space, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    header.check_stored_size((int(width), int(height)))
    if space in ("CMYK", "YCCK"):
        # Adobe's programs, which write nearly all such files, store the inks inverted.
        return 255 - _uint8(simplejpeg.decode_jpeg(data, "CMYK"))
    if space == "Gray":
        return _uint8(simplejpeg.decode_jpeg(data, "GRAY"))[..., 0]
    return _uint8(simplejpeg.decode_jpeg(data, "RGB"))


def _decode_odd(data: bytes, header: Header) -> npt.NDArray[np.uint8]:
    # The class, not Image.open: its limit on pixels is global, and ours has been checked.
    image: Image.Image = JpegImageFile(BytesIO(data))
    header.check_stored_size(image.size)
    if image.mode not in ("L", "CMYK"):
        image = image.convert("RGB")
    return np.asarray(image)


def _uint8(array: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    return np.asarray(array, np.uint8)
