"""Size of the strokes of a painted photo, as a request names it."""

import math
from typing import Final

from sfumato.errors import ImageError

SMALLEST: Final = 0.5
LARGEST: Final = 2.0


def checked_brush_size(brush_size: float) -> float:
    """Gives a brush size as a number from 0.5 to 2. Raises ImageError for anything else."""
    try:
        number = float(brush_size)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not SMALLEST <= number <= LARGEST:  # NaN fails this, too
        given = repr(brush_size) if math.isnan(number) else f"{number:g}"
        raise ImageError(
            f"a brush size of {given} is out of range; it is {SMALLEST:g} to {LARGEST:g}, "
            "and 1 gives strokes as the model has learned them"
        )
    return number
