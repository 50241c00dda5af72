"""The sound of files that cameras and recorders write, beside their picture."""

from pathlib import Path

import av
import pytest

from sfumato.video.audio import AudioCopy
from sfumato.video.reader import VideoReader
from tests.sfumato.videos import Contents, copy_video, of_unknown_kind, read_video, write_video

PACKET = 1152 / 44100
"""Seconds of a packet of MP2, which lies in an MPEG-TS as it does elsewhere."""


def written(clip: Path, out: Path, **part: float) -> Contents:
    """What becomes of a video whose frames are not painted."""
    assert copy_video(clip, out, **part) is None
    return read_video(out)


def sound(contents: Contents) -> list[bytes]:
    return [data for _, data in contents.sound]


def with_a_second_track(clip: Path, output: Path) -> Path:
    """Copies a video and gives it its sound twice."""
    with av.open(str(clip)) as source, av.open(str(output), "w") as copy:
        streams = [source.streams.video[0], source.streams.audio[0]]
        tracks = [copy.add_stream_from_template(stream) for stream in (*streams, streams[1])]
        for packet in source.demux(*streams):
            if packet.dts is None:
                continue
            again = av.Packet(bytes(packet))
            again.pts, again.dts, again.time_base = packet.pts, packet.dts, packet.time_base
            again.duration = packet.duration
            packet.stream, again.stream = tracks[packet.stream.index], tracks[2]
            copy.mux(packet)
            if packet.stream is tracks[1]:
                copy.mux(again)
    return output


def test_a_sound_track_of_an_unknown_kind_is_left_out(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.mp4")
    clip = with_a_second_track(one, tmp_path / "clip.mp4")
    clip.write_bytes(of_unknown_kind(clip.read_bytes()))
    reader = VideoReader(clip)
    assert reader.unknown_sounds == 1
    reader.close()
    out = tmp_path / "out.mp4"
    assert sound(written(clip, out)) == sound(read_video(one))
    with av.open(str(out)) as video:
        assert len(video.streams.audio) == 1


def test_without_any_known_track_the_video_is_silent(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4")
    clip.write_bytes(of_unknown_kind(clip.read_bytes()))
    contents = written(clip, tmp_path / "out.mp4")
    assert len(contents.pictures) == 10
    assert contents.sound == []


def test_sound_and_picture_of_a_late_clock_begin_at_0_together(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.ts", sound="mp2")
    before, after = read_video(clip), written(clip, tmp_path / "out.mkv")
    assert before.times[0] > 0.1
    assert sound(after) == sound(before)
    lead = before.times[0] - before.sound[0][0]
    assert 0 < lead < 2 * PACKET  # the encoder begins early
    assert after.sound[0][0] == pytest.approx(0, abs=2e-3)
    assert after.times[0] == pytest.approx(lead, abs=2e-3)


def test_where_a_clock_is_set_back_sound_goes_on_beside_the_picture(tmp_path: Path) -> None:
    one, both = (
        write_video(tmp_path / "one.ts", 20, sound="mp2", sound_seconds=2),
        tmp_path / "both.ts",
    )
    both.write_bytes(one.read_bytes() * 2)
    before, after = read_video(one), written(both, tmp_path / "out.mkv")
    assert sound(after) == 2 * sound(before)
    assert len(after.pictures) == 40
    times = [time for time, _ in after.sound]
    assert times == pytest.approx([PACKET * n for n in range(len(times))], abs=2e-3)


def test_sound_behind_the_end_is_not_read(tmp_path: Path) -> None:
    clip = with_a_second_track(write_video(tmp_path / "one.mp4"), tmp_path / "clip.mp4")
    reader = VideoReader(clip, duration=0.2)
    with av.open(str(tmp_path / "out.mkv"), "w") as output:
        copy = AudioCopy(reader, output)
        copy.begin()
        copy.copy_until(None)
        left = [packet for packet in copy._packets if packet.size]
        copy.close()
    reader.close()
    # Each track has 45 packets of 23 ms, the first before 0; the one at 0.209 s ends it.
    assert len(left) == 2 * (45 - 11)
