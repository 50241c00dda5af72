"""Lattice loss: what a picture repeats with the stride of the network that painted it.

Where detail is fixed to pixel coordinates instead of to the picture (Karras et al. 2021,
"Alias-Free Generative Adversarial Networks"), folding the picture modulo the stride and averaging
leaves the pattern; anything irregular averages out.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.losses.luminance import fine

PERIODS = (2, 4, 8)
"""Pixels at the levels of the hourglass. Forbidden one of them, grain moves to the others."""


def fold(details: Tensor, period: int) -> Tensor:
    """Averages ``details`` [N, C, H, W] modulo ``period``: [N, C, period, period], mean 0."""
    n, c, h, w = details.shape
    rows, columns = h // period, w // period
    whole = details[..., : rows * period, : columns * period]
    folded = whole.reshape(n, c, rows, period, columns, period).mean(dim=(2, 4))
    return folded - folded.mean(dim=(2, 3), keepdim=True)


class LatticeLoss(nn.Module):
    """Mean square of the folded fine detail, summed over the periods.

    Of each colour by itself: told to keep it out of the luminance, a network hides the lattice in
    the other colours.
    """

    def __init__(self, periods: Sequence[int] = PERIODS) -> None:
        """Looks for ``periods`` in pixels."""
        super().__init__()
        self.periods = tuple(periods)

    def forward(self, images: Tensor) -> Tensor:
        """Returns the loss [N] of ``images`` [N, 3, H, W] in [0, 1], at least 23 pixels wide."""
        details = fine(images)
        folded = [fold(details, period).square().mean(dim=(1, 2, 3)) for period in self.periods]
        return torch.stack(folded).sum(dim=0)
