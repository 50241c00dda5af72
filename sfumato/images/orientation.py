"""The EXIF orientation: finding it and turning pictures upright.

CIPA DC-008 (EXIF 2.32), tag 0x0112. Read here and not by a library because nothing else of EXIF
is wanted, and most of the ways in which EXIF can be broken are in the rest.
"""

import struct

import numpy as np
import numpy.typing as npt

_TAG = 0x0112
# The layouts of the integers of TIFF by their numbers. The tag should be a SHORT; others are met.
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}
_PREFIX = b"Exif\0\0"
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def parse_orientation(exif: bytes | None) -> int:
    """Finds the orientation in an EXIF block.

    Returns:
        1 to 8; 1, which is upright, if there is none or the block is broken.
    """
    if exif is None:
        return 1
    tiff = exif.removeprefix(_PREFIX)
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return 1
    try:
        return _find(tiff, order)
    except struct.error:
        return 1


def swaps_sides(orientation: int) -> bool:
    """Tells whether turning the picture upright swaps width and height."""
    return orientation >= 5


def upright(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Turns a picture upright.

    Args:
        pixels: uint8 [H, W, 3] or [H, W], contiguous.
        orientation: 1 to 8.

    Returns:
        Contiguous pixels; the sides are swapped for orientations 5 to 8.
    """
    if orientation == 1:
        return pixels
    # A pixel moved as one item takes about half the time of three separate bytes.
    items = pixels.view("V3")[..., 0] if pixels.ndim == 3 else pixels
    turned = items.T if swaps_sides(orientation) else items
    # After the transposition (if any): 2 and 6, 7 run right to left, 4 and 7, 8 bottom to top.
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    moved = np.ascontiguousarray(turned)
    return moved.view(np.uint8).reshape(*moved.shape, 3) if pixels.ndim == 3 else moved


def _find(tiff: bytes, order: str) -> int:
    (offset,) = struct.unpack_from(f"{order}I", tiff, 4)
    (count,) = struct.unpack_from(f"{order}H", tiff, offset)
    for entry in range(count):
        position = offset + 2 + 12 * entry
        tag, kind, values = struct.unpack_from(f"{order}HHI", tiff, position)
        if tag == _TAG:
            layout = _INTEGERS.get(kind)
            if layout is None or values * struct.calcsize(layout) > 4:
                return 1  # no number, or so many that they lie elsewhere
            (value,) = struct.unpack_from(f"{order}{layout}", tiff, position + 8)
            return int(value) if 1 <= value <= 8 else 1
    return 1
