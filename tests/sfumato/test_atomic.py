"""Files and directories that appear whole or not at all."""

import os
import re
from pathlib import Path

import pytest

from sfumato import atomic


def test_a_file_is_replaced_by_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    atomic.write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupted_write_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_gets_the_usual_permissions(tmp_path: Path) -> None:
    atomic.write_file(tmp_path / "a", b"")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_directory_appears_only_when_the_block_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "new" / "1"
    with atomic.new_directory(path) as staging:
        (staging / "a").write_bytes(b"x")
        assert not path.exists()
        assert staging.parent == path.parent
        assert staging.name.startswith(".")
    assert (path / "a").read_bytes() == b"x"
    assert list(path.parent.iterdir()) == [path]


def test_a_directory_gets_the_usual_permissions(tmp_path: Path) -> None:
    with atomic.new_directory(tmp_path / "a"):
        pass
    (tmp_path / "b").mkdir()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_an_interrupted_block_leaves_nothing(tmp_path: Path) -> None:
    def fill() -> None:
        with atomic.new_directory(tmp_path / "1") as staging:
            (staging / "a").write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_exists_is_never_touched(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), atomic.new_directory(tmp_path):
        pytest.fail("the block must not run")


@pytest.mark.parametrize("name", ["absent/out.jpg", "file/out.jpg", "long" * 60 + ".jpg"])
def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=re.escape(f"'{tmp_path / name}'")) as error:
        atomic.write_file(tmp_path / name, b"")
    assert ".tmp" not in str(error.value)
