"""What the numbers among the data options may be."""

from dataclasses import dataclass
from typing import Final

from training.errors import TrainingError


@dataclass(frozen=True)
class Bounds:
    """Whole numbers from ``lowest`` to ``highest``, multiples of ``step``."""

    lowest: int
    highest: int | None = None
    step: int = 1

    def __contains__(self, number: int) -> bool:
        """Says whether a number may be taken."""
        within = self.lowest <= number and (self.highest is None or number <= self.highest)
        return within and number % self.step == 0

    def __str__(self) -> str:
        """Describes them."""
        kind = "a whole number" if self.step == 1 else f"a multiple of {self.step}"
        to = "up" if self.highest is None else f"to {self.highest}"
        return f"{kind} from {self.lowest} {to}"


BOUNDS: Final = {
    "crop_size": Bounds(32, 4096, step=4),
    "style_size": Bounds(32, 4096),
    "batch_size": Bounds(1),
    "num_workers": Bounds(0),
}


def check_bounds(prefix: str = "", **options: int) -> None:
    """Refuses numbers beyond the bounds of the options that they are called by.

    Raises:
        TrainingError: it names the option, ``prefix`` before it, and what it may be.
    """
    for name, number in options.items():
        if number not in BOUNDS[name]:
            raise TrainingError(f"{prefix}{name} is {number}: it must be {BOUNDS[name]}")
