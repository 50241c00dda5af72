"""Reading photos from bytes and writing them to bytes; the parts are in ``sfumato.images``."""

from sfumato.images.decoder import DEFAULT_MAX_PIXELS, DEFAULT_MIN_SIDE, decode_photo, read_size
from sfumato.images.encoder import DEFAULT_QUALITY, check_sides, encode_photo
from sfumato.images.image_format import ImageFormat
from sfumato.images.photo import Photo

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "DEFAULT_MIN_SIDE",
    "DEFAULT_QUALITY",
    "ImageFormat",
    "Photo",
    "check_sides",
    "decode_photo",
    "encode_photo",
    "read_size",
]
