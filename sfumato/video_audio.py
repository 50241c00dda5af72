"""Takes the sound of a video along as it is, without decoding it."""

from collections.abc import Iterator

import av.error
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from sfumato.errors import VideoError
from sfumato.steady_clock import SteadyClock
from sfumato.video_reader import VideoReader, is_known, open_video, read_errors, read_only


class AudioCopy:
    """The sound tracks on their way from a video to the new one.

    The video is opened a second time for that: sound and picture of a file need not lie side by
    side, and what is read too early would have to be kept in memory.
    """

    def __init__(self, reader: VideoReader, output: OutputContainer) -> None:
        """Copies all sound of what ``reader`` reads to ``output``."""
        self._reader = reader
        self._output = output
        self._input: InputContainer = open_video(reader.path)
        self._copies: dict[int, AudioStream] = {}
        self._clocks: dict[int, SteadyClock] = {}
        self._unfinished: set[int] = set()
        self._packets: Iterator[Packet[AudioStream]] = iter(())
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
            read_only(self._input, tracks)
            if self._reader.begin is not None:
                self._input.seek(int(self._reader.begin * av.time_base))
            self._packets = self._input.demux(tuple(tracks))
            self._next = self._read()

    def copy_until(self, seconds: float | None) -> None:
        """Copies what is heard before a time of the new video; None for all that is left."""
        while (packet := self._next) is not None:
            if seconds is not None and _seconds(packet) - self._reader.shift > seconds:
                return
            copy = self._copies[packet.stream.index]
            shift = round(self._reader.shift / packet.time_base)
            assert packet.pts is not None
            assert packet.dts is not None
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = copy
            self._output.mux(packet)
            self._next = self._read()

    def close(self) -> None:
        """Closes the video."""
        self._input.close()

    def _read(self) -> "Packet[AudioStream] | None":
        """Gives the next packet that belongs to the new video."""
        with read_errors(self._reader.path):
            while self._unfinished and (packet := next(self._packets, None)) is not None:
                if self._follows(packet) and self._is_heard(packet):
                    return packet
        return None

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
