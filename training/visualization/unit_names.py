"""Names of units on the command line: ``LAYER:CHANNEL``, and sums of channels."""

import re
from dataclasses import dataclass
from typing import Final

from training.errors import TrainingError
from training.optimize.objective import Objective
from training.visualization.unit_objectives import channel, neuron

_CHANNELS: Final = re.compile(r"[+-]?\d+(?:[+-]\d+)*")


@dataclass(frozen=True)
class Unit:
    """Channels of one layer, each with a sign.

    Attributes:
        layer: its name, such as ``features.12``.
        channels: numbers of the channels and +1 or -1; several make a direction.
    """

    layer: str
    channels: tuple[tuple[int, int], ...]

    def objective(self, place: tuple[int | None, int | None] | None = None) -> Objective:
        """Returns what makes the unit answer: the sum of its channels, each with its sign.

        Args:
            place: row and column of a neuron, None in it for the centre; None alone for the mean
                over all places.
        """
        objective = Objective()
        for number, sign in self.channels:
            one = (
                channel(self.layer, number) if place is None else neuron(self.layer, number, *place)
            )
            objective += sign * one
        return objective


def parse_unit(text: str) -> Unit:
    """Reads ``features.12:35``, ``features.12:35+40`` or ``features.12:35-40``.

    Raises:
        TrainingError: no layer, or no channel.
    """
    layer, colon, channels = text.rpartition(":")
    if not (colon and layer and _CHANNELS.fullmatch(channels)):
        raise TrainingError(
            f"{text!r} names no unit: give LAYER:CHANNEL, such as features.12:35, or a sum such "
            "as features.12:35+40"
        )
    parts = re.findall(r"[+-]?\d+", channels)
    return Unit(layer, tuple((abs(int(part)), -1 if part[0] == "-" else 1) for part in parts))
