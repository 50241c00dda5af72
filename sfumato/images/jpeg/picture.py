"""A JPEG file without what is no picture, written so that decoders complain of the picture only.

libjpeg tells its first warning and no other, and some are harmless: of a profile whose parts are
numbered wrongly, an unknown version of JFIF, stray bytes. Behind them the one that matters, of
rows that are missing, would not be heard. The stray bytes in a scan are all that is left of them.
"""

from dataclasses import dataclass
from itertools import product

from sfumato.images.jpeg.segments import CODED, END, START_OF_SCAN, Frame, segments

_SOI = b"\xff\xd8"
_APP0, _APP14 = 0xE0, 0xEE
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD})
_JFIF = b"JFIF\0\1\1\0\0\1\0\1\0\0"
_ADOBE_SIZE = 12  # of which the last byte is the colour transform
_TRANSFORMS = {3: (0, 1), 4: (0, 2)}  # by the count of components; libjpeg assumes the last
_ALL_BANDS = b"\x00\x3f\x00"  # of a sequential scan: coefficients 0 to 63, in full


@dataclass(frozen=True)
class JpegPicture:
    """The picture of a JPEG file.

    Attributes:
        data: a JPEG file, with an end marker in any case.
        ended: whether the file itself went on after the last scan.
    """

    data: bytes
    ended: bool


def picture_only(data: bytes) -> JpegPicture:
    """Keeps what a decoder needs: tables, frame, scans, and what tells the colour space.

    Raises:
        InvalidImageError: it ends before the first scan.
        ValueError: it ends after a scan that was not the last.
    """
    writer = _Writer()
    ended = False
    for marker, body in segments(data):
        if marker == END or writer.whole:
            ended = True
            break
        writer.take(marker, body)
    if writer.missing and not ended:
        raise ValueError("scans are missing")
    writer.put(END)
    return JpegPicture(b"".join(writer.parts), ended)


class _Writer:
    """Collects the parts of the picture.

    Attributes:
        parts: the new file so far.
        missing: component and coefficient of what no scan has brought in full yet.
        whole: whether a single scan has brought everything, after which decoders stop.
    """

    def __init__(self) -> None:
        self.parts = [_SOI]
        self.missing: set[tuple[int, int]] = set()
        self.whole = False
        self._frame: Frame | None = None
        self._sequential = self._scan_is_whole = False
        self._colours: dict[int, bytes] = {}

    def put(self, marker: int, body: bytes | None = None) -> None:
        self.parts.append(bytes([0xFF, marker]))
        if body is not None:
            self.parts += [(len(body) + 2).to_bytes(2), body]

    def take(self, marker: int, body: bytes) -> None:
        if marker == CODED:
            self.parts.append(body)
            self.whole = self._scan_is_whole
        elif marker == START_OF_SCAN:
            self._begin_scan(body)
        elif frame := Frame.parse(marker, body):
            self._frame, self._sequential = frame, marker in _SEQUENTIAL
            self.missing = set(product(frame.components, range(64)))
            self.put(marker, body)
        elif marker == _APP0 and body.startswith(b"JFIF\0"):
            self._colours[marker] = _JFIF
        elif marker == _APP14 and body.startswith(b"Adobe") and len(body) >= _ADOBE_SIZE:
            self._colours[marker] = body[:_ADOBE_SIZE]
        elif marker in _TABLES:
            self.put(marker, body)

    def _begin_scan(self, body: bytes) -> None:
        if self._frame is None:
            raise ValueError("no size")
        for marker, colours in self._colours.items():
            self.put(marker, colours if marker == _APP0 else _known(colours, self._frame))
        self._colours.clear()
        if self._sequential:
            body = body[:-3] + _ALL_BANDS
        self.put(START_OF_SCAN, body)
        *_, first, last, bits = body
        if not bits & 0x0F:  # the lowest bits, which come last
            self.missing -= set(product(body[1:-3:2], range(first, last + 1)))
        self._scan_is_whole = self._frame.is_whole_in(body)


def _known(adobe: bytes, frame: Frame) -> bytes:
    """Gives a transform that libjpeg does not know the number that it takes instead."""
    known = _TRANSFORMS.get(len(frame.components))
    if known is None or adobe[-1] in known:
        return adobe
    return adobe[:-1] + bytes([known[-1]])
