"""Photos and paintings."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.data.module import PhotosAndPaintings
from training.data.paintings import load_paintings
from training.data.photo_order import PhotoOrder
from training.data.photos import (
    PhotoBatch,
    PhotoFolder,
    collate,
    find_images,
    random_crop,
    resize_short_side,
)
from training.errors import TrainingError


def test_photos_are_found_in_any_folder_tree_and_other_files_are_not(photos: Path) -> None:
    (photos / "notes.txt").write_text("not a photo")
    names = [file.name for file in find_images(photos)]
    assert names == ["a.jpg", "b.png", "c.webp", "d.jpeg"]


def test_several_folders_are_one_dataset(photos: Path, paintings: Path) -> None:
    assert len(PhotoFolder([photos, paintings], 64)) == 4 + 3


@pytest.mark.parametrize("size", [(80, 96), (40, 90), (32, 32)])
def test_crops_have_the_size_asked_for_even_from_smaller_photos(size: tuple[int, int]) -> None:
    crop = random_crop(torch.rand(3, *size), 64)
    assert crop.shape == (3, 64, 64)
    assert crop.min() >= 0
    assert crop.max() <= 1


def test_crops_differ_from_one_time_to_the_next() -> None:
    torch.manual_seed(0)
    image = torch.rand(3, 90, 120)
    assert not torch.equal(random_crop(image, 64), random_crop(image, 64))


def test_resizing_keeps_the_aspect_ratio() -> None:
    assert resize_short_side(torch.rand(3, 100, 250), 40).shape == (3, 40, 100)
    assert resize_short_side(torch.rand(3, 250, 100), 40).shape == (3, 100, 40)


def test_an_unreadable_photo_is_replaced_by_the_next_and_reported(photos: Path) -> None:
    (photos / "a.jpg").write_bytes((photos / "a.jpg").read_bytes()[:200])
    folder = PhotoFolder([photos], 64)
    batch = collate([folder[0], folder[1]])
    assert batch.images.shape == (2, 3, 64, 64)
    assert len(batch.skipped) == 1
    assert "a.jpg" in batch.skipped[0]


def test_a_folder_of_damaged_photos_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"nothing")
    with pytest.raises(TrainingError, match="none of the 1 photos could be read"):
        PhotoFolder([tmp_path], 64)[0]


def test_an_empty_folder_and_a_folder_of_text_files_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("words")
    for name in ("empty", "texts"):
        with pytest.raises(TrainingError, match=f"no image below .*{name}.*put files ending in"):
            find_images(tmp_path / name)
    with pytest.raises(TrainingError, match="is no folder"):
        find_images(tmp_path / "absent")


def test_photos_are_read_upright(tmp_path: Path) -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:20] = 255  # white above black, as stored
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown rotated by 90 degrees clockwise
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    (painting,) = load_paintings(tmp_path, 40)
    assert painting.image.shape == (3, 60, 40)
    # The upper edge as stored is the right one as shown.
    assert painting.image[:, :, 30:].mean() > 0.99
    assert painting.image[:, :, :10].mean() < 0.01


def test_paintings_are_described_by_the_csv_file_or_by_their_names(paintings: Path) -> None:
    loaded = load_paintings(paintings, 48)
    assert [p.info.id for p in loaded] == ["blue", "green", "red"]
    assert loaded[0].info.title == "blue"
    green = loaded[1].info
    assert (green.title, green.artist, green.year, green.licence) == (
        "Green Discs",
        "Anna",
        "1901",
        "CC0",
    )
    assert loaded[1].image.shape == (3, 68, 48)  # 64 x 90 pixels: 90 · 48 / 64 = 67.5


def test_paintings_can_be_chosen_and_ordered(paintings: Path) -> None:
    loaded = load_paintings(paintings, 48, ["red", "blue"])
    assert [p.info.id for p in loaded] == ["red", "blue"]
    with pytest.raises(TrainingError, match=r"no painting 'pink' .*'blue', 'green', 'red'"):
        load_paintings(paintings, 48, ["pink"])


def test_two_paintings_whose_names_make_the_same_id_are_an_error(tmp_path: Path) -> None:
    for name in ("Blue Disc.png", "blue_disc.png"):
        Image.new("RGB", (32, 32)).save(tmp_path / name)
    with pytest.raises(TrainingError, match="blue-disc"):
        load_paintings(tmp_path, 32)


def test_an_unreadable_painting_is_an_error_that_names_it(paintings: Path) -> None:
    (paintings / "red.png").write_bytes(b"red")
    with pytest.raises(TrainingError, match=r"red\.png.*mend or remove it"):
        load_paintings(paintings, 48)


def test_a_crop_size_that_no_network_takes_is_an_error(photos: Path, paintings: Path) -> None:
    with pytest.raises(TrainingError, match="multiple of 4"):
        PhotosAndPaintings(photos, paintings, crop_size=65)


def test_a_batch_is_never_larger_than_the_folder(photos: Path, paintings: Path) -> None:
    data = PhotosAndPaintings(photos, paintings, crop_size=32, batch_size=16, num_workers=0)
    data.setup("fit")
    (batch,) = data.train_dataloader()
    assert batch.images.shape == (4, 3, 32, 32)


def test_every_photo_is_drawn_once_per_epoch_in_another_order_each_time() -> None:
    order = PhotoOrder(range(8), 4)
    first = [draw.photo for draw in order]
    order.set_epoch(1)
    second = [draw.photo for draw in order]
    assert sorted(first) == sorted(second) == list(range(8))
    assert first != second
    # A run that goes on does not begin with the photos that it began with before.
    assert [draw.photo for draw in PhotoOrder(range(8), 4, first_step=100)] != first


def test_two_processes_share_the_very_batches_of_one() -> None:
    one = list(PhotoOrder(range(11), 4, seed=5))
    halves = [list(PhotoOrder(range(11), 2, rank=r, world_size=2, seed=5)) for r in (0, 1)]
    assert len(one) == 8  # three photos make no batch of four
    assert one == [*halves[0][:2], *halves[1][:2], *halves[0][2:], *halves[1][2:]]


def test_more_processes_than_photos_are_an_error() -> None:
    with pytest.raises(TrainingError, match=r"2 photos are too few for 3 processes: lower"):
        PhotoOrder(range(2), 4, world_size=3)


def test_a_draw_always_gives_the_same_crop_whoever_reads_it(photos: Path, paintings: Path) -> None:
    def first_epoch(workers: int) -> torch.Tensor:
        data = PhotosAndPaintings(photos, paintings, crop_size=32, num_workers=workers)
        data.setup("fit")
        batch: PhotoBatch = next(iter(data.train_dataloader()))
        return batch.images

    torch.manual_seed(0)
    alone = first_epoch(0)
    torch.manual_seed(1)
    torch.testing.assert_close(first_epoch(2), alone, rtol=0, atol=0)
