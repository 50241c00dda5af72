"""Videos that are damaged or cut off: what can be decoded is kept, and the rest is told."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sfumato.errors import VideoError
from tests.sfumato.videos import RATE, Pixels, copy_video, grey, read_video, write_video

FRAMES = 12
SHADES = 20
"""Levels by which each frame is lighter than the one before."""
FIRST = {"options": {"movflags": "+faststart"}}
"""Of an MP4 that begins with the list of what is in it."""
KINDS = {
    "mp4": {"sound": "aac", **FIRST},
    "mov": {"codec": "mpeg4", "pixels": "yuv420p", **FIRST},
    "mkv": {"codec": "mjpeg", "pixels": "yuvj444p"},
    "avi": {
        "codec": "mjpeg",
        "pixels": "yuvj444p",
        "sound": "libmp3lame",
        "ticks": Fraction(1, RATE),
    },
    "flv": {"sound": "aac"},
    "webm": {"codec": "libvpx-vp9", "pixels": "yuv420p", "sound": None},
    "ts": {"sound": "aac"},
}


def shade(number: int) -> Pixels:
    """Draws a grey that tells the number of a frame, beside noise that has no short packet."""
    picture = grey(SHADES * number % 240)
    picture[:, :32] = np.random.default_rng(number).integers(0, 256, (48, 32, 3), np.uint8)
    return picture


def video(folder: Path, kind: str, frames: int = FRAMES) -> Path:
    """Writes a video whose frames become lighter."""
    return write_video(
        folder / f"clip.{kind}",
        frames,
        picture=shade,
        sound_seconds=-(-frames // RATE),
        **KINDS[kind],  # type: ignore[arg-type]
    )


def damage(clip: Path, *numbers: int, sound: bool = False) -> None:
    """Wipes out packets of the picture, or of the sound, where they lie in the file."""
    with av.open(str(clip)) as source:
        track = source.streams.audio[0] if sound else source.streams.video[0]
        packets = [packet for packet in source.demux(track) if packet.size]
        places = [(packets[number].pos, packets[number].size) for number in numbers]
    data = bytearray(clip.read_bytes())
    for begin, size in places:
        assert begin is not None
        data[begin + 8 : begin + size] = bytes(size - 8)
    clip.write_bytes(data)


def cut(clip: Path, share: float) -> None:
    data = clip.read_bytes()
    clip.write_bytes(data[: int(share * len(data))])


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_sound_file_nothing_is_told(tmp_path: Path, kind: str) -> None:
    clip, out = video(tmp_path, kind), tmp_path / "out.mkv"
    assert copy_video(clip, out) is None
    assert len(read_video(out).pictures) == FRAMES
    assert copy_video(clip, out, start=0.5, duration=0.4) is None
    assert len(read_video(out).pictures) == 4


@pytest.mark.parametrize("number", [0, 5, FRAMES - 1])
@pytest.mark.parametrize("kind", ["mkv", "avi"])
def test_a_frame_that_cannot_be_decoded_is_left_out_and_told(
    tmp_path: Path, kind: str, number: int
) -> None:
    clip, out = video(tmp_path, kind), tmp_path / "out.mkv"
    before = read_video(clip)
    damage(clip, number)
    assert copy_video(clip, out) == "is damaged: 1 of 12 frames is missing"
    after = read_video(out)
    assert [data for _, data in after.sound] == [data for _, data in before.sound]
    kept = [n for n in range(FRAMES) if n != number]
    levels = [int(picture[24, 48, 0]) for picture in after.pictures]
    assert levels == pytest.approx([SHADES * n for n in kept], abs=4)
    times = [before.times[n] - before.times[0] for n in kept]  # each where it was
    assert after.times == pytest.approx(times, abs=2e-3)
    assert after.duration == pytest.approx(before.duration, abs=0.03)


@pytest.mark.parametrize("kind", ["mp4", "mov", "webm", "ts", "flv"])
def test_as_many_frames_as_are_told_are_missing(tmp_path: Path, kind: str) -> None:
    """A damaged packet may cost those that follow it too, or vanish without a word of FFmpeg."""
    clip, out = video(tmp_path, kind, 40), tmp_path / "out.mkv"
    damage(clip, 17, 30)
    told = copy_video(clip, out)
    missing = 40 - len(read_video(out).pictures)
    if missing:
        assert told is not None
        assert told.startswith(f"is damaged: {missing} of 40 frames")
    else:  # H.264 may conceal them
        assert told == "is damaged: 2 of 40 frames could be decoded only in part"


def test_where_the_first_key_frame_is_damaged_frames_begin_with_the_next(tmp_path: Path) -> None:
    for kind in ("mp4", "avi"):
        clip, out = tmp_path / f"clip.{kind}", tmp_path / "out.mp4"
        ticks = Fraction(1, RATE)
        write_video(clip, 40, picture=shade, sound=None, key_frames=15, ticks=ticks)
        damage(clip, 0)
        told = copy_video(clip, out)
        after = read_video(out)
        missing = 40 - len(after.pictures)
        assert missing > 5
        assert told == f"is damaged: {missing} of 40 frames are missing"
        assert after.times[-1] == pytest.approx(39 / RATE)


@pytest.mark.parametrize("kind", ["mp4", "mov", "mkv", "avi", "flv", "webm"])
def test_what_is_behind_the_end_of_a_file_that_is_cut_off_is_told(
    tmp_path: Path, kind: str
) -> None:
    clip, out = video(tmp_path, kind, 40), tmp_path / "out.mkv"
    cut(clip, 0.7)
    told = copy_video(clip, out)
    assert told is not None
    after = read_video(out)
    missing = 40 - len(after.pictures)
    assert missing > 5
    assert any(f"is cut off: {missing + off} of {40 + off} frames" in told for off in (-1, 0, 1))
    if after.sound:
        lost_sound = float(told.partition(" frames and ")[2].split()[0])
        assert after.sound[-1][0] + lost_sound == pytest.approx(4, abs=0.15)
    assert after.duration < 3.2


def test_of_a_part_before_the_damage_nothing_is_told(tmp_path: Path) -> None:
    clip, out = video(tmp_path, "mp4", 40), tmp_path / "out.mp4"
    cut(clip, 0.7)
    assert copy_video(clip, out, duration=1) is None
    told = copy_video(clip, out, start=2, duration=1.5)
    assert told is not None
    assert "of 15 frames" in told


def test_a_part_of_an_avi_without_its_list_begins_where_it_is_told_to(tmp_path: Path) -> None:
    """The list is at the end; without it FFmpeg does not know where the key frames are."""
    clip, out = tmp_path / "clip.avi", tmp_path / "out.mp4"
    write_video(clip, 40, picture=shade, sound=None, key_frames=10, ticks=Fraction(1, RATE))
    whole = read_video(clip)
    cut(clip, 0.8)
    told = copy_video(clip, out, start=2.5)
    assert told is not None
    assert "is cut off" in told
    first = read_video(out).pictures[0]
    np.testing.assert_allclose(first[:, 40:], whole.pictures[25][:, 40:], atol=6)


def test_a_video_of_which_nothing_can_be_decoded_is_an_error(tmp_path: Path) -> None:
    clip = video(tmp_path, "avi")
    damage(clip, *range(FRAMES))
    with pytest.raises(VideoError, match="damaged: none of its frames can be decoded"):
        copy_video(clip, tmp_path / "out.mp4")


def test_a_picture_of_an_unknown_kind_is_an_error(tmp_path: Path) -> None:
    clip = video(tmp_path, "mp4")
    clip.write_bytes(clip.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(VideoError, match="has no video in it, or none that FFmpeg can decode"):
        copy_video(clip, tmp_path / "out.mp4")


def test_of_a_part_that_ends_early_what_vanished_is_told(tmp_path: Path) -> None:
    clip = video(tmp_path, "ts", 40)
    damage(clip, 17)
    told = copy_video(clip, tmp_path / "out.mp4", duration=3)
    assert told is not None
    assert told.startswith("is damaged: 1 of 30 frames")


def test_damaged_sound_is_told_and_costs_no_frame(tmp_path: Path) -> None:
    clip, out = video(tmp_path, "mp4"), tmp_path / "out.mp4"
    damage(clip, 20, 21, sound=True)
    assert copy_video(clip, out) == "is damaged: 0.05 s of its sound are missing"
    assert len(read_video(out).pictures) == FRAMES


def test_sound_that_a_format_refuses_is_told_and_costs_no_frame(tmp_path: Path) -> None:
    """Damaged packets of an MPEG-TS cannot be turned into those of an MP4."""
    clip, out = video(tmp_path, "ts"), tmp_path / "out.mp4"
    data = bytearray(clip.read_bytes())
    middle = len(data) // 188 * 3 // 4 * 188  # the sound comes last here
    data[middle + 20 : middle + 150] = np.random.default_rng(0).bytes(130)
    clip.write_bytes(data)
    told = copy_video(clip, out)
    assert told is not None
    assert "of its sound are missing" in told
    assert len(read_video(out).pictures) == FRAMES


def test_frames_that_never_were_are_not_missing(tmp_path: Path) -> None:
    """The rate of recordings of a screen varies, and they may pause."""
    times = [0, 33, 66, 100, 133, 300, 333, 366, 1000, 1033, 1100, 1133, 1700, 1733]
    for kind in ("mp4", "mkv", "flv"):
        clip = write_video(tmp_path / f"clip.{kind}", times)
        assert copy_video(clip, tmp_path / "out.mkv") is None
