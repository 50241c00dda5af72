"""Low-frequency loss: the painted photo is light and dark where the photo is.

The Gram matrices of a style do not care where a dark area lies, so nothing holds a network from
a glow along a strong edge that ends where its sight ends. This does.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from training.losses.luminance import luminance

BOX = 16
"""Pixels of a side over which luminance is pooled: strokes are smaller, halos larger."""

_FLAT = 1e-4
"""Added under the root: photos without any contrast."""


def shading(images: Tensor) -> Tensor:
    """Returns the pooled luminance of ``images`` [N, 3, H, W] in [0, 1]: [N, 1, H/16, W/16].

    Its mean is 0 and its deviation 1, so a picture may be paler or darker than its photo.
    """
    pooled = F.avg_pool2d(luminance(images), BOX, ceil_mode=True)
    centred = pooled - pooled.mean(dim=(2, 3), keepdim=True)
    return centred / (centred.square().mean(dim=(2, 3), keepdim=True) + _FLAT).sqrt()


class LowFrequencyLoss(nn.Module):
    """Mean squared difference of the shading of photo and picture."""

    def forward(self, wanted: Tensor, painted: Tensor) -> Tensor:
        """Returns the loss [N] of ``painted`` [N, 3, H, W]; ``wanted`` is the photos' shading."""
        return (shading(painted) - wanted).square().mean(dim=(1, 2, 3))
