"""Pixels as a file stores them, before colours and orientation are set right."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded pixels in the colour space of the file.

    Attributes:
        colour: contiguous uint8: grey [H, W], RGB [H, W, 3] or CMYK [H, W, 4] (255 is full ink).
        alpha: opacity, uint8 [H, W]; None if the file has no transparency.
    """

    colour: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8] | None = None
