"""Pixels become files in sRGB without metadata."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sfumato.errors import ImageError, ImageTooLargeError
from sfumato.images.codec import ImageFormat, check_sides, decode_photo, encode_photo
from tests.sfumato.image_files import Pixels, picture

RGB = picture()
ALPHA = np.full(RGB.shape[:2], 128, np.uint8)


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


@pytest.mark.parametrize("image_format", list(ImageFormat))
def test_the_file_is_of_the_format_and_size_asked_for(image_format: ImageFormat) -> None:
    image = opened(encode_photo(RGB, format=image_format))
    assert image.format == image_format.name
    assert image.size == (48, 32)
    assert image.mode == "RGB"


@pytest.mark.parametrize("image_format", list(ImageFormat))
def test_the_file_carries_no_metadata(image_format: ImageFormat) -> None:
    image = opened(encode_photo(RGB, format=image_format))
    assert not image.getexif()
    assert not {"exif", "icc_profile", "xmp"} & image.info.keys()


def test_png_is_exact() -> None:
    assert np.array_equal(np.asarray(opened(encode_photo(RGB, format=ImageFormat.PNG))), RGB)


@pytest.mark.parametrize("image_format", [ImageFormat.PNG, ImageFormat.WEBP])
def test_opacity_is_written(image_format: ImageFormat) -> None:
    image = opened(encode_photo(RGB, format=image_format, alpha=ALPHA))
    assert image.mode == "RGBA"
    assert np.array_equal(np.asarray(image)[..., 3], ALPHA)


def test_jpeg_shows_a_transparent_photo_over_white() -> None:
    black = np.zeros((16, 48, 3), np.uint8)
    alpha = np.repeat(np.array([255, 102, 0], np.uint8), 16)[None].repeat(16, 0)
    rgb = np.asarray(opened(encode_photo(black, format=ImageFormat.JPEG, alpha=alpha, quality=100)))
    # Black at 40 % over white is 255 * 0.6 = 153.
    assert np.abs(rgb[8, [8, 24, 40], 1].astype(int) - [0, 153, 255]).max() <= 2


def test_a_higher_quality_makes_a_larger_file() -> None:
    for image_format in (ImageFormat.JPEG, ImageFormat.WEBP):
        sizes = [len(encode_photo(RGB, format=image_format, quality=q)) for q in (1, 50, 100)]
        assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(("quality", "sampling"), [(94, (2, 2)), (95, (1, 1))])
def test_jpeg_keeps_the_colour_of_every_pixel_from_95_on(
    quality: int, sampling: tuple[int, int]
) -> None:
    image: Any = opened(encode_photo(RGB, format=ImageFormat.JPEG, quality=quality))
    assert image.layer[0][1:3] == sampling


@pytest.mark.parametrize("image_format", list(ImageFormat))
def test_a_format_may_be_given_by_its_name(image_format: ImageFormat) -> None:
    named = encode_photo(RGB, format=image_format.value, alpha=ALPHA)
    assert named == encode_photo(RGB, format=image_format, alpha=ALPHA)


@pytest.mark.parametrize("name", ["gif", "", "PNG ", None, 1, b"png", []])
def test_an_unknown_format_is_refused(name: Any) -> None:
    with pytest.raises(ImageError, match="it must be one of jpeg, png, webp"):
        encode_photo(RGB, format=name)
    with pytest.raises(ImageError, match="it must be one of jpeg, png, webp"):
        check_sides(20, 20, name)


@pytest.mark.parametrize("quality", [0, 101, -1, 90.5, "90", None])
def test_a_quality_out_of_range_is_refused(quality: Any) -> None:
    with pytest.raises(ImageError, match="from 1 to 100"):
        encode_photo(RGB, format=ImageFormat.JPEG, quality=quality)


@pytest.mark.parametrize(
    "arguments",
    [
        {"rgb": RGB.astype(np.float32)},
        {"rgb": RGB[..., 0]},
        {"rgb": RGB[:0]},
        {"rgb": np.dstack([RGB, ALPHA])},
        {"rgb": RGB, "alpha": ALPHA[1:]},
        {"rgb": RGB, "alpha": ALPHA.astype(bool)},
        {"rgb": RGB.tolist()},
        {"rgb": RGB.tobytes()},
        {"rgb": Image.fromarray(RGB)},
        {"rgb": None},
        {"rgb": RGB, "alpha": ALPHA.tolist()},
        {"rgb": RGB, "alpha": 128},
    ],
)
def test_arrays_of_another_kind_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ImageError, match="must be uint8"):
        encode_photo(format=ImageFormat.PNG, **arguments)


@pytest.mark.parametrize(
    ("image_format", "side"), [(ImageFormat.JPEG, 65_501), (ImageFormat.WEBP, 16_384)]
)
def test_a_side_that_the_format_cannot_hold_is_refused(
    image_format: ImageFormat, side: int
) -> None:
    with pytest.raises(ImageTooLargeError, match="ask for PNG"):
        encode_photo(np.zeros((16, side, 3), np.uint8), format=image_format)
    with pytest.raises(ImageTooLargeError, match=f"do not fit into {image_format.name}"):
        check_sides(side, 16, image_format.value)
    encode_photo(np.zeros((16, side - 1, 3), np.uint8), format=image_format)


def test_pixels_that_are_a_view_are_written_right() -> None:
    view = RGB[::-1, ::2]
    data = encode_photo(view, format=ImageFormat.PNG, alpha=ALPHA[::-1, ::2])
    assert np.array_equal(np.asarray(opened(data))[..., :3], view)
    encode_photo(view, format=ImageFormat.JPEG)


@settings(max_examples=40, deadline=None)
@given(st.integers(16, 70), st.integers(16, 70), st.sampled_from(ImageFormat), st.booleans())
def test_any_size_comes_back_as_it_went(
    width: int, height: int, image_format: ImageFormat, transparent: bool
) -> None:
    rgb = picture(width, height)
    alpha = rgb[..., 0] if transparent else None
    photo = decode_photo(encode_photo(rgb, format=image_format, alpha=alpha))
    assert photo.rgb.shape == rgb.shape
    assert photo.format is image_format
    assert (photo.alpha is None) == (alpha is None or image_format is ImageFormat.JPEG)


def test_many_threads_get_the_same_files_and_pixels() -> None:
    def there_and_back(image_format: ImageFormat) -> tuple[bytes, Pixels]:
        data = encode_photo(RGB, format=image_format, alpha=ALPHA)
        return data, decode_photo(data).rgb

    for image_format in ImageFormat:
        expected_data, expected_rgb = there_and_back(image_format)
        with ThreadPoolExecutor(8) as pool:
            for data, rgb in pool.map(there_and_back, [image_format] * 40):
                assert data == expected_data
                assert np.array_equal(rgb, expected_rgb)
