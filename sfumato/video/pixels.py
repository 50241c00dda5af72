"""Makes the pictures to paint from the frames of a video: upright, in RGB, of even size."""

from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from sfumato.video.display_matrix import DisplayMatrix

_UNSPECIFIED: Final = 2  # AVCOL_SPC_UNSPECIFIED
# What does not say its colours has those of HD television if it is larger than a DVD's 720×576.
_HD_WIDTH: Final = 1280
_SD_HEIGHT: Final = 576


class FramePixels:
    """Turns frames into pictures.

    Attributes:
        cut: rows and columns that were cut off to make the size even.
        turned: whether the last frame's width became its height.
    """

    def __init__(self, size: int | None) -> None:
        """Scales down to a longest side of ``size``; None for all as they are."""
        self.cut = (0, 0)
        self.turned = False
        self._size = size

    def picture(self, frame: VideoFrame, stretch: Fraction = Fraction(1)) -> npt.NDArray[np.uint8]:
        """Gives a frame as uint8 [H, W, 3], over white where it is transparent.

        Args:
            frame: as it was decoded.
            stretch: by how much its pixels are wider than those of the first frame.
        """
        matrix = DisplayMatrix(frame)
        self.turned = matrix.swaps_sides
        if any(component.is_alpha for component in frame.format.components):
            frame = _over_white(frame)
        width, height = self._scaled(max(1, round(frame.width * stretch)), frame.height)
        converted = _converted(frame, "rgb24", width, height)
        return self._even(matrix.upright(np.asarray(converted.to_ndarray(), np.uint8)))

    def _scaled(self, width: int, height: int) -> tuple[int, int]:
        longest = max(width, height)
        if self._size is None or longest <= self._size:
            return width, height
        factor = self._size / longest
        return _even_side(width * factor), _even_side(height * factor)

    def _even(self, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Cuts off a row or column: H.264 halves the resolution of colours."""
        height, width, _ = rgb.shape
        self.cut = (max(self.cut[0], height % 2), max(self.cut[1], width % 2))
        return np.ascontiguousarray(rgb[: height - height % 2, : width - width % 2])


def _over_white(frame: VideoFrame) -> VideoFrame:
    """Shows a frame over white, in its own size: hidden colours would bleed where it is scaled."""
    rgba = np.asarray(_converted(frame, "rgba", frame.width, frame.height).to_ndarray(), np.uint16)
    rgb, opacity = rgba[..., :3], rgba[..., 3:]
    # At most 255 * 255, which fits; the 127 rounds to the nearest.
    return VideoFrame.from_ndarray(
        ((rgb * opacity + 255 * (255 - opacity) + 127) // 255).astype(np.uint8)
    )


def _converted(frame: VideoFrame, pixels: str, width: int, height: int) -> VideoFrame:
    known = frame.colorspace != _UNSPECIFIED
    hd = frame.width >= _HD_WIDTH or frame.height > _SD_HEIGHT
    return frame.reformat(
        width,
        height,
        pixels,
        src_colorspace=None if known else "ITU709" if hd else "ITU601",
        interpolation="LANCZOS",
    )


def _even_side(side: float) -> int:
    return max(2, 2 * round(side / 2))


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
