"""Image files drawn by the tests, down to the bytes where a library would not write them."""

import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
ADAM7_PASSES = (*ADAM7, (0, 1, 1, 2))  # left, top, step to the right, step down


def picture(width: int = 48, height: int = 32) -> Pixels:
    """Smooth ramps in three directions, uint8 [H, W, 3]; JPEG keeps them nearly."""
    x, y = np.linspace(0, 255, width), np.linspace(0, 255, height)[:, None]
    return np.stack(np.broadcast_arrays(x, y, (x + y) / 2), -1).astype(np.uint8)


def encode(image: Image.Image | Pixels, image_format: str, **options: Any) -> bytes:
    """Encodes with Pillow."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    buffer = BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG file."""
    checksum = struct.pack(">I", zlib.crc32(name + body))
    return struct.pack(">I", len(body)) + name + body + checksum


def png(
    samples: npt.NDArray[Any],
    *,
    colour: int,
    bits: int = 8,
    extra: bytes = b"",
    trailing: bytes = b"",
    interlaced: bool = False,
) -> bytes:
    """A PNG file of samples [H, W] or [H, W, C], 8 or 16 bits each."""
    height, width = samples.shape[:2]
    passes = [samples]
    if interlaced:
        passes = [samples[top::down, left::right] for left, top, right, down in ADAM7_PASSES]
    rows = b"".join(
        b"\0" + row.astype(">u2" if bits == 16 else "u1").tobytes()
        for part in passes
        if part.size
        for row in part
    )
    return png_of_rows(width, height, rows, colour, bits, extra, trailing, interlaced)


def png_of_rows(
    width: int,
    height: int,
    rows: bytes,
    colour: int = 2,
    bits: int = 8,
    extra: bytes = b"",
    trailing: bytes = b"",
    interlaced: bool = False,
) -> bytes:
    """A PNG file of rows as they are before compression, each after its filter byte."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, int(interlaced))
    picture = chunk(b"IDAT", zlib.compress(rows))
    parts = chunk(b"IHDR", header), extra, picture, trailing, chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def webp_chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a WebP file."""
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def webp_animation(
    frame: Pixels,
    canvas: tuple[int, int],
    place: tuple[int, int] = (0, 0),
    *,
    says_alpha: bool = False,
    others: bytes = b"",
) -> bytes:
    """A WebP animation whose first frame is put at an even place of a canvas, without loss."""
    numbers = [*(half // 2 for half in place), *(side - 1 for side in frame.shape[1::-1]), 40]
    where = b"".join(number.to_bytes(3, "little") for number in numbers)
    pixels = encode(frame, "WEBP", lossless=True, exact=True)[12:]
    size = b"".join((side - 1).to_bytes(3, "little") for side in canvas)
    parts = (
        webp_chunk(b"VP8X", bytes([0x12 if says_alpha else 0x02, 0, 0, 0]) + size),
        webp_chunk(b"ANIM", b"\xff\xff\xff\xff\0\0"),  # the background is white, which nobody heeds
        webp_chunk(b"ANMF", where + b"\0" + pixels),
        others,
    )
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def exif(orientation: int, byte_order: str = "<", kind: int = 3, count: int = 1) -> bytes:
    """A TIFF block with nothing but an orientation, of a kind of number by TIFF's count."""
    mark = {"<": b"II", ">": b"MM"}[byte_order]
    layout = {1: "B3x", 6: "b3x", 4: "I", 9: "i"}.get(kind, "H2x")
    value = struct.pack(f"{byte_order}{layout}", orientation)
    entry = struct.pack(f"{byte_order}HHI", 0x0112, kind, count) + value
    header = mark + struct.pack(f"{byte_order}HI", 42, 8)
    return header + struct.pack(f"{byte_order}H", 1) + entry + b"\0\0\0\0"
