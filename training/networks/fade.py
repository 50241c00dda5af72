"""Strength: the photo laid over its painting, neither paler than the other."""

from typing import Final

from torch import Tensor

_LEAST_CONTRAST: Final = 1e-4
"""Far below one level in 255. Not smaller: the exporter takes ``x + 1e-8`` for ``x + 0``."""


def fade(photo: Tensor, painted: Tensor, opacity: Tensor) -> Tensor:
    """Lays ``photo`` [N, 3, H, W] over ``painted`` with ``opacity`` [N, 1, 1, 1], in float32.

    Each colour channel is stretched to the contrast that lies between those of the two pictures:
    a plain mixture of two unlike pictures is paler than both, and so farther from the painting
    than the photo is.
    """
    photo, painted = photo.float(), painted.float()
    mixed = opacity * photo + (1 - opacity) * painted
    wanted = opacity * _contrast(photo) + (1 - opacity) * _contrast(painted)
    stretch = wanted / _contrast(mixed)  # [N, 3, 1, 1]
    mean = mixed.mean(dim=(2, 3), keepdim=True)
    return (mean + stretch * (mixed - mean)).clamp(0, 1)


def _contrast(images: Tensor) -> Tensor:
    """Returns the standard deviation of each channel, never quite 0, [N, 3, 1, 1]."""
    difference = images - images.mean(dim=(2, 3), keepdim=True)
    deviation = difference.square().mean(dim=(2, 3), keepdim=True).sqrt()
    return deviation.clamp(min=_LEAST_CONTRAST)
