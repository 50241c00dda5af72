"""The weights of a blend: which are allowed and how they become shares."""

import math
import reprlib
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from sfumato.errors import StyleError

Weights: TypeAlias = str | Mapping[str, float] | Iterable[tuple[str, float]]
"""The id of one style, weights by id, or pairs of both."""


def normalize_weights(weights: Weights) -> dict[str, float]:
    """Divides weights by their sum.

    Args:
        weights: of each style; finite, not negative, not all zero, no id twice.

    Returns:
        The share of each style, in the order given; the shares sum to one.

    Raises:
        StyleError: no weights, or weights that break a rule above.
    """
    checked: dict[str, float] = {}
    for style, weight in _pairs(weights):
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


def _pairs(weights: Weights) -> Iterable[tuple[str, float]]:
    if isinstance(weights, str):
        return [(weights, 1.0)]
    try:
        pairs = list(weights.items() if isinstance(weights, Mapping) else weights)
        if all(isinstance(style, str) for style, _ in pairs):
            return pairs
    except (TypeError, ValueError):  # nothing to iterate, or no pairs
        pass
    raise StyleError(
        f"{reprlib.repr(weights)} are no styles; give a style's name, or weights by name, such as "
        '{"a": 0.3, "b": 0.7}'
    )


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
