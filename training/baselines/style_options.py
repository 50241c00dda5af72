"""Options that style transfer, its grid and doodles share, and what they stand for."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor

from training.baselines.style_objective import CONTENT_LAYERS, NORMALIZATIONS, STYLE_LAYERS, Recipe
from training.losses.perceptual import STYLE_WEIGHT
from training.optimize.options import not_negative, positive
from training.optimize.picture_file import fit, read_picture, resize

GATYS_STYLE_WEIGHT: Final = 1e3
"""α/β = 10⁻³, as in figure 2 of Gatys 2016."""

TV_WEIGHT: Final = 1.0
"""Enough against the speckles that max pooling leaves, too little to blur strokes."""


class WeightedFile(NamedTuple):
    """A painting's file and its weight beside the others."""

    path: Path
    weight: float


def add_recipe_options(parser: argparse.ArgumentParser) -> None:
    """Adds weights, layers, normalization and the painting's size."""
    parser.add_argument(
        "--content-weight",
        type=not_negative,
        default=1.0,
        metavar="α",
        help="of the photo (default 1)",
    )
    parser.add_argument(
        "--style-weight",
        type=not_negative,
        metavar="β",
        help=f"of the paintings (default {STYLE_WEIGHT:g}; with --normalization gatys "
        f"{GATYS_STYLE_WEIGHT:g})",
    )
    add_tv_option(parser)
    add_layer_options(parser)
    parser.add_argument(
        "--normalization",
        choices=NORMALIZATIONS,
        default="calibrated",
        help="what a layer's loss is divided by: calibrated, so that the unstyled photo costs 1 "
        "and one weight serves all paintings (default); energy, so that an image without "
        "features costs 1; gatys, nothing, as in the paper",
    )


def add_tv_option(parser: argparse.ArgumentParser, default: float | None = None) -> None:
    """Adds ``--tv-weight``; a default of None is left to ``recipe_of``."""
    shown = f"{TV_WEIGHT:g}; with --normalization gatys 0" if default is None else f"{default:g}"
    parser.add_argument(
        "--tv-weight",
        type=not_negative,
        default=default,
        help=f"of the total variation (default {shown})",
    )


def add_layer_options(parser: argparse.ArgumentParser) -> None:
    """Adds content layers, style layers and the painting's size."""
    parser.add_argument(
        "--content-layers",
        type=layer_names,
        default=CONTENT_LAYERS,
        metavar="NAMES",
        help=f"layers that hold the photo, with commas (default {','.join(CONTENT_LAYERS)})",
    )
    parser.add_argument(
        "--style-layers",
        type=layer_names,
        default=STYLE_LAYERS,
        metavar="NAMES",
        help=f"layers that hold the strokes, with commas (default {','.join(STYLE_LAYERS)})",
    )
    parser.add_argument(
        "--style-size",
        type=positive,
        metavar="PIXELS",
        help="longer side of the paintings: larger means larger strokes (default: --size)",
    )


def recipe_of(options: argparse.Namespace) -> Recipe:
    """Returns what the options of ``add_recipe_options`` ask for.

    Raises:
        TrainingError: both weights are 0.
    """
    papers = options.normalization == "gatys"
    usual = GATYS_STYLE_WEIGHT if papers else STYLE_WEIGHT
    usual_tv = 0.0 if papers else TV_WEIGHT
    return Recipe(
        content_weight=options.content_weight,
        style_weight=usual if options.style_weight is None else options.style_weight,
        tv_weight=usual_tv if options.tv_weight is None else options.tv_weight,
        content_layers=options.content_layers,
        style_layers=options.style_layers,
        normalization=options.normalization,
    )


@dataclass(frozen=True)
class Pictures:
    """Photo and paintings at their largest size; ``at`` gives them for a level.

    Attributes:
        photo: [1, 3, H, W] in [0, 1].
        paintings: each [1, 3, h, w] in [0, 1].
    """

    photo: Tensor
    paintings: tuple[Tensor, ...]

    def at(self, size: tuple[int, int]) -> "Pictures":
        """Returns the photo at ``size`` (height, width) and the paintings reduced as much."""
        share = max(size) / max(self.photo.shape[-2:])
        paintings = tuple(
            resize(each, fit(each.shape, round(share * max(each.shape[-2:]))))
            for each in self.paintings
        )
        return Pictures(resize(self.photo, size), paintings)


def read_pictures(
    options: argparse.Namespace, paintings: tuple[Path, ...], device: torch.device
) -> Pictures:
    """Reads the photo at ``--size`` and the paintings at ``--style-size``.

    Whatever the size of a file, it is reduced or enlarged to that: a tiny painting is enlarged.

    Raises:
        TrainingError: a file is missing or no image.
    """
    style_size = options.style_size or options.size
    return Pictures(
        read_picture(options.photo, options.size).to(device),
        tuple(read_picture(path, style_size).to(device) for path in paintings),
    )


def shares_of(paintings: tuple[WeightedFile, ...]) -> tuple[float, ...]:
    """Returns the paintings' weights, scaled to the sum 1."""
    total = sum(each.weight for each in paintings)
    return tuple(each.weight / total for each in paintings)


def weighted_file(text: str) -> WeightedFile:
    """Reads ``PAINTING`` or ``PAINTING=weight``; a file whose name has an = is found, too."""
    name, sign, number = text.rpartition("=")
    if not sign or Path(text).is_file():
        return WeightedFile(Path(text), 1.0)
    value = not_negative(number)
    if value == 0:
        raise argparse.ArgumentTypeError(f"{text!r} has no part in it: leave it out")
    return WeightedFile(Path(name), value)


def layer_names(text: str) -> tuple[str, ...]:
    """Reads layer names with commas."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("name at least one layer, such as relu1_1,relu2_1")
    return names
