"""Doodles and landscapes from masks, semantic style transfer (Champandard 2016).

Deviation: statistics of regions (Gatys et al. 2017, section 4.1) instead of patches, as in
fast-neural-doodle (Ulyanov 2016).
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.baselines.doodle_objective import doodle_objective, noise_of_regions
from training.baselines.mask_file import read_mask
from training.baselines.region_masks import RegionMask, align, check_proportions, read_regions
from training.baselines.soft_range import kept_in_range
from training.baselines.style_options import TV_WEIGHT, add_layer_options
from training.errors import TrainingError
from training.networks.loss_network import LossNetwork, load_loss_network
from training.optimize.failures import memory_for
from training.optimize.images import Pixels
from training.optimize.objective import Objective
from training.optimize.options import (
    add_loss_network_option,
    add_pyramid_options,
    add_shared_options,
    not_negative,
)
from training.optimize.perceptual_objectives import content, total_variation
from training.optimize.picture_file import fit, read_picture, resize
from training.optimize.pyramid import (
    Problem,
    Size,
    coarse_to_fine,
    fingerprint_of,
    optimize_pyramid,
)
from training.optimize.watch import choose_device, finish, watch


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``optimize doodle``."""
    parser = subparsers.add_parser(
        "doodle",
        help="a painting of a new map of regions",
        description="Paint a new map of regions as a painter painted the old one. A mask is a "
        "picture whose colours name regions, such as blue for water; the same colour means the "
        "same in both masks. With --photo, it is painted region by region.",
    )
    parser.add_argument("painting", type=Path, help="the painting, an image file")
    parser.add_argument(
        "painting_mask", type=Path, help="its regions; of any size, but the same proportions"
    )
    parser.add_argument("new_mask", type=Path, help="the regions wanted; of any proportions")
    parser.add_argument("--photo", type=Path, help="a photo to paint, with the new mask's regions")
    parser.add_argument(
        "--content-weight", type=not_negative, default=1.0, help="of the photo (default 1)"
    )
    parser.add_argument(
        "--style-weight", type=not_negative, default=100.0, help="of the painting (default 100)"
    )
    parser.add_argument(
        "--tv-weight",
        type=not_negative,
        default=TV_WEIGHT,
        help=f"of the total variation (default {TV_WEIGHT:g})",
    )
    add_layer_options(parser)
    add_loss_network_option(parser)
    add_shared_options(parser, size=512, steps=200)
    add_pyramid_options(parser, levels=3)
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class Material:
    """What a doodle is made of: the painting [1, 3, h, w], both masks, perhaps a photo."""

    painting: Tensor
    painting_mask: RegionMask
    new_mask: RegionMask
    photo: Tensor | None


def run(options: argparse.Namespace) -> None:
    """Paints a doodle.

    Raises:
        TrainingError: a file is no image, masks do not fit, or a region is too small.
    """
    if options.style_weight == 0:
        raise TrainingError("the style weight is 0, so the masks would mean nothing: give a larger")
    device = choose_device(options.device)
    material = read_material(options, device)
    for path, mask in (
        (options.painting_mask, material.painting_mask),
        (options.new_mask, material.new_mask),
    ):
        print(f"regions of {path}: {mask.describe()}")
    photos = options.content_layers if options.photo and options.content_weight else ()
    layers = tuple(dict.fromkeys(photos + options.style_layers))
    network = load_loss_network(options.loss_weights, layers).to(device)

    full_size = fit(material.new_mask.shape, options.size)
    _objective(options, network, material, full_size)  # what cannot be done is said at once

    def build(_: int, size: Size, previous: Tensor | None) -> Problem:
        start = _start(material, size, options.seed) if previous is None else previous
        image = Pixels(start.to(device))
        objective = _objective(options, network, material, size)
        with memory_for(start):
            objective = kept_in_range(objective, network, image)
        return Problem(image, objective, network, options.steps, options.optimizer, options.lr)

    result = optimize_pyramid(
        coarse_to_fine(full_size, options.levels),
        build,
        work=options.work,
        fingerprint=_fingerprint(options),
        observe=lambda _, size: watch(options, f"{size[1]}x{size[0]}"),
    )
    finish(options, result)


def read_material(options: argparse.Namespace, device: torch.device) -> Material:
    """Reads painting, masks and photo.

    Raises:
        TrainingError: a file is no image, a mask has one region or does not fit its picture, or
            the new mask has a colour that the painting's lacks.
    """
    painting = read_picture(options.painting, options.style_size or options.size)
    painting_mask = _read_regions(options.painting_mask)
    check_proportions(painting_mask, painting, "the painting")
    new_mask = align(_read_regions(options.new_mask), painting_mask)
    photo = None
    if options.photo is not None:
        photo = read_picture(options.photo, options.size)
        check_proportions(new_mask, photo, "the photo")
        photo = photo.to(device)
    return Material(painting.to(device), painting_mask, new_mask, photo)


def _read_regions(path: Path) -> RegionMask:
    regions = read_regions(read_mask(path))
    if len(regions.colours) < 2:
        raise TrainingError(
            f"{str(path)!r} has one region only ({regions.describe()}): paint each kind of region "
            "in a flat colour of its own, in 8 bits per channel or in grey of 16"
        )
    return regions


def _start(material: Material, size: Size, seed: int) -> Tensor:
    """Returns the photo, or noise with the colours of the regions."""
    if material.photo is not None:
        return resize(material.photo, size)
    generator = torch.Generator().manual_seed(seed)
    return noise_of_regions(
        material.painting, material.painting_mask, material.new_mask, size, generator
    )


def _objective(
    options: argparse.Namespace, network: LossNetwork, material: Material, size: Size
) -> Objective:
    """Returns the objective of a level; the painting is reduced as much as the picture."""
    longer = round(max(size) / options.size * max(material.painting.shape[-2:]))
    painting = resize(material.painting, fit(material.painting.shape, longer))
    blank = torch.zeros(1, 3, *size).to(painting)
    photo = blank if material.photo is None else resize(material.photo, size)
    with torch.no_grad(), memory_for(blank):
        canvas, theirs = network(photo), network(painting, options.style_layers)
    objective: Objective = doodle_objective(
        theirs,
        material.painting_mask,
        canvas,
        material.new_mask,
        options.style_layers,
        coarse=max(size) < options.size,
    )
    objective *= options.style_weight
    if material.photo is not None and options.content_weight:
        share = options.content_weight / len(options.content_layers)
        for layer in options.content_layers:
            objective += content(layer, canvas[layer], share)
    if options.tv_weight:
        objective += total_variation(weight=options.tv_weight)
    return objective


def _fingerprint(options: argparse.Namespace) -> str:
    """Digests all that decides a level's result."""
    names = (
        "content_weight style_weight tv_weight content_layers style_layers size style_size "
        "loss_weights steps optimizer lr seed"
    )
    files = (options.painting, options.painting_mask, options.new_mask, options.photo)
    decisive = {name: getattr(options, name) for name in names.split()}
    return fingerprint_of(decisive, [file for file in files if file is not None])
