"""Brush size: what is painted larger or smaller, and what comes back of the photo."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sfumato.errors import ImageError, ImageTooLargeError
from sfumato.images.brush import Canvas, at_full_size
from sfumato.images.brush_size import checked_brush_size

Pixels = npt.NDArray[np.uint8]


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def stylized(photo: Pixels, brush_size: float, paint: Callable[[Pixels], Pixels]) -> Pixels:
    """What a network that does ``paint`` makes of a photo with a brush."""
    small, light = Canvas(brush_size).photo_to_paint(photo)
    return at_full_size(paint(small), small, light)


def text_page(height: int = 120, width: int = 160) -> Pixels:
    """Bars of 3 pixels on grey, as fine as lettering."""
    page = np.full((height, width, 3), 200, np.uint8)
    page[20:100, 20:140][:, np.arange(120) % 6 < 3] = 40
    return page


def waves(size: Sequence[int], period: float) -> Pixels:
    """Strokes that a network would paint: a sine across."""
    height, width = size
    line = 128 + 60 * np.sin(2 * np.pi * np.arange(width) / period)
    return np.broadcast_to(line[None, :, None], (height, width, 3)).astype(np.uint8)


def wavelength(picture: Pixels) -> float:
    """The period of the strongest wave across."""
    line = picture[..., 1].astype(float).mean(axis=0)
    power = np.abs(np.fft.rfft((line - line.mean()) * np.hanning(line.size))) ** 2
    return float(line.size / power.argmax())


@pytest.mark.parametrize(
    ("brush_size", "size"),
    [(1, (101, 67)), (0.5, (202, 134)), (2, (50, 34)), (1.5, (67, 45)), (0.8, (126, 83))],
)
def test_a_photo_is_painted_at_one_by_the_brush_size(
    brush_size: float, size: tuple[int, int]
) -> None:
    assert Canvas(brush_size).size_to_paint(101, 67) == size


@pytest.mark.parametrize("brush_size", [0.5, 0.63, 0.99, 1.01, 1.37, 2.0])
@pytest.mark.parametrize("size", [(16, 16), (17, 33), (101, 67), (40, 300), (600, 21)])
def test_the_picture_has_the_size_of_the_photo(brush_size: float, size: tuple[int, int]) -> None:
    photo = noise(*size)
    small, _ = Canvas(brush_size).photo_to_paint(photo)
    assert min(small.shape[:2]) >= 16
    assert stylized(photo, brush_size, lambda pixels: 255 - pixels).shape == photo.shape


def test_without_a_brush_size_nothing_is_copied() -> None:
    photo = noise(20, 30)
    small, light = Canvas().photo_to_paint(photo)
    assert small is light is photo
    painted = 255 - photo
    assert at_full_size(painted, small, light) is painted


@pytest.mark.parametrize("brush_size", [0.5, 0.7, 1.4, 2.0])
def test_strokes_grow_with_the_brush(brush_size: float) -> None:
    photo = np.full((64, 420, 3), 120, np.uint8)
    picture = stylized(photo, brush_size, lambda pixels: waves(pixels.shape[:2], period=15))
    assert wavelength(picture) == pytest.approx(15 * brush_size, rel=0.04)


@pytest.mark.parametrize("brush_size", [0.5, 2.0])
def test_a_flat_photo_stays_flat(brush_size: float) -> None:
    photo = np.full((50, 70, 3), (200, 30, 90), np.uint8)
    np.testing.assert_array_equal(stylized(photo, brush_size, lambda pixels: pixels), photo)


@pytest.mark.parametrize("levels", [1.0, -1.0, 0.5])
def test_a_large_brush_keeps_the_detail_that_it_follows(levels: float) -> None:
    # The picture is the photo with its contrast times `levels`, so its detail has to be, too.
    def paint(pixels: Pixels) -> npt.NDArray[np.float64]:
        return 120 + levels * (pixels.astype(float) - 120)

    photo, inside = text_page(), (slice(25, 95), slice(25, 135))
    picture = stylized(photo, 2.0, lambda small: np.rint(paint(small)).astype(np.uint8))
    error = np.abs(picture - paint(photo))[inside].mean()
    assert error < 0.15 * np.abs(enlarged(photo) - paint(photo) / levels)[inside].mean() + 0.5


def enlarged(photo: Pixels) -> npt.NDArray[np.float64]:
    """The photo without what a large brush loses."""
    small, _ = Canvas(2.0).photo_to_paint(photo)
    size = (photo.shape[1], photo.shape[0])
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC), float)


def test_lettering_that_was_painted_over_comes_back() -> None:
    # The network leaves out bars of 3 pixels, and keeps the contrast of what is around them.
    photo = np.full((120, 240, 3), 200, np.uint8)
    photo[:, :80] = 40
    photo[30:90, 100:160][:, np.arange(60) % 6 < 3] = 40
    without = photo.copy()
    without[30:90, 100:160] = 170

    def paint(small: Pixels) -> Pixels:
        return Canvas(2.0).photo_to_paint(without)[0]

    picture = stylized(photo, 2.0, paint)[35:85, 105:155].mean(axis=(0, 2))
    bars = photo[35:85, 105:155].mean(axis=(0, 2))
    assert 0.1 < np.polyfit(bars, picture, 1)[0] < 1.0


def test_noise_does_not_come_along() -> None:
    # Strokes beside a sensor's noise of 2 levels: of the noise less than a fifth is left.
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 2, (200, 300, 1))
    photo = np.clip(120 + grain, 0, 255).astype(np.uint8).repeat(3, axis=2)

    def paint(small: Pixels) -> Pixels:
        return waves(small.shape[:2], period=12)

    with_noise = stylized(photo, 2.0, paint)
    without = stylized(np.full_like(photo, 120), 2.0, paint)
    difference = with_noise.astype(float) - without
    assert np.sqrt(np.square(difference).mean()) < 0.2 * grain.std()


def test_edges_have_no_halo() -> None:
    # A step that is painted with half its contrast stays within its two sides.
    photo = np.full((90, 160, 3), 50, np.uint8)
    photo[:, 80:] = 210
    picture = stylized(photo, 2.0, lambda small: (64 + small // 2).astype(np.uint8))
    assert picture.min() >= 64 + 25 - 8
    assert picture.max() <= 64 + 105 + 8


@pytest.mark.parametrize("brush_size", [1.3, 2.0])
def test_strips_join_without_a_seam(brush_size: float) -> None:
    # Turned by a half turn, the picture is cut into other strips.
    photo = noise(600, 48)

    def paint(small: Pixels) -> Pixels:
        return small // 2 + 60

    def turned(pixels: Pixels) -> Pixels:
        return np.ascontiguousarray(pixels[::-1, ::-1])

    picture = stylized(photo, brush_size, paint)
    other = turned(stylized(turned(photo), brush_size, paint))
    seams = np.abs(picture.astype(int) - other).mean(axis=(1, 2))
    assert seams[8:-8].max() < 3 * np.median(seams) + 1


@pytest.mark.parametrize(
    "brush_size", [0.0, 0.49, 2.01, -1.0, float("nan"), float("inf"), 10**400, "large", None]
)
def test_a_size_out_of_range_is_refused(brush_size: Any) -> None:
    with pytest.raises(ImageError, match=r"a brush size of .+ is out of range; it is 0\.5 to 2"):
        checked_brush_size(brush_size)


def test_a_small_brush_on_a_large_photo_is_refused_and_says_which_would_do() -> None:
    canvas = Canvas(0.5, max_pixels=1_000_000)
    assert canvas.size_to_paint(500, 500) == (1000, 1000)
    with pytest.raises(ImageTooLargeError, match=r"1600 x 1200.*1,000,000.*of 0\.7 or more"):
        canvas.size_to_paint(800, 600)  # √0.48 = 0.693
    assert Canvas(0.7, max_pixels=1_000_000).size_to_paint(800, 600) == (1142, 857)


@given(st.integers(16, 6000), st.integers(16, 6000), st.integers(50, 200))
def test_the_brush_that_a_refusal_names_will_do(width: int, height: int, percent: int) -> None:
    max_pixels = 10_000 * width * height // percent**2  # the limit, at which a brush just fits
    if width * height > max_pixels:
        return
    try:
        Canvas(0.5, max_pixels=max_pixels).size_to_paint(width, height)
    except ImageTooLargeError as error:
        named = float(str(error).split("brush size of ")[-1].split()[0])
        across, down = Canvas(named, max_pixels=max_pixels).size_to_paint(width, height)
        assert across * down <= max_pixels
