"""Takes the sound of a video along as it is."""

from collections.abc import Iterator
from typing import Final

import av.error
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from sfumato.connection.steady_clock import SteadyClock
from sfumato.errors import VideoError
from sfumato.video.file import LONGEST_HOLE_SECONDS, VideoFile, is_known, read_errors
from sfumato.video.reader import VideoReader

_WITH_PAUSES: Final = ("opus", "libopus", "speex", "libspeex")  # these may keep silent
_ROUGHLY_SECONDS: Final = 0.1  # by which a length in a file may be wrong


class AudioCopy:
    """The sound tracks on their way from a video to the new one.

    The video is opened a second time for that: sound and picture of a file need not lie side by
    side, and what is read too early would have to be kept in memory.
    """

    def __init__(self, reader: VideoReader, output: OutputContainer) -> None:
        """Copies all sound of what ``reader`` reads to ``output``."""
        self._reader = reader
        self._output = output
        self._file = VideoFile(reader.path)
        self._input = self._file.container
        self._copies: dict[int, AudioStream] = {}
        self._clocks: dict[int, SteadyClock] = {}
        self._unfinished: set[int] = set()
        self._packets: Iterator[Packet[AudioStream]] = iter(())
        self._ends: dict[int, float] = {}
        self.lost = 0.0
        self._next: Packet[AudioStream] | None = None

    def begin(self) -> None:
        """Adds the tracks to the output, after its picture.

        Raises:
            VideoError: the new file cannot hold this sound.
        """
        tracks = [track for track in self._input.streams.audio if is_known(track)]
        for track in tracks:
            try:
                self._copies[track.index] = self._output.add_stream_from_template(track)
            except (ValueError, av.error.FFmpegError) as error:
                raise VideoError(
                    f"a {self._output.format.name} file cannot hold the sound of "
                    f"{self._reader.path} ({track.codec_context.name}); write a .mkv file, or "
                    "leave the sound out with --no-audio"
                ) from error
            assert track.time_base is not None
            self._clocks[track.index] = SteadyClock(track.time_base)
            self._unfinished.add(track.index)
        if tracks:
            if self._reader.begin is not None:
                self._input.seek(int(self._reader.begin * av.time_base))
            self._packets = self._file.packets(tracks)
            self._next = self._read()

    def copy_until(self, seconds: float | None) -> None:
        """Copies what is heard before a time of the new video; None for all that is left."""
        while (packet := self._next) is not None:
            if seconds is not None and _seconds(packet) - self._reader.shift > seconds:
                return
            shift = round(self._reader.shift / packet.time_base)
            assert packet.pts is not None
            assert packet.dts is not None
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream, length = self._copies[packet.stream.index], _length(packet)
            try:
                self._output.mux(packet)
            except av.error.InvalidDataError:  # damaged; formats that look inside refuse that
                self.lost += length
            self._next = self._read()

    def close(self) -> None:
        """Closes the video."""
        self._file.close()

    def _read(self) -> "Packet[AudioStream] | None":
        """Gives the next packet that belongs to the new video."""
        with read_errors(self._reader.path):
            while self._unfinished and (packet := next(self._packets, None)) is not None:
                if self._follows(packet) and self._is_heard(packet):
                    self._count(packet)
                    return packet
            for track in self._unfinished:
                self.lost += self._file.missing(
                    self._input.streams[track], self._reader.end, tolerance=_ROUGHLY_SECONDS
                )
            self._unfinished.clear()
        return None

    def _count(self, packet: "Packet[AudioStream]") -> None:
        """Counts what is lost of a packet, and before it; it is copied all the same."""
        track, begin, length = packet.stream.index, _seconds(packet), _length(packet)
        hole = begin - self._ends.get(track, begin)
        pauses = packet.stream.codec_context.name in _WITH_PAUSES
        if self._file.loses_packets and not pauses and length / 2 < hole < LONGEST_HOLE_SECONDS:
            self.lost += hole
        try:
            packet.decode()
        except av.error.FFmpegError:
            if track in self._ends:  # the first of a recording may begin in the middle
                self.lost += length
        else:
            if length:
                self._ends[track] = begin + length

    def _follows(self, packet: "Packet[AudioStream]") -> bool:
        """Sets a packet's times by the clock of its track; false if that is past them already."""
        if packet.dts is None or packet.pts is None:
            return False
        clock = self._clocks[packet.stream.index]
        dts = clock.moved(packet.dts, packet.duration or 1)
        if clock.last is not None and dts <= clock.last:
            return False
        packet.pts, packet.dts = packet.pts + dts - packet.dts, dts
        clock.last = dts
        return True

    def _is_heard(self, packet: "Packet[AudioStream]") -> bool:
        seconds = _seconds(packet)
        if self._reader.end is not None and seconds >= self._reader.end:
            self._unfinished.discard(packet.stream.index)
            return False
        return self._reader.begin is None or seconds >= self._reader.begin


def _seconds(packet: "Packet[AudioStream]") -> float:
    assert packet.pts is not None
    return float(packet.pts * packet.time_base)


def _length(packet: "Packet[AudioStream]") -> float:
    return float((packet.duration or 0) * packet.time_base)
