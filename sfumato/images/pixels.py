"""Pixels as a file stores them, before colours and orientation are set right."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.uint8 | np.uint16]

# Of 0 to 65535, to the nearest.
_LEVELS = ((np.arange(1 << 16) + 128) // 257).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded pixels in the colour space of the file.

    Attributes:
        colour: contiguous: grey [H, W], RGB [H, W, 3] or CMYK [H, W, 4] (255 is full ink).
        alpha: opacity, uint8 [H, W]; None if the file has no transparency.
    """

    colour: Samples
    alpha: npt.NDArray[np.uint8] | None = None


def to_8_bits(samples: Samples) -> npt.NDArray[np.uint8]:
    """Scales uint16 to uint8; leaves uint8 as it is."""
    return _LEVELS[samples] if samples.dtype == np.uint16 else np.asarray(samples, np.uint8)
