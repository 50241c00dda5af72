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
from training.networks.noise_field import NoiseField
from training.networks.reflection_padding import ReflectedConvolution

MIN_SIDE: Final = 16
"""Smallest height or width: at an eighth of it, reflection padding still has pixels to mirror."""

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
    stride: int
    """Pixels per place of the narrowest level; photos are padded to a multiple of it."""

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

    def render(self, x: Tensor, style: Tensor, origin: Tensor | None = None) -> Tensor:
        """Paints like ``forward``, but without the photo showing through.

        ``origin`` [2] is the row and column of the photo's first pixel in the noise; 0 if None.

        A blend with ``photograph`` has smaller γ and β, by the share of the paintings in it; they
        are made as large again as those of the paintings alone.
        """
        h, w = x.shape[-2:]
        opacity = style[:, -1:].detach()  # training leaves it as it is
        style = style / (1 - opacity).clamp(min=_LEAST_SHARE)
        x = F.pad(x, (0, -w % self.stride, 0, -h % self.stride), mode="reflect")
        if origin is None:
            origin = torch.zeros(2, dtype=torch.long, device=x.device)
        painted: Tensor = self.paint(x, StylePack(style), origin)[..., :h, :w]
        return painted

    def paint(self, x: Tensor, style: StylePack, origin: Tensor) -> Tensor:
        """Paints ``x`` [N, 3, H, W] with H and W multiples of the stride."""
        raise NotImplementedError


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
        x = self.encode1(x, *style.take(self.encode1))  # [N, 32, H, W]
        x = self.encode2(x, *style.take(self.encode2))  # [N, 64, H/2, W/2]
        x = self.encode3(x, *style.take(self.encode3))  # [N, 128, H/4, W/4]
        for block in self.blocks:
            x = block(x, style)
        x = upsample(x)
        x = self.decode1(x, *style.take(self.decode1))  # [N, 64, H/2, W/2]
        x = upsample(x)
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
        x = F.pixel_unshuffle(x, 2)  # [N, 12, H/2, W/2]
        x = self.encode1(x, *style.take(self.encode1))  # [N, 32, H/2, W/2]
        x = self.encode2(x, *style.take(self.encode2))  # [N, 64, H/4, W/4]
        for block in self.blocks:
            x = block(x, style)
        x = upsample(x)
        x = self.decode1(x, *style.take(self.decode1))  # [N, 32, H/2, W/2]
        return torch.sigmoid(F.pixel_shuffle(self.to_rgb(x), 2))  # [N, 3, H, W]


class Hourglass(TransformationNetwork):
    """Down to an eighth of the size and up again, with noise and skips.

    Nothing but bytes lives at full resolution: pixel unshuffle folds 2 × 2 pixels into channels
    at the entrance, pixel shuffle unfolds them at the exit. The narrow level sees some 170 pixels
    around it. The skips carry the photo alone, so that noise cannot draw over its detail before
    a convolution has seen both.
    """

    stride = 8

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
        x = upsample(self.reduce2(x, *style.take(self.reduce2)), "bilinear") + middle
        x = self.decode2(torch.cat([x, grain], dim=1), *style.take(self.decode2))
        for block in self.fine_blocks:
            x = block(x, style)
        x = upsample(self.reduce1(x, *style.take(self.reduce1)), "bilinear") + fine
        grain = self._grain(self.grain1, fine, 2, _CELLS_AT_A_HALF, style, origin)
        grain = grain * upsample(calm, "bilinear")
        x = self.decode1(torch.cat([x, grain], dim=1), *style.take(self.decode1))
        return torch.sigmoid(F.pixel_shuffle(self.to_rgb(x), 2))  # [N, 3, H, W]

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
        noise = self.noise(like, stride, cells, origin).expand(len(like), -1, -1, -1)
        grain: Tensor = layer(noise, *style.take(layer))
        return grain


def calmness(x: Tensor) -> Tensor:
    """Returns how little happens around each place of a photo, in [0, 1]: [N, 1, H/4, W/4].

    Strokes follow what is in the photo wherever something is; noise is for the rest. 1 is flat,
    a half is a local deviation of ``_CALM``.

    Args:
        x: the photo in [0, 1], unshuffled by two: [N, 12, H/2, W/2].
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
    """For GPUs: four times the multiplications."""

    architecture = "hourglass"

    def __init__(self) -> None:
        """Builds with 64, 128 and 192 channels."""
        super().__init__((64, 128, 192), blocks=5, fine_blocks=2)


def fade(photo: Tensor, painted: Tensor, opacity: Tensor) -> Tensor:
    """Lays ``photo`` [N, 3, H, W] over ``painted`` with ``opacity`` [N, 1, 1, 1].

    Each colour channel is stretched to the contrast that lies between those of the two pictures:
    a plain mixture of two unlike pictures is paler than both, and so farther from the painting
    than the photo is.
    """
    mixed = opacity.to(photo.dtype) * photo + (1 - opacity).to(photo.dtype) * painted
    wanted = opacity * _contrast(photo) + (1 - opacity) * _contrast(painted)
    stretch = (wanted / _contrast(mixed)).to(mixed.dtype)  # [N, 3, 1, 1]
    mean = mixed.mean(dim=(2, 3), keepdim=True)
    return (mean + stretch * (mixed - mean)).clamp(0, 1)


def _contrast(images: Tensor) -> Tensor:
    """Returns the standard deviation of each channel, in float32, never quite 0, [N, 3, 1, 1]."""
    images = images.float()
    difference = images - images.mean(dim=(2, 3), keepdim=True)
    return (difference.square().mean(dim=(2, 3), keepdim=True) + 1e-8).sqrt()


def upsample(x: Tensor, mode: str = "nearest") -> Tensor:
    """Doubles height and width by repeating pixels, or smoothly with ``mode`` "bilinear"."""
    return F.interpolate(x, scale_factor=2.0, mode=mode)


def initialize_without_checkerboard(convolution: nn.Conv2d) -> None:
    """Gives the four sub-pixels of a pixel shuffle the same filters (Aitken 2017, "ICNR")."""
    with torch.no_grad():
        weight = convolution.weight  # [4·C, c_in, k, k], sub-pixels of a channel are neighbours
        weight.copy_(weight[::4].repeat_interleave(4, dim=0))
        if convolution.bias is not None:
            convolution.bias.zero_()


ARCHITECTURES: Final[dict[str, type[TransformationNetwork]]] = {
    network.architecture: network
    for network in (WideHourglass, LiteHourglass, ReferenceNetwork, LiteNetwork)
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
