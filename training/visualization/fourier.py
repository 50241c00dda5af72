"""Fourier image: frequencies of equal weight and decorrelated colours (Olah et al. 2017).

The numbers are those of lucid (Mordvintsev, Pezzotti, Schubert, Olah 2018, "Differentiable Image
Parameterizations"): steepest descent on them is smooth in the pixels, as photographs are.
"""

import math
from typing import Final

import torch
from torch import Tensor, nn

from training.optimize.images import ImageParameterization

COLOUR_CORRELATION: Final = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""Square root of the correlation of red, green and blue in ImageNet, as lucid publishes it."""

COLOUR_MEAN: Final = (0.48, 0.46, 0.41)
"""Mean colour that is added where there is no sigmoid, as in lucid."""

CONTRAST: Final = 0.25
"""lucid's factor on the image that comes out of the spectrum."""

MARGIN: Final = 1 / 510
"""Half a grey level: a photo is kept this far from black and white, where a sigmoid is flat."""


class Fourier(ImageParameterization):
    """Images as spectra: coefficient × 1 / frequency^decay, colours mixed, through a sigmoid."""

    scale: Tensor
    mixing: Tensor
    mean: Tensor

    def __init__(
        self,
        shape: tuple[int, int, int] | None = None,
        *,
        std: float = 0.01,
        decay: float = 1.0,
        decorrelate: bool = True,
        sigmoid: bool = True,
        init: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        """Starts from random coefficients, or from images.

        Args:
            shape: number of images, height and width; not needed with ``init``.
            std: standard deviation of the random coefficients.
            decay: exponent of the frequency: 1 gives the spectrum of photographs.
            decorrelate: whether colours are mixed as those of photographs go together.
            sigmoid: whether a sigmoid keeps the image between 0 and 1.
            init: images [N, 3, H, W] to start from, in [0, 1]; with the sigmoid they are kept
                half a grey level away from 0 and 1.
            generator: makes the random coefficients repeatable; they are drawn on the CPU.

        Raises:
            ValueError: neither ``shape`` nor ``init`` is given.
        """
        super().__init__()
        if init is not None:
            shape = (len(init), *init.shape[-2:])
        if shape is None:
            raise ValueError("a Fourier image needs a shape or an image to start from")
        n, self.height, self.width = shape
        self.sigmoid = sigmoid
        frequencies = _frequencies(self.height, self.width)
        lowest = 1 / max(self.height, self.width)  # the constant part counts as the lowest one
        scale = frequencies.clamp(min=lowest) ** -decay
        mixing = _mixing() if decorrelate else torch.eye(3)
        mean = torch.tensor(COLOUR_MEAN) if decorrelate and not sigmoid else torch.zeros(3)
        self.register_buffer("scale", CONTRAST * scale, persistent=False)  # [H, W // 2 + 1]
        self.register_buffer("mixing", mixing, persistent=False)  # [3, 3]
        self.register_buffer("mean", mean.view(3, 1, 1), persistent=False)
        values = std * torch.randn((n, 3, *frequencies.shape, 2), generator=generator)
        self.values = nn.Parameter(values)
        if init is not None:
            self.to(init.device)
            self.set_image(init)

    def forward(self) -> Tensor:
        """Returns the images [N, 3, H, W]; in (0, 1) with the sigmoid."""
        spectrum = torch.view_as_complex(self.values) * self.scale
        planes = torch.fft.irfft2(spectrum, s=(self.height, self.width), norm="ortho")
        image = torch.einsum("rc,nchw->nrhw", self.mixing, planes) + self.mean
        return image.sigmoid() if self.sigmoid else image

    @torch.no_grad()
    def set_image(self, image: Tensor) -> None:
        """Takes over ``image`` [N, 3, H, W]; with the sigmoid, half a grey level from 0 and 1."""
        # In double precision, because dividing by the scale amplifies rounding.
        image = image.detach().double()
        if self.sigmoid:
            image = image.clamp(MARGIN, 1 - MARGIN).logit()
        unmixed = torch.linalg.inv(self.mixing.double())
        planes = torch.einsum("cr,nrhw->nchw", unmixed, image - self.mean)
        spectrum = torch.fft.rfft2(planes, norm="ortho") / self.scale
        self.values.copy_(torch.view_as_real(spectrum))


def _frequencies(height: int, width: int) -> Tensor:
    """Returns the frequency of each coefficient [H, W // 2 + 1], in cycles per pixel."""
    vertical, horizontal = torch.fft.fftfreq(height), torch.fft.rfftfreq(width)
    return torch.hypot(vertical[:, None], horizontal[None, :])


def _mixing() -> Tensor:
    """Returns the matrix [3, 3] from decorrelated to real colours, its largest column of norm 1."""
    matrix = torch.tensor(COLOUR_CORRELATION)
    largest = math.sqrt(float(matrix.square().sum(dim=0).max()))
    return matrix / largest
