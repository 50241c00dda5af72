"""Options that style transfer, its grid and doodles share, and what they stand for."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

from torch import Tensor

from training.baselines.style_objective import CONTENT_LAYERS, STYLE_LAYERS, Normalization
from training.optimize.picture_file import fit, read_picture, resize
from training.optimize.technique import Technique, WithLevels, WithLossNetwork
from training.options import Options, not_negative, positive

Start = Literal["photo", "noise", "painting"]
KeptColours = Literal["luminance", "coral"]

TV_WEIGHT: Final = 1.0
"""Enough against the speckles that max pooling leaves, too little to blur strokes."""


class WeightedFile(NamedTuple):
    """A painting's file and its weight beside the others."""

    path: Path
    weight: float


@dataclass(frozen=True)
class Pictures:
    """Photo and paintings at their largest size; ``at`` gives them for a level.

    Attributes:
        photo: [1, 3, H, W] in [0, 1].
        paintings: each [1, 3, h, w] in [0, 1].
    """

    photo: Tensor
    paintings: tuple[Tensor, ...]

    def at(self, size: tuple[int, int]) -> "Pictures":
        """Returns the photo at ``size`` (height, width) and the paintings reduced as much."""
        share = max(size) / max(self.photo.shape[-2:])
        paintings = tuple(
            resize(each, fit(each.shape, round(share * max(each.shape[-2:]))))
            for each in self.paintings
        )
        return Pictures(resize(self.photo, size), paintings)


def layer_names(text: str) -> tuple[str, ...]:
    """Reads layer names with commas."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("name at least one layer, such as relu1_1,relu2_1")
    return names


LayerNames = Annotated[tuple[str, ...], layer_names, "NAMES"]


@dataclass(frozen=True, kw_only=True)
class WithLayers(Options):
    """What has a painting's style.

    Args:
        content_layers: layers that hold the photo, with commas
        style_layers: layers that hold the strokes, with commas
        style_size: longer side of the paintings: larger means larger strokes (default: --size)
    """

    content_layers: LayerNames = CONTENT_LAYERS
    style_layers: LayerNames = STYLE_LAYERS
    style_size: Annotated[int | None, positive, "PIXELS"] = None


@dataclass(frozen=True, kw_only=True)
class Transfer(WithLayers, WithLossNetwork, Technique, WithLevels):
    """Style transfers.

    Args:
        photo: the photo, an image file
        normalization: what a layer's loss is divided by: calibrated, so that the unstyled photo
            costs 1 and one weight serves all paintings; energy, so that an image without features
            costs 1; gatys, nothing, as in the paper
        init: where to start; painting is the first one, stretched
    """

    photo: Path
    normalization: Normalization = "calibrated"
    init: Start = "photo"

    def read_pictures(self, paintings: tuple[Path, ...]) -> Pictures:
        """Reads the photo at ``size`` and the paintings at ``style_size``.

        Whatever the size of a file, it is reduced or enlarged to that: a tiny painting is enlarged.

        Raises:
            TrainingError: a file is missing or no image.
        """
        device = self.chosen_device()
        style_size = self.style_size or self.size
        return Pictures(
            read_picture(self.photo, self.size).to(device),
            tuple(read_picture(path, style_size).to(device) for path in paintings),
        )


def shares_of(paintings: tuple[WeightedFile, ...]) -> tuple[float, ...]:
    """Returns the paintings' weights, scaled to the sum 1."""
    total = sum(each.weight for each in paintings)
    return tuple(each.weight / total for each in paintings)


def weighted_file(text: str) -> WeightedFile:
    """Reads ``PAINTING`` or ``PAINTING=weight``; a file whose name has an = is found, too."""
    name, sign, number = text.rpartition("=")
    if not sign or Path(text).is_file():
        return WeightedFile(Path(text), 1.0)
    value = not_negative(number)
    if value == 0:
        raise argparse.ArgumentTypeError(f"{text!r} has no part in it: leave it out")
    return WeightedFile(Path(name), value)
