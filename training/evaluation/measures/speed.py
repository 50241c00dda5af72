"""Speed of the served network and of the slow baseline, measured side by side."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from training.evaluation.measures.slow_baseline import run_baseline
from training.evaluation.measures.stability import Painter
from training.losses.perceptual import PerceptualLoss
from training.optimize.failures import TooLargeError
from training.optimize.loop import Progress

SIZES: Final = (256, 512, 1024)
"""Sides of the square photos, in pixels."""

_PHOTOS: Final = 5
_ITERATIONS: Final = 5


@dataclass(frozen=True)
class Speed:
    """Medians at one size.

    Attributes:
        side: of the photo.
        seconds_per_photo: of the served network.
        seconds_per_iteration: of the baseline; None where the memory does not hold it.
    """

    side: int
    seconds_per_photo: float
    seconds_per_iteration: float | None

    def speed_up(self, iterations: float) -> float | None:
        """Returns how many times as long ``iterations`` of the baseline take."""
        if self.seconds_per_iteration is None:
            return None
        return iterations * self.seconds_per_iteration / self.seconds_per_photo

    def to_json(self) -> dict[str, Any]:
        """Gives what the constructor takes."""
        return asdict(self)


def measure_speed(
    paint: Painter, loss: PerceptualLoss, photo: Tensor, sizes: Sequence[int] = SIZES
) -> list[Speed]:
    """Times both at each of ``sizes``, one directly after the other.

    The baseline's first iterations are timed. Later ones take a little longer, because L-BFGS
    then has more history to go through: the speed-up is rather too low.

    Args:
        paint: the served network with some style; the time does not depend on which.
        loss: the baseline's loss.
        photo: [1, 3, H, W], which is resized.
        sizes: sides.
    """
    speeds = []
    for side in sizes:
        resized = F.interpolate(photo, (side, side), mode="bilinear", antialias=True).clamp(0, 1)
        seconds = _time_photo(paint, resized)
        speeds.append(Speed(side, seconds, _time_iteration(loss, resized)))
    return speeds


def _time_photo(paint: Painter, photo: Tensor) -> float:
    paint(photo)  # memory is taken at the first call
    return statistics.median(_seconds(lambda: paint(photo)) for _ in range(_PHOTOS))


def _time_iteration(loss: PerceptualLoss, photo: Tensor) -> float | None:
    moments: list[float] = []

    def on_step(_: Progress) -> None:
        # The loss was read back just before, so a GPU has finished, too.
        moments.append(time.perf_counter())

    try:
        run_baseline(
            loss,
            photo,
            0,
            target=0.0,
            seed=0,
            iterations=_ITERATIONS + 1,
            full=True,
            on_step=on_step,
        )
    except TooLargeError:
        return None
    return statistics.median(b - a for a, b in pairwise(moments)) if moments[1:] else None


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start
