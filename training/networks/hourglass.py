"""The hourglass: noise for the calm areas, a wide sight, and skips for the photo's detail.

References:
    Johnson, Alahi, Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer" (down, residual
    blocks, up).
    Ronneberger, Fischer, Brox 2015, "U-Net" (skips).
    Ulyanov et al. 2016, "Texture Networks" (noise at several scales as an input).
    Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution Using an Efficient
    Sub-Pixel Convolutional Neural Network" (pixel shuffle).
"""

from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.networks.noise_field import NoiseField
from training.networks.reflection_padding import ReflectedConvolution
from training.networks.transformation_network import (
    ResidualBlock,
    StyledConvolution,
    StylePack,
    TransformationNetwork,
    centred,
    initialize_without_checkerboard,
    upsample,
)


class Hourglass(TransformationNetwork):
    """Down to an eighth of the size and up again, with noise and skips.

    Nothing but bytes lives at full resolution: pixel unshuffle folds 2 × 2 pixels into channels
    at the entrance, pixel shuffle unfolds them at the exit. The narrow level sees some 170 pixels
    around it. The skips carry the photo alone, so that noise cannot draw over its detail before
    a convolution has seen both.
    """

    stride = 8
    has_noise = True

    def __init__(self, widths: tuple[int, int, int], blocks: int, fine_blocks: int) -> None:
        """Builds with ``widths`` channels at a half, a quarter and an eighth of the size.

        Args:
            widths: channels by level.
            blocks: residual blocks at an eighth.
            fine_blocks: residual blocks at a quarter, on the way up.
        """
        super().__init__()
        half, quarter, eighth = widths
        self.noise = NoiseField()
        self.encode1 = StyledConvolution(12, half, 3)
        self.encode2 = StyledConvolution(half, quarter, 3, stride=2)
        self.grain2 = StyledConvolution(len(_CELLS_AT_A_QUARTER), 16, 3)
        self.encode3 = StyledConvolution(quarter + 16, eighth, 3, stride=2)
        self.blocks = nn.ModuleList(ResidualBlock(eighth) for _ in range(blocks))
        self.reduce2 = StyledConvolution(eighth, quarter, 1, relu=False)
        self.decode2 = StyledConvolution(quarter + 16, quarter, 3)
        self.fine_blocks = nn.ModuleList(ResidualBlock(quarter) for _ in range(fine_blocks))
        self.reduce1 = StyledConvolution(quarter, half, 1, relu=False)
        self.grain1 = StyledConvolution(len(_CELLS_AT_A_HALF), 8, 3)
        self.decode1 = StyledConvolution(half + 8, half, 3)
        self.to_rgb = ReflectedConvolution(half, 12, 3)
        initialize_without_checkerboard(self.to_rgb)

    def paint(self, x: Tensor, style: StylePack, origin: Tensor) -> Tensor:  # noqa: D102
        x = F.pixel_unshuffle(x, 2)  # [N, 12, H/2, W/2]
        calm = calmness(x)  # [N, 1, H/4, W/4]
        fine = self.encode1(x, *style.take(self.encode1))  # [N, half, H/2, W/2]
        middle = self.encode2(fine, *style.take(self.encode2))  # [N, quarter, H/4, W/4]
        grain = self._grain(self.grain2, middle, 4, _CELLS_AT_A_QUARTER, style, origin) * calm
        x = torch.cat([middle, grain], dim=1)
        x = self.encode3(x, *style.take(self.encode3))  # [N, eighth, H/8, W/8]
        for block in self.blocks:
            x = block(x, style)
        x = self.join(upsample(self.reduce2(x, *style.take(self.reduce2)), "bilinear"), middle)
        x = self.decode2(torch.cat([x, grain], dim=1), *style.take(self.decode2))
        for block in self.fine_blocks:
            x = block(x, style)
        x = self.join(upsample(self.reduce1(x, *style.take(self.reduce1)), "bilinear"), fine)
        grain = self._grain(self.grain1, fine, 2, _CELLS_AT_A_HALF, style, origin)
        grain = grain * upsample(calm, "bilinear")
        x = centred(torch.cat([x, grain], dim=1))
        x = self.decode1(x, *style.take(self.decode1))
        return torch.sigmoid(F.pixel_shuffle(self.to_rgb(x), 2))  # [N, 3, H, W]

    def join(self, x: Tensor, skip: Tensor) -> Tensor:
        """Adds the detail of the way down, ``skip``, to ``x`` of the way up."""
        return x + skip

    def _grain(
        self,
        layer: StyledConvolution,
        like: Tensor,
        stride: int,
        cells: tuple[int, ...],
        style: StylePack,
        origin: Tensor,
    ) -> Tensor:
        """Returns noise at the places of ``like``, with the style's own density and strength."""
        noise = self.noise(like, stride, cells, origin)
        noise = noise.expand(like.shape[0], -1, -1, -1)  # len() would fix the size of the batch
        grain: Tensor = layer(noise, *style.take(layer))
        return grain


def calmness(x: Tensor) -> Tensor:
    """Returns how little happens around each place of a photo, in [0, 1]: [N, 1, H/4, W/4].

    Strokes follow what is in the photo wherever something is; noise is for the rest. 1 is flat,
    a half is a local deviation of ``_CALM``.

    Args:
        x: the photo, from black to white 1 apart, unshuffled by two: [N, 12, H/2, W/2].
    """
    grey = F.avg_pool2d(x.float().mean(dim=1, keepdim=True), 2)  # [N, 1, H/4, W/4]
    mean = _blurred(grey)
    variance = (_blurred((grey - mean).square())).clamp(min=0)
    return (1 / (1 + variance / _CALM**2)).to(x.dtype)


def _blurred(x: Tensor) -> Tensor:
    """Returns means over 5 × 5 places, fewer at the border."""
    return F.avg_pool2d(x, 5, stride=1, padding=2, count_include_pad=False)


_CALM: Final = 5 / 255
_CELLS_AT_A_QUARTER: Final = (4, 8, 16, 32)
_CELLS_AT_A_HALF: Final = (2, 4)
"""Sides of the noise's cells in pixels of the photo."""


class LiteHourglass(Hourglass):
    """For CPUs; 1.4 M parameters, P = 3,185, 33,000 multiplications per pixel."""

    architecture = "hourglass-lite"

    def __init__(self) -> None:
        """Builds with 32, 64 and 128 channels."""
        super().__init__((32, 64, 128), blocks=4, fine_blocks=1)


class WideHourglass(Hourglass):
    """For GPUs; 4.5 M parameters, P = 6,449, 122,000 multiplications per pixel."""

    architecture = "hourglass"

    def __init__(self) -> None:
        """Builds with 64, 128 and 192 channels."""
        super().__init__((64, 128, 192), blocks=5, fine_blocks=2)
