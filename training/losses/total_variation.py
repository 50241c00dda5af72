"""Total-variation loss (Johnson 2016, section 3.2; the quadratic form of Mahendran 2015, β = 2)."""

from torch import Tensor, nn


class TotalVariationLoss(nn.Module):
    """Mean squared difference of neighbouring pixels, vertical plus horizontal."""

    def forward(self, images: Tensor) -> Tensor:
        """Returns the loss [N] of ``images`` [N, 3, H, W] in [0, 1]."""
        images = images.float()
        vertical = (images[..., 1:, :] - images[..., :-1, :]).square().mean(dim=(1, 2, 3))
        horizontal = (images[..., :, 1:] - images[..., :, :-1]).square().mean(dim=(1, 2, 3))
        return vertical + horizontal
