"""Options that choose a classifier."""

import argparse
from pathlib import Path

import torch

from training.networks.classifier import Classifier, load_classifier


def add_classifier_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--network`` and ``--weights``."""
    parser.add_argument(
        "--network",
        metavar="NAME",
        help="a classifier of torchvision: squeezenet1_1 (default), vgg16, resnet18, googlenet …",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="a safetensors file with torchvision's keys (default: downloaded once)",
    )


def chosen_classifier(options: argparse.Namespace, device: torch.device) -> Classifier:
    """Returns the classifier that ``options`` ask for, on ``device``."""
    return load_classifier(options.network, options.weights).to(device)
