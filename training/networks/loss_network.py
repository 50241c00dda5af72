"""Loss network: features of a frozen VGG by name (Simonyan and Zisserman 2014).

The only file that knows ImageNet's mean and standard deviation. Nothing in it is a parameter and
nothing of it is saved: the weights are buffers that stay out of checkpoints.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Literal

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from training.errors import TrainingError
from training.networks.reflection_padding import reflection_pad

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)

_CONVOLUTION_KEY: Final = re.compile(r"features\.(\d+)\.weight")

PaddingMode = Literal["zeros", "reflect", "circular"]
Pooling = Literal["max", "average"]

_AVERAGE_GAIN: Final = 2.0
"""An average of four activations is about half their maximum (crowsonkb's measurement)."""


class LossNetwork(nn.Module):
    """A VGG's convolutions, as deep as the layers asked for, frozen.

    Layers are named as in the paper's table: ``relu3_2`` is the activation behind the second
    convolution of the third block, ``pool3`` what the pooling behind the block gives.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        weights: Mapping[str, Tensor],
        layers: Iterable[str],
        padding: PaddingMode = "zeros",
        pooling: Pooling = "max",
    ) -> None:
        """Keeps the convolutions up to the deepest of ``layers``.

        Args:
            weights: torchvision's keys (``features.0.weight`` …); any width, any depth. Block
                boundaries are read off the indices: a convolution, its ReLU and a pool take
                three places, without the pool two.
            layers: names of the features to return.
            padding: how the weights' convolutions were trained to pad; ``circular`` sees the
                image as a tile that repeats.
            pooling: 2 × 2 maximum, or average (Gatys 2015) times 2.

        Raises:
            TrainingError: a layer is not in the weights, or the weights are no VGG.
        """
        super().__init__()
        self.layers = tuple(dict.fromkeys(layers))
        indices = _indices_by_layer(weights)
        names = _with_pools(indices)
        for layer in self.layers:
            if layer not in names:
                raise TrainingError(
                    f"loss layer {layer!r} is not in the loss network's weights, "
                    f"which have {', '.join(names)}"
                )
        depth = max(names.index(layer) for layer in self.layers) + 1
        self._names = tuple(names[:depth])
        self._padding, self._pooling = padding, pooling
        for name in self._names:
            if name.startswith("pool"):
                continue
            for part in ("weight", "bias"):
                tensor = weights[f"features.{indices[name]}.{part}"].detach().float()
                self.register_buffer(f"{name}_{part}", tensor, persistent=False)
        for name, values in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor, layers: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Returns the features [N, C, h, w] of ``x`` [N, 3, H, W] in [0, 1] by layer name.

        ``layers`` is a subset of those given at construction; nothing deeper than its deepest
        is computed.

        Raises:
            TrainingError: the image is too small for the deepest layer.
        """
        wanted = set(self.layers if layers is None else layers)
        self._check_size(x, wanted)
        features: dict[str, Tensor] = {}
        x = (x - self.mean) / self.std
        for name in self._names:
            x = self._pool(x) if name.startswith("pool") else F.relu(self._convolve(x, name))
            if name in wanted:
                features[name] = x
                if len(features) == len(wanted):
                    break
        return features

    def _check_size(self, x: Tensor, wanted: set[str]) -> None:
        deepest = max((n for n in self._names if n in wanted), key=self._names.index, default="")
        pools = sum(n.startswith("pool") for n in self._names[: self._names.index(deepest) + 1])
        smallest = 2**pools * (2 if self._padding == "reflect" else 1)
        if min(x.shape[-2:]) < smallest:
            raise TrainingError(
                f"an image of {x.shape[-1]} × {x.shape[-2]} pixels is too small for layer "
                f"{deepest}: each side needs {smallest} pixels"
            )

    def _pool(self, x: Tensor) -> Tensor:
        if self._pooling == "average":
            return _AVERAGE_GAIN * F.avg_pool2d(x, 2)
        return F.max_pool2d(x, 2)

    def _convolve(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.get_buffer(f"{name}_weight"), self.get_buffer(f"{name}_bias")
        if self._padding == "reflect":
            return F.conv2d(reflection_pad(x, 1), weight, bias)
        if self._padding == "circular":
            return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), weight, bias)
        return F.conv2d(x, weight, bias, padding=1)

    def digest(self) -> str:
        """Returns ``sha256:<hex>`` over the weights in use: which network judged a training run."""
        convention = self._padding + ("" if self._pooling == "max" else self._pooling)
        sha = hashlib.sha256(convention.encode())
        for name, tensor in self.named_buffers():
            sha.update(name.encode())
            sha.update(tensor.float().cpu().contiguous().numpy().tobytes())
        return f"sha256:{sha.hexdigest()}"


def load_loss_network(
    source: str,
    layers: Iterable[str],
    *,
    padding: PaddingMode | None = None,
    pooling: Pooling = "max",
    option: str = "--loss-weights",
) -> LossNetwork:
    """Loads a loss network.

    Args:
        source: ``vgg16`` or ``vgg19`` for torchvision's ImageNet weights (downloaded once, by
            torchvision), or the path of a safetensors file with torchvision's key names. A file
            whose metadata says "reflection padding" is run with it.
        layers: names of the features it shall return.
        padding: None pads as the weights were trained.
        pooling: ``max`` or ``average``.
        option: where the command takes ``source`` from, for a message.

    Raises:
        TrainingError: the file is missing or damaged, the download failed, or a layer is absent.
    """
    weights, trained_padding = load_loss_weights(source, option)
    return LossNetwork(weights, layers, padding or trained_padding, pooling)


def load_loss_weights(
    source: str, option: str = "--loss-weights"
) -> tuple[Mapping[str, Tensor], PaddingMode]:
    """Returns the weights of ``source``, see ``load_loss_network``, and how they were padded."""
    if source in ("vgg16", "vgg19"):
        return _torchvision_weights(source, option), "zeros"
    weights, metadata = _read_weights(Path(source))
    return weights, "reflect" if "reflection padding" in metadata else "zeros"


def channels_of(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """Returns the number of channels of each layer, activations and pools, in their order.

    Raises:
        TrainingError: the weights are no VGG.
    """
    indices = _indices_by_layer(weights)
    channels: dict[str, int] = {}
    width = 0
    for name in _with_pools(indices):
        if name in indices:
            width = len(weights[f"features.{indices[name]}.weight"])
        channels[name] = width
    return channels


def _torchvision_weights(name: str, option: str) -> Mapping[str, Tensor]:
    from torchvision.models import VGG16_Weights, VGG19_Weights

    weights = {"vgg16": VGG16_Weights, "vgg19": VGG19_Weights}[name].IMAGENET1K_V1
    try:
        state: Mapping[str, Tensor] = weights.get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise TrainingError(
            f"torchvision could not download the weights of {name} ({error}): go online once, "
            f"or give a safetensors file with {option} FILE"
        ) from error
    return state


def _read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Returns the tensors of a safetensors file and its metadata as one text."""
    if not path.is_file():
        raise TrainingError(
            f"loss weights {str(path)!r} is no file: give a safetensors file, vgg16 or vgg19"
        )
    try:
        with safe_open(path, framework="pt") as file:
            weights = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
            return weights, " ".join((file.metadata() or {}).values())
    except SafetensorError as error:
        raise TrainingError(f"loss weights {str(path)!r} cannot be read: {error}") from error


def _indices_by_layer(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """Names the convolutions: ``{"relu1_1": 0, "relu1_2": 2, "relu2_1": 5, …}``."""
    found = (_CONVOLUTION_KEY.fullmatch(key) for key in weights)
    indices = sorted(int(match.group(1)) for match in found if match)
    if not indices or indices[0] != 0:
        raise TrainingError(
            "these weights are no VGG: its first convolution would be 'features.0.weight', but "
            f"the keys are {', '.join(sorted(weights)[:4]) or 'none at all'} …"
        )
    names: dict[str, int] = {}
    block, number, previous = 1, 0, -2
    for index in indices:
        if index - previous == 2:
            number += 1
        else:
            block, number = block + 1, 1
        names[f"relu{block}_{number}"] = index
        previous = index
    return names


def _with_pools(convolutions: Iterable[str]) -> list[str]:
    """Puts ``pool1`` behind block 1 and so on; none behind a block that may be cut short."""
    blocks: dict[str, list[str]] = {}
    for name in convolutions:
        blocks.setdefault(name[4], []).append(name)
    names: list[str] = []
    for block, members in blocks.items():
        # VGG-19 has 2, 2, 4, 4, 4 convolutions, VGG-16 three where VGG-19 has four.
        whole = 2 if block in "12" else 4 if block == "3" else len(blocks["3"])
        names += members
        if len(members) >= whole or str(int(block) + 1) in blocks:
            names.append(f"pool{block}")
    return names
