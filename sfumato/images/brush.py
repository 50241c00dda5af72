"""Brush size: a photo painted at another size has larger or smaller strokes.

A network's strokes have the size in pixels that it has learned. So a photo for a brush of size b
is painted at 1/b of its size, and the picture is brought back. What a larger brush loses of the
photo's detail comes back from the photo itself, as in the guided filter (He, Sun, Tang 2010;
subsampled as in He, Sun 2015, "Fast Guided Filter"): wherever the painted picture follows the
photo's luminance, its detail follows it, too.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from sfumato.brush_size import checked_brush_size
from sfumato.errors import ImageTooLargeError
from sfumato.images.decoder import DEFAULT_MAX_PIXELS, DEFAULT_MIN_SIDE

Pixels = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]

_GRID: Final = 3
"""Pixels between two places where the gain is known; each is over twice as wide a window."""

_NOISE: Final = 4.0
"""Levels of 255: variation of luminance below this is noise, and brings no detail along."""

_MOST_GAIN: Final = 1.5
_LUMINANCE: Final = np.array((0.299, 0.587, 0.114), np.float32)  # ITU-R BT.601
_STRIP: Final = 256  # rows that are worked on at once, to bound memory


@dataclass(frozen=True)
class Canvas:
    """At what size photos are painted for a brush.

    Attributes:
        brush_size: size of the strokes, 0.5 to 2.
        min_side: pixels that each side has at least; it limits the brush on the smallest photos.
        max_pixels: largest photo that may be painted.
    """

    brush_size: float = 1.0
    min_side: int = DEFAULT_MIN_SIDE
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        """Checks the brush; see ``checked_brush_size``."""
        checked_brush_size(self.brush_size)

    def size_to_paint(self, width: int, height: int) -> tuple[int, int]:
        """Returns the width and height at which a photo is painted.

        Raises:
            ImageTooLargeError: for a brush below 1, more than ``max_pixels``.
        """
        scale = max(1 / self.brush_size, min(1.0, self.min_side / min(width, height)))
        across, down = (max(self.min_side, round(side * scale)) for side in (width, height))
        if scale > 1 and across * down > self.max_pixels:
            least = math.ceil(100 * math.sqrt(width * height / self.max_pixels)) / 100
            raise ImageTooLargeError(
                f"with a brush size of {self.brush_size:g} the photo of {width} x {height} pixels "
                f"is painted at {across} x {down}, the limit is {self.max_pixels / 1e6:.1f} "
                f"million; take a brush size of {min(least, 1.0):g} or more, or scale it down"
            )
        return across, down

    def photo_to_paint(self, photo: Pixels) -> Pixels:
        """Returns ``photo`` [H, W, 3] at the size at which it is painted."""
        height, width = photo.shape[:2]
        size = self.size_to_paint(width, height) if self.brush_size != 1 else (width, height)
        if size == (width, height):
            return photo
        return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))


def at_full_size(painted: Pixels, small: Pixels, photo: Pixels) -> Pixels:
    """Brings a painted picture to the size of its photo.

    Args:
        painted: what the network made of ``small``, [h, w, 3].
        small: the photo as it was painted, [h, w, 3].
        photo: the photo, [H, W, 3].

    Returns:
        [H, W, 3]; ``painted`` itself if the sizes are the same.
    """
    height, width = photo.shape[:2]
    if painted.shape == photo.shape:
        return painted
    picture = Image.fromarray(painted)
    if painted.shape[0] >= height:
        return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    result = np.empty_like(photo)
    guide, gains = _luminance(small), _gains(small, painted)
    for rows, box in _strips(height, small.shape[:2]):
        size = (width, rows.stop - rows.start)
        base = np.asarray(picture.resize(size, Image.Resampling.BICUBIC, box), np.float32)
        coarse = _resized(guide, size, Image.Resampling.BICUBIC, box)
        detail = _luminance(photo[rows]) - coarse  # [n, W]
        grid_box = _scaled(box, gains[0].shape, small.shape[:2])
        for channel, gain in enumerate(gains):
            base[..., channel] += detail * _resized(gain, size, Image.Resampling.BILINEAR, grid_box)
        result[rows] = np.clip(np.rint(base, out=base), 0, 255, out=base)
    return result


def _gains(small: Pixels, painted: Pixels) -> list[Reals]:
    """Returns how each channel of ``painted`` follows the luminance of ``small``, on the grid.

    The slope of a least-squares line through each window, drawn to 0 where there is only noise.
    """
    guide = _luminance(small)
    mean = _windowed(guide)
    variance = _windowed(guide * guide) - mean * mean
    gains = []
    for channel in range(3):
        follower = painted[..., channel].astype(np.float32)
        covariance = _windowed(guide * follower) - mean * _windowed(follower)
        gain = np.clip(covariance / (variance + _NOISE**2), -_MOST_GAIN, _MOST_GAIN)
        gains.append(gain.astype(np.float32, copy=False))
    return gains


def _windowed(values: Reals) -> Reals:
    """Returns means of ``values`` [h, w] over overlapping windows, a third as many along a side."""
    h, w = values.shape
    size = (math.ceil(w / _GRID), math.ceil(h / _GRID))
    return _resized(values, size, Image.Resampling.BILINEAR, (0, 0, w, h))


def _luminance(rgb: Pixels) -> Reals:
    """Returns the luminance of ``rgb`` [H, W, 3], 0 to 255: [H, W]."""
    luminance: Reals = rgb @ _LUMINANCE
    return luminance


Box = tuple[float, float, float, float]
"""Left, upper, right and lower edge, in pixels."""


def _strips(height: int, small: tuple[int, ...]) -> Iterator[tuple[slice, Box]]:
    """Yields rows of the full size, and where they are in the small one."""
    for start in range(0, height, _STRIP):
        stop = min(start + _STRIP, height)
        scale = small[0] / height
        yield slice(start, stop), (0.0, start * scale, float(small[1]), stop * scale)


def _scaled(box: Box, inside: tuple[int, ...], outside: tuple[int, ...]) -> Box:
    down, across = inside[0] / outside[0], inside[1] / outside[1]
    return (box[0] * across, box[1] * down, float(inside[1]), min(box[3] * down, inside[0]))


def _resized(values: Reals, size: tuple[int, int], way: Image.Resampling, box: Box) -> Reals:
    return np.asarray(Image.fromarray(values).resize(size, way, box))
