"""One style transfer: a photo, paintings, a recipe → a picture, from coarse to fine."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from training.baselines.soft_range import kept_in_range
from training.baselines.style_objective import Recipe, transfer_objective
from training.baselines.style_options import Pictures
from training.networks.loss_network import LossNetwork
from training.optimize.colour import (
    ColourBlind,
    PaintedLuminance,
    coral,
    luminance,
    match_luminance,
)
from training.optimize.failures import memory_for
from training.optimize.images import ImageParameterization, Pixels, noise
from training.optimize.loop import Result
from training.optimize.objective import FeatureNetwork
from training.optimize.picture_file import fit, resize
from training.optimize.pyramid import (
    Observe,
    Problem,
    Size,
    coarse_to_fine,
    fingerprint_of,
    optimize_pyramid,
)

Start = Literal["noise", "photo", "painting"]
KeptColours = Literal["luminance", "coral"]


def transfer(
    options: argparse.Namespace,
    network: LossNetwork,
    pictures: Pictures,
    recipe: Recipe,
    *,
    files: tuple[Path, ...],
    shares: tuple[float, ...] = (1.0,),
    start: Start = "photo",
    keep_colours: KeptColours | None = None,
    work: Path | None = None,
    observe: Observe | None = None,
) -> Result:
    """Paints a photo.

    Args:
        options: ``size``, ``style_size``, ``levels``, ``steps``, ``optimizer``, ``lr``, ``seed``
            and ``loss_weights`` are read.
        network: with the layers of ``recipe``.
        pictures: photo and paintings.
        recipe: what counts how much.
        files: what was read; a finished level counts as long as they are the same.
        shares: weight of each painting; they sum to 1.
        start: what the first level starts from; ``painting`` is the first one, stretched.
        keep_colours: None takes the paintings' colours.
        work: folder for finished levels.
        observe: gives each level's observer.
    """

    def build(_: int, size: Size, previous: Tensor | None) -> Problem:
        here = pictures.at(size)
        seen = as_compared(here, keep_colours)
        first = _first(seen, start, options.seed) if previous is None else previous
        image, judge = _canvas(here.photo, first.to(here.photo), network, keep_colours)
        with memory_for(seen.photo):
            objective = transfer_objective(network, seen.photo, seen.paintings, recipe, shares)
            objective = kept_in_range(objective, judge, image)
        return Problem(image, objective, judge, options.steps, options.optimizer, options.lr)

    decisive = {name: getattr(options, name) for name in _DECISIVE}
    decisive |= {"recipe": asdict(recipe), "shares": shares, "start": start, "keep": keep_colours}
    return optimize_pyramid(
        coarse_to_fine(fit(pictures.photo.shape, options.size), options.levels),
        build,
        work=work,
        fingerprint="" if work is None else fingerprint_of(decisive, files),
        observe=observe,
    )


_DECISIVE = ("size", "style_size", "loss_weights", "steps", "optimizer", "lr", "seed")


def as_compared(pictures: Pictures, keep_colours: KeptColours | None) -> Pictures:
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


def _first(pictures: Pictures, start: Start, seed: int) -> Tensor:
    """Returns the picture to start from, [1, 3, H, W]."""
    height, width = pictures.photo.shape[-2:]
    if start == "noise":
        return noise(height, width, generator=torch.Generator().manual_seed(seed))
    return pictures.photo if start == "photo" else resize(pictures.paintings[0], (height, width))


def _canvas(
    photo: Tensor, start: Tensor, network: LossNetwork, keep_colours: KeptColours | None
) -> tuple[ImageParameterization, FeatureNetwork]:
    """Returns what is painted on, and the network through which it is seen."""
    if keep_colours == "luminance":
        return PaintedLuminance(photo, start), ColourBlind(network)
    return Pixels(start), network
