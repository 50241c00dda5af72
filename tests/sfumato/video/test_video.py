"""``sfumato video`` against a real server with the tiny network."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sfumato.cli.main import main
from tests.serving.running import ServerProcess
from tests.serving.tiny_network import STYLES, write_tiny_bundle
from tests.sfumato.videos import grey, half_red, of_unknown_kind, read_video, write_video

CODEC_LOSS = 4
"""Levels, of 255, that JPEG and H.264 may change in a picture of one colour."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    styles = {**STYLES, "photograph": (1.0, 0.0)}
    write_tiny_bundle(folder / "models" / "default" / "1", styles=styles)
    with ServerProcess(folder / "models", folder) as server:
        yield server.address


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4")


def paint(server: str, clip: Path, *options: str, output: str = "out.mp4", status: int = 0) -> Path:
    """Runs the command, which must end with a status and leave nothing else behind."""
    out = clip.parent / "painted" / output
    arguments = ["video", str(clip), str(out), "--server", server, *options]
    if "--style" not in options:
        arguments += ["--style", "plain"]
    assert main(arguments) == status
    assert [path.name for path in out.parent.iterdir()] == [output]
    return out


def test_a_video_is_painted_and_keeps_its_length_its_times_and_its_sound(
    server: str, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = paint(server, clip, "--style", "dark")
    before, after = read_video(clip), read_video(out)
    assert (after.codec, after.pixels) == ("h264", "yuv420p")
    assert after.times == pytest.approx(before.times)
    assert after.duration == pytest.approx(before.duration, abs=0.05)
    assert after.sound == before.sound
    assert len(after.sound) > 40
    for picture in after.pictures:
        np.testing.assert_allclose(picture, grey(64), atol=CODEC_LOSS)
    assert capsys.readouterr().out == f"{out}: 10 frames painted\n"


def test_one_frame_is_not_called_frames(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = paint(server, write_video(tmp_path / "one.mp4", 1, sound=None), "--style", "dark")
    assert capsys.readouterr().out == f"{out}: 1 frame painted\n"


def test_a_style_turns_into_another_over_time(server: str, clip: Path) -> None:
    out = paint(server, clip, "--style", "dark@20%", "--style", "light@0.8s")
    pictures = read_video(out).pictures
    gain_offset = [(0.5, 0), (0.5, 0), (0.5, 0), (7 / 12, 50 / 3), (2 / 3, 100 / 3), (0.75, 50)]
    for picture, (gain, offset) in zip(pictures, gain_offset, strict=False):
        np.testing.assert_allclose(picture, grey(round(128 * gain + offset)), atol=CODEC_LOSS)
    for picture in pictures[8:]:
        np.testing.assert_allclose(picture, grey(228), atol=CODEC_LOSS)


def test_the_strength_mixes_the_video_in(server: str, clip: Path) -> None:
    picture = read_video(paint(server, clip, "--style", "dark", "--strength", "0.5")).pictures[0]
    np.testing.assert_allclose(picture, grey(96), atol=CODEC_LOSS)


def test_colours_come_back_as_they_were(server: str, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", 3, picture=lambda _: half_red())
    before, after = read_video(clip).pictures[1], read_video(paint(server, clip)).pictures[1]
    for row in (8, 40):
        np.testing.assert_allclose(after[row], before[row], atol=2 * CODEC_LOSS)


def test_frames_that_come_at_odd_times_keep_them(server: str, tmp_path: Path) -> None:
    times = [0, 33, 100, 101, 350, 900]
    clip = write_video(tmp_path / "clip.mkv", times)
    out = paint(server, clip)
    assert read_video(out).times == pytest.approx([time / 1000 for time in times], abs=1e-3)


def test_a_video_that_is_to_be_turned_comes_out_upright(server: str, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", 2, picture=lambda _: half_red(), rotation=90)
    out = read_video(paint(server, clip))
    assert out.rotation == 0
    picture = out.pictures[0]
    assert picture.shape == (64, 48, 3)
    np.testing.assert_allclose(picture[:, 8], [(200, 40, 40)] * 64, atol=2 * CODEC_LOSS)
    np.testing.assert_allclose(picture[:, 40], [(128, 128, 128)] * 64, atol=CODEC_LOSS)


def test_odd_sides_are_cut_and_the_user_is_told(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_video(tmp_path / "clip.mp4", 2, picture=lambda _: grey(128, 51, 33))
    assert read_video(paint(server, clip)).pictures[0].shape == (32, 50, 3)
    assert "1 column and 1 row were cut off" in capsys.readouterr().err


def test_frames_are_scaled_down_to_a_size_but_never_up(server: str, clip: Path) -> None:
    assert read_video(paint(server, clip, "--size", "32")).pictures[0].shape == (24, 32, 3)
    assert read_video(paint(server, clip, "--size", "999")).pictures[0].shape == (48, 64, 3)


def test_a_part_of_a_video_is_painted_with_its_part_of_the_sound(server: str, clip: Path) -> None:
    part = ("--start", "0.3", "--duration", "0.4", "--style", "dark@0", "--style", "light@100%")
    after = read_video(paint(server, clip, *part))
    assert after.times == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-3)
    np.testing.assert_allclose(after.pictures[2], grey(146), atol=CODEC_LOSS)
    before = read_video(clip).sound
    assert [data for _, data in after.sound] == [data for at, data in before if 0.3 <= at < 0.7]
    assert 0 <= after.sound[0][0] < 0.03


def test_sound_can_be_left_out_and_a_silent_video_stays_silent(server: str, clip: Path) -> None:
    assert read_video(paint(server, clip, "--no-audio")).sound == []
    silent = write_video(clip.with_name("silent.mp4"), 3, sound=None)
    assert read_video(paint(server, silent)).sound == []


def test_the_user_is_told_of_sound_that_cannot_be_kept(
    server: str, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip.write_bytes(of_unknown_kind(clip.read_bytes()))
    assert read_video(paint(server, clip)).sound == []
    line = "sfumato: sound tracks of a kind that FFmpeg does not know: 1 left out\n"
    assert capsys.readouterr().err.endswith(line)
    paint(server, clip, "--no-audio")
    assert "sound tracks" not in capsys.readouterr().err


def test_lossless_frames_are_painted_to_the_level(server: str, clip: Path) -> None:
    out = paint(server, clip, "--lossless", "--crf", "0", "--style", "dark")
    before, after = read_video(clip).pictures[0], read_video(out).pictures[0]
    np.testing.assert_allclose(after, np.round(before / 2), atol=2)


def test_other_containers_are_written_by_their_suffix(server: str, clip: Path) -> None:
    for suffix in (".mkv", ".mov"):
        after = read_video(paint(server, clip, output=f"out{suffix}"))
        assert len(after.pictures) == 10
        assert [data for _, data in after.sound] == [data for _, data in read_video(clip).sound]
        (clip.parent / "painted" / f"out{suffix}").unlink()


def test_what_is_left_of_a_damaged_video_is_painted_and_the_user_is_told(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = {"movflags": "+faststart"}
    clip = write_video(tmp_path / "clip-10:30:00.mp4", sound=None, options=whole)
    data = clip.read_bytes()
    clip.write_bytes(data[: data.rindex(b"mdat") + (len(data) - data.rindex(b"mdat")) * 9 // 10])
    out = paint(server, clip, output="out:10:30.mp4", status=1)
    frames = len(read_video(out.rename(tmp_path / "out.mp4")).pictures)
    assert 1 < frames < 9
    told = capsys.readouterr()
    line = f"{clip} is cut off: {10 - frames} of 10 frames are missing; the rest is painted"
    assert told.err.splitlines()[-1] == f"sfumato: {line}"
    assert told.out == f"{out}: {frames} frames painted\n"
