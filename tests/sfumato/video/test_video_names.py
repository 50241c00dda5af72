"""Names of files that FFmpeg would take for addresses, patterns or something else."""

import os
from pathlib import Path

import pytest

from tests.sfumato.videos import copy_video, read_video, write_video


@pytest.mark.parametrize(
    "name",
    [
        "clip-2024-01-01T10:30:00.mp4",
        "pipe:0.mp4",
        "http://clip.mp4",
        "10:30/clip.mov",
        "subfile,,start,0,end,0,,:clip.mkv",
        "100%d ?#&.mp4",
        "-clip.mp4",
        os.fsdecode(b"\xff.mp4"),
    ],
)
@pytest.mark.parametrize("absolute", [False, True])
def test_a_video_of_any_name_is_read_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, absolute: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path if absolute else Path()
    clip, out = folder / "in" / name, folder / "out" / name
    for path in (clip, out):
        path.parent.mkdir(parents=True)
    write_video(tmp_path / f"plain{clip.suffix}", 3).rename(clip)
    assert copy_video(clip, out) is None
    out.rename(tmp_path / f"painted{out.suffix}")
    assert len(read_video(tmp_path / f"painted{out.suffix}").pictures) == 3
