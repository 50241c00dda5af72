"""Style transfer (Gatys, Ecker, Bethge 2016, "Image Style Transfer Using CNNs").

Deviations: by default each layer's style loss is divided by its value at the photo (see
``Recipe``), sizes go from coarse to fine, the start is the photo, pixels are kept in [0, 1] and
the total variation counts a little. ``--normalization gatys --init noise --levels 1`` is the
paper.
"""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from training.baselines.colour import (
    ColourBlind,
    PaintedLuminance,
    coral,
    luminance,
    match_luminance,
)
from training.baselines.images import ImageParameterization, Pixels, noise
from training.baselines.objective import FeatureNetwork
from training.baselines.options import (
    add_loss_network_option,
    add_pyramid_options,
    add_shared_options,
)
from training.baselines.picture_file import fit, resize
from training.baselines.pyramid import (
    Problem,
    Size,
    coarse_to_fine,
    fingerprint_of,
    optimize_pyramid,
)
from training.baselines.soft_range import kept_in_range
from training.baselines.style_objective import Recipe, transfer_objective
from training.baselines.style_options import (
    Pictures,
    add_recipe_options,
    read_pictures,
    recipe_of,
    shares_of,
    weighted_file,
)
from training.baselines.watch import choose_device, finish, watch
from training.networks.loss_network import LossNetwork, load_loss_network

Start = Literal["noise", "photo", "painting"]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``optimize style``."""
    parser = subparsers.add_parser(
        "style",
        help="a photo in the style of paintings",
        description="Paint a photo in the style of one or several paintings (Gatys 2016).",
    )
    parser.add_argument("photo", type=Path, help="the photo, an image file")
    parser.add_argument(
        "paintings",
        type=weighted_file,
        nargs="+",
        metavar="PAINTING[=WEIGHT]",
        help="image files; the weights (default 1) say how much each counts beside the others",
    )
    add_recipe_options(parser)
    parser.add_argument(
        "--init",
        choices=("photo", "noise", "painting"),
        default="photo",
        help="where to start; painting is the first one, stretched (default photo)",
    )
    parser.add_argument(
        "--keep-colours",
        choices=("luminance", "coral"),
        help="keep the photo's colours: paint its luminance only, or give the paintings its "
        "colours first",
    )
    add_loss_network_option(parser)
    add_shared_options(parser, size=512, steps=200)
    add_pyramid_options(parser, levels=2)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Paints a photo.

    Raises:
        TrainingError: a file is no image, the network lacks a layer, or the weights are all 0.
    """
    recipe = recipe_of(options)
    device = choose_device(options.device)
    network = load_loss_network(options.loss_weights, recipe.layers).to(device)
    paths = tuple(each.path for each in options.paintings)
    pictures = read_pictures(options, paths, device)
    shares = shares_of(options.paintings)

    def build(_: int, size: Size, previous: Tensor | None) -> Problem:
        here = pictures.at(size)
        seen = _seen(here, options.keep_colours)
        start = (
            _start(seen, options.init, options.seed) if previous is None else previous.to(device)
        )
        objective = transfer_objective(network, seen.photo, seen.paintings, recipe, shares)
        image, judge = _canvas(here.photo, start, network, options.keep_colours)
        objective = kept_in_range(objective, judge, image)
        return Problem(image, objective, judge, options.steps, options.optimizer, options.lr)

    result = optimize_pyramid(
        coarse_to_fine(fit(pictures.photo.shape, options.size), options.levels),
        build,
        work=options.work,
        fingerprint=_fingerprint(options, recipe),
        observe=lambda _, size: watch(options, f"{size[1]}x{size[0]}"),
    )
    finish(options, result)


def _seen(pictures: Pictures, keep_colours: str | None) -> Pictures:
    """Returns photo and paintings in the colours in which they are compared."""
    photo = pictures.photo
    if keep_colours == "coral":
        recoloured = (coral(painting, photo).clamp(0, 1) for painting in pictures.paintings)
        return Pictures(photo, tuple(recoloured))
    if keep_colours == "luminance":
        light = luminance(photo)
        matched = (match_luminance(luminance(each), light) for each in pictures.paintings)
        return Pictures(light.expand_as(photo), tuple(each.repeat(1, 3, 1, 1) for each in matched))
    return pictures


def _start(pictures: Pictures, start: Start, seed: int) -> Tensor:
    """Returns the picture to start from, [1, 3, H, W]."""
    height, width = pictures.photo.shape[-2:]
    if start == "noise":
        generator = torch.Generator().manual_seed(seed)
        return noise(height, width, generator=generator, device=pictures.photo.device)
    return pictures.photo if start == "photo" else resize(pictures.paintings[0], (height, width))


def _canvas(
    photo: Tensor, start: Tensor, network: LossNetwork, keep_colours: str | None
) -> tuple[ImageParameterization, FeatureNetwork]:
    """Returns what is painted on, and the network through which it is seen."""
    if keep_colours == "luminance":
        return PaintedLuminance(photo, start), ColourBlind(network)
    return Pixels(start), network


def _fingerprint(options: argparse.Namespace, recipe: Recipe) -> str:
    """Digests all that decides a level's result."""
    names = "size style_size init keep_colours loss_weights steps optimizer lr seed"
    decisive = {name: getattr(options, name) for name in names.split()}
    decisive |= {"recipe": asdict(recipe), "shares": shares_of(options.paintings)}
    return fingerprint_of(decisive, [options.photo, *(each.path for each in options.paintings)])
