"""What is read from the files that cameras, recorders and old programs write."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from sfumato.video.reader import VideoPicture, VideoReader
from tests.sfumato.videos import RATE, Pixels, grey, half_red, write_video

FRAME = 1 / RATE


def read(path: Path, **part: float | None) -> list[VideoPicture]:
    reader = VideoReader(path, **part)  # type: ignore[arg-type]
    pictures = []
    while (picture := reader.next()) is not None:
        pictures.append(picture)
    reader.close()
    return pictures


def steps(pictures: list[VideoPicture]) -> list[float]:
    """The times in frames, from that of the first."""
    return [(picture.seconds - pictures[0].seconds) / FRAME for picture in pictures]


def four_greys() -> Pixels:
    picture = grey(0)
    picture[:24, 32:], picture[24:, :32], picture[24:, 32:] = 80, 160, 240
    return picture


@pytest.mark.parametrize("flips", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_frames_are_turned_and_mirrored_as_the_file_says(
    tmp_path: Path, rotation: int, flips: tuple[bool, bool]
) -> None:
    hflip, vflip = flips
    clip = write_video(
        tmp_path / "clip.mp4",
        1,
        picture=lambda _: four_greys(),
        sound=None,
        rotation=rotation,
        hflip=hflip,
        vflip=vflip,
    )
    expected = np.rot90(four_greys(), rotation // 90)
    expected = expected[:: -1 if vflip else 1, :: -1 if hflip else 1]
    [picture] = read(clip)
    assert picture.rgb.shape == expected.shape
    for x, y in ((1, 1), (1, 3), (3, 1), (3, 3)):
        row, column = expected.shape[0] * y // 4, expected.shape[1] * x // 4
        np.testing.assert_allclose(picture.rgb[row, column], expected[row, column], atol=3)


@pytest.mark.parametrize(
    ("width", "height", "red"),
    [
        (720, 576, (200, 40, 40)),
        (1280, 534, (214, 55, 38)),
        (720, 578, (214, 55, 38)),
    ],
)
def test_what_is_larger_than_a_dvd_has_the_colours_of_hd(
    tmp_path: Path, width: int, height: int, red: tuple[int, int, int]
) -> None:
    """The files are written with BT.601 and do not say so; (200, 40, 40) is Y 88, U -27, V 80."""
    clip = write_video(
        tmp_path / "clip.mp4", 1, picture=lambda _: half_red(width, height), sound=None
    )
    [picture] = read(clip)
    np.testing.assert_allclose(picture.rgb[height // 4, width // 2], red, atol=3)


OPACITY = {0: 255, 1: 128, 2: 0}
"""Of the thirds of a picture, from above."""


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "options"),
    [
        ("clip.webm", "libvpx-vp9", "yuva420p", {}),
        ("clip.webm", "libvpx", "yuva420p", {"auto-alt-ref": "0"}),
        ("clip.mov", "prores_ks", "yuva444p10le", {"profile": "4444"}),
        ("clip.mov", "qtrle", "argb", {}),
        ("clip.apng", "apng", "rgba", {}),
        ("clip.mkv", "ffv1", "bgra", {}),
    ],
)
@pytest.mark.parametrize("size", [None, 48])
def test_what_is_transparent_is_white_and_hides_its_colour(
    tmp_path: Path,
    name: str,
    codec: str,
    pixels: str,
    options: dict[str, str],
    size: int | None,
) -> None:
    rgba = np.dstack([np.full((96, 96), level, np.uint8) for level in (40, 60, 200, 0)])
    for third, opacity in OPACITY.items():
        rgba[32 * third : 32 * third + 32, :, 3] = opacity
    with av.open(str(tmp_path / name), "w") as output:
        stream = output.add_stream(codec, rate=RATE, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 96, pixels
        for number in range(3):
            frame = VideoFrame.from_ndarray(rgba, format="rgba").reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    pictures = read(tmp_path / name, size=size)
    assert len(pictures) == 3
    for third, opacity in OPACITY.items():
        rows = pictures[1].rgb.shape[0] // 3
        expected = 255 + (np.array((40, 60, 200)) - 255) * opacity / 255
        inside = pictures[1].rgb[rows * third + 3 : rows * (third + 1) - 3]
        np.testing.assert_allclose(inside, np.broadcast_to(expected, inside.shape), atol=5)


def test_a_gif_is_white_where_it_shows_nothing(tmp_path: Path) -> None:
    clip = tmp_path / "clip.gif"
    transparent = Image.fromarray(np.dstack([grey(50), np.zeros((48, 64), np.uint8)]))
    solid = Image.fromarray(np.dstack([grey(50), np.full((48, 64), 255, np.uint8)]))
    transparent.save(clip, save_all=True, append_images=[solid], duration=100)
    assert [int(picture.rgb[24, 32, 0]) for picture in read(clip)] == [255, 50]


def test_frames_of_an_avi_come_one_after_the_other(tmp_path: Path) -> None:
    """It has no times of its own, and the decoder has to sort the frames."""
    clip = write_video(
        tmp_path / "clip.avi", 12, picture=lambda n: grey(20 * n), ticks=Fraction(1, RATE)
    )
    pictures = read(clip)
    assert [picture.pts for picture in pictures] == list(range(12))
    levels = [int(picture.rgb[24, 32, 0]) for picture in pictures]
    assert levels == pytest.approx([20 * n for n in range(12)], abs=4)
    part = read(clip, start=0.5, duration=0.4)
    assert [picture.pts for picture in part] == [0, 1, 2, 3]
    levels = [int(picture.rgb[24, 32, 0]) for picture in part]
    assert levels == pytest.approx([100, 120, 140, 160], abs=4)


def test_a_clock_that_does_not_begin_at_0_makes_no_empty_beginning(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.ts", 10, sound=None)
    pictures = read(clip)
    assert [picture.pts for picture in pictures] == [9000 * n for n in range(10)]  # of 90 kHz


def test_reading_begins_where_it_is_told_to_whatever_is_known_of_key_frames(tmp_path: Path) -> None:
    """An MPEG-TS has no list of them, and here the only one is the first of all."""
    clip = write_video(tmp_path / "clip.ts", 40, picture=lambda n: grey(5 * n), sound=None)
    part = read(clip, start=3.5)
    assert steps(part) == pytest.approx([0, 1, 2, 3, 4])
    levels = [int(picture.rgb[24, 32, 0]) for picture in part]
    assert levels == pytest.approx([175, 180, 185, 190, 195], abs=4)


def test_where_a_clock_is_set_back_frames_go_on(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.ts", 20, sound=None)
    both = tmp_path / "both.ts"
    both.write_bytes(one.read_bytes() * 2)
    assert steps(read(both)) == pytest.approx(list(range(40)), abs=0.01)


def test_a_reader_that_is_stopped_does_not_go_on(tmp_path: Path) -> None:
    reader = VideoReader(write_video(tmp_path / "clip.mp4", 30), start=2.5)
    reader.stop()
    assert reader.next() is None
    reader.close()
