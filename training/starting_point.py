"""Trained networks to start from: a checkpoint of ``fit``, or the bundle that a server reads."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from sfumato.bundle.bundle import read_latest_bundle
from sfumato.bundle.style_info import StyleInfo
from training.checkpoint import TrainedStyles, first_not_finite, read_checkpoint
from training.errors import TrainingError
from training.networks.transformation_network import TransformationNetwork


def read_trained(path: Path | str) -> TrainedStyles:
    """Reads a checkpoint, a bundle, or the highest version of a model folder.

    Raises:
        TrainingError: neither of them, a graph that is not of a network known here, or numbers
            that are not finite.
        BundleError: a damaged bundle.
    """
    path = Path(path)
    if not path.is_dir():
        return read_checkpoint(path)
    bundle = read_latest_bundle(path)
    from training.export.export import network_from_onnx  # ONNX Runtime is slow to import

    network = network_from_onnx(bundle.model_path.read_bytes(), bundle.network.architecture)
    if network.digest() != bundle.network.digest:
        raise TrainingError(
            f"the graph of {str(bundle.path)!r} is not the network that its manifest names: "
            "export it again"
        )
    if name := first_not_finite({**network.state_dict(), "rows": torch.tensor(bundle.rows)}):
        raise TrainingError(
            f"{str(bundle.path)!r} holds numbers that are not finite (in {name}): export another "
            "checkpoint"
        )
    return TrainedStyles(network, torch.tensor(bundle.rows), bundle.styles, bundle.training)


def warm_start(
    network: TransformationNetwork, rows: Tensor, styles: Sequence[StyleInfo], start: TrainedStyles
) -> None:
    """Copies the weights of ``start`` into ``network`` and the rows of common styles into ``rows``.

    Rows [S, P] of styles that ``start`` does not know are left as they are.

    Raises:
        TrainingError: ``start`` has another architecture.
    """
    if start.network.architecture != network.architecture:
        raise TrainingError(
            f"the network to start from is {start.network.architecture!r}, the one to train is "
            f"{network.architecture!r}: choose --model.architecture {start.network.architecture}"
        )
    network.load_state_dict(start.network.state_dict())
    numbers = {info.id: number for number, info in enumerate(start.styles)}
    length = start.rows.shape[1]  # models made before rows had an opacity are one shorter
    for row, info in zip(rows, styles, strict=True):
        if info.id in numbers:
            row[:length] = start.rows[numbers[info.id]]
