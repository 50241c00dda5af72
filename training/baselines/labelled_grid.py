"""Grids of pictures with a label for each row and column, drawn with Pillow alone."""

from collections.abc import Sequence
from typing import Final

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

_GAP: Final = 6
_PAPER: Final = 255
_INK: Final = (40, 40, 40)


def draw_grid(
    cells: Sequence[Sequence[Tensor | None]], rows: Sequence[str], columns: Sequence[str]
) -> Tensor:
    """Draws a grid.

    Args:
        cells: pictures [1, 3, H, W] in [0, 1], all of one size, row by row; None leaves a cell
            grey.
        rows: a label for each row, written to the left.
        columns: a label for each column, written above. Pillow's own font has no Greek letters.

    Returns:
        The grid [1, 3, h, w] in [0, 1].
    """
    height, width = next(cell for row in cells for cell in row if cell is not None).shape[-2:]
    letters = max(10, round(0.07 * height))
    font = ImageFont.load_default(letters)
    left = round(max((font.getlength(label) for label in rows), default=0)) + 2 * _GAP
    top = round(1.3 * letters) + 2 * _GAP
    page = torch.full(
        (3, top + len(rows) * (height + _GAP), left + len(columns) * (width + _GAP)), _PAPER / 255
    )
    for y, row in enumerate(cells):
        for x, cell in enumerate(row):
            upper, start = top + y * (height + _GAP), left + x * (width + _GAP)
            picture = torch.tensor(0.9) if cell is None else cell.squeeze(0).cpu()
            page[:, upper : upper + height, start : start + width] = picture
    middles = [top + y * (height + _GAP) + height // 2 for y in range(len(rows))]
    centres = [left + x * (width + _GAP) + width // 2 for x in range(len(columns))]
    labels = [(label, (left - _GAP, y), "rm") for label, y in zip(rows, middles, strict=True)]
    labels += [(label, (x, top - _GAP), "mb") for label, x in zip(columns, centres, strict=True)]
    return _write(page, labels, font)


def _write(
    page: Tensor,
    labels: Sequence[tuple[str, tuple[int, int], str]],
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> Tensor:
    """Writes each label at its place, anchored as Pillow names it."""
    levels = (255 * page.permute(1, 2, 0)).round().byte().numpy()
    image = Image.fromarray(levels)
    pen = ImageDraw.Draw(image)
    for label, place, anchor in labels:
        pen.text(place, label, font=font, fill=_INK, anchor=anchor)
    data = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return data.reshape(image.height, image.width, 3).permute(2, 0, 1)[None].float() / 255
