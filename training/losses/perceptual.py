"""Perceptual loss: content, style and what keeps pictures clean, weighted (Johnson 2016, 3.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from training.losses.calibration import Scales
from training.losses.content import ContentLoss
from training.losses.edges import EdgeLoss, edges
from training.losses.lattice import LatticeLoss
from training.losses.low_frequency import LowFrequencyLoss, shading
from training.losses.style import GramStyleLoss
from training.losses.total_variation import TotalVariationLoss
from training.networks.loss_network import LossNetwork

STYLE_WEIGHT: Final = 50.0
"""Weight of the calibrated style loss at strength 1; the content loss has weight 1.

Chosen by eye: the painting's strokes are there and the photo's objects can still be named.
"""


@dataclass(frozen=True)
class LossTerms:
    """The terms of one batch, each [N], unweighted, and their weighted sum."""

    content: Tensor
    style: Tensor
    total_variation: Tensor
    low_frequency: Tensor
    edge: Tensor
    lattice: Tensor
    total: Tensor


@dataclass(frozen=True)
class PhotoTargets:
    """What is kept of the photos that pictures are compared with."""

    features: Mapping[str, Tensor]  # by content layer
    shading: Tensor  # see LowFrequencyLoss
    edges: tuple[Tensor, ...]  # see EdgeLoss


class PerceptualLoss(nn.Module):
    """How far painted photos are from their photos (content) and from their paintings (style).

    Content and style are means over their layers, each layer on its own scale (see ContentLoss
    and ``training.losses.calibration``), so the weights mean the same for any number of layers.
    """

    def __init__(
        self,
        network: LossNetwork,
        grams: Mapping[str, Tensor],
        scales: Scales | None,
        *,
        content_layers: Sequence[str],
        style_strength: float,
        total_variation_weight: float,
        low_frequency_weight: float = 0.0,
        edge_weight: float = 0.0,
        lattice_weight: float = 0.0,
    ) -> None:
        """Judges with the features of ``network``.

        Args:
            network: the loss network, with the layers of content and style.
            grams: Gram matrices [S, C, C] of the paintings by style layer.
            scales: scale [S] of each style layer; None for the Gram matrix's own energy.
            content_layers: layers that hold the photo.
            style_strength: the one knob; 1 is balanced, larger means more painting.
            total_variation_weight: weight of the total-variation loss.
            low_frequency_weight: weight of the low-frequency loss.
            edge_weight: weight of the edge loss.
            lattice_weight: weight of the lattice loss.
        """
        super().__init__()
        self.network = network
        self.content_layers = tuple(content_layers)
        self.style_layers = tuple(grams)
        self.weights = (
            *(1.0, STYLE_WEIGHT * style_strength, total_variation_weight),
            *(low_frequency_weight, edge_weight, lattice_weight),
        )
        self.style_losses = nn.ModuleDict(
            {
                layer: GramStyleLoss(targets, None if scales is None else scales[layer])
                for layer, targets in grams.items()
            }
        )
        self.total_variation = TotalVariationLoss()
        self.low_frequency = LowFrequencyLoss()
        self.edge = EdgeLoss()
        self.lattice = LatticeLoss()

    def forward(self, photos: Tensor, painted: Tensor, styles: Tensor) -> LossTerms:
        """Judges ``painted`` [N, 3, H, W] against its ``photos`` and paintings ``styles`` [N]."""
        return self.judge(self.targets_of(photos), painted, styles)

    @torch.no_grad()
    def targets_of(self, photos: Tensor) -> PhotoTargets:
        """Returns what ``judge`` needs of ``photos`` [N, 3, H, W]."""
        features: Mapping[str, Tensor] = self.network(photos, self.content_layers)
        return PhotoTargets(features, shading(photos), edges(photos))

    def judge(self, targets: PhotoTargets, painted: Tensor, styles: Tensor) -> LossTerms:
        """Judges as ``forward`` does, with the photos' part from ``targets_of``.

        Whoever judges many pictures of the same photos computes that once.
        """
        features = self.network(painted)
        content = torch.stack(
            [ContentLoss(targets.features[layer])(features[layer]) for layer in self.content_layers]
        ).mean(dim=0)
        style = torch.stack(
            [loss(features[layer], styles) for layer, loss in self.style_losses.items()]
        ).mean(dim=0)
        terms = (
            content,
            style,
            self.total_variation(painted),
            self.low_frequency(targets.shading, painted),
            self.edge(targets.edges, painted),
            self.lattice(painted),
        )
        weighted = zip(self.weights, terms, strict=True)
        return LossTerms(*terms, total=sum(w * term for w, term in weighted if w))
