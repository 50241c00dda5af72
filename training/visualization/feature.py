"""Feature visualization: what a unit answers to (Olah, Mordvintsev, Schubert 2017).

Deviation: with ``--like`` the direction is a photo's own activation, as in the semantic
dictionaries and caricatures of Olah et al. 2018, "The Building Blocks of Interpretability".
"""

import argparse
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

import torch
from torch import Tensor

from training.errors import TrainingError
from training.networks.classifier import Classifier
from training.optimize.loop import Result
from training.optimize.objective import Objective
from training.optimize.picture_file import read_picture
from training.optimize.sheet import Entry, optimize_sheet
from training.options import Positive, not_negative, positive
from training.visualization.priors import (
    Visualization,
    mean_colour,
    penalties,
    projection,
    start,
    step_size,
    transformation,
)
from training.visualization.redirected_relu import RedirectedReLU
from training.visualization.unit_names import parse_unit
from training.visualization.unit_objectives import direction, relative_diversity

Place = tuple[int | None, int | None]
"""Row and column of a layer; None stands for the centre."""

COSINE_POWER: Final = 2.0
"""How much more a direction counts than strength in caricatures."""


def place(text: str) -> Place:
    """Reads ``ROW,COLUMN``."""
    match = re.fullmatch(r"(\d+),(\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no place: give ROW,COLUMN, such as 6,6")
    return int(match[1]), int(match[2])


@dataclass(frozen=True, kw_only=True)
class FeatureVisualization(Visualization):
    """Images that units of a classifier answer to.

    Several units give a sheet, one row each if there are several images of each.

    Args:
        units: such as features.12:35; features.12:35+40-7 is a direction; LAYER with --like
        neuron: one neuron instead of the mean over all places; without a place, the centre
        sign: what raises the unit, what lowers it, or a row of each
        like: take the photo's own activations as the direction: a caricature of it
        at: with --like: take the activations of this place of the layer alone
        images: images of each unit
        diversity: how much the images of a unit shall differ, in units of its answer
    """

    units: tuple[Annotated[str, "LAYER:CHANNEL"], ...]
    neuron: Annotated[Place | None, place, "ROW,COLUMN", {"nargs": "?", "const": (None, None)}] = (
        None
    )
    sign: Literal["positive", "negative", "both"] = "positive"
    like: Annotated[Path | None, "PHOTO"] = None
    at: Annotated[Place | None, place, "ROW,COLUMN"] = None
    images: Annotated[int, positive, "N"] = 1
    diversity: Annotated[float, not_negative, "W"] = 2.0
    size: Positive = 160

    positional: ClassVar = ("units",)

    def make(self) -> Result:
        """Makes images of each unit.

        Raises:
            TrainingError: a layer, a channel, the network or the photo is not there, or the image
                is too small.
        """
        device = self.chosen_device()
        network = self.load_classifier(device)
        photo = None if self.like is None else read_picture(self.like, self.size).to(device)
        height, width = (self.size, self.size) if photo is None else photo.shape[-2:]
        init = mean_colour(device).repeat(self.images, 1, height, width)
        wanted = dict(self._wanted(network, photo))
        _check(network, init[:1], wanted.values())
        entries = [
            Entry(
                label,
                start(self, init, random=True),
                objective + penalties(self, device),
                RedirectedReLU(network),
                transformation(self),
                projection(self, device),
            )
            for label, objective in wanted.items()
        ]
        columns = 2 if self.sign == "both" and self.images == 1 else None
        return optimize_sheet(self, entries, step_size(self), columns)

    def _wanted(self, network: Classifier, photo: Tensor | None) -> Iterator[tuple[str, Objective]]:
        """Gives each unit's label and objective, once or twice, as ``sign`` says."""
        for text in self.units:
            layer, objective = self._unit(text, network, photo)
            spread = relative_diversity(layer, objective, self.diversity)
            if self.sign != "negative":
                yield text, objective + spread
            if self.sign != "positive":
                yield f"-{text}", spread - objective

    def _unit(self, text: str, network: Classifier, photo: Tensor | None) -> tuple[str, Objective]:
        """Returns a unit's layer and what makes it answer."""
        if photo is None:
            unit = parse_unit(text)
            return unit.layer, unit.objective(self.neuron)
        with torch.no_grad():
            maps = network(photo, [text])[text][0]
        if self.at is not None:
            maps = _at(maps, text, self.at)
        return text, direction(text, maps, COSINE_POWER)


def _at(maps: Tensor, layer: str, place: Place) -> Tensor:
    """Returns the activations [C] at one place of ``maps`` [C, h, w]."""
    row, column = place
    height, width = maps.shape[-2:]
    assert row is not None
    assert column is not None
    if not (row < height and column < width):
        raise TrainingError(
            f"the photo has no place {row},{column} in layer {layer!r}: it has {height} rows and "
            f"{width} columns there, counted from 0"
        )
    return maps[:, row, column]


def _check(network: Classifier, image: Tensor, objectives: Collection[Objective]) -> None:
    """Evaluates each objective once, so that what is wrong is said before the work begins."""
    layers = dict.fromkeys(layer for objective in objectives for layer in objective.layers)
    with torch.no_grad():
        features = network(image, layers)
        for objective in objectives:
            objective(features)
