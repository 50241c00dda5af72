"""Statistics that describe a texture, and how many numbers they are.

Gatys, Ecker, Bethge 2015, "Texture Synthesis Using Convolutional Neural Networks", figure 3:
about 1k, 10k, 177k and 852k parameters with the VGG-19.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import torch
from torch import Tensor

from training.errors import TrainingError
from training.losses.gram import gram_matrix
from training.losses.style import GramStyleLoss
from training.optimize.objective import Features, Objective, Term
from training.optimize.perceptual_objectives import means, style

Statistic = Literal["means", "pca", "gram"]

POOL_LAYERS: Final = ("relu1_1", "pool1", "pool2", "pool3", "pool4")
"""The five layers of all but the largest of Gatys' models."""

COMPONENTS: Final = 64
"""Principal components per layer in his model of 10,400 parameters."""


def choose_layers(wanted: str, up_to: str, available: Sequence[str]) -> tuple[str, ...]:
    """Returns the layers of a texture model.

    Args:
        wanted: ``pools`` for relu1_1 and the pools, ``all`` for every layer, or names with commas.
        up_to: deepest layer of ``pools`` and ``all``.
        available: the network's layers, in their order.

    Raises:
        TrainingError: the network has no such layer.
    """
    if wanted not in ("pools", "all"):
        names = tuple(name.strip() for name in wanted.split(",") if name.strip())
        for name in names:
            if name not in available:
                raise TrainingError(f"no layer {name!r}: choose of {', '.join(available)}")
        if not names:
            raise TrainingError("no layers given: name some, or say pools or all")
        return names
    if up_to not in available:
        raise TrainingError(f"no layer {up_to!r}: choose of {', '.join(available)}")
    reachable = available[: available.index(up_to) + 1]
    return tuple(name for name in reachable if wanted == "all" or name in POOL_LAYERS)


def parameter_count(
    channels: Sequence[int], statistic: Statistic, components: int = COMPONENTS
) -> int:
    """Returns how many numbers describe layers with so many ``channels``.

    A Gram matrix of C channels is symmetric, so it has C·(C+1)/2.
    """
    if statistic == "means":
        return sum(channels)
    sides = [min(c, components) if statistic == "pca" else c for c in channels]
    return sum(side * (side + 1) // 2 for side in sides)


def texture_objective(
    texture: Features,
    layers: Sequence[str],
    statistic: Statistic,
    components: int = COMPONENTS,
) -> Objective:
    """Returns the mean over the layers of the distance to the texture's statistics.

    Deviation from Gatys: each layer is on its own scale, see GramStyleLoss.

    Args:
        texture: its features [1, C, h, w] by layer.
        layers: which of them count.
        statistic: ``means`` over places, ``gram`` matrices, or ``pca``: Gram matrices of the
            texture's first principal components.
        components: how many components.
    """
    objective = Objective()
    for layer in layers:
        objective += _layer_objective(layer, texture[layer], statistic, components)
    return (1 / len(layers)) * objective


def _layer_objective(layer: str, maps: Tensor, statistic: Statistic, components: int) -> Objective:
    if statistic == "means":
        return means(layer, maps.mean(dim=(2, 3)))
    if statistic == "gram":
        return style(layer, GramStyleLoss(gram_matrix(maps)))
    basis = principal_components(maps, components)
    loss = style(layer, GramStyleLoss(gram_matrix(rotate(maps, basis))))

    def compute(features: Mapping[str, Tensor]) -> Tensor:
        return loss({layer: rotate(features[layer], basis)})["style"]

    return Objective((Term("style", (layer,), compute),))


def principal_components(maps: Tensor, components: int) -> Tensor:
    """Returns the first principal components [K, C] of ``maps`` [1, C, h, w], K ≤ C."""
    points = maps[0].flatten(1)  # [C, h·w]
    centred = points - points.mean(dim=1, keepdim=True)
    vectors: Tensor = torch.linalg.eigh(centred @ centred.T)[1]  # [C, C], ascending
    return vectors.flip(1)[:, :components].T.contiguous()


def rotate(maps: Tensor, basis: Tensor) -> Tensor:
    """Returns ``maps`` [N, C, h, w] in the coordinates of ``basis`` [K, C]: [N, K, h, w]."""
    rotated: Tensor = torch.einsum("kc,nchw->nkhw", basis, maps)
    return rotated
