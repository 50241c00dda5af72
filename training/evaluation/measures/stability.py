"""Stability: how much a painted photo changes when the photo hardly does.

Gupta, Johnson, Alahi and Fei-Fei 2017, "Characterizing and Improving Stability in Neural Style
Transfer", look at the same thing in video.
"""

from collections.abc import Callable
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

NOISE: Final = 0.01
"""Standard deviation of the noise, of the range from black to white."""

_MARGIN: Final = 16
"""One part in so many of the side is left out at each border, where the shift brings new pixels."""

Painter = Callable[[Tensor], Tensor]
"""Photos [N, 3, H, W] in [0, 1] in, pictures of the same shape out."""

PlacedPainter = Callable[[Tensor, int], Tensor]
"""The same with the row and column of the photos' first pixel in the noise of the network."""


def shift(photos: Tensor) -> Tensor:
    """Moves ``photos`` [N, 3, H, W] down and right by one pixel; the border is repeated."""
    return F.pad(photos, (1, 0, 1, 0), mode="replicate")[..., :-1, :-1]


def add_noise(photos: Tensor, seed: int) -> Tensor:
    """Adds Gaussian noise to ``photos`` [N, 3, H, W] and limits them to [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    grain = torch.randn(photos.shape, generator=generator).to(photos)
    return (photos + NOISE * grain).clamp(0, 1)


def rms(a: Tensor, b: Tensor) -> Tensor:
    """Returns the root mean square difference [N] of images [N, C, H, W]."""
    return (a - b).square().mean(dim=(1, 2, 3)).sqrt()


def shift_rms(paint: Painter, photos: Tensor, painted: Tensor) -> Tensor:
    """Returns how much painting the moved photo and moving it back changes the picture, [N].

    Args:
        paint: paints photos.
        photos: [N, 3, H, W] in [0, 1].
        painted: what ``paint`` makes of them.
    """
    return _after_moving_back(paint(shift(photos)), painted)


def shift_rms_with_noise(paint: PlacedPainter, photos: Tensor) -> Tensor:
    """Returns the change [N] when the noise of the network moves along with the photos.

    Args:
        paint: paints photos at a place in its noise.
        photos: [N, 3, H, W] in [0, 1].
    """
    return _after_moving_back(paint(shift(photos), 0), paint(photos, 1))


def _after_moving_back(moved: Tensor, painted: Tensor) -> Tensor:
    moved = moved[..., 1:, 1:]  # pixel (0, 0) is the photo's again
    margin = max(1, min(painted.shape[-2:]) // _MARGIN)
    inner = (..., slice(margin, -margin - 1), slice(margin, -margin - 1))
    return rms(moved[inner], painted[..., :-1, :-1][inner])


def noise_rms(paint: Painter, photos: Tensor, painted: Tensor, seed: int) -> Tensor:
    """Returns how much noise in the photos changes the pictures, [N]."""
    return rms(paint(add_noise(photos, seed)), painted)
