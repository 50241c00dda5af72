"""How long frames are shown, and how those of another size fit in."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from sfumato.video.pixels import fitted
from tests.sfumato.videos import copy_video, grey, read_video, write_animation, write_video

LAST_LONGER = [100, 100, 100, 3000]
"""Milliseconds of the frames of an animation."""


def lengths(path: Path) -> list[float]:
    """How long each frame is shown, in seconds."""
    contents = read_video(path)
    ends = [*contents.times[1:], contents.duration]
    return [end - time for time, end in zip(contents.times, ends, strict=True)]


@pytest.mark.parametrize("kind", ["gif", "png"])
@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_the_last_frame_is_shown_for_as_long_as_it_was(
    tmp_path: Path, kind: str, suffix: str
) -> None:
    clip = write_animation(tmp_path / f"clip.{kind}", LAST_LONGER)
    out, again = tmp_path / f"out{suffix}", tmp_path / "again.mp4"
    assert copy_video(clip, out) is None
    assert lengths(out) == pytest.approx([0.1, 0.1, 0.1, 3.0], abs=2e-3)
    assert copy_video(out, again) is None
    assert lengths(again) == pytest.approx([0.1, 0.1, 0.1, 3.0], abs=2e-3)


def test_frames_that_overtake_others_leave_the_last_one_its_time(tmp_path: Path) -> None:
    """H.264 stores a frame before those between it and the one that it continues."""
    times = [40] * 30 + [2000]
    clip, out = write_animation(tmp_path / "clip.gif", times), tmp_path / "out.mp4"
    assert copy_video(clip, out) is None
    assert lengths(out) == pytest.approx([time / 1000 for time in times], abs=2e-3)
    with av.open(str(out)) as video:
        shown = list(video.decode(video.streams.video[0]))
    assert shown[-1].time_base is not None
    assert shown[-1].duration * shown[-1].time_base == 2


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"duration": 1.0}, [0.1, 0.1, 0.1, 0.7]),
        ({"duration": 0.2}, [0.1, 0.1]),
        ({"start": 0.15}, [0.05, 0.1, 3.0]),
        ({"start": 1.0}, [2.3]),
        ({"start": 1.0, "duration": 2.0}, [2.0]),
    ],
)
def test_of_a_part_each_frame_is_shown_for_as_long_as_it_is_in_it(
    tmp_path: Path, part: dict[str, float], expected: list[float]
) -> None:
    clip, out = write_animation(tmp_path / "clip.gif", LAST_LONGER), tmp_path / "out.mp4"
    assert copy_video(clip, out, **part) is None
    assert lengths(out) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize(
    ("width", "height", "inside"),
    [
        (24, 48, (slice(0, 48), slice(20, 44))),  # upright in the middle
        (128, 32, (slice(16, 32), slice(0, 64))),  # scaled down, between two bars
        (32, 24, (slice(0, 48), slice(0, 64))),  # scaled up, of the same shape
        (2000, 2, (slice(23, 24), slice(0, 64))),  # a line is left of it
    ],
)
def test_a_picture_of_another_size_is_fitted_in_with_black_around_it(
    width: int, height: int, inside: tuple[slice, slice]
) -> None:
    expected = grey(0)
    expected[inside] = 200
    np.testing.assert_allclose(fitted(grey(200, width, height), 64, 48), expected, atol=1)


def test_frames_of_another_size_on_the_way_are_not_squeezed(tmp_path: Path) -> None:
    clip, out = tmp_path / "clip.ts", tmp_path / "out.mp4"
    one = write_video(tmp_path / "one.ts", 20, sound=None)
    upright = write_video(
        tmp_path / "upright.ts", 20, picture=lambda _: grey(200, 32, 64), sound=None
    )
    clip.write_bytes(one.read_bytes() + upright.read_bytes())
    assert copy_video(clip, out) is None
    pictures = read_video(out).pictures
    assert len(pictures) == 40
    np.testing.assert_allclose(pictures[10], grey(128), atol=4)
    np.testing.assert_allclose(pictures[30][:, 24:40], 200, atol=12)
    np.testing.assert_allclose(pictures[30][:, :16], 0, atol=12)
    np.testing.assert_allclose(pictures[30][:, 48:], 0, atol=12)


def test_frames_whose_pixels_have_another_shape_on_the_way_are_not_squeezed(
    tmp_path: Path,
) -> None:
    """Television changes from 4:3 to 16:9 so, with as many pixels."""
    clip, out = tmp_path / "clip.ts", tmp_path / "out.mp4"
    one = write_video(tmp_path / "one.ts", 20, sound=None)
    wide = write_video(tmp_path / "wide.ts", 20, sound=None, pixel_shape=Fraction(4, 3))
    clip.write_bytes(one.read_bytes() + wide.read_bytes())
    assert copy_video(clip, out) is None
    pictures = read_video(out).pictures
    np.testing.assert_allclose(pictures[10], grey(128), atol=4)
    np.testing.assert_allclose(pictures[35][8:40], 128, atol=12)
    np.testing.assert_allclose(pictures[35][:4], 0, atol=12)
    np.testing.assert_allclose(pictures[35][44:], 0, atol=12)
