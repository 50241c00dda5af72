"""The weights of a blend: which are allowed and how they become shares."""

import math
from collections.abc import Iterable

from sfumato.errors import StyleError


def normalize_weights(weights: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Divides weights by their sum.

    Args:
        weights: pairs of style id and weight; finite, not negative, not all zero, no id twice.

    Returns:
        The share of each style, in the order given; the shares sum to one.

    Raises:
        StyleError: no weights, or weights that break a rule above.
    """
    checked: dict[str, float] = {}
    for style, weight in weights:
        if style in checked:
            raise StyleError(f"style {style!r} is named twice; give each style one weight")
        checked[style] = _checked(style, weight)
    if not checked:
        raise StyleError("no style is given; name at least one")
    largest = max(checked.values())
    if largest == 0:
        raise StyleError("all weights are zero; at least one must be positive")
    # Dividing by the largest first keeps the sum finite for weights near the end of the range.
    total = math.fsum(weight / largest for weight in checked.values())
    return {style: weight / largest / total for style, weight in checked.items()}


def _checked(style: str, weight: float) -> float:
    try:
        number = float(weight)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise StyleError(
            f"the weight of style {style!r} is {weight!r}; "
            "it must be a finite number that is not negative"
        )
    return number
