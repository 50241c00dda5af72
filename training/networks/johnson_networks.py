"""The first networks: those of Johnson 2016 and Dumoulin 2017, and the same at half the width.

References:
    Johnson, Alahi, Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer" (the body).
    Dumoulin, Shlens, Kudlur 2017, "A Learned Representation for Artistic Style" (conditional
    instance normalization, nearest-neighbour upsampling).
    Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution Using an Efficient
    Sub-Pixel Convolutional Neural Network" (pixel shuffle, in the lite network).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

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


class ReferenceNetwork(TransformationNetwork):
    """The network of Johnson 2016 as changed by Dumoulin 2017; P = 3,201.

    Deviation from Dumoulin: the last convolution has no conditional normalization, because its
    absence goes with the absence of diagonal colour lines in published models.
    """

    architecture = "reference"
    stride = 4

    def __init__(self, blocks: int = 5) -> None:
        """Builds with ``blocks`` residual blocks."""
        super().__init__()
        self.encode1 = StyledConvolution(3, 32, 9)
        self.encode2 = StyledConvolution(32, 64, 3, stride=2)
        self.encode3 = StyledConvolution(64, 128, 3, stride=2)
        self.blocks = nn.ModuleList(ResidualBlock(128) for _ in range(blocks))
        self.decode1 = StyledConvolution(128, 64, 3)
        self.decode2 = StyledConvolution(64, 32, 3)
        self.to_rgb = ReflectedConvolution(32, 3, 9)

    def paint(self, x: Tensor, style: StylePack, origin: Tensor) -> Tensor:  # noqa: D102
        del origin  # without noise, every place is like every other
        x = self.encode1(x, *style.take(self.encode1))  # [N, 32, H, W]
        x = self.encode2(x, *style.take(self.encode2))  # [N, 64, H/2, W/2]
        x = self.encode3(x, *style.take(self.encode3))  # [N, 128, H/4, W/4]
        for block in self.blocks:
            x = block(x, style)
        x = upsample(x)
        x = self.decode1(x, *style.take(self.decode1))  # [N, 64, H/2, W/2]
        x = upsample(centred(x))
        x = self.decode2(x, *style.take(self.decode2))  # [N, 32, H, W]
        return torch.sigmoid(self.to_rgb(x))  # [N, 3, H, W]


class LiteNetwork(TransformationNetwork):
    """About six times cheaper, for CPUs: nothing but bytes lives at full resolution; P = 1,281.

    Pixel unshuffle folds 2 × 2 pixels into channels at the entrance, pixel shuffle unfolds them
    at the exit; between them it is the reference network at half the width.
    """

    architecture = "lite"
    stride = 4

    def __init__(self, blocks: int = 4) -> None:
        """Builds with ``blocks`` residual blocks."""
        super().__init__()
        self.encode1 = StyledConvolution(12, 32, 3)
        self.encode2 = StyledConvolution(32, 64, 3, stride=2)
        self.blocks = nn.ModuleList(ResidualBlock(64) for _ in range(blocks))
        self.decode1 = StyledConvolution(64, 32, 3)
        self.to_rgb = ReflectedConvolution(32, 12, 3)
        initialize_without_checkerboard(self.to_rgb)

    def paint(self, x: Tensor, style: StylePack, origin: Tensor) -> Tensor:  # noqa: D102
        del origin  # without noise, every place is like every other
        x = F.pixel_unshuffle(x, 2)  # [N, 12, H/2, W/2]
        x = self.encode1(x, *style.take(self.encode1))  # [N, 32, H/2, W/2]
        x = self.encode2(x, *style.take(self.encode2))  # [N, 64, H/4, W/4]
        for block in self.blocks:
            x = block(x, style)
        x = upsample(centred(x))
        x = self.decode1(x, *style.take(self.decode1))  # [N, 32, H/2, W/2]
        return torch.sigmoid(F.pixel_shuffle(self.to_rgb(x), 2))  # [N, 3, H, W]
