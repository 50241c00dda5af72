"""WebP files whose first picture is smaller than the canvas, or is all that is whole of them."""

import numpy as np
import pytest

from sfumato.images.codec import Photo, decode_photo
from tests.sfumato.image_files import encode, exif, picture, webp_animation, webp_chunk

RGB = picture()


def decode(data: bytes) -> Photo:
    return decode_photo(data, max_pixels=10_000)


@pytest.mark.parametrize("says_alpha", [False, True])
def test_around_a_first_picture_that_is_smaller_an_animation_is_transparent(
    *, says_alpha: bool
) -> None:
    red = np.full((20, 18, 3), (255, 0, 0), np.uint8)
    photo = decode(webp_animation(red, (48, 32), (8, 4), says_alpha=says_alpha))
    inside = np.zeros((32, 48), bool)
    inside[4:24, 8:26] = True
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha, np.where(inside, 255, 0))
    assert (photo.rgb[inside] == [255, 0, 0]).all()


def test_an_animation_of_full_pictures_is_opaque_unless_it_says_otherwise() -> None:
    assert decode(webp_animation(RGB, (48, 32))).alpha is None
    see_through = np.dstack([RGB, np.full(RGB.shape[:2], 77, np.uint8)])
    alpha = decode(webp_animation(see_through, (48, 32), says_alpha=True)).alpha
    assert alpha is not None
    assert (alpha == 77).all()


@pytest.mark.parametrize(
    "others",
    [b"ANMF\xff\xff\0\0", webp_chunk(b"ANMF", b"damage"), b"EXIF\x40\0\0\0cut", b"odd"],
)
def test_what_follows_the_first_picture_of_a_webp_file_costs_nothing(others: bytes) -> None:
    assert np.array_equal(decode(webp_animation(RGB, (48, 32), others=others)).rgb, RGB)
    still = encode(RGB, "WEBP", lossless=True, exif=exif(1))
    still = still[: still.index(b"EXIF")] + others
    assert np.array_equal(decode(still).rgb, RGB)
