"""Photos and paintings."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from training.data.image_folder import find_images
from training.data.module import PhotosAndPaintings
from training.data.paintings import load_paintings
from training.data.photo_order import PhotoOrder
from training.data.photos import (
    PhotoBatch,
    PhotoFolder,
    center_crops,
    collate,
    random_crop,
    resize_short_side,
    spread,
)
from training.errors import TrainingError
from training.optimize.picture_file import write_picture


def test_several_folders_are_one_dataset(photos: Path, paintings: Path) -> None:
    assert len(PhotoFolder([photos, paintings], 64)) == 4 + 3


def test_a_folder_within_another_adds_nothing(photos: Path) -> None:
    assert len(PhotoFolder([photos, photos / "deep"], 64)) == 4


@pytest.mark.parametrize(("count", "asked"), [(31, 16), (16, 16), (17, 16), (100, 7), (5, 9)])
def test_a_few_of_many_are_evenly_spread(count: int, asked: int) -> None:
    few = spread(range(count), asked)
    assert len(few) == min(count, asked)
    steps = [after - before for before, after in pairwise([-1 - few[0], *few, 2 * count - few[-1]])]
    assert max(steps[1:-1], default=0) - min(steps[1:-1], default=0) <= 1
    assert abs(steps[0] - steps[-1]) <= 2  # as far from the first as from the last


def test_the_middle_of_photos_stands_for_them_all(tmp_path: Path) -> None:
    for number in range(31):
        Image.new("L", (32, 32), number).save(tmp_path / f"{number:02}.png")
    (tmp_path / "10.png").write_bytes(b"damaged")
    crops = center_crops(find_images(tmp_path), 16, 32)
    numbers = (crops.mean(dim=(1, 2, 3)) * 255).round().int().tolist()
    assert numbers == [0, 2, 4, 6, 8, 11, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]


def test_of_photos_that_can_all_not_be_read_one_is_named(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(TrainingError, match=r"none of the 2 photos could .*[ab]\.jpg: it is not"):
        center_crops(find_images(tmp_path), 1, 32)


@pytest.mark.parametrize("size", [(16, 6000), (6000, 16)])
def test_a_banner_is_cropped_before_it_is_enlarged(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ramp = torch.linspace(0, 1, max(size)).view(1, *(1 if side == 16 else side for side in size))
    image = ramp.expand(3, *size)
    sizes: list[int] = []
    interpolate = torch.nn.functional.interpolate

    def watched(*arguments: Any, **options: Any) -> torch.Tensor:
        sizes.append(interpolate(*arguments, **options).numel())
        return interpolate(*arguments, **options)

    monkeypatch.setattr(torch.nn.functional, "interpolate", watched)
    means = [random_crop(image, 64).mean().item() for _ in range(50)]
    write_picture(tmp_path / "banner.png", image)
    assert center_crops([tmp_path / "banner.png"], 1, 64).mean() == pytest.approx(0.5, abs=0.01)
    assert max(sizes) == 3 * 64 * 64
    assert min(means) < 0.2  # crops come from the whole length all the same
    assert max(means) > 0.8


def test_a_painting_that_is_a_banner_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    write_picture(tmp_path / "banner.png", torch.zeros(3, 16, 600))
    with pytest.raises(TrainingError, match=r"banner.png' has 600 × 16 pixels: cut out a part"):
        load_paintings(tmp_path, 384)


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


def test_an_unreadable_painting_is_an_error_that_names_it(paintings: Path) -> None:
    (paintings / "red.png").write_bytes(b"red")
    with pytest.raises(TrainingError, match=r"red\.png.*mend or remove it"):
        load_paintings(paintings, 48)


def _set_up(photos: Path | list[Path], paintings: Path, **options: Any) -> None:
    PhotosAndPaintings(photos, paintings, **options).setup("fit")


@pytest.mark.parametrize(
    ("option", "number", "message"),
    [
        (
            "crop_size",
            65,
            "--data.crop_size is 65: it must be a multiple of 4, between 32 and 4096",
        ),
        ("crop_size", 8, "--data.crop_size is 8: it must be a multiple of 4, between 32 and 4096"),
        ("style_size", 4, "data.style_size is 4: it must be between 32 and 4096"),
        ("style_size", 0, "data.style_size is 0"),
        ("style_size", 100_000, "data.style_size is 100000"),
        ("batch_size", 0, "data.batch_size is 0: it must be at least 1"),
        ("num_workers", -1, "data.num_workers is -1: it must be at least 0"),
        ("style_names", [], "--data.style_names is empty: name at least one"),
    ],
)
def test_numbers_out_of_their_range_are_one_message(
    photos: Path, paintings: Path, option: str, number: object, message: str
) -> None:
    with pytest.raises(TrainingError, match=re.escape(message)):
        _set_up(photos, paintings, **{option: number})


def test_no_folder_of_photos_is_one_message(paintings: Path) -> None:
    with pytest.raises(TrainingError, match=r"data\.photos is empty"):
        _set_up([], paintings)


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
