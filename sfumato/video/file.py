"""Opens video files, and reads their packets past what is damaged."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import av
import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Stream
from av.video.stream import VideoStream

from sfumato.errors import VideoError

LONGEST_HOLE_SECONDS: Final = 10
"""What is longer is a break in a recording, and nothing is lost."""

_PICTURES: Final = ("image2", "_pipe")  # what FFmpeg calls formats of single pictures
_MOST_FAILURES: Final = 100  # in a row; what lies behind them is given up
# The others have a list of their packets; in these a damaged one vanishes.
_WITHOUT_LIST: Final = ("mpeg", "matroska", "flv")
_WHOLE_FILE: Final = ("matroska", "flv")  # these say how long the longest track is
_SLOPPY_SECONDS: Final = 0.2  # by which writers of those are wrong


class VideoFile:
    """A video file, of which some tracks are read.

    Attributes:
        path: where it is.
        container: what PyAV opened.
        loses_packets: whether damaged packets vanish in this format.
        broken: whether reading was given up before the end.
    """

    def __init__(self, path: Path) -> None:
        """Opens a file that PyAV takes for a video. Raises VideoError otherwise."""
        self.path = path
        self.broken = False
        with read_errors(path):
            self.container: InputContainer = av.open(file_url(path), "r")
        self._ends: dict[int, float] = {}
        self._lags: dict[int, int] = {}
        name = self.container.format.name
        if any(kind in name for kind in _PICTURES):
            self.container.close()
            raise VideoError(f"{path} is a picture; `sfumato stylize` paints pictures")
        self.loses_packets = any(kind in name for kind in _WITHOUT_LIST)
        self._says_the_whole = any(kind in name for kind in _WHOLE_FILE)

    def packets(self, tracks: Sequence[Stream]) -> "Iterator[Packet[Any]]":
        """Yields the packets of some tracks, from where the file is; the last ones are empty.

        Passes over what else is in the file; where it lies apart, it is not even read.
        """
        others = [track for track in self.container.streams if track not in tracks]
        if not self._says_the_whole:
            for track in others:
                track.discard = Discard.all
        for packet in self._demuxed(tracks if not self._says_the_whole else [*tracks, *others]):
            self._take_note(packet)
            if packet.stream in tracks:
                yield packet

    def missing(
        self, track: Stream, until: float | None, *, since: float | None = None, tolerance: float
    ) -> float:
        """Gives how many seconds of a track are missing because the file is cut off.

        To be asked when all packets were read; 0 as well if the file does not say its length.

        Args:
            track: which one.
            until: time of the file up to which they count; None for its end.
            since: time of the file from which they count; None for the end of the packets.
            tolerance: seconds by which the length that the file says may be wrong.
        """
        end, seen = self.end_of(track), self._ends.get(track.index)
        if self._says_the_whole:
            whole = (self.container.duration or 0) / av.time_base
            if whole - max(self._ends.values(), default=whole) <= _SLOPPY_SECONDS:
                return 0.0
            end = end or whole
        if end is None or seen is None:
            return 0.0
        end = end if until is None else min(end, until)
        return end - (seen if since is None else since) if end - seen > tolerance else 0.0

    def end_of(self, track: Stream) -> float | None:
        """Gives when a track ends, in seconds of the file's clock; None if it does not say."""
        assert track.time_base is not None
        name, tick = self.container.format.name, float(track.time_base)
        if "mov" in name or name == "gif":
            return _sum(track.start_time, track.duration, tick)
        if name == "avi":  # its duration is FFmpeg's, made from the size of the file
            return track.frames * tick or None
        return _seconds(track.metadata.get("DURATION", "")) if "matroska" in name else None

    def close(self) -> None:
        """Closes it."""
        self.container.close()

    def _demuxed(self, tracks: Sequence[Stream]) -> "Iterator[Packet[Any]]":
        failures = 0
        while failures < _MOST_FAILURES:
            try:
                for packet in self.container.demux(tuple(tracks)):
                    failures = 0
                    yield packet
                return
            except IndexError:  # PyAV's, at the end, if damage looked like one more track
                return
            except (av.error.InvalidDataError, av.error.MemoryError):
                failures += 1
        self.broken = True
        for track in tracks:
            empty: Packet[Any] = Packet()
            empty.stream = track
            yield empty

    def _take_note(self, packet: "Packet[Any]") -> None:
        time = packet.dts if packet.pts is None else packet.pts
        if time is None:
            return
        if packet.dts is not None:
            # The length of a packet is that to the next one in the file, which frames overtake.
            lag = self._lags.setdefault(packet.stream_index, time - packet.dts)
            time = max(time, packet.dts + lag)
        end = float((time + (packet.duration or 0)) * packet.time_base)
        self._ends[packet.stream_index] = max(end, self._ends.get(packet.stream_index, end))


def file_url(path: Path) -> str:
    """Gives what FFmpeg shall open: it takes a bare name with a colon for an address."""
    return f"file:{path.absolute()}"


def is_known(track: AudioStream | VideoStream) -> bool:
    """Tells whether FFmpeg can decode what is in a track."""
    return track.codec_context is not None


@contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turns PyAV's errors into VideoError."""
    try:
        yield
    except av.error.InvalidDataError as error:
        raise VideoError(
            f"{path} is not a video that FFmpeg can read, or is damaged, or its end is missing"
        ) from error
    except av.error.FFmpegError as error:
        raise VideoError(f"{path} cannot be read: {error.strerror or error}") from error


def _sum(start: int | None, duration: int | None, tick: float) -> float | None:
    return None if not duration else ((start or 0) + duration) * tick


def _seconds(text: str) -> float | None:
    """Reads what Matroska says of a track, such as ``00:01:05.400000000``."""
    try:
        hours, minutes, seconds = map(float, text.split(":"))
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds
