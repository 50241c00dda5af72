"""Where to start a new style: the blend of known styles whose pictures lie nearest to it.

Dumoulin 2017, section 3.2, starts from random rows. Rows of paintings that the network knows are
already rows that it paints well with, so the best mixture of them is nearer.
"""

from collections.abc import Mapping
from typing import Final

import torch
from torch import Tensor

from training.losses.calibration import Scales
from training.losses.gram import gram_matrix
from training.networks.loss_network import LossNetwork
from training.networks.transformation_network import TransformationNetwork

_ROUNDS: Final = 2000


@torch.no_grad()
def nearest_blend(
    network: TransformationNetwork,
    rows: Tensor,
    loss_network: LossNetwork,
    grams: Mapping[str, Tensor],
    scales: Scales,
    photos: Tensor,
) -> Tensor:
    """Returns shares [S] of ``rows``, not negative and with the sum 1.

    Paints ``photos`` in every known style and mixes the Gram matrices of the pictures until they
    are as near as possible to those of the new painting, on the scale of the style loss. A blend
    of rows does not paint the blend of the pictures exactly, but it starts close.

    Args:
        network: paints.
        rows: rows [S, P] of the known styles.
        loss_network: judges.
        grams: Gram matrix [1, C, C] of the new painting by style layer.
        scales: its scale [1] by style layer.
        photos: a few photos [K, 3, H, W] in [0, 1].
    """
    known = [_mean_grams(network, row, loss_network, tuple(grams), photos) for row in rows]
    mixed = torch.stack([_flatten(grams_of, scales) for grams_of in known])  # [S, D]
    target = _flatten({layer: gram[0] for layer, gram in grams.items()}, scales)  # [D]
    return nearest_mixture(mixed, target)


def nearest_mixture(points: Tensor, target: Tensor) -> Tensor:
    """Returns the convex shares [S] whose mixture of ``points`` [S, D] is nearest to ``target``.

    Frank-Wolfe with exact line search (Jaggi 2013): every iterate is a mixture.
    """
    differences = points.double() - target.double()  # the mixture of these is what shall vanish
    products = differences @ differences.T  # [S, S]
    shares = torch.zeros(len(points), dtype=torch.double)
    shares[products.diagonal().argmin()] = 1.0
    for _ in range(_ROUNDS):
        slope = products @ shares  # half the gradient of |Σ share · difference|²
        best = int(slope.argmin())
        step = -shares.clone()
        step[best] += 1.0
        curvature = step @ products @ step
        if curvature <= 0:
            break
        length = float((-(step @ slope) / curvature).clamp(0, 1))
        if length <= 1e-9:
            break
        shares += length * step
    return (shares / shares.sum()).float()


def _mean_grams(
    network: TransformationNetwork,
    row: Tensor,
    loss_network: LossNetwork,
    layers: tuple[str, ...],
    photos: Tensor,
) -> dict[str, Tensor]:
    """Returns the mean Gram matrix [C, C] by layer of ``photos`` painted with ``row`` [P]."""
    features = loss_network(network.render(photos, row.expand(len(photos), -1)), layers)
    return {layer: gram_matrix(features[layer]).mean(dim=0) for layer in layers}


def _flatten(grams: Mapping[str, Tensor], scales: Scales) -> Tensor:
    """Returns Gram matrices [C, C] as one vector whose square is the style loss, times L."""
    parts = [
        gram.flatten() / (gram.numel() * scales[layer]).sqrt() for layer, gram in grams.items()
    ]
    return torch.cat(parts)
