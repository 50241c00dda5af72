"""Numbers that are no use are refused by name, before any work."""

import math
from collections.abc import Sized

from training.errors import TrainingError


def check_range(
    name: str, value: float, least: float, most: float = math.inf, step: int = 1
) -> None:
    """Refuses a ``value`` outside of ``least`` to ``most``, and one that is not finite.

    With a ``step`` above 1, only its multiples will do.

    Raises:
        TrainingError: with the option's ``name`` and what it may be.
    """
    if math.isfinite(value) and least <= value <= most and (step == 1 or value % step == 0):
        return
    kind = f"a multiple of {step}, " if step > 1 else ""
    span = f"at least {least}" if math.isinf(most) else f"between {least} and {most}"
    raise TrainingError(f"{name} is {value}: it must be {kind}{span}")


def check_not_empty(name: str, values: Sized, things: str) -> None:
    """Refuses an empty list of ``things``.

    Raises:
        TrainingError: with the option's ``name``.
    """
    if not len(values):
        raise TrainingError(f"{name} is empty: name at least one of the {things}")
