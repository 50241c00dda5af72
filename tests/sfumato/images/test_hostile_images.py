"""What is no photo is refused with one clear error, before it costs anything."""

import struct
import time
import tracemalloc
import zlib
from contextlib import suppress
from io import BytesIO
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sfumato.errors import ImageError, ImageTooLargeError, InvalidImageError
from sfumato.images.codec import decode_photo, read_size
from tests.sfumato.image_files import chunk, encode, exif, picture, png, png_of_rows

RGB = picture()
LIMIT = 24_000_000
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def decode(data: bytes, max_pixels: int = LIMIT) -> object:
    return decode_photo(data, max_pixels=max_pixels)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (encode(RGB, "GIF"), "a GIF file"),
        (encode(RGB, "BMP"), "a BMP file"),
        (encode(RGB, "TIFF"), "a TIFF or raw camera file"),
        (encode(RGB, "JPEG2000"), "a JPEG 2000 file"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "an HEIC file"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", "an AVIF file"),
        (b"%PDF-1.7", "a PDF file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG file"),
        (b"Dear Sir or Madam,", "not an image"),
        (b"\x80\x04K\x01.", "not an image"),
        (b"RIFF\x04\0\0\0WAVE", "not an image"),
        (b"\xff", "not an image"),
        (b"", r"empty \(zero bytes\)"),
    ],
)
def test_another_kind_of_file_is_named(data: bytes, name: str) -> None:
    with pytest.raises(InvalidImageError, match=f"the photo is {name}.*; send a JPEG, PNG or WebP"):
        decode(data)
    with pytest.raises(InvalidImageError):
        read_size(data)


TRUNCATABLE = {
    "jpeg": encode(NOISE, "JPEG"),
    "progressive jpeg": encode(NOISE, "JPEG", progressive=True),
    "grey jpeg": encode(NOISE[..., 0], "JPEG"),
    "cmyk jpeg": encode(Image.fromarray(NOISE).convert("CMYK"), "JPEG"),
    "jpeg with stray bytes": encode(NOISE, "JPEG").replace(b"\xff\xdb", b"stray\xff\xdb", 1),
    "png": encode(NOISE, "PNG"),
    "interlaced png": png(NOISE, colour=2, interlaced=True),
    "webp": encode(NOISE, "WEBP"),
    "lossless webp": encode(NOISE, "WEBP", lossless=True),
}


@pytest.mark.parametrize("data", TRUNCATABLE.values(), ids=TRUNCATABLE)
@pytest.mark.parametrize("part", [0.02, 0.1, 0.5, 0.9, 0.98])
def test_a_truncated_file_is_an_error_and_never_half_a_picture(data: bytes, part: float) -> None:
    decode(data)
    with pytest.raises(InvalidImageError, match="truncated or damaged"):
        decode(data[: int(len(data) * part)])


@pytest.mark.parametrize("name", ["jpeg", "progressive jpeg", "grey jpeg", "cmyk jpeg"])
def test_a_truncated_file_that_was_given_an_end_is_an_error_too(name: str) -> None:
    data = TRUNCATABLE[name]
    with pytest.raises(InvalidImageError, match="truncated or damaged"):
        decode(data[: len(data) // 2] + b"\xff\xd9")


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (3, 1), (6, 4)])
def test_a_png_stream_that_ends_early_but_well_is_an_error(
    colour: int, channels: int, *, interlaced: bool
) -> None:
    rows = (b"\0" + b"\1" * 32 * channels) * 31  # one row less than there should be
    palette = chunk(b"PLTE", b"\xff\xff\xff\x80\x80\x80")
    extra = palette if colour == 3 else b""
    data = png_of_rows(32, 32, rows, colour, extra=extra, interlaced=interlaced)
    with pytest.raises(InvalidImageError, match="truncated or damaged"):
        decode(data)


def test_the_wrong_checksum_of_a_picture_is_an_error() -> None:
    data = bytearray(encode(NOISE, "PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(InvalidImageError):
        decode(bytes(data))


def huge_jpeg() -> bytes:
    data = bytearray(encode(RGB, "JPEG"))
    start = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, start + 5, 65_500, 65_500)
    return bytes(data)


def huge_webp() -> bytes:
    data = bytearray(encode(RGB, "WEBP", exif=exif(1)))
    assert data[12:16] == b"VP8X"
    data[24:30] = b"\xff\xff\x03\xff\xff\x03"
    return bytes(data)


HUGE = {
    "png": png_of_rows(50_000, 50_000, b"\0" * 1000),
    "jpeg": huge_jpeg(),
    "webp": huge_webp(),
    "larger than any": png_of_rows(2**31 - 1, 2**31 - 1, b""),
}


@pytest.mark.parametrize("data", HUGE.values(), ids=HUGE)
def test_huge_pictures_are_refused_by_their_header(data: bytes) -> None:
    start = time.perf_counter()
    tracemalloc.start()
    try:
        with pytest.raises(ImageTooLargeError, match=r"the limit is 24\.0 million; scale it down"):
            decode(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
    assert time.perf_counter() - start < 1


def test_the_limit_is_the_most_that_is_allowed() -> None:
    data = encode(RGB, "PNG")  # 48 x 32 = 1536
    decode(data, max_pixels=1536)
    with pytest.raises(ImageTooLargeError, match="48 x 32"):
        decode(data, max_pixels=1535)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (15, 4000), (4000, 15), (16, 15)])
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_too_small_photos_are_refused(width: int, height: int, image_format: str) -> None:
    with pytest.raises(InvalidImageError, match=f"{width} x {height} pixels; each side needs"):
        decode(encode(Image.new("RGB", (width, height)), image_format))


def test_the_smallest_photo_is_16_by_16() -> None:
    decode(encode(Image.new("RGB", (16, 16)), "PNG"))


@pytest.mark.parametrize("side", [(0, 5), (5, 0), (0, 0)])
def test_a_picture_without_pixels_is_refused(side: tuple[int, int]) -> None:
    with pytest.raises(InvalidImageError):
        decode(png_of_rows(*side, b"\0"))


BOMB = zlib.compress(bytes(200_000_000))
BOMBS = {
    "zTXt": chunk(b"zTXt", b"Comment\0\0" + BOMB),
    "iTXt": chunk(b"iTXt", b"Comment\0\1\0\0\0" + BOMB),
    "iCCP": chunk(b"iCCP", b"profile\0\0" + BOMB),
    "eXIf": chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 1_000_000),
    "tEXt": b"".join(chunk(b"tEXt", b"k%d\0" % n + b"x" * 1000) for n in range(5000)),
}


@pytest.mark.parametrize("extra", BOMBS.values(), ids=BOMBS)
def test_bombs_in_the_metadata_do_not_explode(extra: bytes) -> None:
    tracemalloc.start()
    try:
        photo = decode_photo(png(RGB, colour=2, extra=extra), max_pixels=LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.array_equal(photo.rgb, RGB)
    assert peak < 80_000_000


def test_a_picture_that_unpacks_to_more_than_its_size_is_cut() -> None:
    data = png_of_rows(32, 32, bytes(200_000_000))
    assert not decode_photo(data, max_pixels=LIMIT).rgb.any()


def test_a_progressive_bomb_of_many_scans_is_refused() -> None:
    data = encode(NOISE, "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(InvalidImageError, match="more than 100 scans"):
        decode(data[:-2] + scan * 200 + data[-2:])


def test_files_of_nothing_but_chunks_are_refused_soon() -> None:
    start = time.perf_counter()
    for data in (
        png(RGB, colour=2, extra=chunk(b"prVt", b"") * 400_000),
        b"\xff\xd8" + b"\xff\xe3\0\2" * 1_000_000,
        b"\xff\xd8" + b"\xff" * 4_000_000,
        TRUNCATABLE["webp"][:30] + b"PRVT\0\0\0\0" * 400_000,
    ):
        with pytest.raises(InvalidImageError):
            decode(data)
    assert time.perf_counter() - start < 5


def test_two_headers_in_one_file_do_not_get_round_the_limit() -> None:
    second = png_of_rows(5000, 5000, b"")[8:33]
    data = encode(NOISE, "PNG")
    with pytest.raises(InvalidImageError):
        decode(data[:33] + second + data[33:], max_pixels=64 * 64)
    jpeg = encode(NOISE, "JPEG")
    start = jpeg.index(b"\xff\xc0")
    frame = bytearray(jpeg[start : start + 19])
    struct.pack_into(">HH", frame, 5, 5000, 5000)
    for doubled in (
        jpeg[:start] + bytes(frame) + jpeg[start:],
        jpeg[: start + 19] + bytes(frame) + jpeg[start + 19 :],
    ):
        with pytest.raises(ImageError):
            decode(doubled, max_pixels=64 * 64)


def test_the_limits_of_pillow_stay_as_they_are() -> None:
    before = Image.MAX_IMAGE_PIXELS
    decode(encode(RGB, "PNG"))
    with pytest.raises(ImageTooLargeError):
        decode(HUGE["png"])
    assert before == Image.MAX_IMAGE_PIXELS


FUZZED = {
    name: encode(picture(24, 20), image_format, **options)
    for name, image_format, options in (
        ("jpeg", "JPEG", {"exif": exif(6)}),
        ("progressive", "JPEG", {"progressive": True}),
        ("png", "PNG", {"exif": exif(6)}),
        ("webp", "WEBP", {"exif": exif(6)}),
        ("lossless", "WEBP", {"lossless": True}),
    )
}


@pytest.mark.parametrize("data", FUZZED.values(), ids=FUZZED)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random=st.randoms(use_true_random=False))
def test_random_damage_is_an_image_error_or_a_picture(data: bytes, random: Random) -> None:
    damaged = bytearray(data)
    for _ in range(random.randint(1, 8)):
        damaged[random.randrange(len(damaged))] = random.randrange(256)
    if random.random() < 0.3:
        del damaged[random.randrange(len(damaged)) :]
    with suppress(ImageError):
        photo = decode_photo(bytes(damaged), max_pixels=100_000)
        assert photo.rgb.dtype == np.uint8
        assert photo.rgb.ndim == 3


def test_pillow_is_asked_for_nothing_else() -> None:
    """A TIFF file in a WebP coat is no way to reach Pillow's other decoders."""
    tiff = BytesIO()
    Image.fromarray(RGB).save(tiff, "TIFF")
    for coat in (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"):
        with pytest.raises(InvalidImageError):
            decode(coat + tiff.getvalue())
