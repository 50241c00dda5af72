"""Options that choose a classifier."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch

from training.networks.classifier import Classifier, load_classifier
from training.options import Options


@dataclass(frozen=True, kw_only=True)
class WithClassifier(Options):
    """What looks through a classifier.

    Args:
        network: a classifier of torchvision: squeezenet1_1 (default), vgg16, resnet18, googlenet …
        weights: a safetensors file with torchvision's keys (default: downloaded once)
    """

    network: Annotated[str | None, "NAME"] = None
    weights: Annotated[Path | None, "FILE"] = None

    def load_classifier(self, device: torch.device) -> Classifier:
        """Returns the classifier asked for, on ``device``. Raises TrainingError."""
        return load_classifier(self.network, self.weights).to(device)
