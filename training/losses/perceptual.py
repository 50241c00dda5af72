"""Perceptual loss: content, style and total variation, weighted (Johnson 2016, section 3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.losses.content import ContentLoss
from training.losses.gram import gram_matrix
from training.losses.style import GramStyleLoss
from training.losses.total_variation import TotalVariationLoss
from training.networks.loss_network import LossNetwork


@dataclass(frozen=True)
class LossTerms:
    """The terms of one batch, each [N], unweighted, and their weighted sum."""

    content: Tensor
    style: Tensor
    total_variation: Tensor
    total: Tensor


class PerceptualLoss(nn.Module):
    """How far painted photos are from their photos (content) and from their paintings (style).

    Content and style are means over their layers, each layer on its own scale (see ContentLoss
    and GramStyleLoss), so the weights mean the same for any number of layers.
    """

    def __init__(
        self,
        network: LossNetwork,
        paintings: Sequence[Tensor],
        *,
        content_layers: Sequence[str],
        style_layers: Sequence[str],
        content_weight: float,
        style_weight: float,
        total_variation_weight: float,
    ) -> None:
        """Computes the Gram matrices of ``paintings``, images [3, h, w] of any size, once."""
        super().__init__()
        self.network = network
        self.content_layers = tuple(content_layers)
        self.style_layers = tuple(style_layers)
        self.weights = (content_weight, style_weight, total_variation_weight)
        self.style_losses = nn.ModuleDict(
            {
                layer: GramStyleLoss(torch.cat(grams))
                for layer, grams in zip(
                    self.style_layers, zip(*map(self._grams, paintings), strict=True), strict=True
                )
            }
        )
        self.total_variation = TotalVariationLoss()

    def forward(self, photos: Tensor, painted: Tensor, styles: Tensor) -> LossTerms:
        """Judges ``painted`` [N, 3, H, W] against its ``photos`` and paintings ``styles`` [N]."""
        with torch.no_grad():
            targets = self.network(photos, self.content_layers)
        features = self.network(painted)
        content = torch.stack(
            [ContentLoss(targets[layer])(features[layer]) for layer in self.content_layers]
        ).mean(dim=0)
        style = torch.stack(
            [loss(features[layer], styles) for layer, loss in self.style_losses.items()]
        ).mean(dim=0)
        variation = self.total_variation(painted)
        weighted = zip(self.weights, (content, style, variation), strict=True)
        return LossTerms(content, style, variation, sum(w * term for w, term in weighted))

    @torch.no_grad()
    def _grams(self, painting: Tensor) -> list[Tensor]:
        """Returns one Gram matrix [1, C, C] per style layer."""
        features = self.network(painting.unsqueeze(0), self.style_layers)
        return [gram_matrix(features[layer]) for layer in self.style_layers]
