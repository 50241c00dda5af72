"""What is in a photo: whether a classifier still finds it after painting."""

from typing import Final

import torch
from torch import Tensor

from training.networks.classifier import LOGITS, Classifier

AMONG: Final = 5
"""The photo's first class must be among so many first ones of the painted photo."""


class Recognition:
    """Compares the classes of painted photos with those of the photos."""

    def __init__(self, network: Classifier, photos: Tensor) -> None:
        """Looks at the unpainted ``photos`` [N, 3, H, W] through ``network``."""
        self._network = network
        self._first = self._classes(photos, 1)  # [N, 1]

    def __call__(self, painted: Tensor) -> float:
        """Returns in what share of ``painted`` [N, 3, H, W] the photo's class is still found."""
        return (self._classes(painted, AMONG) == self._first).any(dim=1).float().mean().item()

    @torch.no_grad()
    def _classes(self, images: Tensor, count: int) -> Tensor:
        """Returns the numbers [N, count] of the likeliest classes, the likeliest first."""
        logits = torch.cat([self._network(image[None])[LOGITS] for image in images])
        return logits.topk(min(count, logits.shape[1]), dim=1).indices
