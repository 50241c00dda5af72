"""Brush size: a photo painted at another size has larger or smaller strokes.

A network's strokes have the size in pixels that it has learned. So a photo for a brush of size b
is painted at 1/b of its size, and the picture P is brought back. What a larger brush loses of the
photo I comes back from the photo itself, after the guided filter (He, Sun, Tang 2010; subsampled
as in He, Sun 2015, "Fast Guided Filter"), with the painted picture in place of the filtered one:

    up(P + (g' - g) · contours of down(I)) + g' · (I - up(down(I)))

g is the slope with which P follows the luminance of the photo near by. Contours that are finer
than the strokes are lost at the smaller size, with g; the slope of the wider neighbourhood, in
g', tells how they would have been painted.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from sfumato.errors import ImageTooLargeError
from sfumato.images.brush_size import checked_brush_size
from sfumato.images.decoder import DEFAULT_MAX_PIXELS, DEFAULT_MIN_SIDE

Pixels = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]

_GRID: Final = 3
"""Pixels between two places where the slopes are known; each is of a window twice as wide."""

_WIDE: Final = 8
"""Places of the grid between two places where the slopes of the neighbourhood are known."""

_NOISE: Final = 8.0
"""Levels of 255: variation of luminance below this is noise, and brings no detail along."""

_CONTOUR: Final = 20.0
"""Levels of 255: variation below this has no contours that the painting must have."""

_SHARE: Final = 0.7
"""Of the contours that were lost, so much comes back with a brush of 2: strokes cover the rest."""

_MOST_GAIN: Final = 1.5
_STRIP: Final = 32 * _GRID  # rows that are worked on at once: few enough for the cache
_MARGIN: Final = 3  # rows beside a strip that resizing looks at
_SHARPEST: Final = Image.Resampling.LANCZOS  # the finest strokes are lost first
_CUBIC: Final = Image.Resampling.BICUBIC
_LINEAR: Final = Image.Resampling.BILINEAR


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
            ImageTooLargeError: more than ``max_pixels``, and a larger brush would do.
        """
        scale = max(1 / self.brush_size, min(1.0, self.min_side / min(width, height)))
        whole = math.floor if scale > 1 else round  # or what fits exactly could be rounded up
        across, down = (max(self.min_side, whole(side * scale)) for side in (width, height))
        if across * down > self.max_pixels >= width * height:
            least = math.ceil(100 * math.sqrt(width * height / self.max_pixels)) / 100
            raise ImageTooLargeError(
                f"with a brush size of {self.brush_size:g} the photo of {width} x {height} pixels "
                f"is painted at {across} x {down}, the limit is {self.max_pixels:,} pixels; take a "
                f"brush size of {least:g} or more, or scale it down"
            )
        return across, down

    def photo_to_paint(self, photo: Pixels) -> tuple[Pixels, Pixels]:
        """Returns ``photo`` [H, W, 3] as it is painted, [h, w, 3], and its luminance, [H, W].

        If the sizes are the same, both are ``photo`` itself.
        """
        height, width = photo.shape[:2]
        size = self.size_to_paint(width, height) if self.brush_size != 1 else (width, height)
        if size == (width, height):
            return photo, photo
        image = Image.fromarray(photo)
        return np.asarray(image.resize(size, _SHARPEST)), np.asarray(image.convert("L"))


def at_full_size(painted: Pixels, small: Pixels, light: Pixels) -> Pixels:
    """Brings a painted picture to the size of its photo.

    Args:
        painted: what the network made of ``small``, [h, w, 3].
        small: the photo as it was painted; see ``Canvas.photo_to_paint``.
        light: its luminance at its own size, [H, W].

    Returns:
        [H, W, 3]; ``painted`` itself if the sizes are the same.
    """
    (h, w), (height, width) = painted.shape[:2], light.shape[:2]
    if (h, w) == (height, width):
        return painted
    if h * w >= height * width:
        return np.asarray(Image.fromarray(painted).resize((width, height), _SHARPEST))
    coarse = np.asarray(Image.fromarray(small).convert("L"))
    means = _means(coarse, painted)
    near, missing = _slopes(means)
    missing *= _SHARE * min(1.0, 2 - 2 * h / height)  # a brush close to 1 takes little away
    contours = _with_detail(painted, coarse, means[0], missing)
    return _with_detail(contours, light, coarse, near + missing)


def _with_detail(picture: Pixels, light: Pixels, coarse: Pixels | Reals, gains: Reals) -> Pixels:
    """Returns ``picture`` at the size of a photo, with what the photo has and ``coarse`` has not.

    Args:
        picture: [h, w, 3].
        light: luminance of the photo, [H, W].
        coarse: luminance with less detail, [h, w], or on the grid, [⌈h / 3⌉, ⌈w / 3⌉].
        gains: how much of the detail each channel gets, [3, ⌈h / 3⌉, ⌈w / 3⌉].
    """
    (h, w), (height, width) = picture.shape[:2], light.shape
    coarse_step = 1 if coarse.shape == (h, w) else _GRID
    result = np.empty((height, width, 3), np.uint8)
    for start in range(0, height, _STRIP):
        stop = min(start + _STRIP, height)
        strip = _Strip(
            (width, stop - start), (0.0, start * h / height, float(w), stop * h / height)
        )
        base = strip.of(picture, _CUBIC).astype(np.float32)  # [n, W, 3]
        detail = light[start:stop] - strip.of(coarse, _CUBIC, coarse_step)
        for channel, gain in enumerate(gains):
            base[..., channel] += detail * strip.of(gain, _LINEAR, _GRID)
        result[start:stop] = np.clip(np.rint(base, out=base), 0, 255, out=base)
    return result


@dataclass(frozen=True)
class _Strip:
    """Rows of a picture, of ``size``, and the ``box`` of a smaller picture that shows the same."""

    size: tuple[int, int]
    box: tuple[float, float, float, float]

    def of(self, plane: Pixels | Reals, way: Image.Resampling, step: int = 1) -> Pixels | Reals:
        """Returns the strip of ``plane``, whose values are ``step`` pixels of the box apart."""
        left, top, right, bottom = (edge / step for edge in self.box)
        first = max(0, math.floor(top) - _MARGIN)
        rows = plane[first : math.ceil(bottom) + _MARGIN]
        image = Image.fromarray(rows if rows.ndim == 3 else rows.astype(np.float32))
        return np.asarray(image.resize(self.size, way, (left, top - first, right, bottom - first)))


def _means(light: Pixels, painted: Pixels) -> Reals:
    """Returns means over the cells of the grid, [8, ⌈h / 3⌉, ⌈w / 3⌉].

    Of the luminance l of the photo [h, w], of l², of the channels c of ``painted``, and of l c.
    """
    strips = []
    for start in range(0, len(light), _STRIP):
        guide = light[start : start + _STRIP].astype(np.float32)
        colours = painted[start : start + _STRIP].transpose(2, 0, 1).astype(np.float32)
        planes = (guide, guide * guide, *colours, *(guide * colours))
        strips.append([np.asarray(Image.fromarray(plane).reduce(_GRID)) for plane in planes])
    return np.concatenate(strips, axis=1)


def _slopes(means: Reals) -> tuple[Reals, Reals]:
    """Returns how each channel of the painted picture follows the photo, [3, ⌈h / 3⌉, ⌈w / 3⌉].

    First the slope of the least-squares line near by, drawn to 0 where there is only noise; then
    what it lacks of that of the neighbourhood, where there are contours.
    """
    h, w = means.shape[1:]
    wide, _ = _lines(_resized(means, math.ceil(h / _WIDE), math.ceil(w / _WIDE)))
    usual = _resized(wide, h, w)
    near, variance = _lines(_blurred(means))
    contours = variance / (variance + _CONTOUR**2)
    return near, np.where(np.abs(usual) > np.abs(near), usual - near, 0) * contours


def _lines(means: Reals) -> tuple[Reals, Reals]:
    """Returns the slopes of the channels, and the variance of luminance, from ``means``."""
    light, square, colours, products = means[0], means[1], means[2:5], means[5:]
    variance = square - light * light
    slopes = (products - light * colours) / (variance + _NOISE**2)
    return np.clip(slopes, -_MOST_GAIN, _MOST_GAIN), variance


def _blurred(planes: Reals) -> Reals:
    """Returns ``planes`` [n, h, w], each value mixed with its neighbours by 1 : 2 : 1."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)), "edge")
    tall = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    blurred: Reals = (tall[..., :-2] + 2 * tall[..., 1:-1] + tall[..., 2:]) / np.float32(16)
    return blurred


def _resized(planes: Reals, height: int, width: int) -> Reals:
    """Returns ``planes`` [n, h, w] at another size."""
    return np.stack(
        [np.asarray(Image.fromarray(p).resize((width, height), _LINEAR)) for p in planes]
    )
