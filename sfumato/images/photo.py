"""A decoded photo."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sfumato.images.image_format import ImageFormat


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo, upright and in sRGB; the arrays may be read-only.

    Attributes:
        rgb: uint8 [H, W, 3].
        alpha: opacity, uint8 [H, W], 255 is opaque; None if the file has no transparency.
        format: the format of the file that it came from.
    """

    rgb: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8] | None
    format: ImageFormat
