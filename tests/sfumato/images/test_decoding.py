"""Photos of every kind of pixel that the three formats can hold."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sfumato.errors import ImageError
from sfumato.images import decoder
from sfumato.images.codec import ImageFormat, Photo, decode_photo, read_size
from sfumato.images.pixels import Pixels
from tests.sfumato.image_files import chunk, encode, picture, png, png_of_rows

RGB = picture()
GREY = RGB[..., 2]


def decode(data: bytes) -> Photo:
    return decode_photo(data, max_pixels=1_000_000, min_side=1)


def mean_difference(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_file_is_read(options: dict[str, object]) -> None:
    photo = decode(encode(RGB, "JPEG", quality=95, **options))
    assert photo.format is ImageFormat.JPEG
    assert photo.alpha is None
    assert photo.rgb.dtype == np.uint8
    assert mean_difference(photo.rgb, RGB) < 2


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_a_lossless_file_is_read_exactly(image_format: str) -> None:
    photo = decode(encode(RGB, image_format, lossless=True))
    assert photo.format == image_format.lower()
    assert photo.alpha is None
    assert np.array_equal(photo.rgb, RGB)


def test_a_lossy_webp_file_is_read() -> None:
    assert mean_difference(decode(encode(RGB, "WEBP", quality=95)).rgb, RGB) < 3


def test_the_pixels_are_contiguous() -> None:
    for data in (encode(RGB, "JPEG"), encode(RGB, "PNG"), encode(RGB, "WEBP")):
        assert decode(data).rgb.flags.c_contiguous


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_the_size_is_read_from_the_header(image_format: str) -> None:
    data = encode(picture(70, 50), image_format)
    assert read_size(data) == (70, 50)
    assert read_size(data[: len(data) - 20]) == (70, 50)


def test_a_grey_jpeg_file_has_three_equal_channels() -> None:
    rgb = decode(encode(GREY, "JPEG", quality=95)).rgb
    assert rgb.shape == RGB.shape
    assert (rgb[..., 0] == rgb[..., 1]).all()
    assert mean_difference(rgb[..., 0], GREY) < 1


def test_the_inks_of_a_cmyk_jpeg_file_are_read_the_right_way_round() -> None:
    inks = np.zeros((16, 64, 4), np.uint8)
    inks[:, 16:32, 0] = 255  # no ink, cyan, black, half yellow
    inks[:, 32:48, 3] = 255
    inks[:, 48:, 2] = 128
    rgb = decode(encode(Image.fromarray(inks, "CMYK"), "JPEG", quality=100)).rgb
    colours = rgb[8, [8, 24, 40, 56]].astype(int)
    expected = [[255, 255, 255], [0, 255, 255], [0, 0, 0], [255, 255, 127]]
    assert np.abs(colours - expected).max() <= 2


def test_grey_of_16_bits_is_scaled_and_not_clipped() -> None:
    samples = np.array([[0, 257, 32768, 65278, 65535]], np.uint16)
    # value / 257, to the nearest: 0, 1, 127.5, 254, 255
    assert decode(png(samples, colour=0, bits=16)).rgb[0, :, 0].tolist() == [0, 1, 128, 254, 255]


def test_colours_of_16_bits_are_scaled_and_not_clipped() -> None:
    samples = np.array([[[0, 257, 25700], [65535, 51400, 2570]]], np.uint16)
    rgb = decode(png(samples, colour=2, bits=16)).rgb
    assert rgb.tolist() == [[[0, 1, 100], [255, 200, 10]]]


def test_colours_of_16_bits_keep_their_opacity() -> None:
    samples = np.array([[[65535, 0, 0, 0], [0, 65535, 0, 32896]]], np.uint16)
    photo = decode(png(samples, colour=6, bits=16))
    assert photo.rgb.tolist() == [[[255, 0, 0], [0, 255, 0]]]
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[0, 128]]


def test_grey_of_16_bits_keeps_its_opacity() -> None:
    samples = np.array([[[25700, 51400], [65535, 0]]], np.uint16)
    photo = decode(png(samples, colour=4, bits=16))
    assert photo.rgb[..., 1].tolist() == [[100, 255]]
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[200, 0]]


def test_grey_keeps_its_opacity() -> None:
    samples = np.array([[[7, 255], [9, 100], [200, 0]]], np.uint8)
    photo = decode(png(samples, colour=4))
    assert photo.rgb[0].tolist() == [[7, 7, 7], [9, 9, 9], [200, 200, 200]]
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[255, 100, 0]]


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_opacity_is_carried_through(image_format: str) -> None:
    alpha = np.full(GREY.shape, 200, np.uint8)
    alpha[:, :10] = 0
    rgba = np.dstack([RGB, alpha])
    photo = decode(encode(rgba, image_format, lossless=True, exact=True))
    assert np.array_equal(photo.rgb, RGB)
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, alpha)


def test_black_and_white_is_read() -> None:
    bits = GREY > 100
    rgb = decode(encode(Image.fromarray(bits), "PNG")).rgb
    assert np.array_equal(rgb, np.repeat(np.where(bits, 255, 0)[..., None], 3, -1))


@pytest.mark.parametrize(
    ("bits", "row", "expected"),
    [
        (1, 0b101_00000, [255, 0, 255]),
        (2, 0b00_01_10_11, [0, 85, 170, 255]),
        (4, 0b0000_1111, [0, 255]),
    ],
)
def test_grey_of_few_bits_is_spread_over_the_whole_range(
    bits: int, row: int, expected: list[int]
) -> None:
    data = png_of_rows(len(expected), 1, bytes([0, row]), colour=0, bits=bits)
    assert decode(data).rgb[0, :, 0].tolist() == expected


PALETTE = chunk(b"PLTE", bytes([255, 0, 0, 0, 255, 0, 10, 20, 30]))


def test_a_palette_is_looked_up() -> None:
    data = png(np.array([[0, 1, 2]], np.uint8), colour=3, extra=PALETTE)
    photo = decode(data)
    assert photo.rgb.tolist() == [[[255, 0, 0], [0, 255, 0], [10, 20, 30]]]
    assert photo.alpha is None


@pytest.mark.parametrize("opacities", [[0], [255, 0], [10, 128, 255]])
def test_the_opacity_of_a_palette_is_carried_through(opacities: list[int]) -> None:
    extra = PALETTE + chunk(b"tRNS", bytes(opacities))
    photo = decode(png(np.array([[0, 1, 2]], np.uint8), colour=3, extra=extra))
    assert photo.rgb.tolist() == [[[255, 0, 0], [0, 255, 0], [10, 20, 30]]]
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [(opacities + [255] * 3)[:3]]


def test_a_transparent_grey_is_carried_through() -> None:
    extra = chunk(b"tRNS", b"\0\x07")
    photo = decode(png(np.array([[7, 8]], np.uint8), colour=0, extra=extra))
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[0, 255]]


def test_a_transparent_grey_of_2_bits_is_carried_through() -> None:
    key = chunk(b"tRNS", b"\0\x02")
    photo = decode(png_of_rows(4, 1, bytes([0, 0b00_01_10_11]), colour=0, bits=2, extra=key))
    assert photo.rgb[0, :, 0].tolist() == [0, 85, 170, 255]
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[255, 255, 0, 255]]


def test_a_transparent_black_of_1_bit_is_carried_through() -> None:
    key = chunk(b"tRNS", b"\0\0")
    photo = decode(png_of_rows(3, 1, bytes([0, 0b010_00000]), colour=0, bits=1, extra=key))
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[0, 255, 0]]


def test_a_transparent_grey_of_16_bits_is_compared_in_16_bits() -> None:
    extra = chunk(b"tRNS", b"\x10\x00")
    photo = decode(png(np.array([[4096, 4097]], np.uint16), colour=0, bits=16, extra=extra))
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[0, 255]]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_transparent_colour_is_carried_through(bits: int) -> None:
    scale, kind = (257, np.uint16) if bits == 16 else (1, np.uint8)
    samples = (np.array([[[1, 2, 3], [1, 2, 4], [9, 2, 3]]]) * scale).astype(kind)
    key = b"".join((value * scale).to_bytes(2) for value in (1, 2, 3))
    photo = decode(png(samples, colour=2, bits=bits, extra=chunk(b"tRNS", key)))
    assert photo.alpha is not None
    assert photo.alpha.tolist() == [[0, 255, 255]]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (3, 5), (8, 8), (48, 32), (33, 17)])
def test_an_interlaced_file_is_read(width: int, height: int) -> None:
    rgb = picture(width, height)
    assert np.array_equal(decode(png(rgb, colour=2, interlaced=True)).rgb, rgb)


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_the_first_picture_of_an_animation_is_taken(image_format: str) -> None:
    red, blue = (Image.new("RGB", (32, 16), name) for name in ("red", "blue"))
    data = encode(red, image_format, save_all=True, append_images=[blue], lossless=True)
    assert (decode(data).rgb == [255, 0, 0]).all()


def test_a_lack_of_memory_is_not_mistaken_for_a_damaged_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> Pixels:
        raise MemoryError

    monkeypatch.setitem(decoder._PIXELS, ImageFormat.PNG, fail)
    with pytest.raises(MemoryError):
        decode(encode(RGB, "PNG"))


def test_a_black_photo_is_not_mistaken_for_a_truncated_one() -> None:
    black = np.zeros((20, 20, 3), np.uint8)
    assert not decode(png(black, colour=2)).rgb.any()
    assert not decode(png(black, colour=2, interlaced=True)).rgb.any()


def test_stray_bytes_that_cameras_leave_are_no_damage() -> None:
    data = encode(RGB, "JPEG", quality=95)
    stray = data[:-2] + b"abc" + data[-2:]
    assert np.array_equal(decode(stray).rgb, decode(data).rgb)


def test_bytes_after_the_picture_are_ignored() -> None:
    for image_format in ("JPEG", "PNG"):
        data = encode(RGB, image_format)
        assert np.array_equal(decode(data + b"\xff\xd8trailer" * 100).rgb, decode(data).rgb)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "wrap",
    [bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)],
    ids=["bytearray", "memoryview", "array"],
)
def test_anything_that_holds_bytes_is_read(wrap: Callable[[bytes], Any], image_format: str) -> None:
    data = encode(RGB, image_format)
    assert np.array_equal(decode(wrap(data)).rgb, decode(data).rgb)
    assert read_size(wrap(data)) == (48, 32)


@pytest.mark.parametrize(
    "thing",
    [BytesIO(b"photo"), "photo.jpg", Path("photo.jpg"), None, 7, [1, 2], Image.new("L", (9, 9))],
)
def test_what_holds_no_bytes_is_refused(thing: Any) -> None:
    for read in (decode, read_size):
        with pytest.raises(ImageError, match=f"the bytes of its file, not {type(thing).__name__};"):
            read(thing)


def test_pixels_are_no_file() -> None:
    with pytest.raises(ImageError, match="not an image that can be read"):
        decode(RGB)  # type: ignore[arg-type]


@pytest.mark.parametrize("lacking", [4, 12, 14])
def test_a_png_file_that_lacks_only_its_end_is_read(lacking: int) -> None:
    data = png(RGB, colour=2)
    assert np.array_equal(decode(data[:-lacking]).rgb, RGB)
