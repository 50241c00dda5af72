"""Class model: an image that a classifier scores highest for a class (Simonyan et al. 2014).

Deviations, all of them options: instead of zero-centred pixels and λ‖I‖² alone, a Fourier image
under random transformations (Olah et al. 2017) is the default. ``--image pixels --robust none
--init mean --l2 λ --optimizer sgd`` is Simonyan's.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from training.networks.classifier import Classifier
from training.optimize.options import add_shared_options
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
from training.visualization.unit_objectives import logit, probability


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``optimize class``."""
    parser = subparsers.add_parser(
        "class",
        help="what a classifier takes for a class",
        description="Make an image that a classifier takes for a class, from noise or a photo. "
        "Several classes give a sheet.",
    )
    parser.add_argument(
        "classes",
        nargs="+",
        metavar="CLASS",
        help="name or index of a class of ImageNet, such as volcano, 'bell cote' or 980",
    )
    parser.add_argument(
        "--init",
        default="noise",
        metavar="START",
        help="noise (default), mean (the mean colour) or a photo, an image file",
    )
    parser.add_argument(
        "--probability",
        action="store_true",
        help="maximize the probability, behind the softmax, instead of the score before it",
    )
    add_classifier_options(parser)
    add_prior_options(parser)
    add_shared_options(parser, steps=256, optimizer="adam", size=224)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Makes a class model of each class.

    Raises:
        TrainingError: a class, the network or the photo is not there, or the image too small.
    """
    device = choose_device(options.device)
    network = chosen_classifier(options, device)
    indices = [network.class_index(text) for text in options.classes]
    init = start_image(options, device)
    _check_size(network, init)
    score = probability if options.probability else logit
    entries = [
        Entry(
            network.classes[index],
            start(options, init, random=options.init == "noise"),
            score(index) + penalties(options, device),
            RedirectedReLU(network),
            transformation(options),
            projection(options, device),
        )
        for index in indices
    ]
    finish(options, optimize_sheet(options, entries, step_size(options)))


def start_image(options: argparse.Namespace, device: torch.device) -> Tensor:
    """Returns the photo, or the mean colour in a square, [1, 3, H, W]."""
    if options.init in ("noise", "mean"):
        return mean_colour(device).repeat(1, 1, options.size, options.size)
    return read_picture(Path(options.init), options.size).to(device)


def _check_size(network: Classifier, image: Tensor) -> None:
    """Raises TrainingError before the work begins if ``image`` is too small for ``network``."""
    with torch.no_grad():
        network(image)
