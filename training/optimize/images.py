"""Image parameterizations: what an optimizer may change, and the image that it stands for."""

from typing import cast

import torch
from torch import Tensor, nn


class ImageParameterization(nn.Module):
    """Parameters that stand for images [N, 3, H, W]; calling it gives the images."""

    def forward(self) -> Tensor:
        """Returns the images [N, 3, H, W], meant for [0, 1], perhaps beyond it."""
        raise NotImplementedError

    def set_image(self, image: Tensor) -> None:
        """Changes the parameters so that they stand for ``image`` [N, 3, H, W]."""
        raise NotImplementedError

    def __call__(self) -> Tensor:
        """Returns the images [N, 3, H, W]."""
        return cast("Tensor", super().__call__())


class Pixels(ImageParameterization):
    """The pixels themselves, unbounded: a projection may keep them in [0, 1]."""

    def __init__(self, init: Tensor) -> None:
        """Starts from a copy of ``init`` [N, 3, H, W]."""
        super().__init__()
        self.values = nn.Parameter(init.detach().clone())

    def forward(self) -> Tensor:
        """Returns a copy of the pixels [N, 3, H, W]: later steps do not change it."""
        return self.values.clone()

    def set_image(self, image: Tensor) -> None:
        """Takes over the pixels of ``image`` [N, 3, H, W]."""
        with torch.no_grad():
            self.values.copy_(image)


def noise(
    height: int, width: int, *, generator: torch.Generator, device: str | torch.device = "cpu"
) -> Tensor:
    """Returns white noise [1, 3, height, width] around middle grey, the usual start.

    It is drawn on the CPU, so one seed gives one picture on every device.
    """
    grain = torch.randn(1, 3, height, width, generator=generator)
    return (0.5 + 0.1 * grain).clamp(0, 1).to(device)


def noise_like(texture: Tensor, size: tuple[int, int], *, generator: torch.Generator) -> Tensor:
    """Returns noise [1, 3, height, width] with the mean and deviation of a texture's colours.

    Measured once, on a rock at 128 × 128 with a slim VGG-19: after 100 steps of L-BFGS the loss is
    ten times lower than from grey noise.

    Args:
        texture: [1, 3, h, w] in [0, 1].
        size: height and width.
        generator: of the CPU.
    """
    grain = torch.randn(1, 3, *size, generator=generator).to(texture)
    mean = texture.mean(dim=(2, 3), keepdim=True)
    deviation = texture.std(dim=(2, 3), keepdim=True)
    return (mean + deviation * grain).clamp(0, 1)
