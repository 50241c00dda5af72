"""Grid of style transfers: style layers × α/β (Gatys, Ecker, Bethge 2016, figure 3)."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar, Final

import torch
from torch import Tensor

from training.baselines.labelled_grid import draw_grid
from training.baselines.style_objective import Normalization, Recipe, transfer_objective
from training.baselines.style_options import Pictures, Start, Transfer
from training.baselines.style_transfer import transfer
from training.networks.loss_network import LossNetwork, load_loss_network
from training.optimize.failures import OptimizationError
from training.optimize.loop import Result
from training.optimize.objective import IMAGE
from training.options import NotNegative, Positive, not_negative

RATIOS: Final = (1e-5, 1e-4, 1e-3, 1e-2)
"""α/β of the columns in figure 3."""


def read_ratios(text: str) -> tuple[float, ...]:
    """Reads weights with commas."""
    return tuple(not_negative(part) for part in text.split(","))


@dataclass(frozen=True)
class Cell:
    """One transfer of the grid and, once painted, its picture [1, 3, H, W] and losses.

    The losses are those of the cell's own layers, calibrated: along a row they can be compared.
    """

    row: int
    column: int
    recipe: Recipe
    image: Tensor | None = None
    content: float = 0.0
    style: float = 0.0


@dataclass(frozen=True, kw_only=True)
class StyleGrid(Transfer):
    """A photo painted many times, as in figure 3 of Gatys 2016.

    Row by row one more style layer counts, column by column the photo counts more. The losses are
    printed.

    Args:
        painting: the painting, an image file
        ratios: α/β of each column, with commas (default 1e-5,1e-4,1e-3,1e-2)
        tv_weight: of the total variation
    """

    painting: Path
    ratios: Annotated[tuple[float, ...], read_ratios, "α/β,…"] = RATIOS
    tv_weight: NotNegative = 0.0
    normalization: Normalization = "gatys"
    init: Start = "noise"
    steps: Positive = 150

    positional: ClassVar = ("photo", "painting")
    incidental: ClassVar = Transfer.incidental | {"ratios", "style_layers"}  # a cell has its own

    def make(self) -> Result:
        """Paints the grid; whatever ends it early, the cells until then are in the result.

        Raises:
            TrainingError: a file is no image, or the network lacks a layer.
        """
        cells = self.plan()
        pictures = self.read_pictures((self.painting,))  # before weights are downloaded
        network = load_loss_network(self.loss_weights, _judge(cells[-1].recipe).layers)
        network = network.to(pictures.photo.device)
        painted: list[Cell] = []
        interrupted = False
        try:
            for cell in cells:
                done, interrupted = self._paint(cell, network, pictures)
                painted.append(done)
                print(describe(done))
                if interrupted:
                    break
        except OptimizationError as error:
            error.image = self.draw(painted) if painted else error.image
            raise
        except KeyboardInterrupt:  # between two optimizations
            if not painted:
                raise
            interrupted = True
        return Result(self.draw(painted), [cell.style for cell in painted], interrupted)

    def plan(self) -> list[Cell]:
        """Returns the cells, row by row."""
        return [
            Cell(
                row,
                column,
                Recipe(
                    content_weight=ratio,
                    style_weight=1.0,
                    tv_weight=self.tv_weight,
                    content_layers=self.content_layers,
                    style_layers=self.style_layers[: row + 1],
                    normalization=self.normalization,
                ),
            )
            for row in range(len(self.style_layers))
            for column, ratio in enumerate(self.ratios)
        ]

    def draw(self, painted: list[Cell]) -> Tensor:
        """Returns the sheet [1, 3, h, w]; cells that are not painted stay grey."""
        layers = self.style_layers
        table: list[list[Tensor | None]] = [[None] * len(self.ratios) for _ in layers]
        for cell in painted:
            table[cell.row][cell.column] = cell.image
        rows = [layers[0], *(f"+ {layer}" for layer in layers[1:])]
        return draw_grid(table, rows, [f"content/style {_short(ratio)}" for ratio in self.ratios])

    def summary(self, result: Result) -> str:
        """Returns the last line of the command."""
        height, width = result.image.shape[-2:]
        painted, all_of_them = len(result.losses), len(self.style_layers) * len(self.ratios)
        ended = "interrupted: " if painted < all_of_them else ""
        return f"{ended}wrote {self.out} ({width} × {height}), {painted}/{all_of_them} pictures"

    def _paint(self, cell: Cell, network: LossNetwork, pictures: Pictures) -> tuple[Cell, bool]:
        """Paints and measures a cell; says whether Ctrl-C ended it."""
        label = f"{cell.row + 1}.{cell.column + 1}"
        result = transfer(
            self,
            network,
            pictures,
            cell.recipe,
            (self.painting,),
            work=self.work and self.work / label,
            label=f"{label}-",
        )
        judge = _judge(cell.recipe)
        objective = transfer_objective(network, pictures.photo, pictures.paintings, judge)
        image = result.image.to(pictures.photo)
        with torch.no_grad():
            losses = objective({**network(image, objective.layers), IMAGE: image})
        done = replace(
            cell, image=image, content=losses["content"].item(), style=losses["style"].item()
        )
        return done, result.interrupted


def describe(cell: Cell) -> str:
    """Returns a line on a painted cell."""
    return (
        f"to {cell.recipe.style_layers[-1]}, α/β {_short(cell.recipe.content_weight)}: "
        f"content {cell.content:.4f}, style {cell.style:.4f}"
    )


def _short(ratio: float) -> str:
    """Returns 1e-5 or 2.5e-3, and 0.1 as it is."""
    if not 0 < ratio < 0.1:
        return f"{ratio:g}"
    digits, exponent = f"{ratio:e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def _judge(recipe: Recipe) -> Recipe:
    """Returns the recipe by which a cell is measured, and which asks for all its layers."""
    return replace(recipe, content_weight=1.0, tv_weight=0.0, normalization="calibrated")
