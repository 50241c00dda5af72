"""JPEG files that are odd and whole are painted; those that lack rows, or are endless, are not."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import numpy as np
import pytest
from PIL import Image

from sfumato.errors import ImageError, InvalidImageError
from sfumato.images.codec import decode_photo, read_size
from sfumato.images.jpeg.segments import MAX_JUNK, MAX_SEGMENTS
from tests.sfumato import icc_profiles
from tests.sfumato.image_files import Pixels, encode

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
END = b"\xff\xd9"
COMMENT = b"\xff\xfe\0\2"

FILES = {
    "plain": encode(NOISE, "JPEG"),
    "with restarts": encode(NOISE, "JPEG", restart_marker_blocks=3),
    "progressive": encode(NOISE, "JPEG", progressive=True),
    "grey": encode(NOISE[..., 0], "JPEG"),
    "inks": encode(Image.fromarray(NOISE).convert("CMYK"), "JPEG"),
}
every_kind = pytest.mark.parametrize("data", FILES.values(), ids=FILES)


def decode(data: bytes) -> Pixels:
    return decode_photo(data, max_pixels=10_000).rgb


def after_first(data: bytes, extra: bytes) -> bytes:
    """Adds bytes behind the first segment and before the next, so what follows decides."""
    place = 4 + int.from_bytes(data[4:6])
    return data[:place] + extra + data[place:]


def before_tables(data: bytes, extra: bytes) -> bytes:
    place = data.index(b"\xff\xdb")
    return data[:place] + extra + data[place:]


def before_last_scan(data: bytes, extra: bytes) -> bytes:
    place = data.rindex(b"\xff\xc4")
    return data[:place] + extra + data[place:]


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2) + body


def icc(profile: bytes, *numbers: int, count: int = 2) -> bytes:
    """Cuts a profile into as many parts as there are numbers, and numbers them so."""
    step = -(-len(profile) // len(numbers))
    parts = (profile[start : start + step] for start in range(0, len(profile), step))
    return b"".join(
        segment(0xE2, b"ICC_PROFILE\0" + bytes([number, count]) + part)
        for number, part in zip(numbers, parts, strict=True)
    )


@every_kind
@pytest.mark.parametrize("lacking", [1, 2])
def test_a_file_that_lacks_only_its_end_marker_is_read(data: bytes, lacking: int) -> None:
    assert np.array_equal(decode(data[:-lacking]), decode(data))


@every_kind
def test_a_file_whose_end_marker_is_overwritten_is_read(data: bytes) -> None:
    assert np.array_equal(decode(data[:-2] + bytes(600)), decode(data))


@every_kind
@pytest.mark.parametrize("stray", [b"", b"stray bytes"], ids=["clean", "stray"])
@pytest.mark.parametrize("end", [b"", END], ids=["no end", "an end"])
def test_a_file_that_lacks_rows_is_refused(data: bytes, stray: bytes, end: bytes) -> None:
    """With an end of its own as well, and if it has stray bytes, which are harmless themselves."""
    whole = before_tables(data, stray)
    assert np.array_equal(decode(whole), decode(data))
    for lost in (3, len(data) // 10, len(data) // 2):
        with pytest.raises(InvalidImageError, match="truncated or damaged"):
            decode(whole[: -2 - lost] + end)


def test_a_progressive_file_that_lacks_whole_scans_and_its_end_is_refused() -> None:
    data = FILES["progressive"]
    for scan in list(re.finditer(rb"\xff\xda", data))[1:]:
        tables = data.rindex(b"\xff\xc4", 0, scan.start())
        for cut in (scan.start(), tables):
            with pytest.raises(InvalidImageError, match="truncated or damaged"):
                decode(data[:cut])


PROFILE = icc_profiles.rgb(icc_profiles.BLUE, icc_profiles.GREEN, icc_profiles.RED)
BAD_PROFILES = {
    "a part that is missing": icc(PROFILE[200:], 2),
    "no last part": icc(PROFILE[:-20], 1),
    "a gap": icc(PROFILE, 1, 3, count=3),
    "one number twice": icc(PROFILE, 1, 1),
    "another number twice": icc(PROFILE, 2, 2),
    "numbers above the count": icc(PROFILE, 5, 9),
    "no part": segment(0xE2, b"ICC_PROFILE\0\1\1"),
    "half a header": segment(0xE2, b"ICC_PROFILE\0"),
}
HARMLESS = {
    **BAD_PROFILES,
    "an unknown JFIF": segment(0xE0, b"JFIF\0\x09\x09\0\0\1\0\1\0\0"),
    "EXIF of nothing": segment(0xE1, b"Exif\0\0"),
    "a second beginning": b"\xff\xd8",
    "an extension": segment(0xF7, b"whatever"),
    "a comment": segment(0xFE, bytes(9)),
    "filling": b"\xff" * 1000,
    "zeros": bytes(5000),
}


@every_kind
@pytest.mark.parametrize("extra", HARMLESS.values(), ids=HARMLESS)
def test_what_is_odd_beside_the_pixels_costs_nothing(data: bytes, extra: bytes) -> None:
    odd = after_first(data, extra)
    assert np.array_equal(decode(odd), decode(data))
    with pytest.raises(InvalidImageError, match="truncated or damaged"):
        decode(odd[: -len(data) // 4] + END)


@pytest.mark.parametrize(
    "parts",
    [
        icc(PROFILE, 1, count=1),
        icc(PROFILE, 1, count=3),
        icc(PROFILE, 7, count=1),
        icc(PROFILE, 1, 2) + icc(PROFILE, 1, 2),
        icc(PROFILE, 1, 2) + icc(bytes(500), 2, 1),
        icc(PROFILE, 0, 1),
    ],
)
def test_a_profile_that_is_whole_is_used_however_its_parts_are_numbered(parts: bytes) -> None:
    red = encode(np.full((16, 16, 3), (255, 0, 0), np.uint8), "JPEG", quality=100)
    assert decode(red[:2] + parts + red[2:])[8, 8, 2] > 250


@pytest.mark.parametrize("kind", ["plain", "progressive", "grey"])
def test_an_unknown_colour_transform_costs_nothing(kind: str) -> None:
    data = FILES[kind]
    odd = data[:2] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\x63") + data[data.index(b"\xff\xdb") :]
    assert np.array_equal(decode(odd), decode(data))
    with pytest.raises(InvalidImageError, match="truncated or damaged"):
        decode(odd[: -len(data) // 4] + END)


@pytest.mark.parametrize("bands", [b"\0\0\0", b"\0\x3e\x21"])
def test_a_plain_scan_may_name_its_coefficients_wrongly(bands: bytes) -> None:
    data = FILES["plain"]
    place = data.index(b"\0\x3f\0", data.index(b"\xff\xda"))
    assert np.array_equal(decode(data[:place] + bands + data[place + 3 :]), decode(data))


def test_a_file_of_more_bits_is_not_called_damaged() -> None:
    data = bytearray(FILES["plain"])
    data[data.index(b"\xff\xc0") + 4] = 12
    with pytest.raises(InvalidImageError, match=r"of a kind that is not read .*; save"):
        decode(bytes(data))


def test_what_one_library_cannot_read_the_other_reads() -> None:
    """The blue of each 8 x 16 pixels has two blocks, the others one: an odd sampling."""
    data = encode(np.full((32, 32, 3), 128, np.uint8), "JPEG", subsampling=0)
    frame = data.index(b"\xff\xc0") + 10
    even, odd = b"\1\x11\0\2\x11\1\3\x11\1", b"\1\x11\0\2\x12\1\3\x11\1"
    assert data[frame : frame + 9] == even
    scan = data.index(b"\0\x3f\0") + 3
    luma, chroma = "00" + "1010", "00" + "00"  # no difference, no more coefficients (K.3, K.5)
    bits = (luma + 3 * chroma) * (4 * 2)
    coded = int(bits, 2).to_bytes(len(bits) // 8)
    file = data[:frame] + odd + data[frame + 9 : scan] + coded + END
    assert (decode(file) == 128).all()


@contextmanager
def counted_steps() -> Iterator[list[int]]:
    """Counts what the interpreter calls meanwhile, Python's functions and C's."""
    steps = [0]

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        steps[0] += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        yield steps
    finally:
        sys.setprofile(None)


BYTES = 4_000_000
ENDLESS = {
    "escapes": b"\xff\0" * (BYTES // 2),
    "filling": b"\xff" * BYTES,
    "zeros": bytes(BYTES),
    "restarts": b"\xff\xd0" * (BYTES // 2),
    "comments": COMMENT * (BYTES // 4),
    "empty tables": b"\xff\xc4\0\2" * (BYTES // 4),
    "markers without a length": b"\xff\1" * (BYTES // 2),
    "beginnings": b"\xff\xd8" * (BYTES // 2),
    "long comments": segment(0xFE, bytes(100)) * (BYTES // 100),
}


def painted_unless_endless(data: bytes) -> Pixels | None:
    try:
        return decode(data)
    except ImageError as error:
        if "; save it again" not in str(error):
            raise
        return None


@pytest.mark.parametrize("kind", ["plain", "progressive"])
@pytest.mark.parametrize("extra", ENDLESS.values(), ids=ENDLESS)
def test_no_file_is_read_byte_by_byte(extra: bytes, kind: str) -> None:
    """Wherever they lie, millions of bytes that are no picture cost thousands of steps."""
    data = FILES[kind]
    for place in (data.index(b"\xff\xdb"), data.rindex(b"\xff\xc4"), -2, len(data)):
        endless = data[:place] + extra + data[place:]
        with counted_steps() as steps:
            painted = painted_unless_endless(endless)
        assert painted is None or np.array_equal(painted, decode(data))
        assert steps[0] < 40 * MAX_SEGMENTS


def test_bytes_between_segments_are_bounded() -> None:
    data = FILES["plain"]
    decode(before_tables(data, bytes(MAX_JUNK)))
    for junk in (b"\0", b"\xff\0"):
        for endless in (
            before_tables(data, junk * (MAX_JUNK + 1)),
            before_tables(data, (junk * (MAX_JUNK // 2) + COMMENT) * 3),
        ):
            for read in (decode, read_size):
                with pytest.raises(InvalidImageError, match="bytes between its segments; save"):
                    read(endless)


@pytest.mark.parametrize("extra", [COMMENT, b"\xff\xc4\0\2", segment(0xE2, bytes(30))])
def test_segments_are_bounded_before_the_first_scan_and_between_scans(extra: bytes) -> None:
    data = FILES["progressive"]
    for insert in (before_tables, before_last_scan):
        assert np.array_equal(decode(insert(data, COMMENT * (MAX_SEGMENTS // 2))), decode(data))
        with pytest.raises(InvalidImageError, match=f"more than {MAX_SEGMENTS} segments; save"):
            decode(insert(data, extra * MAX_SEGMENTS))
