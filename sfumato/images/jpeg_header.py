"""The header of a JPEG file: size, EXIF, ICC profile and the count of scans (ITU-T T.81)."""

import re

from sfumato.errors import InvalidImageError
from sfumato.images.header import Header, damaged
from sfumato.images.image_format import ImageFormat
from sfumato.images.orientation import parse_orientation

# A progressive file can repeat scans of a few bytes each, and each costs a pass over the whole
# picture: minutes from some kilobytes. Encoders write about ten.
MAX_SCANS = 100
_MAX_SEGMENTS = 10_000

_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # not an escaped 0xFF, not a restart
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # the SOF markers
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_WITHOUT_LENGTH = frozenset({0x01, 0xD8})
_START_OF_SCAN = 0xDA
_END = 0xD9
_APP1 = 0xE1
_APP2 = 0xE2
_ICC = b"ICC_PROFILE\0"


def read_jpeg_header(data: bytes) -> Header:
    """Reads the segments before the picture.

    Raises:
        InvalidImageError: truncated, damaged, or too many scans or segments.
    """
    reader = _Reader(data)
    reader.read()
    profile = b"".join(reader.profile[number] for number in sorted(reader.profile))
    return Header(
        ImageFormat.JPEG,
        reader.width,
        reader.height,
        parse_orientation(reader.exif),
        profile or None,
    )


class _Reader:
    """Walks over the segments and keeps what matters."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 2
        self.width = self.height = self.components = 0
        self.progressive = False
        self.exif: bytes | None = None
        self.profile: dict[int, bytes] = {}

    def read(self) -> None:
        for _ in range(_MAX_SEGMENTS):
            marker, body = self._segment()
            if marker in _SIZES:
                self._take_size(marker, body)
            elif marker == _APP1 and self.exif is None and body.startswith(b"Exif\0\0"):
                self.exif = body
            elif marker == _APP2 and body.startswith(_ICC) and len(body) > len(_ICC) + 2:
                self.profile[body[len(_ICC)]] = body[len(_ICC) + 2 :]
            elif marker == _START_OF_SCAN:
                self._check_scans(body)
                return
        raise InvalidImageError(f"the JPEG file has more than {_MAX_SEGMENTS} segments")

    def _segment(self) -> tuple[int, bytes]:
        found = _MARKER.search(self.data, self.position)
        if found is None or found[1][0] == _END:
            raise damaged(ImageFormat.JPEG, "it ends before the picture begins")
        start = self.position = found.end()
        if found[1][0] in _WITHOUT_LENGTH:
            return found[1][0], b""
        self.position = start + int.from_bytes(self.data[start : start + 2])
        if self.position < start + 2 or self.position > len(self.data):
            raise damaged(ImageFormat.JPEG, "it ends before the picture begins")
        return found[1][0], self.data[start + 2 : self.position]

    def _take_size(self, marker: int, body: bytes) -> None:
        if len(body) < 6:
            raise damaged(ImageFormat.JPEG, "no size")
        self.height, self.width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
        self.components = body[5]
        self.progressive = marker in _PROGRESSIVE

    def _check_scans(self, body: bytes) -> None:
        if not self.width or not self.height:
            raise damaged(ImageFormat.JPEG, "no size")
        if not self.progressive and body[:1] == bytes([self.components]):
            return  # all components in one scan: decoders stop after it
        scans = 1
        while (found := _MARKER.search(self.data, self.position)) and found[1][0] != _END:
            start = found.end()
            scans += found[1][0] == _START_OF_SCAN
            self.position = start + max(2, int.from_bytes(self.data[start : start + 2]))
            if scans > MAX_SCANS:
                raise InvalidImageError(
                    f"the JPEG file has more than {MAX_SCANS} scans; save it again"
                )
