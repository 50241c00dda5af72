"""Checkpoints of ``fit`` as export reads them: network, style rows, what is known of the styles."""

import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sfumato.bundle.style_info import StyleInfo
from training.errors import TrainingError
from training.networks.architectures import build_network
from training.networks.transformation_network import TransformationNetwork

CHECKPOINT_FORMAT = 1
CHECKPOINT_KEY = "sfumato"
"""Where a checkpoint keeps what Lightning does not know of."""

_NETWORK_PREFIX = "network."


@dataclass(frozen=True)
class TrainedStyles:
    """A trained network and its styles."""

    network: TransformationNetwork
    rows: Tensor  # [S, P]
    styles: tuple[StyleInfo, ...]
    training: Mapping[str, Any]


def checkpoint_extras(styles: list[StyleInfo], conventions: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a checkpoint adds to Lightning's own: plain types only."""
    return {
        "format_version": CHECKPOINT_FORMAT,
        "styles": [info.to_json() for info in styles],
        "conventions": dict(conventions),
    }


def read_checkpoint(path: Path) -> TrainedStyles:
    """Reads a checkpoint without unpickling anything but tensors and plain types.

    Raises:
        TrainingError: no such file, no checkpoint of ours, one of another network, or one with
            numbers that are not finite.
    """
    checkpoint = load(path)
    extras = checkpoint.get(CHECKPOINT_KEY)
    if not isinstance(extras, dict) or extras.get("format_version") != CHECKPOINT_FORMAT:
        raise TrainingError(
            f"{str(path)!r} is a checkpoint, but not of `python -m training fit` in this version"
        )
    hyperparameters: dict[str, Any] = checkpoint["hyper_parameters"]
    state: dict[str, Tensor] = checkpoint["state_dict"]
    network = build_network(hyperparameters["architecture"])
    weights = {
        key.removeprefix(_NETWORK_PREFIX): value
        for key, value in state.items()
        if key.startswith(_NETWORK_PREFIX)
    }
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingError(
            f"{str(path)!r} holds another network than {network.architecture!r}: {error}"
        ) from error
    if name := first_not_finite(state):
        raise TrainingError(
            f"{str(path)!r} holds numbers that are not finite (in {name}): its training diverged, "
            "take an earlier checkpoint"
        )
    return TrainedStyles(
        network.eval(),
        state["rows"].float(),
        tuple(map(StyleInfo.from_json, extras["styles"])),
        {
            **{
                key: _plain(value)
                for key, value in sorted(hyperparameters.items())
                if not key.startswith("_") and key != "init_from"  # a path says nothing elsewhere
            },
            **extras["conventions"],
            "steps": checkpoint["global_step"],
        },
    )


def _plain(value: Any) -> Any:
    """Returns what JSON can hold: a file name instead of a path of the trainer's machine."""
    if isinstance(value, str) and ("/" in value or "\\" in value):
        return Path(value).name
    return list(value) if isinstance(value, tuple) else value


def load(path: Path) -> dict[str, Any]:
    """Returns the content of a checkpoint, without unpickling more than tensors and plain types.

    Raises:
        TrainingError: no such file, or no checkpoint.
    """
    if not path.is_file():
        raise TrainingError(f"no checkpoint {str(path)!r}: give the .ckpt file of a run of fit")
    if not zipfile.is_zipfile(path):  # torch.save writes an archive; nothing else is looked at
        raise TrainingError(
            f"{str(path)!r} is damaged or no checkpoint of `python -m training fit`"
        )
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        first_line = str(error).splitlines()[0]
        raise TrainingError(
            f"{str(path)!r} is no checkpoint that is safe to read: {first_line}"
        ) from error
    if not isinstance(loaded, dict) or "state_dict" not in loaded:
        raise TrainingError(f"{str(path)!r} is no checkpoint of `python -m training fit`")
    return loaded


def first_not_finite(state: Mapping[str, Tensor]) -> str | None:
    """Returns the name of the first tensor of ``state`` that holds an infinity or a NaN."""
    return next((name for name, value in state.items() if not value.isfinite().all()), None)
