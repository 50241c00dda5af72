"""Random transformations between an image and the network: what survives them is no noise.

The values of lucid (Olah, Mordvintsev, Schubert 2017, "Feature Visualization", "Transformation
robustness"); rolling is that of DeepDream (Mordvintsev, Olah, Tyka 2015). Each draws from the
generator it is given, on the CPU, so that one seed gives one picture on every device.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from training.errors import TrainingError

Transform = Callable[[Tensor], Tensor]
"""Images [N, C, H, W] in, images out, perhaps of another size; the whole batch alike."""

GREY: Final = 0.5
"""What pads an image, and what a rotation turns into view."""

ROBUST_SCALES: Final = tuple(1 + (i - 5) / 50 for i in range(11))
"""lucid's scales, 0.9 to 1.1."""

ROBUST_ANGLES: Final = (*range(-10, 11), 0, 0, 0, 0, 0)
"""lucid's angles in degrees; upright comes up more often."""


def robust(generator: torch.Generator) -> Transform:
    """Returns lucid's standard: pad 12, jitter 8, scale, rotate, jitter 4."""
    return compose(
        pad(12),
        jitter(8, generator),
        random_scale(ROBUST_SCALES, generator),
        random_rotate(ROBUST_ANGLES, generator),
        jitter(4, generator),
    )


def compose(*transforms: Transform) -> Transform:
    """Returns the transformations applied one after the other."""

    def transform(image: Tensor) -> Tensor:
        for each in transforms:
            image = each(image)
        return image

    return transform


def pad(amount: int, value: float = GREY) -> Transform:
    """Returns a transformation that adds ``amount`` pixels of ``value`` on each side."""
    return lambda image: F.pad(image, (amount,) * 4, value=value)


def jitter(amount: int, generator: torch.Generator) -> Transform:
    """Returns a transformation that cuts out a random window, ``amount`` pixels smaller."""

    def transform(image: Tensor) -> Tensor:
        height, width = image.shape[-2] - amount, image.shape[-1] - amount
        if min(height, width) < 1:
            raise TrainingError(
                f"an image of {width + amount} × {height + amount} is too small for a jitter of "
                f"{amount} pixels: enlarge it, or give a smaller one"
            )
        y, x = _integer(0, amount, generator), _integer(0, amount, generator)
        return image[..., y : y + height, x : x + width]

    return transform


def roll(amount: int, generator: torch.Generator) -> Transform:
    """Returns a transformation that shifts by up to ``amount`` pixels; borders come round."""

    def transform(image: Tensor) -> Tensor:
        shifts = _integer(-amount, amount, generator), _integer(-amount, amount, generator)
        return image.roll(shifts, dims=(-2, -1))

    return transform


def random_scale(scales: Sequence[float], generator: torch.Generator) -> Transform:
    """Returns a transformation that resizes by one of ``scales``, bilinearly."""

    def transform(image: Tensor) -> Tensor:
        scale = scales[_integer(0, len(scales) - 1, generator)]
        size = [max(1, round(scale * side)) for side in image.shape[-2:]]
        if size == list(image.shape[-2:]):
            return image
        return F.interpolate(image, size, mode="bilinear", align_corners=False)

    return transform


def random_rotate(angles: Sequence[float], generator: torch.Generator) -> Transform:
    """Returns a transformation that turns by one of ``angles`` (degrees), counterclockwise."""

    def transform(image: Tensor) -> Tensor:
        return rotate(image, angles[_integer(0, len(angles) - 1, generator)])

    return transform


def rotate(image: Tensor, angle: float) -> Tensor:
    """Turns ``image`` [N, C, H, W] about its centre by ``angle`` degrees, counterclockwise.

    The size stays; corners that come into view are grey.
    """
    if angle == 0:
        return image
    n, _, height, width = image.shape
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    # The grid runs from -1 to 1 on both axes, so the aspect ratio enters twice.
    matrix = torch.tensor(
        [[cosine, -sine * height / width, 0.0], [sine * width / height, cosine, 0.0]]
    ).to(image)
    grid = F.affine_grid(matrix.expand(n, 2, 3), list(image.shape), align_corners=False)
    turned = F.grid_sample(image - GREY, grid, mode="bilinear", align_corners=False)
    return turned + GREY


def _integer(low: int, high: int, generator: torch.Generator) -> int:
    """Draws a whole number from ``low`` to ``high``, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator))
