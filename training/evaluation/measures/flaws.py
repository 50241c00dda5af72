"""What betrays a picture of a network at first sight: lattices, halos, empty skies, lost detail.

Measured on drawn pictures with nothing else in them, so that the numbers mean the same for every
model and every folder of photos.
"""

from typing import Final

import torch
from torch import Tensor

from training.evaluation.measures.stability import Painter
from training.losses.edges import EdgeLoss, edges
from training.losses.lattice import PERIODS, fold
from training.losses.luminance import fine_luminance, luminance

LEVELS: Final = 255
_RIM: Final = 16
"""Pixels at the border of a calm area that see what is beyond it."""

SENSOR_NOISE: Final = 1.0
"""Levels. A network without noise of its own needs the photo's to show its lattice."""

_EDGE: Final = 192
_NEAR: Final = slice(_EDGE + 4, _EDGE + 20)
_FAR: Final = slice(_EDGE + 108, _EDGE + 158)


def step_picture() -> Tensor:
    """Draws a dark half beside a bright one, 60 and 225, with noise of 2 levels: [1, 3, 256, 384].

    The same noise in all three channels, always the same.
    """
    generator = torch.Generator().manual_seed(0)
    picture = torch.full((1, 1, 256, 2 * _EDGE), 60.0)
    picture[..., _EDGE:] = 225.0
    picture += 2 * torch.randn(picture.shape, generator=generator)
    return (picture.round().clamp(0, LEVELS) / LEVELS).repeat(1, 3, 1, 1)


def calm_picture(noise: float = 0.0) -> Tensor:
    """Draws a sky without clouds, 320 × 512, above 64 rows of random blocks: [1, 3, 384, 512].

    The blocks are there because a picture without contrast is none that a network was trained on.
    ``noise`` is added, of this deviation in levels, the same in all three channels.
    """
    generator = torch.Generator().manual_seed(0)
    sky = torch.linspace(0.45, 0.8, 320).view(1, 1, 320, 1) * torch.tensor([0.8, 0.9, 1.0]).view(
        1, 3, 1, 1
    )
    blocks = torch.rand(1, 3, 4, 32, generator=generator)
    blocks = blocks.repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    picture = LEVELS * torch.cat([sky.expand(1, 3, 320, 512), blocks], dim=2)
    picture += noise * torch.randn(1, 1, 384, 512, generator=generator)
    return picture.round().clamp(0, LEVELS) / LEVELS


def halo(paint: Painter) -> float:
    """Returns how much brighter or darker the bright side is near the edge than far from it.

    In levels of 255, from the painted ``step_picture``: 4 to 20 pixels from the edge against 108
    to 158.
    """
    bright = luminance(paint(step_picture()))[0, 0, _RIM:-_RIM]  # [224, 384]
    return LEVELS * abs(bright[:, _NEAR].mean() - bright[:, _FAR].mean()).item()


def calm_area(paint: Painter, noise: float = 0.0) -> Tensor:
    """Returns the fine luminance [1, 1, h, w] of the painted sky of ``calm_picture``, in levels."""
    fine = LEVELS * fine_luminance(paint(calm_picture(noise)))
    return fine[..., _RIM : 320 - 4 * _RIM, _RIM:-_RIM]


def lattice(fine: Tensor) -> dict[int, float]:
    """Returns what ``fine`` [1, 1, h, w] repeats with each period, root mean square in its unit.

    What strokes at random places would leave is taken off: σ² / n, for the mean of n cells whose
    values have the variance σ².
    """
    found = {}
    for period in PERIODS:
        rows, columns = fine.shape[-2] // period, fine.shape[-1] // period
        by_chance = fine.square().mean() / (rows * columns)
        square = fold(fine, period).square().mean()
        found[period] = (square - by_chance).clamp(min=0).sqrt().item()
    return found


def painted_share(fine: Tensor, painting: Tensor) -> float:
    """Returns the fine variance of a painted calm area, in levels, by that of ``painting``.

    ``painting`` is [1, 3, h, w] in [0, 1]; one without fine detail gives infinity.
    """
    variance = (LEVELS * fine_luminance(painting)).square().mean()
    return float(fine.square().mean() / variance)


def detail_kept(photos: Tensor, painted: Tensor) -> float:
    """Returns the correlation of gradients on the photos' strongest edges, both [N, 3, H, W]."""
    kept: list[float] = [
        1 - EdgeLoss()(edges(photo[None]), picture[None]).item()
        for photo, picture in zip(photos, painted, strict=True)
    ]
    return sum(kept) / len(kept)
