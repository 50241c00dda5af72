"""Projections of images onto what is allowed: ranges, smooth images.

References:
    Yosinski et al. 2015, "Understanding Neural Networks Through Deep Visualization" (blur).
    Tomasi and Manduchi 1998, "Bilateral Filtering for Gray and Color Images".
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Projection = Callable[[Tensor], Tensor]
"""Images [N, C, H, W] in, allowed images out."""


def clip(low: float = 0.0, high: float = 1.0) -> Projection:
    """Returns a projection that limits every value to [low, high]."""
    return lambda image: image.clamp(low, high)


def blur(sigma: float, every: int = 1) -> Projection:
    """Returns a projection that applies a Gaussian filter at each ``every``-th call.

    ``sigma`` is in pixels; the border is mirrored.
    """
    return _each(every, lambda image: gaussian_blur(image, sigma))


def bilateral(sigma: float, sigma_range: float, every: int = 1) -> Projection:
    """Returns a projection that applies a bilateral filter at each ``every``-th call.

    Args:
        sigma: standard deviation over places, in pixels.
        sigma_range: standard deviation over colours, in units of the image; the larger, the more
            it is a Gaussian filter. Edges much higher than it stay.
        every: calls from one filtering to the next.
    """
    return _each(every, lambda image: bilateral_filter(image, sigma, sigma_range))


def chain(*projections: Projection) -> Projection:
    """Returns the projections applied one after the other."""

    def project(image: Tensor) -> Tensor:
        for each in projections:
            image = each(image)
        return image

    return project


def gaussian_blur(image: Tensor, sigma: float) -> Tensor:
    """Blurs ``image`` [N, C, H, W], the border mirrored."""
    if sigma <= 0:
        return image
    radius = _radius(image, sigma)
    kernel = _kernel(radius, sigma, image)
    c = image.shape[1]
    image = F.pad(image, (radius,) * 4, mode="reflect")
    image = F.conv2d(image, kernel.view(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c)
    return F.conv2d(image, kernel.view(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c)


def bilateral_filter(image: Tensor, sigma: float, sigma_range: float) -> Tensor:
    """Filters ``image`` [N, C, H, W], edges kept: each pixel is a mean of neighbours like it.

    The likeness of two pixels is that of their colours, all channels together.
    """
    radius = _radius(image, sigma)
    kernel = _kernel(radius, sigma, image)
    height, width = image.shape[-2:]
    padded = F.pad(image, (radius,) * 4, mode="reflect")
    total, weights = torch.zeros_like(image), torch.zeros_like(image[:, :1])
    for dy in range(2 * radius + 1):  # a loop over neighbours: unfolding them would fill memory
        for dx in range(2 * radius + 1):
            neighbour = padded[..., dy : dy + height, dx : dx + width]
            distance = (neighbour - image).square().sum(dim=1, keepdim=True)  # [N, 1, H, W]
            weight = kernel[dy] * kernel[dx] * torch.exp(-distance / (2 * sigma_range**2))
            total, weights = total + weight * neighbour, weights + weight
    return total / weights


def _radius(image: Tensor, sigma: float) -> int:
    """Three standard deviations, or as far as the border can be mirrored."""
    return min(math.ceil(3 * sigma), *(side - 1 for side in image.shape[-2:]))


def _kernel(radius: int, sigma: float, like: Tensor) -> Tensor:
    places = torch.arange(-radius, radius + 1, dtype=like.dtype, device=like.device)
    weights = torch.exp(-places.square() / (2 * sigma**2))
    return weights / weights.sum()  # [2·radius + 1]


def _each(every: int, projection: Projection) -> Projection:
    """Applies ``projection`` at each ``every``-th call only."""
    calls = 0

    def project(image: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return projection(image) if calls % every == 0 else image

    return project
