"""Feature-means loss: the spatial means of a layer, the smallest texture statistic.

Gatys, Ecker, Bethge 2015, "Texture Synthesis Using Convolutional Neural Networks", figure 3.
"""

from torch import Tensor, nn

from training.losses.gram import at_least_float32


class FeatureMeansLoss(nn.Module):
    """Distance of one layer's spatial means to those of a texture.

    Divided by the mean square of the texture's own means, so that an image without any features
    costs 1 in every layer.
    """

    target: Tensor
    energy: Tensor

    def __init__(self, target: Tensor) -> None:
        """Holds the texture's spatial means ``target`` [C] or [N, C]."""
        super().__init__()
        target = at_least_float32(target)
        self.register_buffer("target", target, persistent=False)
        energy = target.square().mean(dim=-1).clamp(min=1e-12)  # [] or [N]
        self.register_buffer("energy", energy, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Returns the loss [N] of ``features`` [N, C, H, W]."""
        difference = at_least_float32(features).mean(dim=(2, 3)) - self.target  # [N, C]
        return difference.square().mean(dim=1) / self.energy
