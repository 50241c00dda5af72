"""Transformation networks: photo and style vector in, painted photo out.

References:
    Johnson, Alahi, Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer" (the body).
    Dumoulin, Shlens, Kudlur 2017, "A Learned Representation for Artistic Style" (conditional
    instance normalization, mirror padding, nearest-neighbour upsampling).
    Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution Using an Efficient
    Sub-Pixel Convolutional Neural Network" (pixel shuffle, in the lite network).
    Aitken et al. 2017, "Checkerboard artifact free sub-pixel convolution" (its initialization).

Everything here takes RGB float images [N, 3, H, W] in [0, 1] and returns the same.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.errors import TrainingError
from training.networks.fade import fade
from training.networks.reflection_padding import ReflectedConvolution

MIN_SIDE: Final = 16
"""Smallest height or width: at a quarter of it, reflection padding still has pixels to mirror."""

STRIDE: Final = 4
"""Both networks work at a quarter of the resolution, so inputs are padded to a multiple of it."""

NORM_EPSILON: Final = 1e-5

_LEAST_SHARE: Final = 1e-3
"""Where less than this of a painting is left in a blend, nobody sees it."""


class ConditionalInstanceNorm(nn.Module):
    """Instance normalization whose scale and shift come from the style (Dumoulin 2017, eq. 5).

    It has no parameters: γ and β [N, C] are given per image, so one batch can mix styles. The
    batch is folded into the channels, which makes the whole step one InstanceNormalization in
    ONNX with γ and β as its scale and bias. Statistics are computed in float32, because the
    sums of a large half-precision map overflow.
    """

    def __init__(self, channels: int) -> None:
        """Normalizes maps of ``channels`` channels."""
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """Normalizes ``x`` [N, C, H, W] and apply ``gamma`` and ``beta`` [N, C]."""
        n, c, h, w = x.shape
        folded = x.reshape(1, n * c, h, w).float()  # [1, N·C, H, W]
        normalized = F.instance_norm(
            folded,
            weight=gamma.reshape(-1).float(),
            bias=beta.reshape(-1).float(),
            eps=NORM_EPSILON,
        )
        return normalized.reshape(n, c, h, w).to(x.dtype)


class StyledConvolution(nn.Module):
    """Reflection padding, convolution, conditional instance normalization, optional ReLU.

    The convolution has no bias: the normalization would subtract it.
    """

    def __init__(
        self, c_in: int, c_out: int, kernel: int, *, stride: int = 1, relu: bool = True
    ) -> None:
        """Convolves ``c_in`` to ``c_out`` channels with an odd ``kernel``."""
        super().__init__()
        self.convolution = ReflectedConvolution(c_in, c_out, kernel, stride=stride, bias=False)
        self.norm = ConditionalInstanceNorm(c_out)
        self.relu = relu

    def forward(self, x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """Maps ``x`` [N, c_in, H, W] to [N, c_out, H / stride, W / stride]."""
        y: Tensor = self.norm(self.convolution(x), gamma, beta)
        return F.relu(y) if self.relu else y


class StylePack:
    """Reads a packed style [N, P] as consecutive (γ, β) pairs, in the order of the layers.

    The last number is the opacity of the photo, see ``TransformationNetwork``.
    """

    def __init__(self, packed: Tensor) -> None:
        """Starts at the first layer of ``packed`` [N, P]."""
        self._packed = packed
        self._offset = 0

    def take(self, layer: StyledConvolution) -> tuple[Tensor, Tensor]:
        """Returns γ and β [N, C] of the next layer."""
        c = layer.norm.channels
        gamma = self._packed[:, self._offset : self._offset + c]
        beta = self._packed[:, self._offset + c : self._offset + 2 * c]
        self._offset += 2 * c
        return gamma, beta


class TransformationNetwork(nn.Module):
    """What both networks share: the style vector's layout, padding to the stride, the digest.

    The last number of a style vector is the opacity of the photo itself, in [0, 1]: 0 for
    paintings, 1 for the style ``photograph``, whose γ and β are all 0, and in between for blends
    with it. The normalization at the entrance maps a photo and any darker or paler version of it
    to the same features, IN(a·x + b) = IN(x), so no γ and β alone could give the photo back.
    """

    architecture: str

    def styled_layers(self) -> Iterator[StyledConvolution]:
        """Yields the conditional layers in the order in which the style vector lists them."""
        return (m for m in self.modules() if isinstance(m, StyledConvolution))

    @property
    def style_size(self) -> int:
        """P, the length of a packed style vector."""
        return sum(2 * layer.norm.channels for layer in self.styled_layers()) + 1

    def photograph_style(self) -> Tensor:
        """Returns the style vector [P] of the photo itself."""
        style = torch.zeros(self.style_size)
        style[-1] = 1.0
        return style

    def neutral_style(self) -> Tensor:
        """Returns the style vector [P] with every γ = 1, every β = 0 and nothing of the photo."""
        pairs = [torch.ones(2, layer.norm.channels) for layer in self.styled_layers()]
        for pair in pairs:
            pair[1] = 0.0
        return torch.cat([*(pair.reshape(-1) for pair in pairs), torch.zeros(1)])

    def digest(self) -> str:
        """Returns ``sha256:<hex>`` over the architecture's name and every weight in float32.

        Style vectors belong to the network with this digest and to no other.
        """
        sha = hashlib.sha256(self.architecture.encode())
        for name, tensor in sorted(self.state_dict().items()):
            sha.update(name.encode())
            sha.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
        return f"sha256:{sha.hexdigest()}"

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Paints ``x`` [N, 3, H, W] in [0, 1] with ``style`` [N, P]; any H, W from 16 up."""
        return fade(x, self.render(x, style), style[:, -1].reshape(-1, 1, 1, 1))

    def render(self, x: Tensor, style: Tensor) -> Tensor:
        """Paints like ``forward``, but without the photo showing through.

        A blend with ``photograph`` has smaller γ and β, by the share of the paintings in it; they
        are made as large again as those of the paintings alone.
        """
        h, w = x.shape[-2:]
        opacity = style[:, -1:].detach()  # training leaves it as it is
        style = style / (1 - opacity).clamp(min=_LEAST_SHARE)
        x = F.pad(centred(x), (0, -w % STRIDE, 0, -h % STRIDE), mode="reflect")
        painted: Tensor = self.paint(x, StylePack(style))[..., :h, :w]
        return painted

    def paint(self, x: Tensor, style: StylePack) -> Tensor:
        """Paints ``x`` [N, 3, H, W], centred, with H and W multiples of the stride."""
        raise NotImplementedError

    def halve(self) -> None:
        """Turns the weights to float16, all but those of the entrance.

        On a smooth gradient the differences between neighbours are hardly larger than what half
        precision rounds away, and the first normalization makes them as large as everything else.
        """
        self.half()
        next(self.styled_layers()).float()


class ResidualBlock(nn.Module):
    """Two 3 × 3 convolutions and a sum without a ReLU behind it (Johnson 2016, supplement)."""

    def __init__(self, channels: int) -> None:
        """Keeps ``channels`` channels."""
        super().__init__()
        self.first = StyledConvolution(channels, channels, 3)
        self.second = StyledConvolution(channels, channels, 3, relu=False)

    def forward(self, x: Tensor, style: StylePack) -> Tensor:
        """Refines ``x`` [N, C, H, W]."""
        y: Tensor = self.first(x, *style.take(self.first))
        y = self.second(y, *style.take(self.second))
        return x + y


class ReferenceNetwork(TransformationNetwork):
    """The network of Johnson 2016 as changed by Dumoulin 2017; P = 3,201.

    Deviation from Dumoulin: the last convolution has no conditional normalization, because its
    absence goes with the absence of diagonal colour lines in published models.
    """

    architecture = "reference"

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

    def paint(self, x: Tensor, style: StylePack) -> Tensor:  # noqa: D102
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

    def __init__(self, blocks: int = 4) -> None:
        """Builds with ``blocks`` residual blocks."""
        super().__init__()
        self.encode1 = StyledConvolution(12, 32, 3)
        self.encode2 = StyledConvolution(32, 64, 3, stride=2)
        self.blocks = nn.ModuleList(ResidualBlock(64) for _ in range(blocks))
        self.decode1 = StyledConvolution(64, 32, 3)
        self.to_rgb = ReflectedConvolution(32, 12, 3)
        initialize_without_checkerboard(self.to_rgb)

    def paint(self, x: Tensor, style: StylePack) -> Tensor:  # noqa: D102
        x = F.pixel_unshuffle(x, 2)  # [N, 12, H/2, W/2]
        x = self.encode1(x, *style.take(self.encode1))  # [N, 32, H/2, W/2]
        x = self.encode2(x, *style.take(self.encode2))  # [N, 64, H/4, W/4]
        for block in self.blocks:
            x = block(x, style)
        x = upsample(centred(x))
        x = self.decode1(x, *style.take(self.decode1))  # [N, 32, H/2, W/2]
        return torch.sigmoid(F.pixel_shuffle(self.to_rgb(x), 2))  # [N, 3, H, W]


def centred(x: Tensor) -> Tensor:
    """Subtracts the mean of each channel of ``x`` [N, C, H, W].

    The normalization behind the next convolution would do so, too, but of a large channel that
    is the same everywhere it rounds the mean, and then divides the rest by ``√NORM_EPSILON``: a
    white page of 1024 pixels came out 70 levels off its colour. So it goes where nothing behind
    mends that, before the last normalization, and before the first, for the sake of gradients.
    """
    return x - x.float().mean(dim=(2, 3), keepdim=True).to(x.dtype)


def upsample(x: Tensor) -> Tensor:
    """Doubles height and width by repeating pixels; the convolution behind it does the rest."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def initialize_without_checkerboard(convolution: nn.Conv2d) -> None:
    """Gives the four sub-pixels of a pixel shuffle the same filters (Aitken 2017, "ICNR")."""
    with torch.no_grad():
        weight = convolution.weight  # [4·C, c_in, k, k], sub-pixels of a channel are neighbours
        weight.copy_(weight[::4].repeat_interleave(4, dim=0))
        if convolution.bias is not None:
            convolution.bias.zero_()


ARCHITECTURES: Final[dict[str, type[TransformationNetwork]]] = {
    network.architecture: network for network in (ReferenceNetwork, LiteNetwork)
}


def build_network(architecture: str) -> TransformationNetwork:
    """Builds a network by the name of its architecture.

    Raises:
        TrainingError: no such architecture; the message lists those that exist.
    """
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise TrainingError(f"unknown architecture {architecture!r}: choose one of {known}")
    return ARCHITECTURES[architecture]()
