"""One style transfer: a photo, paintings, a recipe → a picture, from coarse to fine."""

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from training.baselines.soft_range import kept_in_range
from training.baselines.style_objective import Recipe, transfer_objective
from training.baselines.style_options import KeptColours, Pictures, Start, Transfer
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
    Problem,
    Size,
    coarse_to_fine,
    optimize_pyramid,
)


def transfer(
    options: Transfer,
    network: LossNetwork,
    pictures: Pictures,
    recipe: Recipe,
    paintings: tuple[Path, ...],
    *,
    shares: tuple[float, ...] = (1.0,),
    keep_colours: KeptColours | None = None,
    work: Path | None = None,
    label: str = "",
) -> Result:
    """Paints a photo.

    Args:
        options: sizes, steps and the start are read.
        network: with the layers of ``recipe``.
        pictures: photo and paintings.
        recipe: what counts how much.
        paintings: their files; a finished level counts as long as they are the same.
        shares: weight of each painting; they sum to 1.
        keep_colours: None takes the paintings' colours.
        work: folder for finished levels.
        label: what the frames' names begin with.
    """

    def build(_: int, size: Size, previous: Tensor | None) -> Problem:
        here = pictures.at(size)
        seen = as_compared(here, keep_colours)
        first = _first(seen, options.init, options.seed) if previous is None else previous
        image, judge = _canvas(here.photo, first.to(here.photo), network, keep_colours)
        with memory_for(seen.photo):
            objective = transfer_objective(network, seen.photo, seen.paintings, recipe, shares)
            objective = kept_in_range(objective, judge, image)
        return Problem(image, objective, judge, options.steps, options.optimizer, options.lr)

    files = {f"painting {number}": path for number, path in enumerate(paintings)}
    return optimize_pyramid(
        coarse_to_fine(fit(pictures.photo.shape, options.size), options.levels),
        build,
        work=work,
        fingerprint=options.fingerprint({"recipe": asdict(recipe), **files}) if work else "",
        observe=lambda _, size: options.watch(f"{label}{size[1]}x{size[0]}"),
    )


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
