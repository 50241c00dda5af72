"""Feature visualization: what a unit answers to (Olah, Mordvintsev, Schubert 2017).

Deviation: with ``--like`` the direction is a photo's own activation, as in the semantic
dictionaries and caricatures of Olah et al. 2018, "The Building Blocks of Interpretability".
"""

import argparse
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from training.errors import TrainingError
from training.networks.classifier import Classifier
from training.optimize.objective import Objective
from training.optimize.options import add_shared_options, not_negative, positive
from training.optimize.picture_file import read_picture
from training.optimize.sheet import Entry, optimize_sheet
from training.optimize.watch import choose_device, finish
from training.visualization.classifier_options import add_classifier_options, chosen_classifier
from training.visualization.priors import (
    add_prior_options,
    mean_colour,
    penalties,
    projection,
    start,
    step_size,
    transformation,
)
from training.visualization.redirected_relu import RedirectedReLU
from training.visualization.unit_names import parse_unit
from training.visualization.unit_objectives import direction, relative_diversity

Place = tuple[int | None, int | None]
"""Row and column of a layer; None stands for the centre."""

COSINE_POWER: Final = 2.0
"""How much more a direction counts than strength in caricatures."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``optimize feature``."""
    parser = subparsers.add_parser(
        "feature",
        help="what a neuron, channel or direction answers to",
        description="Make images that units of a classifier answer to; several give a sheet, one "
        "row each if there are several images of each.",
    )
    parser.add_argument(
        "units",
        nargs="+",
        metavar="LAYER:CHANNEL",
        help="such as features.12:35; features.12:35+40-7 is a direction; LAYER with --like",
    )
    parser.add_argument(
        "--neuron",
        nargs="?",
        const=(None, None),
        type=place,
        metavar="ROW,COLUMN",
        help="one neuron instead of the mean over all places; without a place, the centre",
    )
    parser.add_argument(
        "--sign",
        choices=("positive", "negative", "both"),
        default="positive",
        help="what raises the unit (default), what lowers it, or a row of each",
    )
    parser.add_argument(
        "--like",
        type=Path,
        metavar="PHOTO",
        help="take the photo's own activations as the direction: a caricature of it",
    )
    parser.add_argument(
        "--at",
        type=place,
        metavar="ROW,COLUMN",
        help="with --like: take the activations of this place of the layer alone",
    )
    parser.add_argument(
        "--images", type=positive, default=1, metavar="N", help="images of each unit (default 1)"
    )
    parser.add_argument(
        "--diversity",
        type=not_negative,
        default=2.0,
        metavar="W",
        help="how much the images of a unit shall differ, in units of its answer (default 2)",
    )
    add_classifier_options(parser)
    add_prior_options(parser)
    add_shared_options(parser, steps=256, optimizer="adam", size=160)
    parser.set_defaults(run=run)


def place(text: str) -> Place:
    """Reads ``ROW,COLUMN``."""
    match = re.fullmatch(r"(\d+),(\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no place: give ROW,COLUMN, such as 6,6")
    return int(match[1]), int(match[2])


def run(options: argparse.Namespace) -> None:
    """Makes images of each unit.

    Raises:
        TrainingError: a layer, a channel, the network or the photo is not there, or the image
            is too small.
    """
    device = choose_device(options.device)
    network = chosen_classifier(options, device)
    photo = None if options.like is None else read_picture(options.like, options.size).to(device)
    height, width = (options.size, options.size) if photo is None else photo.shape[-2:]
    init = mean_colour(device).repeat(options.images, 1, height, width)
    wanted = dict(_wanted(options, network, photo))
    _check(network, init[:1], wanted.values())
    entries = [
        Entry(
            label,
            start(options, init, random=True),
            objective + penalties(options, device),
            RedirectedReLU(network),
            transformation(options),
            projection(options, device),
        )
        for label, objective in wanted.items()
    ]
    columns = 2 if options.sign == "both" and options.images == 1 else None
    finish(options, optimize_sheet(options, entries, step_size(options), columns))


def _wanted(
    options: argparse.Namespace, network: Classifier, photo: Tensor | None
) -> Iterator[tuple[str, Objective]]:
    """Gives each unit's label and objective, once or twice, as ``--sign`` says."""
    for text in options.units:
        layer, objective = _unit(options, text, network, photo)
        spread = relative_diversity(layer, objective, options.diversity)
        if options.sign != "negative":
            yield text, objective + spread
        if options.sign != "positive":
            yield f"-{text}", spread - objective


def _unit(
    options: argparse.Namespace, text: str, network: Classifier, photo: Tensor | None
) -> tuple[str, Objective]:
    """Returns a unit's layer and what makes it answer."""
    if photo is None:
        unit = parse_unit(text)
        return unit.layer, unit.objective(options.neuron)
    with torch.no_grad():
        maps = network(photo, [text])[text][0]
    if options.at is not None:
        maps = _at(maps, text, options.at)
    return text, direction(text, maps, COSINE_POWER)


def _at(maps: Tensor, layer: str, place: Place) -> Tensor:
    """Returns the activations [C] at one place of ``maps`` [C, h, w]."""
    row, column = place
    height, width = maps.shape[-2:]
    assert row is not None
    assert column is not None
    if not (row < height and column < width):
        raise TrainingError(
            f"the photo has no place {row},{column} in layer {layer!r}: it has {height} rows and "
            f"{width} columns there, counted from 0"
        )
    return maps[:, row, column]


def _check(network: Classifier, image: Tensor, objectives: Collection[Objective]) -> None:
    """Evaluates each objective once, so that what is wrong is said before the work begins."""
    layers = dict.fromkeys(layer for objective in objectives for layer in objective.layers)
    with torch.no_grad():
        features = network(image, layers)
        for objective in objectives:
            objective(features)
