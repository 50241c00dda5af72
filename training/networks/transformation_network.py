"""What transformation networks are made of: photo and style vector in, painted photo out.

References:
    Dumoulin, Shlens, Kudlur 2017, "A Learned Representation for Artistic Style" (conditional
    instance normalization, mirror padding).
    Aitken et al. 2017, "Checkerboard artifact free sub-pixel convolution" (its initialization).

Everything here takes RGB float images [N, 3, H, W] in [0, 1] and returns the same.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.networks.fade import fade
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
    """What all networks share: the style vector's layout, padding to the stride, the digest.

    The last number of a style vector is the opacity of the photo itself, in [0, 1]: 0 for
    paintings, 1 for the style ``photograph``, whose γ and β are all 0, and in between for blends
    with it. The normalization at the entrance maps a photo and any darker or paler version of it
    to the same features, IN(a·x + b) = IN(x), so no γ and β alone could give the photo back.
    """

    architecture: str
    stride: int
    """Pixels per place of the narrowest level; photos are padded to a multiple of it."""
    has_noise = False
    """Whether the place in the noise, see ``render``, changes what is painted."""

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
        x = F.pad(centred(x), (0, -w % self.stride, 0, -h % self.stride), mode="reflect")
        if origin is None:
            origin = torch.zeros(2, dtype=torch.long, device=x.device)
        painted: Tensor = self.paint(x, StylePack(style), origin)[..., :h, :w]
        return painted

    def paint(self, x: Tensor, style: StylePack, origin: Tensor) -> Tensor:
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


def centred(x: Tensor) -> Tensor:
    """Subtracts the mean of each channel of ``x`` [N, C, H, W].

    The normalization behind the next convolution would do so, too, but of a large channel that
    is the same everywhere it rounds the mean, and then divides the rest by ``√NORM_EPSILON``: a
    white page of 1024 pixels came out 70 levels off its colour. So it goes where nothing behind
    mends that, before the last normalization, and before the first, for the sake of gradients.
    """
    return x - x.float().mean(dim=(2, 3), keepdim=True).to(x.dtype)


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
