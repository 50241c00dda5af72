"""The networks by name."""

from typing import Final

from training.errors import TrainingError
from training.networks.hourglass import LiteHourglass, WideHourglass
from training.networks.johnson_networks import LiteNetwork, ReferenceNetwork
from training.networks.transformation_network import TransformationNetwork

ARCHITECTURES: Final[dict[str, type[TransformationNetwork]]] = {
    network.architecture: network
    for network in (WideHourglass, LiteHourglass, ReferenceNetwork, LiteNetwork)
}


def build_network(architecture: str) -> TransformationNetwork:
    """Builds a network by the name of its architecture.

    Raises:
        TrainingError: no such architecture; the message lists those that exist.
    """
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise TrainingError(f"unknown architecture {architecture!r}: choose one of {known}")
    return ARCHITECTURES[architecture]()
