"""Files and directories that appear whole or not at all."""

import os
import re
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sfumato.files import atomic


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


def write(path: Path) -> None:
    atomic.write_file(path, b"new")


def write_new_file(path: Path) -> None:
    with atomic.new_file(path) as staging:
        assert staging.name.endswith(path.suffix)
        staging.write_bytes(b"new")


every_way = pytest.mark.parametrize("put", [write, write_new_file])
Put = Callable[[Path], None]


@every_way
def test_a_link_stays_and_the_file_that_it_names_is_replaced(tmp_path: Path, put: Put) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("there", "not there yet"):
        file, link = tmp_path / "folder" / name, tmp_path / name
        link.symlink_to(file)
        if name == "there":
            file.write_bytes(b"old")
        put(link)
        assert link.is_symlink()
        assert file.read_bytes() == b"new"
    assert len(list((tmp_path / "folder").iterdir())) == 2


@every_way
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444])
def test_a_file_keeps_its_permissions(tmp_path: Path, put: Put, mode: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    path.chmod(mode)
    put(path)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_private_file_is_private_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.touch(0o600)
    with atomic.new_file(path) as staging:
        assert stat.S_IMODE(staging.stat().st_mode) == 0o600


@every_way
def test_a_name_may_be_as_long_as_names_may_be(tmp_path: Path, put: Put) -> None:
    path = tmp_path / ("ü" * 125 + ".jpeg")
    put(path)
    assert path.read_bytes() == b"new"


def test_a_pipe_stays_and_gets_the_bytes(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write(pipe)
    reader.join()
    assert got == [b"new"]
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_device_stays_a_device(tmp_path: Path) -> None:
    write(Path("/dev/null"))
    assert Path("/dev/null").is_char_device()
    (tmp_path / "link").symlink_to("/dev/null")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert Path("/dev/null").is_char_device()


def test_a_file_that_is_held_open_is_written_into_behind_what_it_has(tmp_path: Path) -> None:
    with (tmp_path / "a").open("ab") as file:
        file.write(b"old ")
        file.flush()
        write(Path(f"/dev/fd/{file.fileno()}"))
    assert (tmp_path / "a").read_bytes() == b"old new"


@pytest.mark.parametrize("name", ["pipe", "/dev/null"])
def test_what_is_filled_in_no_order_is_not_put_into_a_pipe_or_device(
    tmp_path: Path, name: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is no regular file; name a file to write"):
        write_new_file(tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()


def test_a_directory_is_made_where_a_link_leads_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere" / "1")
    with atomic.new_directory(tmp_path / "link") as staging:
        (staging / "a").touch()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "1" / "a").is_file()


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


@pytest.mark.parametrize("name", ["absent/out.jpg", "file/out.jpg", "long" * 75 + ".jpg"])
def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=re.escape(f"'{tmp_path / name}'")) as error:
        atomic.write_file(tmp_path / name, b"")
    assert ".tmp" not in str(error.value)
