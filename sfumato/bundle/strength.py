"""The strength of a style: how far a painted photo is on its way from the photo to the styles.

After the identity interpolation of Ghiasi et al. 2017, https://arxiv.org/abs/1705.06830.
"""

import math
from collections.abc import Mapping

from sfumato.errors import StyleError

PHOTOGRAPH_STYLE = "photograph"
"""Reserved id: the style that a network renders as the photo itself."""


def checked_strength(strength: float) -> float:
    """Gives a strength as a number from 0 to 1. Raises StyleError for anything else."""
    try:
        number = float(strength)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number <= 1:
        raise StyleError(
            f"the strength is {strength!r}; it must be from 0, the photo, to 1, the styles"
        )
    return number


def toward_photograph(shares: Mapping[str, float], strength: float) -> dict[str, float]:
    """Mixes the photograph into a blend.

    Args:
        shares: share of each style; they sum to one.
        strength: what is left to them, 0 to 1.

    Returns:
        strength · shares + (1 - strength) · photograph, which also sums to one; at strength 1 the
        very shares that were given.
    """
    if strength == 1:
        return dict(shares)
    mixed = {style: strength * share for style, share in shares.items()}
    mixed[PHOTOGRAPH_STYLE] = mixed.get(PHOTOGRAPH_STYLE, 0.0) + (1 - strength)
    return mixed
