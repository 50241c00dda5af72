"""Reads the frames of a video: upright, in RGB, of even size, with their times."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard, Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from sfumato.display_matrix import DisplayMatrix
from sfumato.errors import VideoError
from sfumato.frame_times import FrameTimes

_PICTURES: Final = ("image2", "_pipe")  # what FFmpeg calls formats of single pictures
_UNSPECIFIED: Final = 2  # AVCOL_SPC_UNSPECIFIED
# What does not say its colours has those of HD television if it is larger than a DVD's 720×576.
_HD_WIDTH: Final = 1280
_SD_HEIGHT: Final = 576
_USUAL_RATE: Final = Fraction(25)


@dataclass(frozen=True, eq=False)
class VideoPicture:
    """One frame of a video.

    Attributes:
        rgb: uint8 [H, W, 3], upright.
        pts: when it is shown, in ticks of ``VideoReader.time_base``.
        seconds: when it is shown, from the beginning of what is read.
    """

    rgb: npt.NDArray[np.uint8]
    pts: int
    seconds: float


class VideoReader:
    """The frames of one video, in order.

    Attributes:
        path: the file.
        time_base: seconds per tick.
        rate: frames per second, roughly where it varies.
        begin: time of the file, in seconds, at which reading begins; None without ``start``.
        shift: seconds that are taken off every time of the file: its clock need not begin at 0.
        end: time of the file, in seconds, at which reading ends; None for its end.
        cut: rows and columns that were cut off to make the size even.
        unknown_sounds: sound tracks of a kind that FFmpeg does not know.
    """

    def __init__(
        self,
        path: Path,
        *,
        size: int | None = None,
        start: float | None = None,
        duration: float | None = None,
    ) -> None:
        """Opens a video.

        Args:
            path: the file.
            size: longest side in pixels; larger frames are scaled down. None for all as they are.
            start: seconds to leave out at the beginning.
            duration: seconds to read; None for all.

        Raises:
            VideoError: it is no video, or cannot be read.
        """
        self.path = path
        self._size = size
        self._input = open_video(path)
        self._stream = self._video_stream()
        self._stream.thread_type = "AUTO"
        read_only(self._input, [self._stream])
        assert self._stream.time_base is not None
        self.time_base = self._stream.time_base
        self.rate = self._stream.guessed_rate or self._stream.average_rate or _USUAL_RATE
        self._origin = float((self._stream.start_time or 0) * self.time_base)
        self._first = self._origin + (start or 0)
        self.begin = self._first if start else None
        self.shift = (
            self._first if start else max(0.0, (self._input.start_time or 0) / av.time_base)
        )
        self.end = None if duration is None else self._first + duration
        self.cut = (0, 0)
        self.unknown_sounds = sum(not is_known(track) for track in self._input.streams.audio)
        self._turned = False
        self._stopped = False
        self._times = FrameTimes(self._stream, self.rate)
        self._pictures = self._read()

    @property
    def duration(self) -> float | None:
        """Seconds that will be read; None if the file does not say."""
        whole = self._whole_duration()
        if whole is None:
            return None
        end = self._origin + whole if self.end is None else min(self.end, self._origin + whole)
        return max(0.0, end - self._first)

    @property
    def frames(self) -> int | None:
        """About how many frames will be read; None if the file does not say."""
        return None if self.duration is None else round(self.duration * float(self.rate))

    @property
    def pixel_shape(self) -> Fraction:
        """Width by height of a pixel of the upright frames."""
        shape = self._stream.sample_aspect_ratio or Fraction(1)
        return 1 / shape if self._turned and shape else shape

    def next(self) -> VideoPicture | None:
        """Gives the next frame; None after the last, or after ``stop``.

        Raises:
            VideoError: the file is damaged.
        """
        return next(self._pictures, None)

    def stop(self) -> None:
        """Makes ``next``, which may be on a long way to its frame on another thread, end soon."""
        self._stopped = True

    def close(self) -> None:
        """Closes the file; not while ``next`` is running on another thread."""
        self._input.close()

    def _video_stream(self) -> VideoStream:
        for stream in self._input.streams.video:
            if not stream.disposition & Disposition.attached_pic:
                return stream
        self._input.close()
        raise VideoError(f"{self.path} has no video in it")

    def _whole_duration(self) -> float | None:
        if self._stream.duration is not None:
            return float(self._stream.duration * self.time_base)
        return None if self._input.duration is None else self._input.duration / av.time_base

    def _read(self) -> Iterator[VideoPicture]:
        with read_errors(self.path):
            for frame in self._decode() if self.begin is None else self._decode_from(self.begin):
                pts = self._times.next(frame)
                time = float(pts * self.time_base)
                if self.end is not None and time >= self.end:
                    return
                if time >= self._first:
                    ticks = pts - round(self.shift / self.time_base)
                    yield VideoPicture(self._rgb(frame), ticks, time - self._first)

    def _decode_from(self, begin: float) -> Iterator[VideoFrame]:
        """Decodes from a key frame before ``begin``, in seconds.

        Some formats, such as MPEG-TS, do not know where theirs are: a seek may end behind the one
        that is needed. It is repeated from further ahead then.
        """
        back = 0.0
        while True:
            place = begin - back
            self._times = FrameTimes(self._stream, self.rate)
            self._input.seek(int(max(0.0, place) / self.time_base), stream=self._stream)
            frames = self._decode()
            first = next(frames, None)
            # A key frame is stored up to a second before it is shown, if others overtake it.
            if place < self._origin - 1 or (first is not None and (first.time or 0) <= begin):
                break
            back = max(1.0, 4 * back)
        if first is not None:
            yield first
            yield from frames

    def _decode(self) -> Iterator[VideoFrame]:
        for packet in self._input.demux(self._stream):
            if self._stopped:
                return
            self._times.read(packet)
            yield from packet.decode()

    def _rgb(self, frame: VideoFrame) -> npt.NDArray[np.uint8]:
        matrix = DisplayMatrix(frame)
        self._turned = matrix.swaps_sides
        width, height = self._scaled(frame.width, frame.height)
        known = frame.colorspace != _UNSPECIFIED
        hd = frame.width >= _HD_WIDTH or frame.height > _SD_HEIGHT
        converted = frame.reformat(
            width,
            height,
            "rgb24",
            src_colorspace=None if known else "ITU709" if hd else "ITU601",
            interpolation="LANCZOS",
        )
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
        self.cut = (height % 2, width % 2)
        return np.ascontiguousarray(rgb[: height - height % 2, : width - width % 2])


def open_video(path: Path) -> InputContainer:
    """Opens a file that PyAV takes for a video. Raises VideoError otherwise."""
    with read_errors(path):
        opened = av.open(str(path), "r")
    if any(kind in opened.format.name for kind in _PICTURES):
        opened.close()
        raise VideoError(f"{path} is a picture; `sfumato stylize` paints pictures")
    return opened


def read_only(opened: InputContainer, streams: Sequence[Stream]) -> None:
    """Passes over what else is in a file; where it lies apart, it is not even read."""
    for stream in opened.streams:
        if stream not in streams:
            stream.discard = Discard.all


def is_known(track: AudioStream) -> bool:
    """Tells whether FFmpeg has a name for a sound track's codec."""
    return track.codec_context is not None


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turns PyAV's errors into VideoError."""
    try:
        yield
    except av.error.InvalidDataError as error:
        raise VideoError(f"{path} is not a video that FFmpeg can read, or is damaged") from error
    except av.error.FFmpegError as error:
        raise VideoError(f"{path} cannot be read: {error.strerror or error}") from error


def _even_side(side: float) -> int:
    return max(2, 2 * round(side / 2))
