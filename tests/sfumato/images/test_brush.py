"""Brush size: what is painted larger or smaller, and what comes back of the photo."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from sfumato.errors import ImageError, ImageTooLargeError
from sfumato.images.brush import Canvas, at_full_size

Pixels = npt.NDArray[np.uint8]


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


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
    [(1, (101, 67)), (0.5, (202, 134)), (2, (50, 34)), (1.5, (67, 45)), (0.8, (126, 84))],
)
def test_a_photo_is_painted_at_one_by_the_brush_size(
    brush_size: float, size: tuple[int, int]
) -> None:
    assert Canvas(brush_size).size_to_paint(101, 67) == size


@pytest.mark.parametrize("brush_size", [0.5, 0.63, 0.99, 1.01, 1.37, 2.0])
@pytest.mark.parametrize("size", [(16, 16), (17, 33), (101, 67), (40, 300), (600, 21)])
def test_the_picture_has_the_size_of_the_photo(brush_size: float, size: tuple[int, int]) -> None:
    photo = noise(*size)
    canvas = Canvas(brush_size)
    small = canvas.photo_to_paint(photo)
    assert min(small.shape[:2]) >= canvas.min_side
    assert at_full_size(255 - small, small, photo).shape == photo.shape


def test_without_a_brush_size_nothing_is_copied() -> None:
    photo = noise(20, 30)
    small = Canvas().photo_to_paint(photo)
    assert small is photo
    painted = 255 - photo
    assert at_full_size(painted, small, photo) is painted


@pytest.mark.parametrize("brush_size", [0.5, 0.7, 1.4, 2.0])
def test_strokes_grow_with_the_brush(brush_size: float) -> None:
    photo = np.full((64, 420, 3), 120, np.uint8)
    small = Canvas(brush_size).photo_to_paint(photo)
    picture = at_full_size(waves(small.shape[:2], period=15), small, photo)
    assert wavelength(picture) == pytest.approx(15 * brush_size, rel=0.04)


@pytest.mark.parametrize("brush_size", [0.5, 2.0])
def test_a_flat_photo_stays_flat(brush_size: float) -> None:
    photo = np.full((50, 70, 3), (200, 30, 90), np.uint8)
    small = Canvas(brush_size).photo_to_paint(photo)
    np.testing.assert_array_equal(at_full_size(small, small, photo), photo)


@pytest.mark.parametrize("levels", [1.0, -1.0, 0.5])
def test_a_large_brush_keeps_the_detail_that_it_follows(levels: float) -> None:
    # The picture is the photo with its contrast times `levels`, so its detail has to be, too.
    photo = text_page()
    small = Canvas(2.0).photo_to_paint(photo)

    def paint(pixels: Pixels) -> npt.NDArray[np.float64]:
        return 120 + levels * (pixels.astype(float) - 120)

    picture = at_full_size(np.rint(paint(small)).astype(np.uint8), small, photo)
    blurred = at_full_size(np.rint(paint(small)).astype(np.uint8), small, flat_of(photo))
    inside = (slice(25, 95), slice(25, 135))
    error = np.abs(picture - paint(photo))[inside].mean()
    without = np.abs(blurred - paint(photo))[inside].mean()
    assert error < 0.15 * without


def flat_of(photo: Pixels) -> Pixels:
    """The photo without what a large brush loses."""
    small = Canvas(2.0).photo_to_paint(photo)
    return at_full_size(small, np.zeros_like(small), np.zeros_like(photo))


def test_noise_does_not_come_along() -> None:
    # Strokes beside a sensor's noise of 2 levels: of the noise less than a tenth is left.
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 2, (200, 300, 1))
    photo = np.clip(120 + grain, 0, 255).astype(np.uint8).repeat(3, axis=2)
    small = Canvas(2.0).photo_to_paint(photo)
    strokes = waves(small.shape[:2], period=12)
    with_noise = at_full_size(strokes, small, photo)
    without = at_full_size(strokes, *(np.full_like(pixels, 120) for pixels in (small, photo)))
    difference = with_noise.astype(float) - without
    assert np.sqrt(np.square(difference).mean()) < 0.2 * grain.std()


def test_strips_join_without_a_seam() -> None:
    photo = noise(700, 40)
    small = Canvas(2.0).photo_to_paint(photo)
    painted = waves(small.shape[:2], period=9)
    tall = at_full_size(painted, small, photo)
    for seam in (256, 512):
        part = slice(seam - 100, seam + 100)
        half = slice((seam - 100) // 2, (seam + 100) // 2)
        alone = at_full_size(painted[half], small[half], photo[part])
        # Windows are cut at the border of the part, so compare its middle.
        difference = tall[part][60:140].astype(int) - alone[60:140]
        assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("brush_size", [0.0, 0.49, 2.01, -1.0, float("nan"), float("inf")])
def test_a_size_out_of_range_is_refused(brush_size: float) -> None:
    with pytest.raises(ImageError, match=r"a brush size of \S+ is out of range; it is 0\.5 to 2"):
        Canvas(brush_size)


def test_a_small_brush_on_a_large_photo_is_refused_and_says_which_would_do() -> None:
    canvas = Canvas(0.5, max_pixels=1_000_000)
    assert canvas.size_to_paint(500, 500) == (1000, 1000)
    with pytest.raises(ImageTooLargeError, match=r"1600 x 1200.*brush size of 0\.7 or more"):
        canvas.size_to_paint(800, 600)  # √0.48 = 0.693
    assert Canvas(0.7, max_pixels=1_000_000).size_to_paint(800, 600) == (1143, 857)
