"""Weights of classifiers: torchvision's own, or a safetensors file with its key names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torchvision import models

from training.errors import TrainingError
from training.networks.class_names import imagenet_classes
from training.networks.loss_network import IMAGENET_MEAN

_RECOGNIZED: Final = (
    *("squeezenet1_0", "squeezenet1_1", "alexnet", "googlenet", "inception_v3", "mobilenet_v2"),
    *(f"vgg{depth}{kind}" for kind in ("", "_bn") for depth in (11, 13, 16, 19)),
    *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)),
    *(f"densenet{depth}" for depth in (121, 161, 169, 201)),
)
"""Architectures that are told apart by the shapes in a file, without a name."""

_INCEPTIONS: Final = ("googlenet", "inception_v3")
"""Their weights expect another normalization, which the model does if ``transform_input``."""

Loaded = tuple[nn.Module, str, tuple[str, ...]]
"""A classifier's module, its name and its classes."""


def from_torchvision(name: str) -> Loaded:
    """Returns torchvision's classifier ``name`` with torchvision's weights, downloaded once.

    Raises:
        TrainingError: there is no such classifier, or the download failed.
    """
    _check_name(name)
    weights = models.get_model_weights(name).DEFAULT
    if tuple(weights.transforms().mean) != IMAGENET_MEAN:
        raise TrainingError(
            f"{name} does not take images normalized by ImageNet's mean: choose another network"
        )
    try:
        model = models.get_model(name, weights=weights)
    except OSError as error:
        raise TrainingError(
            f"torchvision could not download the weights of {name} ({error}): go online once, "
            "or give a safetensors file with --weights FILE"
        ) from error
    return model, name, tuple(weights.meta["categories"])


def from_file(path: Path, name: str | None = None) -> Loaded:
    """Returns the classifier in a safetensors file.

    Args:
        path: the file, with torchvision's keys, of any precision.
        name: torchvision's name of the architecture. None stands for the one in the file's
            metadata (``architecture``: ``torchvision squeezenet1_1``), or the one whose shapes
            fit.

    Raises:
        TrainingError: no such file, it is damaged, or no classifier fits it.
    """
    tensors, metadata = _read(path)
    if name is None:
        words = metadata.get("architecture", "").removeprefix("torchvision").split()
        name = words[0] if len(words) == 1 else _recognize(tensors, path)
    _check_name(name)
    tensors = {key: value for key, value in tensors.items() if not _is_auxiliary(key)}
    count = _class_count(tensors, name, path)
    model = _build(name, count)
    model.load_state_dict(tensors, strict=False)
    classes = imagenet_classes()
    return model, name, classes if count == len(classes) else tuple(map(str, range(count)))


def _check_name(name: str) -> None:
    names = models.list_models(module=models)
    if name not in names:
        raise TrainingError(
            f"{name!r} is no classifier of torchvision, which has squeezenet1_1, vgg16, "
            f"resnet18, googlenet and others ({len(names)} in all)"
        )


def _read(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """Returns the tensors of a safetensors file in float32, and its metadata."""
    if not path.is_file():
        raise TrainingError(f"classifier weights {str(path)!r} is no file: give a safetensors file")
    try:
        with safe_open(path, framework="pt") as file:
            keys = file.keys()
            return {key: _float32(file.get_tensor(key)) for key in keys}, file.metadata() or {}
    except SafetensorError as error:
        raise TrainingError(f"classifier weights {str(path)!r} cannot be read: {error}") from error


def _float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _recognize(tensors: Mapping[str, Tensor], path: Path) -> str:
    """Returns the first architecture whose shapes are those of ``tensors``."""
    for name in _RECOGNIZED:
        if _misfit(tensors, _skeleton(name)) is None:
            return name
    raise TrainingError(
        f"classifier weights {str(path)!r} fit no classifier of torchvision by their shapes: "
        "name the architecture with --network NAME"
    )


def _class_count(tensors: Mapping[str, Tensor], name: str, path: Path) -> int:
    """Returns the number of classes of a file that holds ``name``; raises if it holds another."""
    skeleton = _skeleton(name)
    misfit = _misfit(tensors, skeleton)
    if misfit is not None:
        raise TrainingError(f"classifier weights {str(path)!r} are not of {name}: {misfit}")
    for key, expected in skeleton.items():
        if expected.shape[:1] != tensors[key].shape[:1]:
            return len(tensors[key])
    return 1000


def _misfit(tensors: Mapping[str, Tensor], skeleton: Mapping[str, Tensor]) -> str | None:
    """Says what is wrong with ``tensors``; None if they fit, whatever the number of classes."""
    needed = {key for key in skeleton if not key.endswith("num_batches_tracked")}
    given = {
        key for key in tensors if not (key.endswith("num_batches_tracked") or _is_auxiliary(key))
    }
    if needed != given:
        lacking, strange = sorted(needed - given), sorted(given - needed)
        return f"{lacking[0]!r} is missing" if lacking else f"{strange[0]!r} is one too many"
    for key in needed:
        here, there = tuple(tensors[key].shape), tuple(skeleton[key].shape)
        if here != there and not (there[:1] == (1000,) and here[1:] == there[1:]):
            return f"{key!r} has shape {list(here)} instead of {list(there)}"
    return None


def _is_auxiliary(key: str) -> bool:
    """Auxiliary classifiers of the inceptions serve their training only."""
    return key.startswith(("aux1.", "aux2.", "AuxLogits."))


def _skeleton(name: str) -> Mapping[str, Tensor]:
    """Returns the state of architecture ``name`` without numbers."""
    with torch.device("meta"):
        state: Mapping[str, Tensor] = _build(name, 1000).state_dict()
    return state


def _build(name: str, classes: int) -> nn.Module:
    """Builds architecture ``name`` with ``classes`` outputs."""
    options: dict[str, Any] = {"num_classes": classes}
    if name in _INCEPTIONS:
        options |= {"init_weights": False, "aux_logits": False, "transform_input": True}
    model: nn.Module = models.get_model(name, weights=None, **options)
    return model
