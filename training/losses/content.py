"""Content loss: feature reconstruction (Johnson 2016, eq. 2), on a scale common to all photos."""

from torch import Tensor, nn

from training.losses.gram import at_least_float32


class ContentLoss(nn.Module):
    """Distance of one layer's features to those of the photo.

    Deviation from Johnson: divided by the mean square of the photo's own features, so that an
    image without any features costs 1 in every layer of every loss network.
    """

    target: Tensor
    energy: Tensor

    def __init__(self, target: Tensor) -> None:
        """Holds the photos' features ``target`` [N, C, H, W]."""
        super().__init__()
        target = at_least_float32(target)
        self.register_buffer("target", target, persistent=False)
        energy = target.square().mean(dim=(1, 2, 3)).clamp(min=1e-12)  # [N]
        self.register_buffer("energy", energy, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """Returns the loss [N] of ``features`` [N, C, H, W]."""
        difference = at_least_float32(features) - self.target
        return difference.square().mean(dim=(1, 2, 3)) / self.energy
