"""Luminance of pictures, and what of it is finer than a box of pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from training.losses.gram import at_least_float32

FINE_BOX = 15
"""Side in pixels of the mean that is taken away: strokes stay, shading goes."""


def luminance(images: Tensor) -> Tensor:
    """Returns the luminance [N, 1, H, W] of ``images`` [N, 3, H, W] (ITU-R BT.601)."""
    weights = torch.tensor((0.299, 0.587, 0.114), device=images.device)
    return (at_least_float32(images) * weights.view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def fine(images: Tensor) -> Tensor:
    """Returns each channel minus its box mean, where the box fits: [N, C, H − 14, W − 14]."""
    images = at_least_float32(images)
    rim = FINE_BOX // 2
    return images[..., rim:-rim, rim:-rim] - F.avg_pool2d(images, FINE_BOX, stride=1)


def fine_luminance(images: Tensor) -> Tensor:
    """Returns the ``fine`` part of the luminance: [N, 1, H − 14, W − 14]."""
    return fine(luminance(images))
