"""The objective of style transfer: photo, paintings, weights → one Objective.

Gatys, Ecker, Bethge 2016, "Image Style Transfer Using Convolutional Neural Networks".
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import torch
from torch import Tensor

from training.errors import TrainingError
from training.losses.calibration import calibrate, painting_grams
from training.losses.style import GramStyleLoss, gatys_scale
from training.networks.loss_network import LossNetwork
from training.optimize.objective import Objective
from training.optimize.perceptual_objectives import content, style, total_variation

Normalization = Literal["calibrated", "energy", "gatys"]
NORMALIZATIONS: Final[tuple[str, ...]] = get_args(Normalization)

CONTENT_LAYERS: Final = ("relu4_2",)
STYLE_LAYERS: Final = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
"""Gatys' layers (2016, section 3)."""

_SMALLEST_SCALE: Final = 1e-4
"""Of the energy of a painting's Gram matrix: a photo that equals the painting has no distance."""


@dataclass(frozen=True)
class Recipe:
    """What counts how much in a style transfer.

    Attributes:
        content_weight: α, of the mean over the content layers; 0 leaves the photo out.
        style_weight: β, of the mean over the style layers; 0 leaves the paintings out.
        tv_weight: of the total variation.
        content_layers: layers that hold the photo.
        style_layers: layers whose Gram matrices hold the painting.
        normalization: what a layer's loss is divided by. ``calibrated``: its value at the photo
            (style), so the unstyled photo costs 1; ``energy``: its value at an image without
            features; ``gatys``: nothing, that is eqs. 1 and 4 of the paper.
    """

    content_weight: float
    style_weight: float
    tv_weight: float = 0.0
    content_layers: tuple[str, ...] = CONTENT_LAYERS
    style_layers: tuple[str, ...] = STYLE_LAYERS
    normalization: Normalization = "calibrated"

    def __post_init__(self) -> None:
        """Refuses weights that ask for nothing, or for the opposite."""
        weights = (self.content_weight, self.style_weight, self.tv_weight)
        if any(weight < 0 or not math.isfinite(weight) for weight in weights):
            raise TrainingError(f"weights must be 0 or more, but are {weights}")
        if self.content_weight == self.style_weight == 0:
            raise TrainingError(
                "content weight and style weight are both 0, so there is nothing to paint: "
                "give at least one of them"
            )

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that count, each once: those of a weight of 0 do not."""
        wanted = self.content_layers if self.content_weight else ()
        wanted += self.style_layers if self.style_weight else ()
        return tuple(dict.fromkeys(wanted))


def transfer_objective(
    network: LossNetwork,
    photo: Tensor,
    paintings: Sequence[Tensor],
    recipe: Recipe,
    shares: Sequence[float] = (1.0,),
) -> Objective:
    """Returns α · content + β · style + total variation.

    Several paintings cost the weighted mean of their losses, not the loss of their mean Gram
    matrix: each is then on its own scale. Where the scales are equal, as with ``gatys``, both
    differ by a constant only, so the picture is the same.

    Args:
        network: with the layers of ``recipe``.
        photo: [1, 3, H, W] in [0, 1].
        paintings: each [1, 3, h, w] in [0, 1], of any size.
        recipe: layers, weights and normalization.
        shares: weight of each painting; they sum to 1.
    """
    objective = Objective()
    if recipe.content_weight:
        objective += recipe.content_weight * _content(network, photo, recipe)
    if recipe.style_weight:
        objective += recipe.style_weight * _style(network, photo, paintings, recipe, shares)
    if recipe.tv_weight:
        objective += recipe.tv_weight * total_variation()
    return objective


@torch.no_grad()
def _content(network: LossNetwork, photo: Tensor, recipe: Recipe) -> Objective:
    features = network(photo, recipe.content_layers)
    objective = Objective()
    for layer in recipe.content_layers:
        weight = 1.0
        if recipe.normalization == "gatys":  # ½ Σ (F − P)², eq. 1; ContentLoss divides by Σ P²
            weight = features[layer].square().sum().item() / 2
        objective += content(layer, features[layer], weight / len(recipe.content_layers))
    return objective


@torch.no_grad()
def _style(
    network: LossNetwork,
    photo: Tensor,
    paintings: Sequence[Tensor],
    recipe: Recipe,
    shares: Sequence[float],
) -> Objective:
    grams = painting_grams(network, [p.squeeze(0) for p in paintings], recipe.style_layers)
    scales = _scales(network, grams, photo, recipe.normalization)
    objective = Objective()
    for layer, targets in grams.items():
        loss = GramStyleLoss(targets, scales[layer])
        for painting, share in enumerate(shares):
            weight = share / len(recipe.style_layers)
            objective += style(layer, loss, painting=painting, weight=weight)
    return objective


def _scales(
    network: LossNetwork, grams: Mapping[str, Tensor], photo: Tensor, normalization: Normalization
) -> dict[str, Tensor]:
    """Returns what the paintings' losses are divided by, [S] for each layer."""
    energies = {layer: targets.square().mean(dim=(1, 2)) for layer, targets in grams.items()}
    if normalization == "energy":
        return energies
    if normalization == "gatys":
        return {
            layer: targets.new_full(targets.shape[:1], gatys_scale(targets.shape[-1]))
            for layer, targets in grams.items()
        }
    distances = calibrate(network, grams, photo)
    return {
        layer: torch.maximum(distances[layer], _SMALLEST_SCALE * energies[layer]) for layer in grams
    }
