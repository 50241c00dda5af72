"""Gram style loss (Gatys, Ecker, Bethge 2016, eq. 4), on a scale common to all paintings."""

import torch
from torch import Tensor, nn

from training.losses.gram import gram_matrix


class GramStyleLoss(nn.Module):
    """Distance of one layer's Gram matrices to those of S paintings.

    Deviation from Gatys: the mean squared difference is divided by the mean square of the
    painting's own Gram matrix. So an image without any features costs 1 in every layer and for
    every painting, and one weight serves them all.
    """

    targets: Tensor
    energies: Tensor

    def __init__(self, targets: Tensor) -> None:
        """Holds the paintings' Gram matrices ``targets`` [S, C, C]."""
        super().__init__()
        self.register_buffer("targets", targets.float(), persistent=False)
        energies = targets.float().square().mean(dim=(1, 2))  # [S]
        # A layer that is dead on the painting is compared on an absolute scale.
        self.register_buffer("energies", torch.clamp(energies, min=1e-12), persistent=False)

    def forward(self, features: Tensor, styles: Tensor) -> Tensor:
        """Returns the loss [N] of ``features`` [N, C, H, W] against paintings ``styles`` [N]."""
        difference = gram_matrix(features) - self.targets[styles]  # [N, C, C]
        return difference.square().mean(dim=(1, 2)) / self.energies[styles]
