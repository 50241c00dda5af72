"""Reconstruction loss: how far a picture is from the photo itself, for the style photograph."""

from torch import Tensor

from training.losses.precision import at_least_float32


def reconstruction_loss(painted: Tensor, photos: Tensor) -> Tensor:
    """Returns the squared error [N] of ``painted`` [N, 3, H, W] as a share of the photo's variance.

    A flat picture in the photo's mean colour costs 1; a flat photo is compared on an absolute
    scale.
    """
    painted, photos = at_least_float32(painted), at_least_float32(photos)
    variance = photos.var(dim=(2, 3), correction=0).mean(dim=1).clamp(min=1e-4)  # [N]
    return (painted - photos).square().mean(dim=(1, 2, 3)) / variance
