"""Counts the frames of a damaged video that do not come out of its decoder."""

from collections import Counter
from typing import Final

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

_FEWEST_STEPS: Final = 8  # from which on a rate counts as fixed
_MOST_HOLES: Final = 0.1  # share of the steps that may be longer at a fixed rate
_SHORTEST_SOUND_SECONDS: Final = 0.01
_ROUNDING_TICKS: Final = 2


class FrameLosses:
    """What becomes of the packets of a video.

    A packet without a frame is no sign by itself: it may be the second field of a frame, or a
    picture that is never shown. It is lost if there is also a hole in the times.

    Attributes:
        lost: frames that are missing.
        damaged: frames that could be decoded in part.
        cut_off: whether there should be more behind the last frame.
    """

    def __init__(self, step: int, longest_hole: int) -> None:
        """Begins before the first packet.

        Args:
            step: about how many ticks a frame lasts.
            longest_hole: ticks up to which a hole in the times is a loss, even though there are
                no packets for it.
        """
        self.lost = self.damaged = 0
        self.cut_off = False
        self._shown = 0
        self._step = self._last_step = step
        self._first: int | None = None
        self._last: int | None = None
        self._inside: set[int] = set()
        self._end = 0
        self._steps: Counter[int] = Counter()
        self._longest_hole = longest_hole

    def read(self, packet: "Packet[VideoStream]", time: int | None) -> None:
        """Takes note of a packet, and of its time, before it is decoded."""
        if time is None or packet.is_discard:
            return
        if self._first is None and packet.is_keyframe:
            self._first = time
        if self._last is None and (self._first is None or time < self._first):
            return  # a recording that begins between key frames
        self._inside.add(time)
        self._end = max(self._end, time + (packet.duration or self._step))

    def failed(self, packet: "Packet[VideoStream]", time: int | None) -> None:
        """Takes note of a packet that cannot be decoded."""
        if self._first is None and time is not None:
            self._first = time
            self.read(packet, time)

    def decoded(self, frame: VideoFrame, time: int) -> None:
        """Takes note of a frame, and of its time in the ticks of the packets."""
        self._shown += 1
        self.damaged += frame.is_corrupt
        last = self._last
        if last is None:
            last = (time if self._first is None else min(time, self._first)) - self._step
        if time > last:
            between = {other for other in self._inside if last < other < time}
            self._count(len(between), time - last)
            if not between:
                self._steps[time - last] += 1
            self._inside -= between | {time}  # earlier ones are of a clock that was set back
        else:  # the clock was set back
            self._inside = {other for other in self._inside if time < other < last}
            self._end = max(self._inside, default=time) + self._step
        self._last, self._last_step = time, frame.duration or self._step

    def forget(self) -> None:
        """Begins to count anew: what came before is not to be painted."""
        self.lost = self.damaged = 0
        self._steps.clear()

    def finish(self) -> None:
        """Counts what is missing where reading ends in the middle."""
        self._inside.clear()
        self.lost += self._vanished()

    def finish_file(self, missing: int, listed: int, broken: bool) -> None:
        """Counts what is missing once all packets were read.

        Args:
            missing: about how many frames the file lacks behind the last one.
            listed: how many it should have altogether; 0 if that is not known.
            broken: whether an unknown number of them could not be read.
        """
        self.cut_off = missing > 0 or broken
        if missing:
            self.lost = max(listed - self._shown, self.lost + (0 if listed else missing))
        elif self._last is not None:
            self._count(len(self._inside), self._end - self._last)
        self.finish()

    def _count(self, packets: int, ticks: int) -> None:
        missing = min(packets, int(ticks / self._last_step + 0.25) - 1)  # half may be a field
        self.lost += max(0, missing)

    def _vanished(self) -> int:
        """Counts the frames that are missing from a rate that is exact otherwise."""
        total = self._steps.total()
        if not self._longest_hole or total < _FEWEST_STEPS:
            return 0
        [(step, _)] = self._steps.most_common(1)
        vanished = holes = 0
        for ticks, times in self._steps.items():
            steps = max(1, round(ticks / step))
            if abs(ticks - steps * step) > _ROUNDING_TICKS * steps:
                return 0
            if steps > 1 and ticks <= self._longest_hole:
                vanished += times * (steps - 1)
                holes += times
        return vanished if holes <= _MOST_HOLES * total else 0

    def told(self, painted: int, sound: float) -> str | None:
        """Says what is lost; None if nothing is.

        Args:
            painted: how many frames there were.
            sound: seconds of sound that are missing.
        """
        total, lost = painted + self.lost, []
        if self.lost:
            lost.append(f"{self.lost} of {total} {'frame' if total == 1 else 'frames'}")
        if sound >= _SHORTEST_SOUND_SECONDS:
            lost.append(f"{sound:.2f} s of its sound")
        verb = "is" if len(lost) == self.lost == 1 else "are"
        parts = [f"{' and '.join(lost)} {verb} missing"] if lost else []
        if self.damaged:
            parts.append(f"{self.damaged} of {total} frames could be decoded only in part")
        if not parts:
            return "is damaged and cannot be read to its end" if self.cut_off else None
        return f"is {'cut off' if self.cut_off else 'damaged'}: {', '.join(parts)}"
