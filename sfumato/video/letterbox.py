"""Fits pictures of another size into the frames of a video."""

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame


def fitted(rgb: npt.NDArray[np.uint8], width: int, height: int) -> npt.NDArray[np.uint8]:
    """Scales a picture, uint8 [H, W, 3], to fit into a frame, and centres it on black."""
    if rgb.shape[:2] == (height, width):
        return np.ascontiguousarray(rgb)
    factor = min(height / rgb.shape[0], width / rgb.shape[1])
    inner_height, inner_width = (max(1, round(side * factor)) for side in rgb.shape[:2])
    scaled = VideoFrame.from_ndarray(np.ascontiguousarray(rgb)).reformat(
        inner_width, inner_height, interpolation="LANCZOS"
    )
    frame = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    frame[top : top + inner_height, left : left + inner_width] = scaled.to_ndarray()
    return frame
