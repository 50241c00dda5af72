"""DeepDream: more of what a layer sees in a photo (Mordvintsev, Olah, Tyka 2015).

Octave by octave, small first: the photo at the octave's size plus the detail dreamt so far, steps
along the gradient divided by its root mean square, the image rolled at random before each. The
original divides by the mean of the absolute gradient, which is about 0.8 times as large.
"""

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from training.errors import TrainingError
from training.networks.loss_network import load_loss_network
from training.optimize.images import Pixels
from training.optimize.objective import FeatureNetwork, Objective
from training.optimize.options import add_shared_options, positive
from training.optimize.picture_file import fit, read_picture, resize
from training.optimize.projections import clip
from training.optimize.pyramid import Problem, Size, fingerprint_of, optimize_pyramid
from training.optimize.watch import choose_device, finish, watch
from training.visualization.classifier_options import add_classifier_options, chosen_classifier
from training.visualization.transforms import roll
from training.visualization.unit_names import parse_unit
from training.visualization.unit_objectives import dream

DEFAULT_LAYER: Final = "features.10"
"""Of SqueezeNet: fur, eyes and faces."""

SMALLEST: Final = 48
"""Shorter side of the smallest octave; below it the networks' deeper layers see nothing."""

_OF_A_VGG: Final = re.compile(r"relu\d_\d|pool\d")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``optimize dream``."""
    parser = subparsers.add_parser(
        "dream",
        help="DeepDream: more of what a layer sees",
        description="Strengthen in a photo whatever a layer sees in it, octave by octave.",
    )
    parser.add_argument("photo", type=Path, help="where the dream begins, an image file")
    parser.add_argument(
        "--layer",
        action="append",
        metavar="LAYER",
        help="of the classifier, such as features.7, or of a VGG, such as relu3_1; LAYER:CHANNEL "
        f"dreams of one channel; several are dreamt together (default {DEFAULT_LAYER})",
    )
    parser.add_argument(
        "--octaves", type=positive, default=4, help="sizes, --steps at each (default 4)"
    )
    parser.add_argument(
        "--octave-scale", type=float, default=1.4, metavar="S", help="size to size (default 1.4)"
    )
    parser.add_argument(
        "--jitter", type=int, default=32, metavar="N", help="pixels of random shift (default 32)"
    )
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="folder for finished octaves; the same command goes on there after an interruption",
    )
    add_classifier_options(parser)
    add_shared_options(parser, steps=20, optimizer="sgd", size=512)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Dreams.

    Raises:
        TrainingError: a layer, the network or the photo is not there, or the photo too small.
    """
    layers = options.layer or [DEFAULT_LAYER]
    if options.optimizer == "lbfgs" and options.jitter > 0:
        raise TrainingError(
            "lbfgs compares losses, which jitter changes: give --jitter 0, or --optimizer sgd"
        )
    device = choose_device(options.device)
    photo = read_picture(options.photo, options.size).to(device)
    sizes = octaves(photo, options.octaves, options.octave_scale)
    network = _network(options, layers, device)
    objective = dream_of(layers)
    _check(network, objective, resize(photo, sizes[0]))

    def build(level: int, size: Size, previous: Tensor | None) -> Problem:
        generator = torch.Generator().manual_seed(options.seed + level)
        smaller = None if level == 0 else resize(photo, sizes[level - 1])
        return Problem(
            Pixels(with_detail(resize(photo, size), previous, smaller)),
            objective,
            network,
            options.steps,
            options.optimizer,
            options.lr,
            transform=roll(max(0, options.jitter), generator),
            project=clip(),
        )

    result = optimize_pyramid(
        sizes,
        build,
        work=options.work,
        fingerprint=_fingerprint(options, layers),
        observe=lambda _, size: watch(options, f"{size[1]}x{size[0]}"),
    )
    finish(options, replace(result, image=at_full_size(result.image.to(device), photo)))


def dream_of(names: list[str]) -> Objective:
    """Returns the objective of layers (½‖a‖²) and units (``LAYER:CHANNEL``), added."""
    objective = Objective()
    for name in names:
        objective += parse_unit(name).objective() if ":" in name else dream(name)
    return objective


def octaves(photo: Tensor, count: int, scale: float) -> list[Size]:
    """Returns sizes from small to that of ``photo`` [1, 3, H, W], ``scale`` from one to the next.

    Those with a side below ``SMALLEST`` are left out.

    Raises:
        TrainingError: the photo itself is too small, or the scale not above 1.
    """
    if not scale > 1:
        raise TrainingError(f"octaves must grow: --octave-scale {scale:g} is not above 1")
    height, width = photo.shape[-2:]
    if min(height, width) < SMALLEST:
        raise TrainingError(
            f"a photo of {width} × {height} is too small to dream of: its shorter side must be "
            f"{SMALLEST} or more, so give a larger --size or a photo that is less narrow"
        )
    sizes = [fit(photo.shape, round(max(height, width) / scale**k)) for k in range(count)]
    return [size for size in reversed(sizes) if min(size) >= SMALLEST]


def with_detail(base: Tensor, previous: Tensor | None, smaller: Tensor | None) -> Tensor:
    """Returns the photo at an octave's size plus the detail of the octave before, enlarged.

    Args:
        base: the photo at the octave's size [1, 3, H, W].
        previous: the result of the octave before, enlarged to that size; None in the first.
        smaller: the photo at the size of the octave before.
    """
    if previous is None or smaller is None:
        return base
    detail = previous.to(base) - resize(smaller, (base.shape[-2], base.shape[-1]))
    return (base + detail).clamp(0, 1)


def at_full_size(image: Tensor, photo: Tensor) -> Tensor:
    """Returns the dream at the photo's size: Ctrl-C may leave ``image`` at a smaller octave's."""
    height, width = photo.shape[-2:]
    smaller = resize(photo, (image.shape[-2], image.shape[-1]))
    return with_detail(photo, resize(image, (height, width)), smaller)


def _network(
    options: argparse.Namespace, layers: list[str], device: torch.device
) -> FeatureNetwork:
    """Returns a VGG if the layers are named as a VGG's, the classifier otherwise."""
    plain = [name.partition(":")[0] for name in layers]
    if not all(_OF_A_VGG.fullmatch(name) for name in plain):
        return chosen_classifier(options, device)
    source = str(options.weights or options.network or "vgg19")
    return load_loss_network(source, plain, option="--weights").to(device)


def _check(network: FeatureNetwork, objective: Objective, image: Tensor) -> None:
    """Evaluates once, so that what is wrong is said before the work begins."""
    with torch.no_grad():
        objective(network(image, objective.layers))


def _fingerprint(options: argparse.Namespace, layers: list[str]) -> str:
    """Digests all that decides an octave's result."""
    names = "network weights size octave_scale jitter steps optimizer lr seed"
    decisive = {name: getattr(options, name) for name in names.split()} | {"layers": layers}
    return fingerprint_of(decisive, [options.photo])
