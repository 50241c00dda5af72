"""Classifiers small enough for tests, with random or hand-set weights."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import squeezenet1_1

from training.networks.classifier import Classifier


def write_squeezenet(path: Path, classes: int = 1000) -> Path:
    """Writes a SqueezeNet with random weights as a safetensors file."""
    torch.manual_seed(0)
    save_file(squeezenet1_1(weights=None, num_classes=classes).state_dict(), path)
    return path


def colour_classes() -> Classifier:
    """Seven classes by hand: the three colours of the middle, and four that need no colour.

    On black the order is d, c, b, a, blue, green, red.
    """
    head = nn.Linear(3, 7)
    with torch.no_grad():
        head.weight.copy_(torch.cat([torch.eye(3), torch.zeros(4, 3)]))
        head.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 0.1, 0.2, 0.3, 0.4]))
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
    return Classifier(model, "colours", ("red", "green", "blue", "a", "b", "c", "d"))


def convolutional() -> Classifier:
    """Two 3 × 3 convolutions of stride 1 and 2, random; ``3`` sees 5 × 5 pixels."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(8, 8, 3, stride=2),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 4),
    )
    return Classifier(model, "tiny", ("ant", "bee", "cat", "dog"))
