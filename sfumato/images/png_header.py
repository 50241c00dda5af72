"""The chunks of a PNG file: size, EXIF, colours, and the chunks that hold the picture.

PNG specification, third edition (W3C 2025).
"""

import struct
import zlib
from collections.abc import Iterator

from sfumato.errors import InvalidImageError
from sfumato.images.colour.png import COLOUR_CHUNKS, read_colours
from sfumato.images.header import Header, damaged
from sfumato.images.image_format import ImageFormat
from sfumato.images.orientation import parse_orientation

_MAX_CHUNKS = 100_000
_SIGNATURE_SIZE = 8
_METADATA = (b"eXIf", *COLOUR_CHUNKS)
_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


def read_png_header(data: bytes) -> Header:
    """Reads the chunks that are not the picture.

    Raises:
        InvalidImageError: truncated or damaged before the picture, or too many chunks.
    """
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise damaged(ImageFormat.PNG, "it ends before the picture begins")
    width, height = struct.unpack_from(">II", data, 16)
    if not width or not height:
        raise damaged(ImageFormat.PNG, "no size")
    metadata = _metadata(data)
    orientation = parse_orientation(metadata.get(b"eXIf"))
    return Header(ImageFormat.PNG, width, height, orientation, *read_colours(metadata))


def picture_only(data: bytes) -> bytes:
    """Drops every chunk but those that hold the picture: no text, no animation, no bombs."""
    parts = [data[:_SIGNATURE_SIZE]]
    for name, start, end in _chunks(data):
        if name in _PICTURE:
            parts.append(data[start - 8 : end + 4])
        if name == b"IEND":
            break
    return b"".join(parts)


def as_rgba(data: bytes) -> bytes:
    """Declares the pixels of a file, of four bytes each, to be RGBA of 8 bits."""
    declared = data[12:24] + bytes([8, 6]) + data[26:29]
    return data[:12] + declared + zlib.crc32(declared).to_bytes(4) + data[33:]


def holds_all_rows(data: bytes) -> bool:
    """Tells whether the compressed stream is as long as the picture.

    A stream that ends properly but early is no error to zlib, and leaves rows black.
    """
    width, height, depth, colour, interlaced = struct.unpack_from(">IIBB2xB", data, 16)
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    passes = _adam7(width, height) if interlaced else [(width, height)]
    expected: int = sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in passes)
    return _inflated_size(data, expected) == expected


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Gives name, start and end of the body of each chunk; the last may end beyond the file."""
    position = _SIGNATURE_SIZE
    for _ in range(_MAX_CHUNKS):
        if position + 8 > len(data):
            return
        length, name = struct.unpack_from(">I4s", data, position)
        yield name, position + 8, position + 8 + length
        position += 12 + length
    raise InvalidImageError(f"the PNG file has more than {_MAX_CHUNKS} chunks; save it again")


def _metadata(data: bytes) -> dict[bytes, bytes]:
    """Gives the first of each chunk that matters beside the picture, if it is not damaged."""
    found: dict[bytes, bytes] = {}
    for name, start, end in _chunks(data):  # to the end, as eXIf may come after the picture
        if name in _METADATA and name not in found:
            body = data[start:end]
            if data[end : end + 4] == zlib.crc32(body, zlib.crc32(name)).to_bytes(4):
                found[name] = body
    return found


def _adam7(width: int, height: int) -> list[tuple[int, int]]:
    starts = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
    sizes = [
        (-(-(width - left) // step_x), -(-(height - top) // step_y))
        for left, top, step_x, step_y in (*starts, (0, 1, 1, 2))
    ]
    return [(columns, rows) for columns, rows in sizes if columns > 0 and rows > 0]


def _inflated_size(data: bytes, limit: int) -> int:
    """Counts the bytes of the picture's stream, up to a limit, which bounds the memory too."""
    stream = zlib.decompressobj()
    size = 0
    for name, start, end in _chunks(data):
        if name == b"IDAT" and size < limit:
            size += len(stream.decompress(data[start:end], limit - size))
    return size
