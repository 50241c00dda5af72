"""What the numbers among the data options may be, of ``fit`` and of ``add-style``."""

import math
from typing import Final

from training.ranges import check_range

_BOUNDS: Final[dict[str, tuple[int, float, int]]] = {  # least, most, multiple of
    "crop_size": (32, 4096, 4),
    "style_size": (32, 4096, 1),
    "batch_size": (1, math.inf, 1),
    "num_workers": (0, math.inf, 1),
}


def check_bounds(prefix: str, **options: int) -> None:
    """Refuses numbers beyond the bounds of the options that they are called by.

    Raises:
        TrainingError: it names the option, ``prefix`` before it, and what it may be.
    """
    for name, number in options.items():
        word = name if prefix.endswith(".") else name.replace("_", "-")
        check_range(f"{prefix}{word}", number, *_BOUNDS[name])
