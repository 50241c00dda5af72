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
    """Smooth Gaussian noise that depends on the place alone: the same in every picture and batch.

    The field of one scale is white noise on a grid of square cells, interpolated bilinearly.
    """

    values: Tensor
    signs: Tensor

    def __init__(self) -> None:
        """Draws the tiles, always the same ones."""
        super().__init__()
        generator = torch.Generator().manual_seed(_SEED)
        values = torch.randn(_VALUES, generator=generator)
        signs = torch.randint(0, 2, _SIGNS, generator=generator) * 2.0 - 1.0
        self.register_buffer("values", values, persistent=False)
        self.register_buffer("signs", signs, persistent=False)

    def forward(self, like: Tensor, stride: int, cells: Sequence[int], origin: Tensor) -> Tensor:
        """Returns the noise [1, len(cells), h, w] below the places of a feature map.

        Args:
            like: the map [N, C, h, w], for its size and number format.
            stride: pixels of the photo per place of the map.
            cells: side of the cells of each scale, in pixels of the photo.
            origin: row and column [2] of the photo's first pixel in the field, not negative.
        """
        h, w = like.shape[-2:]
        scales = [
            self._scale(_Axis(h, stride, cell, origin[0]), _Axis(w, stride, cell, origin[1]))
            for cell in cells
        ]
        return torch.stack(scales).unsqueeze(0).to(like.dtype)

    def _scale(self, rows: "_Axis", columns: "_Axis") -> Tensor:
        grid = self._cells(rows.cells, columns.cells)  # white, one value per cell
        upper, lower = grid[rows.before], grid[rows.before + 1]
        lines = upper + (lower - upper) * rows.share[:, None]  # [h, cells]
        left, right = lines[:, columns.before], lines[:, columns.before + 1]
        return left + (right - left) * columns.share  # [h, w]

    def _cells(self, rows: Tensor, columns: Tensor) -> Tensor:
        values = self.values[rows % _VALUES[0]][:, columns % _VALUES[1]]
        return values * self.signs[rows % _SIGNS[0]][:, columns % _SIGNS[1]]


class _Axis:
    """Where the places of a map fall between the cells along one axis."""

    def __init__(self, places: int, stride: int, cell: int, origin: Tensor) -> None:
        device = origin.device
        middle = (torch.arange(places, device=device) + 0.5) * stride + origin  # in pixels
        position = middle / cell + 0.5  # cell i has its middle at i + 1: never before the first
        first = (origin / cell).floor().long()
        self.before = position.floor().long() - first  # [places]
        self.share = position - position.floor()  # [places]
        self.cells = torch.arange(places * stride // cell + 3, device=device) + first


_FARTHEST: Final = 1 << 20
"""Pixels; places up to here are exact in float32."""


def draw_origin(generator: torch.Generator) -> Tensor:
    """Draws a place [2] in the field, so that training ties nothing to the border of the photo."""
    return torch.randint(_FARTHEST, (2,), generator=generator)
