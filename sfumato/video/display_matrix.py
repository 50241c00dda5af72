"""Turns and mirrors frames as their file wants them shown."""

from typing import Any

import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

# By quarter turns, counterclockwise.
_TURNS = ((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))


class DisplayMatrix:
    """How a frame is to be shown: its pixel (x, y) goes to (ax + cy, bx + dy).

    Attributes:
        swaps_sides: whether width becomes height.
    """

    def __init__(self, frame: VideoFrame) -> None:
        """Reads the matrix of a frame; without one it is shown as it is."""
        a, b, c, d = _matrix(frame)
        self.swaps_sides = abs(b) > abs(a)
        self._right, self._down = (c, b) if self.swaps_sides else (a, d)

    def upright(self, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Gives the frame as it is to be shown; both are uint8 [H, W, 3]."""
        shown = rgb.transpose(1, 0, 2) if self.swaps_sides else rgb
        return shown[:: -1 if self._down < 0 else 1, :: -1 if self._right < 0 else 1]


def _matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    try:
        sides: Any = frame.side_data  # PyAV's stubs know of motion vectors only
        stored = bytes(sides[Type.DISPLAYMATRIX])
    except KeyError:
        return _TURNS[0]
    except ValueError:  # PyAV has no name for something beside it, and reads none of it then
        return _TURNS[round(frame.rotation / 90) % 4]
    a, b, _, c, d, *_ = np.frombuffer(stored, np.int32).tolist()
    return a, b, c, d
