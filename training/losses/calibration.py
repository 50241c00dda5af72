"""Calibration: what the style loss of each painting and layer is divided by.

Gram matrices of a woodcut and of an oil painting, of ``relu1_1`` and of ``relu4_1``, differ by
orders of magnitude, so users of the field tune a style weight by hand for every painting. Here
each distance is divided by its mean over photos that nobody has painted: the unstyled photo costs
1 in every layer, for every painting and every loss network, and one strength serves them all.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from training.losses.gram import gram_matrix
from training.networks.loss_network import LossNetwork

Scales = Mapping[str, Tensor]
"""One scale per painting, [S], by the name of the layer."""


@torch.no_grad()
def painting_grams(
    network: LossNetwork, paintings: Iterable[Tensor], layers: Sequence[str]
) -> dict[str, Tensor]:
    """Returns the Gram matrices [S, C, C] of ``paintings``, images [3, h, w] of any size."""
    grams: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for painting in paintings:
        features = network(painting.unsqueeze(0), layers)
        for layer in layers:
            grams[layer].append(gram_matrix(features[layer]))
    return {layer: torch.cat(found) for layer, found in grams.items()}


@torch.no_grad()
def calibrate(
    network: LossNetwork, grams: Mapping[str, Tensor], photos: Tensor
) -> dict[str, Tensor]:
    """Returns the scale [S] of each layer: the mean over ``photos`` of |G(photo) − A|².

    Args:
        network: the loss network, which must return the layers of ``grams``.
        grams: Gram matrices A [S, C, C] of the paintings by layer.
        photos: unstyled photos [K, 3, H, W] in [0, 1], as the training sees them.
    """
    sums = {layer: targets.new_zeros(len(targets)) for layer, targets in grams.items()}
    for photo in photos:  # one at a time: a batch of calibration may be larger than one of training
        features = network(photo.unsqueeze(0), tuple(grams))
        for layer, targets in grams.items():
            difference = gram_matrix(features[layer]) - targets  # [S, C, C]
            sums[layer] += difference.square().mean(dim=(1, 2))
    return {layer: total / len(photos) for layer, total in sums.items()}
