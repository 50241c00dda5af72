"""Objectives made of the fast trainer's very losses: content, style, means, variation, size."""

from collections.abc import Callable

import torch
from torch import Tensor

from training.losses.content import ContentLoss
from training.losses.gram import at_least_float32
from training.losses.means import FeatureMeansLoss
from training.losses.style import GramStyleLoss
from training.losses.total_variation import TotalVariationLoss
from training.optimize.objective import IMAGE, Features, Objective, Term


def content(layer: str, target: Tensor, weight: float = 1.0) -> Objective:
    """Distance of a layer's features to ``target`` [N or 1, C, h, w]; see ContentLoss."""
    loss = ContentLoss(target)
    return _one("content", layer, lambda features: loss(features[layer]), weight)


def style(
    layer: str,
    loss: GramStyleLoss,
    mask: Tensor | None = None,
    *,
    painting: int = 0,
    weight: float = 1.0,
) -> Objective:
    """Distance of a layer's Gram matrix to that of a painting; see GramStyleLoss.

    Args:
        layer: name of the layer.
        loss: holds the paintings' Gram matrices.
        mask: weights in [0, 1] of the layer's size, [h, w] or [N, 1, h, w]; None is everywhere.
        painting: which of the loss' paintings.
        weight: what the value is multiplied by.
    """

    def compute(features: Features) -> Tensor:
        maps = features[layer]
        paintings = torch.full((len(maps),), painting, device=maps.device)
        value: Tensor = loss(maps, paintings, mask)
        return value

    return Objective((Term("style", (layer,), compute, weight),))


def means(layer: str, target: Tensor, weight: float = 1.0) -> Objective:
    """Distance of a layer's spatial means to ``target`` [C] or [N, C]; see FeatureMeansLoss."""
    loss = FeatureMeansLoss(target)
    return _one("means", layer, lambda features: loss(features[layer]), weight)


def total_variation(beta: float = 2.0, weight: float = 1.0) -> Objective:
    """Roughness of the image; see TotalVariationLoss."""
    loss = TotalVariationLoss(beta)
    return _one("total variation", IMAGE, lambda features: loss(features[IMAGE]), weight)


def l2(weight: float = 1.0) -> Objective:
    """‖I‖², the sum of the squared pixels (Simonyan, Vedaldi, Zisserman 2014, eq. 1)."""

    def compute(features: Features) -> Tensor:
        return at_least_float32(features[IMAGE]).square().sum(dim=(1, 2, 3))

    return Objective((Term("L2", (IMAGE,), compute, weight),))


def _one(name: str, layer: str, compute: Callable[[Features], Tensor], weight: float) -> Objective:
    return Objective((Term(name, (layer,), compute, weight),))
