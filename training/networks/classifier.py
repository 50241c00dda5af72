"""Classifier: an ImageNet network of torchvision, its layers by name, its classes by name."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from training.errors import TrainingError
from training.networks.capture import capture, unknown_layer
from training.networks.class_names import find_class
from training.networks.loss_network import IMAGENET_MEAN, IMAGENET_STD

LOGITS: Final = "logits"
"""Name of the output before the softmax [N, K]."""

_TOO_SMALL: Final = ("too small", "Kernel size can't be greater", "input size")


class Classifier(nn.Module):
    """A frozen classifier that returns features by layer name.

    A layer is a module's dotted name, such as ``features.3`` or ``features.12.expand3x3``, and
    what is returned is that module's output: before a ReLU that follows it, even an in-place one.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, name: str, classes: Sequence[str]) -> None:
        """Freezes ``model``, called ``name`` in messages, whose outputs are ``classes``."""
        super().__init__()
        self.model = model.eval().requires_grad_(requires_grad=False)
        self.name = name
        self.classes = tuple(classes)
        self.layers = (*(layer for layer, _ in model.named_modules() if layer), LOGITS)
        for buffer, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(buffer, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor, layers: Iterable[str] = (LOGITS,)) -> dict[str, Tensor]:
        """Returns the outputs of ``layers`` on ``x`` [N, 3, H, W] in [0, 1] by layer name.

        Raises:
            TrainingError: there is no such layer, or the image is too small for the network.
        """
        wanted = tuple(dict.fromkeys(layers))
        self.check(wanted)
        modules = [layer for layer in wanted if layer != LOGITS]
        with capture(self.model, modules) as features:
            try:
                features[LOGITS] = self.model((x - self.mean) / self.std)
            except RuntimeError as error:
                if not any(part in str(error) for part in _TOO_SMALL):
                    raise
                height, width = x.shape[-2:]
                raise TrainingError(
                    f"an image of {width} × {height} is too small for {self.name}: enlarge it"
                ) from error
        return {layer: features[layer] for layer in wanted if layer in features}

    def check(self, layers: Iterable[str]) -> None:
        """Raises TrainingError if one of ``layers`` is not there; it lists those that are."""
        for layer in layers:
            if layer not in self.layers:
                raise unknown_layer(layer, self.layers)

    def class_index(self, text: str) -> int:
        """Returns the index of the class called ``text``, a name or an index.

        Raises:
            TrainingError: there is no such class; close names are suggested.
        """
        return find_class(text, self.classes)


def load_classifier(name: str | None = None, weights: Path | None = None) -> Classifier:
    """Loads a classifier.

    Args:
        name: torchvision's name, such as ``squeezenet1_1``, ``vgg16`` or ``resnet18``; without
            ``weights`` torchvision downloads its own, once. None is ``squeezenet1_1``, or
            whatever ``weights`` fit.
        weights: a safetensors file with torchvision's keys, of any precision.

    Raises:
        TrainingError: the name or the file is not of a classifier, or the download failed.
    """
    from training.networks.classifier_weights import from_file, from_torchvision

    if weights is not None:
        return Classifier(*from_file(weights, name))
    return Classifier(*from_torchvision(name or "squeezenet1_1"))
