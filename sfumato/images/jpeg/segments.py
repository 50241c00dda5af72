"""The segments of a JPEG file (ITU-T T.81, annex B), within bounds that no encoder reaches."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sfumato.errors import InvalidImageError
from sfumato.images.header import damaged
from sfumato.images.image_format import ImageFormat

# A progressive file can repeat scans of a few bytes each, and each costs a pass over the whole
# picture: minutes from some kilobytes. Encoders write about ten.
MAX_SCANS = 100
MAX_SEGMENTS = 10_000
MAX_JUNK = 1 << 20  # bytes between segments; cameras leave some thousands

END = 0xD9
START_OF_SCAN = 0xDA
CODED = 0x00  # no marker: the data of the scan that the last segment announced

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the SOF markers
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_WITHOUT_LENGTH = frozenset({0x01, 0xD8})
_CUT = "it ends before the picture begins"

# The codes that make a marker of a byte 0xFF: not those of escaped bytes, restarts and filling.
_IS_MARKER = np.zeros(256, bool)
_IS_MARKER[0x01:0xD0] = _IS_MARKER[0xD8:0xFF] = True
_FIRST_BLOCK, _LAST_BLOCK = 64, 1 << 18


@dataclass(frozen=True)
class Frame:
    """What a SOF segment says.

    Attributes:
        progressive: whether the coefficients come in several passes.
        height: pixels; 0 if it is said after the first scan, which nobody reads.
        width: pixels.
        components: the identifier of each.
    """

    progressive: bool
    height: int
    width: int
    components: bytes

    @staticmethod
    def parse(marker: int, body: bytes) -> "Frame | None":
        """Reads a segment; None if it is no SOF."""
        if marker not in _FRAMES:
            return None
        if len(body) < 6:
            raise damaged(ImageFormat.JPEG, "no size")
        height, width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
        return Frame(marker in _PROGRESSIVE, height, width, body[6 : 6 + 3 * body[5] : 3])

    def is_whole_in(self, scan: bytes) -> bool:
        """Tells whether a scan holds the whole picture; decoders stop after it."""
        return not self.progressive and scan[:1] == bytes([len(self.components)])


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Gives marker and body of each segment, and the data of each scan after its segment.

    The last is END if the file has one; it may lack it, or stop in a segment, after a scan.

    Raises:
        InvalidImageError: it ends before the first scan, or has more segments, scans or bytes
            between them than the bounds above.
    """
    position, scans, junk, marker = 2, 0, 0, CODED
    for _ in range(MAX_SEGMENTS):
        found = _find_marker(data, position)
        if marker == START_OF_SCAN:
            yield CODED, data[position:found]
        else:
            junk += found - position
            _check("bytes between its segments", junk, MAX_JUNK)
        marker, start = int.from_bytes(data[found + 1 : found + 2]), found + 2
        position = start
        if marker not in _WITHOUT_LENGTH:
            position += int.from_bytes(data[start : start + 2])
        if found == len(data) or marker == END or not start <= position <= len(data):
            if not scans:
                raise damaged(ImageFormat.JPEG, _CUT)
            if marker == END:
                yield END, b""
            return
        scans += marker == START_OF_SCAN
        _check("scans", scans, MAX_SCANS)
        yield marker, data[start + 2 : position]
    _check("segments", MAX_SEGMENTS + 1, MAX_SEGMENTS)


def _check(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise InvalidImageError(f"the JPEG file has more than {limit} {what}; save it again")


def _find_marker(data: bytes, position: int) -> int:
    """Finds the next marker's 0xFF; the length of the file if there is none.

    By NumPy, in blocks: a regular expression keeps the interpreter's lock for all of a file of
    0xFF bytes that begin no marker.
    """
    size = _FIRST_BLOCK
    while position < len(data) - 1:
        count = min(size + 1, len(data) - position)  # the code of the last may be in the next
        block = np.frombuffer(data, np.uint8, count, position)
        prefixes = np.flatnonzero(block[:-1] == 0xFF)
        found = prefixes[_IS_MARKER[block[prefixes + 1]]]
        if found.size:
            return position + int(found[0])
        position += size
        size = min(2 * size, _LAST_BLOCK)
    return len(data)
