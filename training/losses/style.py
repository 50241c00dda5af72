"""Gram style loss (Gatys, Ecker, Bethge 2016, eq. 4), on a scale common to all paintings."""

from torch import Tensor, nn

from training.losses.gram import at_least_float32, gram_matrix


class GramStyleLoss(nn.Module):
    """Distance of one layer's Gram matrices to those of S paintings.

    Deviation from Gatys: the mean squared difference is divided by a scale per painting. With
    ``training.losses.calibration`` the scale is the distance of unstyled photos from the
    painting, so a photo costs 1 in every layer, for every painting and every loss network.
    """

    targets: Tensor
    scales: Tensor

    def __init__(self, targets: Tensor, scales: Tensor | None = None) -> None:
        """Holds the paintings' Gram matrices.

        Args:
            targets: Gram matrices [S, C, C].
            scales: what the mean squared difference is divided by, [S], positive. None stands for
                the mean square of the painting's own Gram matrix: an image without any features
                then costs 1.
        """
        super().__init__()
        targets = at_least_float32(targets)
        if scales is None:
            scales = targets.square().mean(dim=(1, 2))
        self.register_buffer("targets", targets, persistent=False)
        # A layer that is dead on the painting is compared on an absolute scale.
        self.register_buffer("scales", scales.to(targets).clamp(min=1e-12), persistent=False)

    def forward(self, features: Tensor, styles: Tensor, mask: Tensor | None = None) -> Tensor:
        """Returns the loss [N] of ``features`` [N, C, H, W] against paintings ``styles`` [N].

        ``mask`` selects a region of the features, see ``gram_matrix``.
        """
        difference = gram_matrix(features, mask) - self.targets[styles]  # [N, C, C]
        return difference.square().mean(dim=(1, 2)) / self.scales[styles]


def gatys_scale(channels: int) -> float:
    """Returns the scale with which the loss is Gatys' own E_l = Σ(G − A)² / (4·C²·(H·W)²).

    Our Gram matrices are divided by C·H·W already, so the mean squared difference is
    Σ(G − A)² / (C²·C²·(H·W)²), which 4 / C² turns into E_l (eq. 4).
    """
    return 4 / channels**2
