"""Writes painted frames as H.264, with the sound of the video that they come from."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from sfumato.errors import VideoError
from sfumato.video.audio import AudioCopy
from sfumato.video.file import file_url
from sfumato.video.pixels import fitted
from sfumato.video.reader import VideoReader

DEFAULT_CRF: Final = 18
_CODEC: Final = "libx264"
_PIXEL_FORMAT: Final = "yuv420p"  # what every player and browser can show
_BT709: Final = 1  # AVCOL_SPC_BT709, AVCOL_PRI_BT709 and AVCOL_TRC_BT709
_LIMITED: Final = 1  # AVCOL_RANGE_MPEG
_QUICKTIME: Final = (".mp4", ".m4v", ".mov")


class VideoWriter:
    """A video file in the making."""

    def __init__(
        self,
        path: Path,
        reader: VideoReader,
        *,
        crf: int = DEFAULT_CRF,
        audio: bool = True,
    ) -> None:
        """Opens a file; its suffix says which kind.

        Args:
            path: the file to write.
            reader: where the frames come from: their times, and the sound.
            crf: quality of the picture, 0, the best, to 51.
            audio: whether to take the sound along.

        Raises:
            VideoError: no video can be written there, or not with this sound.
        """
        self._path = path
        self._reader = reader
        self._crf = crf
        options = {"movflags": "+faststart"} if path.suffix.lower() in _QUICKTIME else {}
        with self._errors():
            self._output: OutputContainer = av.open(file_url(path), "w", options=options)
        self._stream: VideoStream | None = None
        self._last: VideoFrame | None = None
        self._audio = AudioCopy(reader, self._output) if audio else None

    @property
    def lost_sound(self) -> float:
        """Seconds of sound that are missing, because the file is damaged or cut off."""
        return 0.0 if self._audio is None else self._audio.lost

    def write(self, rgb: npt.NDArray[np.uint8], pts: int) -> None:
        """Adds a frame, uint8 [H, W, 3], at ``pts`` ticks of the reader's time base.

        Raises:
            VideoError: the file cannot be written.
        """
        with self._errors():
            stream = self._stream or self._begin(rgb.shape[1], rgb.shape[0])
            if self._audio is not None:
                self._audio.copy_until(float(pts * self._reader.time_base))
            frame = VideoFrame.from_ndarray(fitted(rgb, stream.width, stream.height)).reformat(
                format=_PIXEL_FORMAT, dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            frame.pts, frame.time_base = pts, self._reader.time_base
            if self._last is not None:
                self._output.mux(stream.encode(self._last))
            self._last = frame

    def finish(self) -> None:
        """Writes what is left, and the end of the file.

        Raises:
            VideoError: the file cannot be written, or there was no frame.
        """
        if self._stream is None or self._last is None:
            raise VideoError(f"{self._reader.path} has no frame to paint")
        with self._errors():
            # A key frame, which is stored last, too: the file has a duration for it alone.
            self._last.pict_type = PictureType.I
            packets = [*self._stream.encode(self._last), *self._stream.encode(None)]
            assert packets[-1].pts is not None
            packets[-1].duration = max(1, self._reader.last_end - packets[-1].pts)
            self._output.mux(packets)
            if self._audio is not None:
                self._audio.copy_until(None)
            self._output.close()

    def close(self) -> None:
        """Gives up what has not been finished; harmless after ``finish``."""
        if self._audio is not None:
            self._audio.close()
        try:
            self._output.close()
        except av.error.FFmpegError:
            return  # whoever closes an unfinished file has the reason already

    def _begin(self, width: int, height: int) -> VideoStream:
        stream = self._output.add_stream(
            _CODEC, rate=self._reader.rate, options={"crf": str(self._crf), "forced-idr": "1"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, _PIXEL_FORMAT
        context = stream.codec_context
        # The file's own ticks, so that frames keep their times also where the rate varies.
        context.time_base = stream.time_base = self._reader.time_base
        context.sample_aspect_ratio = self._reader.pixel_shape
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        if self._audio is not None:
            self._audio.begin()
        self._output.start_encoding()  # what cannot be written fails with the first frame
        self._stream = stream
        return stream

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise VideoError(f"{self._path.suffix} video cannot be written: {reason}") from error
