"""Texture synthesis (Gatys, Ecker, Bethge 2015, "Texture Synthesis Using CNNs").

Deviations: pixels are kept in [0, 1] by clipping instead of bounds of the optimizer; each layer
is on its own scale; the weights are not rescaled to a mean activation of 1; the noise to start
from has the texture's mean colour and contrast.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from training.baselines.texture_statistics import (
    COMPONENTS,
    choose_layers,
    parameter_count,
    texture_objective,
)
from training.errors import TrainingError
from training.networks.loss_network import (
    LossNetwork,
    PaddingMode,
    channels_of,
    load_loss_weights,
)
from training.optimize.failures import memory_for
from training.optimize.images import Pixels, noise_like
from training.optimize.options import (
    add_loss_network_option,
    add_pyramid_options,
    add_shared_options,
    positive,
)
from training.optimize.picture_file import fit, read_picture, resize, resize_tile
from training.optimize.projections import clip
from training.optimize.pyramid import (
    Problem,
    Size,
    coarse_to_fine,
    fingerprint_of,
    optimize_pyramid,
)
from training.optimize.watch import choose_device, finish, watch

TILE_STEP: Final = 16
"""Sides of a tile are multiples of it: four poolings then cut nothing off."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``optimize texture``."""
    parser = subparsers.add_parser(
        "texture",
        help="a new texture like a given one",
        description="Make a new texture that has the statistics of a given one. With VGG-19, "
        "means has 1,024 parameters, pca 10,400, gram 176,640, gram with --layers all 852,128.",
    )
    parser.add_argument("texture", type=Path, help="the texture, an image file")
    parser.add_argument(
        "--statistic",
        choices=("means", "pca", "gram"),
        default="gram",
        help="what describes a layer: its means over places, its Gram matrix (default), or the "
        "Gram matrix of its principal components",
    )
    parser.add_argument(
        "--layers",
        default="pools",
        help="pools (relu1_1 and the pools, default), all, or names with commas",
    )
    parser.add_argument("--up-to", default="pool4", help="deepest layer of pools and all")
    parser.add_argument(
        "--components", type=positive, default=COMPONENTS, help="principal components per layer"
    )
    parser.add_argument(
        "--texture-size", type=positive, help="longer side of the texture (default: --size)"
    )
    parser.add_argument("--tileable", action="store_true", help="let opposite edges fit together")
    parser.add_argument(
        "--pooling", choices=("max", "average"), default="max", help="average: as Gatys; softer"
    )
    add_loss_network_option(parser)
    add_shared_options(parser)
    add_pyramid_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Synthesizes a texture.

    Raises:
        TrainingError: the file is no image, the network lacks a layer, or a size does not fit.
    """
    if options.tileable and options.size % TILE_STEP:
        raise TrainingError(
            f"a tile's side must be a multiple of {TILE_STEP}: "
            f"--size {max(TILE_STEP, round(options.size / TILE_STEP) * TILE_STEP)} is near"
        )
    texture = read_picture(options.texture, options.texture_size or options.size)
    weights, padding = load_loss_weights(options.loss_weights)
    channels = channels_of(weights)
    _check_depth(options, channels)
    layers = choose_layers(options.layers, options.up_to, list(channels))
    count = parameter_count([channels[n] for n in layers], options.statistic, options.components)
    print(f"{count:,} parameters: {options.statistic} of {', '.join(layers)}")

    synthesis = _Synthesis(options, texture, weights, padding, layers)
    result = optimize_pyramid(
        _sizes(options),
        synthesis.build,
        work=options.work,
        fingerprint=_fingerprint(options),
        observe=lambda _, size: watch(options, f"{size[1]}x{size[0]}"),
        enlarge=resize_tile if options.tileable else resize,
    )
    finish(options, result)


class _Synthesis:
    """Builds the problem of each level; the texture is as much smaller as the level is."""

    def __init__(
        self,
        options: argparse.Namespace,
        texture: Tensor,
        weights: Mapping[str, Tensor],
        padding: PaddingMode,
        layers: tuple[str, ...],
    ) -> None:
        self._options, self._layers = options, layers
        device = choose_device(options.device)

        def network(padding: PaddingMode) -> LossNetwork:
            return LossNetwork(weights, layers, padding, options.pooling).to(device)

        self._network = network(padding)
        self._judge = network("circular") if options.tileable else self._network
        self._texture = texture.to(device)

    def build(self, level: int, size: Size, previous: Tensor | None) -> Problem:
        options = self._options
        longer = round(max(self._texture.shape) * size[0] / options.size)
        texture = resize(self._texture, fit(self._texture.shape, longer))
        with torch.no_grad(), memory_for(texture):
            features = self._network(texture)
        generator = torch.Generator().manual_seed(options.seed)
        start = noise_like(texture, size, generator=generator) if previous is None else previous
        return Problem(
            Pixels(start.to(texture)),
            texture_objective(features, self._layers, options.statistic, options.components),
            self._judge,
            options.steps,
            options.optimizer,
            options.lr,
            project=clip(),
        )


def _sizes(options: argparse.Namespace) -> list[Size]:
    sizes = coarse_to_fine((options.size, options.size), options.levels)
    if options.tileable:
        return [(side, side) for side, _ in sizes if side % TILE_STEP == 0]
    return sizes


def _check_depth(options: argparse.Namespace, channels: dict[str, int]) -> None:
    """Says which models are possible where the weights end early."""
    if options.layers not in ("pools", "all") or options.up_to in channels:
        return
    pools = [name for name in channels if name.startswith("pool")]
    if not pools or not options.up_to.startswith("pool"):
        raise TrainingError(f"no layer {options.up_to!r}: choose of {', '.join(channels)}")
    width = [channels[n] for n in choose_layers("pools", pools[-1], list(channels))]
    every = [channels[n] for n in choose_layers("all", pools[-1], list(channels))]
    raise TrainingError(
        f"the loss network's weights end at {list(channels)[-1]}, before {options.up_to}: give "
        f"--up-to {pools[-1]}, which allows {parameter_count(width, 'means'):,} (means), "
        f"{parameter_count(width, 'pca'):,} (pca), {parameter_count(width, 'gram'):,} (gram) or "
        f"{parameter_count(every, 'gram'):,} (gram, --layers all) parameters"
    )


def _fingerprint(options: argparse.Namespace) -> str:
    """Digests all that decides a level's result."""
    names = (
        "statistic layers up_to components size texture_size tileable pooling loss_weights steps "
        "optimizer lr seed"
    )
    decisive = {name: getattr(options, name) for name in names.split()}
    return fingerprint_of(decisive, [options.texture])
