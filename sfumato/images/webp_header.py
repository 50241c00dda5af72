"""The chunks of a WebP file: size, EXIF, ICC profile, and those of the picture (RFC 9649)."""

import struct
from collections.abc import Iterator

from sfumato.errors import InvalidImageError
from sfumato.images.header import Header, damaged
from sfumato.images.image_format import ImageFormat
from sfumato.images.orientation import parse_orientation

_MAX_CHUNKS = 100_000
_RIFF_HEADER = 12
_CANVAS = slice(24, 30)  # of an extended file: width and height, written as those of a frame
_HAS_ALPHA, _IS_ANIMATED = 0x10, 0x02
_PICTURE = (b"VP8X", b"ANIM", b"ALPH")
_PIXELS = (b"VP8 ", b"VP8L", b"ANMF")  # the first of them is the picture


def read_webp_header(data: bytes) -> Header:
    """Reads the size from the first chunk and the metadata from the others.

    Raises:
        InvalidImageError: truncated, damaged, or too many chunks.
    """
    try:
        width, height = _size(data)
    except (struct.error, KeyError) as error:
        raise damaged(ImageFormat.WEBP, "no size") from error
    metadata = {
        name: data[start:end]
        for name, start, end in _chunks(data)
        if name in (b"EXIF", b"ICCP") and end <= len(data)
    }
    return Header(
        ImageFormat.WEBP,
        width,
        height,
        parse_orientation(metadata.get(b"EXIF")),
        metadata.get(b"ICCP") or None,
    )


def picture_only(data: bytes) -> bytes:
    """Drops every chunk but those that hold the picture, the first of an animation.

    That of an animation may cover a part of the canvas only, and browsers show the rest as
    transparent. libwebp does so, too, if the file says that there are opacities; so it does then.
    """
    body = bytearray(b"WEBP")
    partial = False
    for name, start, end in _chunks(data):
        if name in _PICTURE or name in _PIXELS:
            body += data[start - 8 : end] + b"\0" * (end % 2 and len(data) >= end)
        if name in _PIXELS:
            partial = name == b"ANMF" and data[start + 6 : start + 12] != data[_CANVAS]
            break
    if body[4:8] == b"VP8X":
        body[12] = body[12] & (_HAS_ALPHA | _IS_ANIMATED) | (_HAS_ALPHA if partial else 0)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _size(data: bytes) -> tuple[int, int]:
    readers = {b"VP8X": _extended_size, b"VP8L": _lossless_size, b"VP8 ": _lossy_size}
    return readers[data[_RIFF_HEADER : _RIFF_HEADER + 4]](data)


def _extended_size(data: bytes) -> tuple[int, int]:
    low_width, high_width, low_height, high_height = struct.unpack_from("<HBHB", data, 24)
    return (high_width << 16 | low_width) + 1, (high_height << 16 | low_height) + 1


def _lossless_size(data: bytes) -> tuple[int, int]:
    (bits,) = struct.unpack_from("<I", data, 21)
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _lossy_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Gives name, start and end of the body of each chunk; the last may end beyond the file."""
    position = _RIFF_HEADER
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(data):
            return
        name, length = struct.unpack_from("<4sI", data, position)
        yield name, position + 8, position + 8 + length
        position += 8 + length + length % 2
    raise InvalidImageError(f"the WebP file has more than {_MAX_CHUNKS} chunks; save it again")
