"""Edge loss: where the photo has its strongest edges, the picture has them too.

Feature losses let eyes and lettering dissolve in strokes. The gradients of luminance are compared
where the photo's are strong, so calm areas stay free for the brush.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.losses.luminance import luminance

SCALES = (2, 4)
"""Pixels over which luminance is pooled before its gradients are taken: below is canvas."""

_STRONG = 2.0
"""Gradients of so many times their root mean square count half."""

_FLAT = 1e-4


class EdgeLoss(nn.Module):
    """One minus the correlation of the gradients of photo and picture on the photo's edges."""

    def forward(self, wanted: Sequence[Tensor], painted: Tensor) -> Tensor:
        """Returns the loss [N] of ``painted`` [N, 3, H, W]; ``wanted`` are the photos' edges."""
        losses = []
        for photo, picture in zip(wanted, edges(painted), strict=True):
            strength = photo.square().sum(dim=1, keepdim=True)  # [N, 1, h, w]
            usual = strength.mean(dim=(2, 3), keepdim=True)
            weight = strength / (strength + _STRONG**2 * usual + _FLAT**2)
            both = (weight * photo * picture).sum(dim=(1, 2, 3))
            energies = [(weight * g.square()).sum(dim=(1, 2, 3)) for g in (photo, picture)]
            losses.append(1 - both / (energies[0] * energies[1] + _FLAT**4).sqrt())
        return torch.stack(losses).mean(dim=0)


def edges(images: Tensor) -> tuple[Tensor, ...]:
    """Returns the gradients [N, 2, h, w] of the luminance of ``images`` [N, 3, H, W], by scale."""
    bright = luminance(images)
    found = []
    for scale in SCALES:
        pooled = F.avg_pool2d(bright, scale)
        here = pooled[..., :-1, :-1]
        found.append(torch.cat([pooled[..., 1:, :-1] - here, pooled[..., :-1, 1:] - here], dim=1))
    return tuple(found)
