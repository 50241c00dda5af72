"""Style transfer (Gatys, Ecker, Bethge 2016, "Image Style Transfer Using CNNs").

Deviations: by default each layer's style loss is divided by its value at the photo (see
``Recipe``), sizes go from coarse to fine, the start is the photo, leaving [0, 1] has a price and
the total variation counts a little. ``--normalization gatys --init noise --levels 1`` is the
paper, but for the price.
"""

import argparse
from pathlib import Path

from training.baselines.style_options import (
    add_recipe_options,
    read_pictures,
    recipe_of,
    shares_of,
    weighted_file,
)
from training.baselines.style_transfer import transfer
from training.networks.loss_network import load_loss_network
from training.optimize.options import (
    add_loss_network_option,
    add_pyramid_options,
    add_shared_options,
)
from training.optimize.watch import choose_device, finish, watch


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
    files = tuple(each.path for each in options.paintings)
    pictures = read_pictures(options, files, device)  # before weights are downloaded
    network = load_loss_network(options.loss_weights, recipe.layers).to(device)
    result = transfer(
        options,
        network,
        pictures,
        recipe,
        files=(options.photo, *files),
        shares=shares_of(options.paintings),
        start=options.init,
        keep_colours=options.keep_colours,
        work=options.work,
        observe=lambda _, size: watch(options, f"{size[1]}x{size[0]}"),
    )
    finish(options, result)
