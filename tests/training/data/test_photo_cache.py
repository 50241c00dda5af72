"""Photos kept on disk at training size."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from tests.training.drawn_data import draw_picture
from training.data.image_file import read_image
from training.data.module import PhotosAndPaintings
from training.data.photo_cache import PhotoCache
from training.data.photo_order import PhotoDraw
from training.data.photos import PhotoFolder, resize_short_side


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A photo of 360 x 300 pixels, large beside a short side of 48."""
    draw_picture(tmp_path / "large" / "a.png", 3, (360, 300))
    return tmp_path / "large" / "a.png"


def entries(cache: PhotoCache) -> list[Path]:
    return sorted(p for p in cache.folder.rglob("*") if p.is_file())


def test_a_large_photo_is_kept_shrunk_and_rounded_to_bytes(large: Path, tmp_path: Path) -> None:
    cache = PhotoCache(tmp_path / "cache", 48)
    first, again = cache.read(large), cache.read(large)
    assert first.shape == (3, 48, 58)  # 360 · 48 / 300 = 57.6
    assert torch.equal(first, again)
    shrunk = resize_short_side(read_image(large), 48)
    torch.testing.assert_close(first, shrunk, rtol=0, atol=0.5 / 255 + 1e-6)
    assert len(entries(cache)) == 1


def test_what_is_kept_is_read_and_not_decoded(large: Path, tmp_path: Path) -> None:
    cache = PhotoCache(tmp_path / "cache", 48)
    kept, stat = cache.read(large), large.stat()
    large.write_bytes(bytes(stat.st_size))  # no photo any more, but it looks unchanged
    os.utime(large, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert torch.equal(cache.read(large), kept)


def test_a_photo_that_changed_and_another_crop_size_get_entries_of_their_own(
    large: Path, tmp_path: Path
) -> None:
    cache = PhotoCache(tmp_path / "cache", 48)
    before = cache.read(large)
    draw_picture(large, 4, (360, 300))
    os.utime(large, (1, 1))
    assert not torch.equal(cache.read(large), before)
    assert PhotoCache(tmp_path / "cache", 32).read(large).shape[1] == 32
    assert len(entries(cache)) == 3


def test_a_photo_of_about_the_kept_size_is_left_as_it_is(large: Path, tmp_path: Path) -> None:
    cache = PhotoCache(tmp_path / "cache", 240)
    assert torch.equal(cache.read(large), read_image(large))
    assert entries(cache) == []


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "foreign"])
def test_a_damaged_entry_is_made_again(large: Path, tmp_path: Path, damage: str) -> None:
    cache = PhotoCache(tmp_path / "cache", 48)
    good = cache.read(large)
    (entry,) = entries(cache)
    data = entry.read_bytes()
    flipped = bytes([*data[:500], data[500] ^ 1, *data[501:]])
    damaged = {"empty": b"", "cut": data[:-9], "flipped": flipped, "foreign": b"notes"}
    entry.write_bytes(damaged[damage])
    assert torch.equal(cache.read(large), good)
    assert entry.read_bytes() == data


def test_a_cache_that_cannot_be_written_is_one_warning_and_no_cache(
    large: Path, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = PhotoCache(tmp_path / "cache", 48)
    with pytest.warns(UserWarning, match="no longer cached.*give another --data.cache") as warned:
        images = [cache.read(large) for _ in range(2)]
    assert len(warned) == 1
    assert torch.equal(*images)


def test_many_may_write_the_same_entry_at_once(large: Path, tmp_path: Path) -> None:
    caches = [PhotoCache(tmp_path / "cache", 48) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda cache: cache.read(large), caches))
    assert all(torch.equal(image, read[0]) for image in read)
    assert len(entries(caches[0])) == 1  # and nothing half-written beside it


def test_a_draw_crops_the_same_out_of_the_kept_photo(large: Path, tmp_path: Path) -> None:
    cache = PhotoCache(tmp_path / "cache", 48)
    plain, cached = PhotoFolder([large.parent], 32), PhotoFolder([large.parent], 32, cache.read)
    for seed in range(20):
        draw = PhotoDraw(0, seed)
        difference = plain[draw].image - cached[draw].image
        # Shrunk twice instead of once, and at most a pixel aside.
        assert difference.square().mean().sqrt() < 0.06


def test_the_data_module_keeps_photos_where_it_is_told(
    large: Path, paintings: Path, tmp_path: Path
) -> None:
    data = PhotosAndPaintings(large.parent, paintings, crop_size=32, cache=tmp_path / "cache")
    data.setup("fit")
    assert data.photos[0].image.shape == (3, 32, 32)
    assert len(list((tmp_path / "cache").rglob("*.photo"))) == 1
