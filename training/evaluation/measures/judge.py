"""An independent judge: features of a classifier that had no part in the training.

The loss network likes what was made for it; SqueezeNet (Iandola et al. 2016) has never seen it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from training.errors import TrainingError
from training.evaluation.measures.recognition import Recognition
from training.losses.content import ContentLoss
from training.losses.gram import gram_matrix
from training.networks.classifier import Classifier, load_classifier


@dataclass(frozen=True)
class JudgeLayers:
    """Layers at which a judge looks.

    Attributes:
        style: from fine to coarse; their Gram matrices are compared with the painting's.
        content: where things are told apart, but places are still known.
    """

    style: tuple[str, ...]
    content: str


JUDGES: Final[Mapping[str, JudgeLayers]] = {
    # The first ReLU, and the last Fire module at 1/4, 1/8 and 1/16 of the size.
    "squeezenet1_1": JudgeLayers(
        ("features.1", "features.4", "features.7", "features.12"), "features.7"
    ),
    "squeezenet1_0": JudgeLayers(
        ("features.1", "features.5", "features.10", "features.12"), "features.10"
    ),
}
"""By torchvision's name of the network."""


class Judge:
    """Compares painted photos with their photos and with a painting."""

    def __init__(self, network: Classifier, photos: Tensor) -> None:
        """Looks at the unpainted ``photos`` [N, 3, H, W] through ``network``.

        Raises:
            TrainingError: the network is none of ``JUDGES``.
        """
        if network.name not in JUDGES:
            raise TrainingError(
                f"{network.name} cannot judge: give the weights of {' or '.join(JUDGES)}"
            )
        self._network, self._layers = network, JUDGES[network.name]
        self._names = (*self._layers.style, self._layers.content)
        self._photos = [self._look(photo[None]) for photo in photos]
        self.recognized = Recognition(network, photos)

    @torch.no_grad()
    def _look(self, image: Tensor) -> dict[str, Tensor]:
        """Returns the Gram matrices of the style layers, and the content features."""
        features = self._network(image, self._names)
        seen = {layer: gram_matrix(features[layer]) for layer in self._layers.style}
        return {**seen, "content": features[self._layers.content]}

    def __call__(self, painted: Tensor, painting: Tensor) -> tuple[float, float]:
        """Judges ``painted`` [N, 3, H, W] against ``painting`` [1, 3, h, w].

        Returns:
            The style distance, the mean over the layers of |G(painted) − G(painting)|² divided
            by the same of the unpainted photos, so that they cost 1; and the content distance
            to the photos, 1 for a picture without any features.
        """
        target = self._look(painting)
        seen = [self._look(picture[None]) for picture in painted]
        style = [
            _distance(seen, target[layer], layer) / _distance(self._photos, target[layer], layer)
            for layer in self._layers.style
        ]
        content = [
            ContentLoss(photo["content"])(picture["content"]).item()
            for photo, picture in zip(self._photos, seen, strict=True)
        ]
        return sum(style) / len(style), sum(content) / len(content)


def load_judge(source: str) -> Classifier:
    """Loads the judge's network: torchvision's name, downloaded once, or a safetensors file.

    Raises:
        TrainingError: neither of them, or the download failed.
    """
    if source in JUDGES:
        return load_classifier(source)
    if not Path(source).is_file():
        raise TrainingError(
            f"judge {source!r} is no file: give a safetensors file, or {' or '.join(JUDGES)}"
        )
    return load_classifier(weights=Path(source))


def _distance(seen: Sequence[Mapping[str, Tensor]], target: Tensor, layer: str) -> float:
    """Returns the mean over pictures of the squared distance of Gram matrices; never zero."""
    distances = [(each[layer] - target).square().mean().item() for each in seen]
    return max(1e-12, sum(distances) / len(distances))
