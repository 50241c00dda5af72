"""The header of a JPEG file: size, EXIF and ICC profile."""

from sfumato.images.header import Header, damaged
from sfumato.images.image_format import ImageFormat
from sfumato.images.jpeg.segments import START_OF_SCAN, Frame, segments
from sfumato.images.orientation import parse_orientation

_APP1 = 0xE1
_APP2 = 0xE2
_EXIF = b"Exif\0\0"
_ICC = b"ICC_PROFILE\0"


def read_jpeg_header(data: bytes) -> Header:
    """Reads the segments before the picture.

    Raises:
        InvalidImageError: truncated, damaged, or too many scans or segments.
    """
    frame: Frame | None = None
    exif: bytes | None = None
    profile: dict[int, bytes] = {}
    seen_scan = False
    for marker, body in segments(data):
        if seen_scan:
            continue  # nothing is read any more, but the bounds hold to the end
        if marker == _APP1 and exif is None and body.startswith(_EXIF):
            exif = body
        elif marker == _APP2 and body.startswith(_ICC) and len(body) > len(_ICC) + 2:
            profile.setdefault(body[len(_ICC)], body[len(_ICC) + 2 :])
        elif marker == START_OF_SCAN:
            seen_scan = True
            if frame is None or frame.is_whole_in(body):
                break
        frame = Frame.parse(marker, body) or frame
    if frame is None or not frame.width or not frame.height:
        raise damaged(ImageFormat.JPEG, "no size")
    return Header(
        ImageFormat.JPEG, frame.width, frame.height, parse_orientation(exif), _in_order(profile)
    )


def _in_order(parts: dict[int, bytes]) -> bytes | None:
    """Puts a profile together; None if it has no parts, or one is missing in between."""
    numbers = sorted(parts)
    if not numbers or numbers[-1] - numbers[0] >= len(numbers):
        return None
    return b"".join(parts[number] for number in numbers)
