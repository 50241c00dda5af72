"""Grid of style transfers: style layers × α/β (Gatys, Ecker, Bethge 2016, figure 3)."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from training.baselines.labelled_grid import draw_grid
from training.baselines.style_objective import NORMALIZATIONS, Recipe, transfer_objective
from training.baselines.style_options import (
    Pictures,
    add_layer_options,
    add_tv_option,
    read_pictures,
)
from training.baselines.style_transfer import transfer
from training.networks.loss_network import LossNetwork, load_loss_network
from training.optimize.failures import OptimizationError
from training.optimize.objective import IMAGE
from training.optimize.options import (
    add_loss_network_option,
    add_pyramid_options,
    add_shared_options,
    not_negative,
)
from training.optimize.picture_file import write_picture
from training.optimize.watch import choose_device, watch

RATIOS: Final = (1e-5, 1e-4, 1e-3, 1e-2)
"""α/β of the columns in figure 3."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``optimize grid``."""
    parser = subparsers.add_parser(
        "grid",
        help="style transfers over layers × weights",
        description="Paint a photo many times, as in figure 3 of Gatys 2016: row by row one more "
        "style layer counts, column by column the photo counts more. The losses are printed.",
    )
    parser.add_argument("photo", type=Path, help="the photo, an image file")
    parser.add_argument("painting", type=Path, help="the painting, an image file")
    parser.add_argument(
        "--ratios",
        type=ratios,
        default=RATIOS,
        metavar="α/β,…",
        help="one for each column, with commas (default 1e-5,1e-4,1e-3,1e-2)",
    )
    add_layer_options(parser)
    add_tv_option(parser, default=0.0)
    parser.add_argument(
        "--normalization",
        choices=NORMALIZATIONS,
        default="gatys",
        help="what a layer's loss is divided by, as in optimize style (default gatys: nothing)",
    )
    parser.add_argument(
        "--init",
        choices=("photo", "noise", "painting"),
        default="noise",
        help="where to start (default noise)",
    )
    add_loss_network_option(parser)
    add_shared_options(parser, size=256, steps=150)
    add_pyramid_options(parser)
    parser.set_defaults(run=run)


def ratios(text: str) -> tuple[float, ...]:
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


def run(options: argparse.Namespace) -> None:
    """Paints the grid; whatever ends it early, the cells until then are written.

    Raises:
        TrainingError: a file is no image, or the network lacks a layer.
    """
    cells = plan(options)
    device = choose_device(options.device)
    pictures = read_pictures(options, (options.painting,), device)  # before weights are downloaded
    network = load_loss_network(options.loss_weights, _judge(cells[-1].recipe).layers).to(device)
    painted: list[Cell] = []
    try:
        for cell in cells:
            done, interrupted = _paint(cell, network, pictures, options)
            painted.append(done)
            print(describe(done))
            if interrupted:
                break
    except OptimizationError as error:
        error.image = draw(painted, options) if painted else error.image
        raise
    except KeyboardInterrupt:  # between two optimizations
        if not painted:
            raise
    sheet = draw(painted, options)
    write_picture(options.out, sheet)
    height, width = sheet.shape[-2:]
    ended = "interrupted: " if len(painted) < len(cells) else ""
    print(f"{ended}wrote {options.out} ({width} × {height}), {len(painted)}/{len(cells)} pictures")


def plan(options: argparse.Namespace) -> list[Cell]:
    """Returns the cells, row by row."""
    cells = []
    for row in range(len(options.style_layers)):
        for column, ratio in enumerate(options.ratios):
            recipe = Recipe(
                content_weight=ratio,
                style_weight=1.0,
                tv_weight=options.tv_weight,
                content_layers=options.content_layers,
                style_layers=options.style_layers[: row + 1],
                normalization=options.normalization,
            )
            cells.append(Cell(row, column, recipe))
    return cells


def describe(cell: Cell) -> str:
    """Returns a line on a painted cell."""
    return (
        f"to {cell.recipe.style_layers[-1]}, α/β {_short(cell.recipe.content_weight)}: "
        f"content {cell.content:.4f}, style {cell.style:.4f}"
    )


def draw(painted: list[Cell], options: argparse.Namespace) -> Tensor:
    """Returns the sheet [1, 3, h, w]; cells that are not painted stay grey."""
    layers = options.style_layers
    table: list[list[Tensor | None]] = [[None] * len(options.ratios) for _ in layers]
    for cell in painted:
        table[cell.row][cell.column] = cell.image
    rows = [layers[0], *(f"+ {layer}" for layer in layers[1:])]
    return draw_grid(table, rows, [f"content/style {_short(ratio)}" for ratio in options.ratios])


def _short(ratio: float) -> str:
    """Returns 1e-5 or 2.5e-3, and 0.1 as it is."""
    if not 0 < ratio < 0.1:
        return f"{ratio:g}"
    digits, exponent = f"{ratio:e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def _paint(
    cell: Cell,
    network: LossNetwork,
    pictures: Pictures,
    options: argparse.Namespace,
) -> tuple[Cell, bool]:
    """Paints and measures a cell; says whether Ctrl-C ended it."""
    label = f"{cell.row + 1}.{cell.column + 1}"
    result = transfer(
        options,
        network,
        pictures,
        cell.recipe,
        files=(options.photo, options.painting),
        start=options.init,
        work=options.work and options.work / label,
        observe=lambda _, size: watch(options, f"{label}-{size[1]}x{size[0]}"),
    )
    objective = transfer_objective(network, pictures.photo, pictures.paintings, _judge(cell.recipe))
    image = result.image.to(pictures.photo)
    with torch.no_grad():
        losses = objective({**network(image, objective.layers), IMAGE: image})
    done = replace(
        cell, image=image, content=losses["content"].item(), style=losses["style"].item()
    )
    return done, result.interrupted


def _judge(recipe: Recipe) -> Recipe:
    """Returns the recipe by which a cell is measured, and which asks for all its layers."""
    return replace(recipe, content_weight=1.0, tv_weight=0.0, normalization="calibrated")
