"""Feature inversion (Mahendran and Vedaldi 2015, "Understanding Deep Image Representations").

Minimizes ‖Φ(x) − Φ₀‖² / ‖Φ₀‖² + λ · total variation, eq. 2 and 4.

Deviations: the total variation is a mean over pixels and channels instead of a sum, so λ means the
same at every size; clipping to [0, 1] takes the place of the α-norm; L-BFGS that of momentum.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from training.networks.loss_network import load_loss_network
from training.optimize.failures import OptimizationError, memory_for
from training.optimize.images import Pixels, noise
from training.optimize.loop import Result, optimize
from training.optimize.objective import FeatureNetwork
from training.optimize.perceptual_objectives import content, total_variation
from training.optimize.picture_file import read_picture, write_picture
from training.optimize.projections import clip
from training.optimize.technique import Technique, WithLossNetwork


@dataclass(frozen=True, kw_only=True)
class FeatureInversion(WithLossNetwork, Technique):
    """An image made from the features of a photo in one layer: what the layer still knows of it.

    Several layers give a strip: the photo, then one image per layer.

    Args:
        photo: the photo, an image file
        layer: one layer or more
        tv_weight: weight of the total variation
        tv_beta: its exponent β (default 2; 1 keeps edges)
    """

    photo: Path
    layer: tuple[str, ...] = ("relu3_1",)
    tv_weight: float = 0.5
    tv_beta: float = 2.0

    positional: ClassVar = ("photo",)

    def make(self) -> Result:
        """Inverts the features of each layer; the losses are the last layer's.

        Raises:
            TrainingError: the file is no image, the network lacks a layer, or the photo is too
                small.
        """
        layers = list(dict.fromkeys(self.layer))
        photo = read_picture(self.photo, self.size).to(self.chosen_device())  # before the weights
        network = load_loss_network(self.loss_weights, layers).to(photo.device)
        pictures = [photo] if len(layers) > 1 else []
        for layer, result in self._inversions(network, photo, layers):
            pictures.append(result.image)
            if self.out is not None:
                write_picture(self.out, strip(pictures))  # each layer is worth keeping
            error = (result.image - photo).square().mean().sqrt().item()
            first, best = result.losses[0], min(result.losses)
            print(f"{layer}: loss {first:.4g} → {best:.4g}, pixels differ by {error:.3f}")
            if result.interrupted:
                break
        return Result(strip(pictures), result.losses, result.interrupted)

    def summary(self, result: Result) -> str:
        """Returns the last line of the command: each layer has told its losses already."""
        return super().summary(result).partition(", loss ")[0]

    def _inversions(
        self, network: FeatureNetwork, photo: Tensor, layers: list[str]
    ) -> Iterator[tuple[str, Result]]:
        """Yields each layer's inversion; an error says which layer it was."""
        with torch.no_grad(), memory_for(photo):
            targets = network(photo, layers)
        for layer in layers:
            generator = torch.Generator().manual_seed(self.seed)
            start = noise(*photo.shape[-2:], generator=generator, device=photo.device)
            objective = content(layer, targets[layer])
            if self.tv_weight:
                objective += total_variation(self.tv_beta, self.tv_weight)
            with self.watch(layer) as on_step:
                try:
                    result = optimize(
                        Pixels(start),
                        objective,
                        network,
                        steps=self.steps,
                        optimizer=self.optimizer,
                        lr=self.lr,
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
