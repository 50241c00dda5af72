"""Size of the strokes of a painted photo, as a request names it."""

from typing import Final

from sfumato.errors import ImageError

SMALLEST: Final = 0.5
LARGEST: Final = 2.0


def checked_brush_size(brush_size: float) -> float:
    """Gives ``brush_size`` back.

    Raises:
        ImageError: it is not from 0.5 to 2.
    """
    if not SMALLEST <= brush_size <= LARGEST:  # NaN fails this, too
        raise ImageError(
            f"a brush size of {brush_size:g} is out of range; it is {SMALLEST:g} to {LARGEST:g}, "
            "and 1 gives strokes as the model has learned them"
        )
    return brush_size
