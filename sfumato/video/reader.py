"""Reads the frames of a video: upright, in RGB, of even size, with their times."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from sfumato.errors import VideoError
from sfumato.video.file import LONGEST_HOLE_SECONDS, VideoFile, is_known, read_errors
from sfumato.video.frame_times import FrameTimes
from sfumato.video.losses import FrameLosses
from sfumato.video.pixels import FramePixels

_ROUNDING_SECONDS: Final = 1e-6
_USUAL_RATE: Final = Fraction(25)
_WITH_ALPHA: Final = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own leave it out


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
        last_end: until when the last frame is shown, in ticks, once there are no more.
        losses: what of the frames is lost, once there are no more.
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
        self._file = VideoFile(path)
        self._input = self._file.container
        self._stream = self._video_stream()
        self._decoder = _decoder(self._stream)
        self._pixels = FramePixels(size)
        self._pixel_shape: Fraction | None = None  # of the first frame
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
        self.unknown_sounds = sum(not is_known(track) for track in self._input.streams.audio)
        self._stopped = False
        self._times = FrameTimes(self._stream, self.rate)
        self.losses = self._no_losses()
        self.last_end = 0
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
        return 1 / shape if self._pixels.turned and shape else shape

    @property
    def cut(self) -> tuple[int, int]:
        """Rows and columns that were cut off to make the size even."""
        return self._pixels.cut

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
        self._file.close()

    def _video_stream(self) -> VideoStream:
        for stream in self._input.streams.video:
            if is_known(stream) and not stream.disposition & Disposition.attached_pic:
                return stream
        self._file.close()
        raise VideoError(f"{self.path} has no video in it, or none that FFmpeg can decode")

    def _whole_duration(self) -> float | None:
        if self._stream.duration is not None:
            return float(self._stream.duration * self.time_base)
        return None if self._input.duration is None else self._input.duration / av.time_base

    def _read(self) -> Iterator[VideoPicture]:
        before: VideoFrame | None = None  # which is still shown where the part begins
        with read_errors(self.path):
            for frame in self._decode() if self.begin is None else self._decode_from(self.begin):
                pts = self._times.next(frame)
                self.losses.decoded(frame, self._times.stored)
                time = float(pts * self.time_base)
                if before is not None and time > self._first + _ROUNDING_SECONDS:
                    yield self._picture(before, self._first)
                before = frame if time < self._first else None
                if self.end is not None and time >= self.end:
                    self.last_end = self._ticks(self.end - self.shift)
                    self.losses.finish()
                    return
                self.last_end = self._ticks(time - self.shift)
                self.last_end += frame.duration or self._times.step
                if before is None:
                    yield self._picture(frame, time)
                else:
                    self.losses.forget()
            self._end()
            if before is not None and self.last_end > self._ticks(self._first - self.shift):
                yield self._picture(before, self._first)

    def _picture(self, frame: VideoFrame, time: float) -> VideoPicture:
        shape = self._decoder.sample_aspect_ratio or Fraction(1)
        self._pixel_shape = self._pixel_shape or shape
        rgb = self._pixels.picture(frame, shape / self._pixel_shape)
        return VideoPicture(rgb, self._ticks(time - self.shift), time - self._first)

    def _end(self) -> None:
        """Finds out what is behind the last frame that there was."""
        since = float((self._times.stored + self._times.step) * self.time_base)
        missing = self._file.missing(
            self._stream, self.end, since=since, tolerance=0.5 / float(self.rate)
        )
        listed = self._stream.frames if self.begin is None and self.end is None else 0
        self.losses.finish_file(round(missing * float(self.rate)), listed, self._file.broken)
        whole = self._file.end_of(self._stream)
        if whole is not None and not missing:
            self.last_end = max(self.last_end, self._ticks(whole - self.shift))
        if self.end is not None:
            self.last_end = min(self.last_end, self._ticks(self.end - self.shift))

    def _no_losses(self) -> FrameLosses:
        longest = LONGEST_HOLE_SECONDS if self._file.loses_packets else 0
        return FrameLosses(self._times.step, self._ticks(longest))

    def _ticks(self, seconds: float) -> int:
        return round(seconds / self.time_base)

    def _decode_from(self, begin: float) -> Iterator[VideoFrame]:
        """Decodes from a key frame before ``begin``, in seconds.

        Some formats, such as MPEG-TS, do not know where theirs are: a seek may end behind the one
        that is needed. It is repeated from further ahead then.
        """
        back = 0.0
        while True:
            place = begin - back
            self._times = FrameTimes(self._stream, self.rate)
            self.losses = self._no_losses()
            self._input.seek(int(max(0.0, place) / self.time_base), stream=self._stream)
            self._decoder.flush_buffers()
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
        """Decodes what can be decoded, from where the file is."""
        packets = frames = 0
        for packet in self._file.packets([self._stream]):
            if self._stopped:
                return
            time = self._times.read(packet)
            self.losses.read(packet, time)
            packets += packet.size > 0
            try:
                decoded = self._decoder.decode(packet)
            except av.error.FFmpegError:
                self.losses.failed(packet, time)
                if not frames:
                    self._times.forget_place()
                continue
            frames += len(decoded)
            yield from decoded
        if packets and not frames and self.begin is None:
            raise VideoError(f"{self.path} is damaged: none of its frames can be decoded")


def _decoder(stream: VideoStream) -> VideoCodecContext:
    """Gives the decoder of a track."""
    name = _WITH_ALPHA.get(stream.codec_context.name)
    if name in av.codecs_available and stream.metadata.get("alpha_mode") == "1":
        decoder = VideoCodecContext.create(name, "r")
        assert isinstance(decoder, VideoCodecContext)
        return decoder
    # Not by frames: the decoder would be several ahead of what it says of a damaged one, and at
    # the end of the file PyAV would leave out those that follow it.
    stream.thread_type = "SLICE"
    return stream.codec_context
