"""Colours kept in style transfer: by luminance, or by giving the painting the photo's colours.

References:
    Gatys, Bethge, Hertzmann, Shechtman 2016, "Preserving Color in Neural Artistic Style
    Transfer": luminance only, and linear colour transfer.
    Sun, Feng, Saenko 2016, "Return of Frustratingly Easy Domain Adaptation": CORAL.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from training.optimize.images import ImageParameterization
from training.optimize.objective import FeatureNetwork

LUMA: Final = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in the luminance, that of YIQ (Rec. 601)."""

_SINGULAR: Final = 1e-8
"""Smallest variance of a colour direction that is divided by: a grey picture has only one."""


def luminance(image: Tensor) -> Tensor:
    """Returns the luminance [N, 1, H, W] of ``image`` [N, 3, H, W]."""
    weights = image.new_tensor(LUMA).view(1, 3, 1, 1)
    return (image * weights).sum(dim=1, keepdim=True)


def match_luminance(image: Tensor, target: Tensor) -> Tensor:
    """Gives ``image`` [N, C, H, W] the mean and standard deviation of ``target`` [N, C, h, w].

    Meant for luminances: the strokes of a dark painting would otherwise darken the photo
    (Gatys et al. 2016, section 4.1). The result may leave [0, 1].
    """
    deviation = image.std(dim=(2, 3), keepdim=True)
    scale = target.std(dim=(2, 3), keepdim=True) / deviation.clamp(min=1e-6)
    centred = image - image.mean(dim=(2, 3), keepdim=True)
    return scale * centred + target.mean(dim=(2, 3), keepdim=True)


def coral(image: Tensor, target: Tensor) -> Tensor:
    """Gives the colours of ``image`` the mean and covariance of those of ``target``.

    Of all linear maps that do so, this one turns the colours least: it whitens with the
    symmetric square root of one covariance and colours with that of the other.

    Args:
        image: picture [1, 3, H, W] in [0, 1].
        target: picture [1, 3, h, w] in [0, 1], of any size.

    Returns:
        A picture [1, 3, H, W]; some of its values may lie outside [0, 1].
    """
    colours, mean, covariance = _colour_statistics(image)
    _, target_mean, target_covariance = _colour_statistics(target)
    whiten = _power(covariance, -0.5)
    turned = _power(target_covariance, 0.5) @ whiten @ (colours - mean) + target_mean
    return turned.to(image.dtype).reshape(image.shape)


def _colour_statistics(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns colours [3, P], mean [3, 1] and covariance [3, 3], in float64."""
    colours = image.double().squeeze(0).flatten(1)
    mean = colours.mean(dim=1, keepdim=True)
    return colours, mean, (colours - mean) @ (colours - mean).T / colours.shape[1]


def _power(covariance: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    power: Tensor = vectors @ torch.diag(values.clamp(min=_SINGULAR) ** exponent) @ vectors.T
    return power


class PaintedLuminance(ImageParameterization):
    """A picture whose luminance is painted and whose chroma is the photo's.

    Where a luminance leaves no room for the photo's chroma (white is no colour), the chroma is
    reduced just so far that the picture stays in [0, 1]; its hue remains.
    """

    chroma: Tensor

    def __init__(self, photo: Tensor, init: Tensor) -> None:
        """Starts from the luminance of ``init`` with the chroma of ``photo``, [1, 3, H, W]."""
        super().__init__()
        self.register_buffer("chroma", photo - luminance(photo))
        self.values = nn.Parameter(luminance(init).detach().clone())  # [1, 1, H, W]

    def forward(self) -> Tensor:
        """Returns the picture [1, 3, H, W]."""
        return self.values + self._room(self.values) * self.chroma

    def set_image(self, image: Tensor) -> None:
        """Takes over the luminance of ``image`` [1, 3, H, W]."""
        with torch.no_grad():
            self.values.copy_(luminance(image))

    def _room(self, values: Tensor) -> Tensor:
        """Returns the share [1, 1, H, W] of the chroma that stays in [0, 1]."""
        inside = values.detach().clamp(0, 1)
        above = self.chroma.amax(dim=1, keepdim=True).clamp(min=1e-6)
        below = (-self.chroma).amax(dim=1, keepdim=True).clamp(min=1e-6)
        return torch.minimum((1 - inside) / above, inside / below).clamp(max=1)


class ColourBlind(nn.Module):
    """A network that sees luminance only."""

    def __init__(self, network: FeatureNetwork) -> None:
        """Shows ``network`` grey pictures."""
        super().__init__()
        self._network = network

    def forward(self, x: Tensor, layers: Iterable[str]) -> Mapping[str, Tensor]:
        """Returns what the network returns for the luminance of ``x`` [N, 3, H, W]."""
        return self._network(luminance(x).expand_as(x), layers)
