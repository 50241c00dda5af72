"""Colour profiles: converted where they say something, ignored where they are broken."""

import numpy as np
import pytest
from PIL import Image

from sfumato.images.codec import decode_photo
from tests.sfumato import icc_profiles
from tests.sfumato.image_files import Pixels, encode, picture

RGB = picture()
FORMATS = ("JPEG", "PNG", "WEBP")
SWAPPED = icc_profiles.rgb(icc_profiles.BLUE, icc_profiles.GREEN, icc_profiles.RED)


def decode(pixels: Image.Image | Pixels, image_format: str, profile: bytes | None) -> Pixels:
    options = {"JPEG": {"quality": 100, "subsampling": 0}}.get(image_format, {"lossless": True})
    data = encode(pixels, image_format, icc_profile=profile, **options)
    return decode_photo(data, max_pixels=10_000).rgb


def flat(*colour: int) -> Pixels:
    return np.full((16, 16, len(colour)), colour, np.uint8)


@pytest.mark.parametrize("image_format", FORMATS)
def test_an_srgb_profile_changes_nothing(image_format: str) -> None:
    with_profile = decode(RGB, image_format, icc_profiles.srgb())
    assert np.array_equal(with_profile, decode(RGB, image_format, None))


@pytest.mark.parametrize("image_format", FORMATS)
def test_swapped_primaries_swap_red_and_blue(image_format: str) -> None:
    rgb = decode(flat(255, 0, 0), image_format, SWAPPED)[8, 8]
    assert np.abs(rgb.astype(int) - [0, 0, 255]).max() <= 6


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_the_opacity_is_no_colour(image_format: str) -> None:
    data = encode(flat(255, 0, 0, 77), image_format, icc_profile=SWAPPED, lossless=True)
    photo = decode_photo(data, max_pixels=10_000)
    assert photo.rgb[8, 8, 2] > 250
    assert photo.alpha is not None
    assert (photo.alpha == 77).all()


def test_the_colours_of_a_palette_are_converted() -> None:
    image = Image.fromarray(flat(255, 0, 0)).convert("P")
    assert decode(image, "PNG", SWAPPED)[8, 8, 2] > 250


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_linear_grey_is_brightened(image_format: str) -> None:
    image = Image.new("L", (16, 16), 128)
    rgb = decode(image, image_format, icc_profiles.grey(1.0))
    # 128 / 255 of linear light is 1.055 * 0.50196 ** (1 / 2.4) - 0.055 = 0.7366, times 255
    assert np.abs(rgb.astype(int) - 188).max() <= 1


@pytest.mark.parametrize("image_format", ["JPEG", "PNG"])
def test_a_grey_photo_may_have_a_colour_profile(image_format: str) -> None:
    display = icc_profiles.rgb(icc_profiles.RED, icc_profiles.GREEN, icc_profiles.BLUE)
    image = Image.new("L", (16, 16), 128)
    rgb = decode(image, image_format, display)
    # Gamma 2.2 is close to sRGB: 0.50196 ** 2.2 = 0.2195 of linear light, which is 128.4.
    assert np.abs(rgb.astype(int) - 128).max() <= 1
    srgb = decode(image, image_format, icc_profiles.srgb())
    assert (srgb == 128).all()


def test_inks_are_converted_by_their_press() -> None:
    red, white = (54.3, 80.8, 69.9), (100, 0, 0)  # the Lab of sRGB's red and white
    press = icc_profiles.cmyk({(0, 0, 0, 0): white, (1, 0, 0, 0): red})  # a "cyan" that is red
    paper = decode(Image.new("CMYK", (16, 16)), "JPEG", press)
    assert paper.min() >= 253
    painted = decode(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", press)[8, 8]
    assert np.abs(painted.astype(int) - [255, 0, 0]).max() <= 12
    black = decode(Image.new("CMYK", (16, 16), (0, 0, 0, 255)), "JPEG", press)
    assert black.max() <= 2


BROKEN = {
    "text": b"this is not a profile",
    "header only": SWAPPED[:128],
    "truncated": SWAPPED[:200],
    "without its last curve": SWAPPED[:-4],
    "zeros": bytes(500),
    "no colour space": SWAPPED[:16] + b"????" + SWAPPED[20:],
    "an impossible directory": SWAPPED[:128] + b"\xff" * 200,
    "for grey": icc_profiles.grey(1.0),
    "for Lab": icc_profiles.lab(),
    "for inks": icc_profiles.cmyk({(0, 0, 0, 0): (100, 0, 0)}),
}


@pytest.mark.parametrize("profile", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("image_format", FORMATS)
def test_a_profile_that_is_broken_or_for_others_is_ignored(
    image_format: str, profile: bytes
) -> None:
    assert np.array_equal(decode(RGB, image_format, profile), decode(RGB, image_format, None))


def test_inks_with_a_profile_for_colours_are_converted_without() -> None:
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    assert np.array_equal(decode(image, "JPEG", SWAPPED), decode(image, "JPEG", None))


def test_a_profile_in_several_segments_is_put_together_in_order() -> None:
    padded = SWAPPED + bytes(100_000)  # more than one segment holds
    assert decode(flat(255, 0, 0), "JPEG", padded)[8, 8, 2] > 250


def test_a_profile_too_big_to_be_kept_is_used_all_the_same() -> None:
    assert decode(flat(255, 0, 0), "WEBP", SWAPPED + bytes(1 << 20))[8, 8, 2] > 250
