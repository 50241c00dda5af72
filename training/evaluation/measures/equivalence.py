"""How many iterations of a slow baseline a fast picture is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

CURVE: Final = (25, 50, 100, 200, 300, 500)
"""Iterations at which the baseline's curve is reported."""


def best_so_far(losses: Sequence[float]) -> list[float]:
    """Returns the lowest loss up to each iteration."""
    return list(accumulate(losses, min))


def equal_iterations(
    iterations: Sequence[float], losses: Sequence[float], target: float
) -> float | None:
    """Returns the first iteration at which the best loss so far is at or below ``target``.

    Between two points of the curve it is interpolated linearly. A curve of a few points bends
    between them, and the straight line lies above it, so it would read too high: give every
    iteration.

    Args:
        iterations: numbers of the iterations, ascending.
        losses: the loss at each.
        target: the loss of the fast picture.

    Returns:
        The iteration, at least the first; None if the curve ends above ``target``.
    """
    best = best_so_far(losses)
    for index, loss in enumerate(best):
        if loss > target:
            continue
        if index == 0:
            return float(iterations[0])
        share = (best[index - 1] - target) / (best[index - 1] - loss)
        return iterations[index - 1] + share * (iterations[index] - iterations[index - 1])
    return None


@dataclass(frozen=True)
class Equivalence:
    """K over several photos.

    Attributes:
        mean: K; photos beyond the end count as the end, so it is a lower bound if there are any.
        lowest: of the photos.
        highest: of the photos.
        beyond: how many photos are beyond the end.
        photos: how many there are.
        iterations: where the baseline ends.
    """

    mean: float
    lowest: float
    highest: float
    beyond: int
    photos: int
    iterations: int

    @classmethod
    def of(cls, found: Sequence[float | None], iterations: int) -> "Equivalence":
        """Sums up the K of each photo, at least one; None stands for beyond ``iterations``."""
        values = [float(iterations) if value is None else value for value in found]
        return cls(
            mean=sum(values) / len(values),
            lowest=min(values),
            highest=max(values),
            beyond=sum(value is None for value in found),
            photos=len(values),
            iterations=iterations,
        )

    def __str__(self) -> str:
        """Gives the mean and, in brackets, the spread; ≥ marks a lower bound."""
        if self.beyond == self.photos:
            return f"≥ {self.iterations}"
        bound, top = ("≥ ", "≥ ") if self.beyond else ("", "")
        text = f"{bound}{self.mean:.0f}"
        return text if self.photos == 1 else f"{text} ({self.lowest:.0f}–{top}{self.highest:.0f})"
