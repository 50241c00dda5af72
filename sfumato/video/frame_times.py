"""Finds out when the frames of a video are shown."""

from fractions import Fraction

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from sfumato.connection.steady_clock import SteadyClock


class FrameTimes:
    """The times of a video's frames, in ticks, each later than the one before.

    Attributes:
        step: about how many ticks a frame lasts.
        stored: the time of the last frame as the file has it.
    """

    def __init__(self, stream: VideoStream, rate: Fraction) -> None:
        """Begins before the first frame of ``stream``, which has about ``rate`` in a second."""
        assert stream.time_base is not None
        self._clock = SteadyClock(stream.time_base)
        self.step = max(1, round(1 / rate / stream.time_base))
        # AVI has a place for each frame, but does not say in which order they are shown.
        self._places_only = stream.container.format.name == "avi"
        self.stored = 0
        self._first_place: int | None = None
        self._from_key_frame = False  # what precedes one may come to nothing
        self._held_back = 0

    def read(self, packet: "Packet[VideoStream]") -> int | None:
        """Takes note of a packet before it is decoded; gives its time as the file has it."""
        if self._first_place is None or (packet.is_keyframe and not self._from_key_frame):
            self._first_place, self._from_key_frame = packet.dts, packet.is_keyframe
        return packet.dts if self._places_only or packet.pts is None else packet.pts

    def forget_place(self) -> None:
        """Takes note that what was read came to nothing, and no frame before it."""
        self._first_place, self._from_key_frame = None, False

    def next(self, frame: VideoFrame) -> int:
        """Gives the time of the next frame.

        One that is missing is made up, one that is not later than the last is moved behind it.
        """
        last, stored = self._clock.last, self._stored(frame)
        if stored is None:
            pts = 0 if last is None else last + self.step
            self.stored = pts if last is None else self.stored + self.step
        else:
            self.stored = stored
            pts = self._clock.moved(stored, self.step)
            pts = pts if last is None else max(pts, last + 1)
        self._clock.last = pts
        return pts

    def _stored(self, frame: VideoFrame) -> int | None:
        if self._places_only:
            return self._place(frame)
        return frame.dts if frame.pts is None else frame.pts

    def _place(self, frame: VideoFrame) -> int | None:
        """Gives a frame the place of its turn.

        A decoder that sorts frames gives each with the place that it has come to by then, so all
        are late by as much as the first.
        """
        if self._clock.last is None and self._first_place is not None:
            if frame.dts is not None:
                self._held_back = frame.dts - self._first_place
            return self._first_place
        return None if frame.dts is None else frame.dts - self._held_back
