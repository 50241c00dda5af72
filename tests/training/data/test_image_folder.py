"""What is found below a folder of photos or paintings."""

import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.training.drawn_data import draw_picture
from training.data.image_folder import find_images, look_through
from training.data.paintings import load_paintings
from training.errors import TrainingError


def _found(folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in find_images(folder)]


def test_photos_are_found_in_any_folder_tree_and_other_files_are_not(photos: Path) -> None:
    (photos / "notes.txt").write_text("not a photo")
    assert _found(photos) == ["a.jpg", "b.png", "deep/c.webp", "deep/er/d.jpeg"]


def test_linked_folders_are_looked_through_and_each_folder_once(
    photos: Path, paintings: Path
) -> None:
    (photos / "to paintings").symlink_to(paintings)
    (photos / "again").symlink_to(paintings)
    (photos / "a loop").symlink_to(photos)
    (photos / "deep" / "up").symlink_to("..")
    (photos / "z.jpg").symlink_to(photos / "a.jpg")
    assert _found(photos) == [
        *("a.jpg", "again/blue.png", "again/green.png", "again/red.png", "b.png"),
        *("deep/c.webp", "deep/er/d.jpeg", "z.jpg"),
    ]


def test_a_folder_is_found_where_it_is_and_not_where_a_link_to_it_is(photos: Path) -> None:
    (photos / "aaa").symlink_to(photos / "deep")
    assert _found(photos) == ["a.jpg", "b.png", "deep/c.webp", "deep/er/d.jpeg"]


def test_a_folder_that_is_a_link_itself_is_looked_through(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(photos)
    assert len(_found(tmp_path / "link")) == 4


def test_hidden_files_and_what_a_mac_leaves_beside_files_are_left_alone(
    paintings: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (paintings / "._red.png").write_bytes(b"\x00\x05\x16\x07 a Mac's notes")
    (paintings / ".thumbnails").mkdir()
    shutil.copy(paintings / "red.png", paintings / ".thumbnails")
    ids = [painting.info.id for painting in load_paintings(paintings, 48)]
    assert ids == ["blue", "green", "red"]
    assert caplog.messages == []


def test_a_folder_called_like_a_painting_is_a_folder(paintings: Path) -> None:
    draw_picture(paintings / "scream.jpg" / "munch.png", 5)
    assert _found(paintings) == ["blue.png", "green.png", "red.png", "scream.jpg/munch.png"]


@pytest.mark.parametrize("suffix", [".gif", ".tif", ".TIFF", ".avif", ".bmp", ".jfif"])
def test_formats_that_no_server_takes_are_paintings_all_the_same(
    suffix: str, tmp_path: Path
) -> None:
    Image.new("RGB", (40, 32), (200, 30, 40)).save(tmp_path / f"red{suffix}")
    (painting,) = load_paintings(tmp_path, 32)
    assert painting.image.shape == (3, 32, 40)
    assert (painting.image.mean(dim=(1, 2)) * 255).round().tolist() == pytest.approx(
        [200, 30, 40], abs=2
    )


def test_what_cannot_be_read_is_named(paintings: Path, caplog: pytest.LogCaptureFixture) -> None:
    (paintings / "wave.heic").write_bytes(b"....ftypheic")
    (paintings / "dangling.jpg").symlink_to("nowhere.jpg")
    os.mkfifo(paintings / "pipe.png")
    load_paintings(paintings, 48, ["red"])
    assert caplog.messages == []  # of what nobody asked for there is nothing to say
    assert len(find_images(paintings)) == 3
    (message,) = caplog.messages
    assert "dangling.jpg, pipe.png, wave.heic; convert what" in message
    with pytest.raises(TrainingError, match=r"no painting 'wave' .*wave\.heic; convert what"):
        load_paintings(paintings, 48, ["wave"])


def test_of_many_files_that_cannot_be_read_five_are_named(
    photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(30):
        (photos / f"{number:02}.heic").touch()
    find_images(photos)
    assert "00.heic, 01.heic, 02.heic, 03.heic, 04.heic, 25 more; convert" in caplog.text


def test_an_empty_folder_and_a_folder_of_text_files_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("words")
    for name in ("empty", "texts"):
        with pytest.raises(TrainingError, match=f"no image below .*{name}.*put files ending in"):
            find_images(tmp_path / name)
    with pytest.raises(TrainingError, match="is no folder"):
        find_images(tmp_path / "absent")


def test_a_folder_of_nothing_but_unread_formats_says_which(tmp_path: Path) -> None:
    (tmp_path / "a.heic").touch()
    with pytest.raises(TrainingError, match=r"no image below .*a\.heic; convert"):
        look_through(tmp_path)
