"""Noise as a function of place: what a network without it cannot paint with on a flat area.

A network that treats all places alike answers a flat area with a flat area, or with a pattern of
its own stride. Noise at several scales, as in Ulyanov et al. 2016 ("Texture Networks"), gives it
something to be irregular with.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

_SEED: Final = 1874
_VALUES: Final = (256, 256)
_SIGNS: Final = (239, 241)
"""Sides of the two tiles: their product repeats after 61,184 cells and has no spectral lines."""


class NoiseField(nn.Module):
    """Smooth noise that depends on the place alone: the same in every picture and batch.

    The field of one scale is white noise on a grid of square cells, interpolated bilinearly.
    """

    values: Tensor
    signs: Tensor

    def __init__(self) -> None:
        """Draws the tiles, always the same ones."""
        super().__init__()
        generator = torch.Generator().manual_seed(_SEED)
        # Uniform, of variance 1: the rare large values of a Gaussian paint suns into every sky.
        values = (torch.rand(_VALUES, generator=generator) * 2 - 1) * 3**0.5
        signs = torch.randint(0, 2, _SIGNS, generator=generator) * 2.0 - 1.0
        self.register_buffer("values", values, persistent=False)
        self.register_buffer("signs", signs, persistent=False)

    def forward(self, like: Tensor, stride: int, cells: Sequence[int], origin: Tensor) -> Tensor:
        """Returns the noise [1, len(cells), h, w] below the places of a feature map.

        Args:
            like: the map [N, C, h, w], for its size and number format.
            stride: pixels of the photo per place of the map.
            cells: side of the cells of each scale, in pixels of the photo, ``stride`` at least.
            origin: row and column [2] of the photo's first pixel in the field, not negative.
        """
        h, w = like.shape[-2:]
        sides = torch.tensor(cells, device=origin.device)[:, None]  # [K, 1]
        rows, columns = (
            _Axis(places, stride, sides, first)
            for places, first in zip((h, w), origin, strict=True)
        )
        grid = self._white(rows.cells, columns.cells)  # [K, h + 3, w + 3], one value per cell
        upper, lower = (
            grid.gather(1, at[:, :, None].expand(-1, -1, w + 3))
            for at in (rows.before, rows.before + 1)
        )
        lines = upper + (lower - upper) * rows.share[:, :, None]  # [K, h, w + 3]
        left, right = (
            lines.gather(2, at[:, None, :].expand(-1, h, -1))
            for at in (columns.before, columns.before + 1)
        )
        noise = left + (right - left) * columns.share[:, None, :]  # [K, h, w]
        return noise.unsqueeze(0).to(like.dtype)

    def _white(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Returns the values [K, n, m] of the cells with numbers ``rows`` [K, n], ``columns``."""
        values, signs = (
            tile.flatten()[
                rows[:, :, None] % tile.shape[0] * tile.shape[1]
                + columns[:, None, :] % tile.shape[1]
            ]
            for tile in (self.values, self.signs)
        )
        return values * signs


class _Axis:
    """Where the places of a map fall between the cells along one axis, at K scales."""

    def __init__(self, places: int, stride: int, sides: Tensor, origin: Tensor) -> None:
        middle = (torch.arange(places, device=origin.device) + 0.5) * stride + origin  # in pixels
        position = middle / sides + 0.5  # cell i has its middle at i + 1: never before the first
        first = (origin / sides).floor().long()  # [K, 1]
        self.before = position.floor().long() - first  # [K, places]
        self.share = position - position.floor()  # [K, places]
        # Enough of the smallest cells, more than enough of the others.
        self.cells = torch.arange(places + 3, device=origin.device) + first  # [K, places + 3]


_FARTHEST: Final = 1 << 20
"""Pixels; places up to here are exact in float32."""


def draw_origin(generator: torch.Generator) -> Tensor:
    """Draws a place [2] in the field, so that training ties nothing to the border of the photo."""
    return torch.randint(_FARTHEST, (2,), generator=generator)
