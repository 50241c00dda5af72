"""Photos are turned upright, whatever the format of the file."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from sfumato.images.codec import decode_photo, read_size
from sfumato.images.orientation import parse_orientation, upright
from tests.sfumato.image_files import chunk, encode, exif, picture, png

# The picture 1 2 3 / 4 5 6 as it is to be seen, by its orientation.
SEEN = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],  # mirrored
    3: [[6, 5, 4], [3, 2, 1]],  # upside down
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[4, 1], [5, 2], [6, 3]],  # the camera was held upright, its grip above
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[3, 6], [2, 5], [1, 4]],
}


@pytest.mark.parametrize("orientation", SEEN)
def test_each_orientation_is_undone(orientation: int) -> None:
    stored = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    assert upright(stored, orientation).tolist() == SEEN[orientation]
    colours = np.repeat(stored[..., None], 3, -1) * np.array([1, 10, 20], np.uint8)
    turned = upright(np.ascontiguousarray(colours), orientation)
    assert turned.flags.c_contiguous
    assert turned[..., 1].tolist() == (np.array(SEEN[orientation]) * 10).tolist()


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", SEEN)
def test_a_file_is_turned_as_pillow_turns_it(image_format: str, orientation: int) -> None:
    data = encode(picture(40, 24), image_format, exif=exif(orientation), lossless=True)
    photo = decode_photo(data, max_pixels=10_000)
    with Image.open(BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(photo.rgb, expected)
    assert read_size(data) == expected.shape[1::-1]


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_the_opacity_is_turned_too(image_format: str) -> None:
    alpha = np.arange(40 * 24, dtype=np.uint32).reshape(24, 40).astype(np.uint8)
    rgba = np.dstack([picture(40, 24), alpha])
    data = encode(rgba, image_format, exif=exif(6), lossless=True, exact=True)
    photo = decode_photo(data, max_pixels=10_000)
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, np.rot90(alpha, -1))


def test_an_orientation_after_the_picture_counts_too() -> None:
    samples = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    data = png(samples, colour=0, trailing=chunk(b"eXIf", exif(6)))
    assert read_size(data) == (2, 3)
    assert decode_photo(data, max_pixels=6, min_side=1).rgb[..., 0].tolist() == SEEN[6]


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_both_byte_orders_are_read(byte_order: str, prefix: bytes) -> None:
    assert parse_orientation(prefix + exif(8, byte_order)) == 8


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("kind", [1, 3, 4, 6, 8, 9])  # BYTE, SHORT, LONG, and those with a sign
def test_the_orientation_may_be_any_whole_number(kind: int, byte_order: str) -> None:
    assert parse_orientation(exif(6, byte_order, kind)) == 6
    data = encode(picture(40, 24), "JPEG", exif=b"Exif\0\0" + exif(6, byte_order, kind))
    assert read_size(data) == decode_photo(data).rgb.shape[1::-1] == (24, 40)


@pytest.mark.parametrize(
    "block",
    [
        None,
        b"",
        b"Exif\0\0",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff",
        exif(0),
        exif(9),
        exif(6)[:-10],
        b"no EXIF at all",
        exif(6, kind=2),  # text
        exif(6, kind=5),  # a fraction
        exif(6, kind=4, count=2),  # six is where the numbers are
        exif(0x10006, kind=4),
    ],
)
def test_a_broken_block_means_upright(block: bytes | None) -> None:
    assert parse_orientation(block) == 1


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_a_photo_with_a_broken_block_is_read_all_the_same(image_format: str) -> None:
    data = encode(picture(), image_format, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff", lossless=True)
    assert decode_photo(data, max_pixels=10_000).rgb.shape == (32, 48, 3)
