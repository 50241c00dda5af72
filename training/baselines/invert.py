"""Feature inversion (Mahendran and Vedaldi 2015, "Understanding Deep Image Representations").

Minimizes ‖Φ(x) − Φ₀‖² / ‖Φ₀‖² + λ · total variation, eq. 2 and 4.

Deviations: the total variation is a mean over pixels and channels instead of a sum, so λ means the
same at every size; clipping to [0, 1] takes the place of the α-norm; L-BFGS that of momentum.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from training.networks.loss_network import load_loss_network
from training.optimize.failures import OptimizationError, memory_for
from training.optimize.images import Pixels, noise
from training.optimize.loop import Result, optimize
from training.optimize.objective import FeatureNetwork
from training.optimize.options import add_loss_network_option, add_shared_options
from training.optimize.perceptual_objectives import content, total_variation
from training.optimize.picture_file import read_picture, write_picture
from training.optimize.projections import clip
from training.optimize.watch import choose_device, watch


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds ``optimize invert``."""
    parser = subparsers.add_parser(
        "invert",
        help="an image from its features alone",
        description="Make an image from the features of a photo in one layer: what the layer "
        "still knows of it. Several layers give a strip: the photo, then one image per layer.",
    )
    parser.add_argument("photo", type=Path, help="the photo, an image file")
    parser.add_argument(
        "--layer", nargs="+", default=["relu3_1"], help="one layer or more (default relu3_1)"
    )
    parser.add_argument(
        "--tv-weight", type=float, default=0.5, help="weight of the total variation (default 0.5)"
    )
    parser.add_argument(
        "--tv-beta", type=float, default=2.0, help="its exponent β (default 2; 1 keeps edges)"
    )
    add_loss_network_option(parser)
    add_shared_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Inverts the features of each layer.

    Raises:
        TrainingError: the file is no image, the network lacks a layer, or the photo is too small.
    """
    layers = list(dict.fromkeys(options.layer))
    device = choose_device(options.device)
    photo = read_picture(options.photo, options.size).to(device)  # before weights are downloaded
    network = load_loss_network(options.loss_weights, layers).to(device)
    pictures = [photo] if len(layers) > 1 else []
    for layer, result in _inversions(network, photo, layers, options):
        pictures.append(result.image)
        write_picture(options.out, strip(pictures))  # each layer is worth keeping
        error = (result.image - photo).square().mean().sqrt().item()
        first, best = result.losses[0], min(result.losses)
        print(f"{layer}: loss {first:.4g} → {best:.4g}, pixels differ by {error:.3f}")
        if result.interrupted:
            break
    height, width = strip(pictures).shape[-2:]
    ended = "interrupted, the best so far: " if result.interrupted else ""
    print(f"{ended}wrote {options.out} ({width} × {height})")


def _inversions(
    network: FeatureNetwork, photo: Tensor, layers: list[str], options: argparse.Namespace
) -> Iterator[tuple[str, Result]]:
    """Yields each layer's inversion; an error says which layer it was."""
    with torch.no_grad(), memory_for(photo):
        targets = network(photo, layers)
    for layer in layers:
        generator = torch.Generator().manual_seed(options.seed)
        start = noise(*photo.shape[-2:], generator=generator, device=photo.device)
        objective = content(layer, targets[layer])
        if options.tv_weight:
            objective += total_variation(options.tv_beta, options.tv_weight)
        with watch(options, layer) as on_step:
            try:
                result = optimize(
                    Pixels(start),
                    objective,
                    network,
                    steps=options.steps,
                    optimizer=options.optimizer,
                    lr=options.lr,
                    project=clip(),
                    on_step=on_step,
                )
            except OptimizationError as error:
                error.args = (f"{layer}: {error}",)
                raise
        yield layer, result


def strip(pictures: list[Tensor], gap: int = 4) -> Tensor:
    """Returns pictures [1, 3, H, W] of one size side by side, white between them."""
    white = torch.ones_like(pictures[0][..., :gap])
    row = [part for picture in pictures for part in (white, picture)][1:]
    return torch.cat(row, dim=-1)
