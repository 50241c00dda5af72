"""Writes a bundle of a network with random weights, which is as fast as a trained one.

The style of the bundle is called "random"; there is nothing to see in its pictures.

    python -m benchmarks.random_network FOLDER [--architecture reference]
"""

import argparse
from pathlib import Path

import torch

from sfumato.bundle.bundle import Bundle, next_version, write_bundle
from sfumato.bundle.network_info import NetworkInfo
from sfumato.bundle.style_info import StyleInfo
from training.export.export import to_onnx
from training.networks.architectures import ARCHITECTURES, build_network
from training.networks.transformation_network import MIN_SIDE


def write_random_network(folder: Path, architecture: str) -> Bundle:
    """Writes the next version below ``folder``, with one style, "random"."""
    torch.manual_seed(0)
    network = build_network(architecture)
    folder.mkdir(parents=True, exist_ok=True)
    return write_bundle(
        folder / str(next_version(folder)),
        network=NetworkInfo(architecture, network.digest(), network.style_size, MIN_SIDE),
        styles=[StyleInfo("random", "Random", "nobody", "")],
        rows=network.neutral_style()[None].float().numpy(),
        training={},
        model=to_onnx(network),
    )


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the model, <models>/<name>")
    parser.add_argument("--architecture", choices=list(ARCHITECTURES), default="reference")
    options = parser.parse_args()
    write_random_network(options.folder, options.architecture)


if __name__ == "__main__":
    main()
