"""Masks as programs write them: labels, palettes, 16 bits, opacity."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from training.baselines.mask_file import LARGEST_MASK, read_mask
from training.baselines.region_masks import RegionMask, name_of, read_regions
from training.errors import TrainingError

HALVES = np.repeat([[0] * 16 + [1] * 16], 24, axis=0)  # [24, 32]


def _palette() -> Image.Image:
    image = Image.fromarray(HALVES.astype(np.uint8), "L")
    image.putpalette([10, 20, 30, 11, 20, 30])
    return image


def _opacity(hidden: int) -> Image.Image:
    """A shape in the opacity alone; below it lies noise, or nothing."""
    colours = np.random.default_rng(0).integers(0, hidden + 1, (24, 32, 3))
    colours[HALVES == 1] = 0
    return Image.fromarray(np.dstack([colours, 255 * HALVES]).astype(np.uint8))


MASKS = {
    "labels in colour": Image.fromarray(np.dstack([HALVES + 1] * 3).astype(np.uint8)),
    "labels in grey": Image.fromarray(HALVES.astype(np.uint8)),
    "labels of 16 bits": Image.fromarray((HALVES + 3).astype(np.uint16)),
    "labels of 32 bits": Image.fromarray((HALVES + 3).astype(np.int32)),
    "black and white": Image.fromarray(HALVES.astype(bool)),
    "palette": _palette(),
    "opacity": _opacity(0),
    "opacity over noise": _opacity(255),
    "grey, all of it opaque": Image.fromarray((255 * HALVES).astype(np.uint8)).convert("LA"),
}
BY_FORMAT = [
    *((name, ".tif") for name in MASKS),
    *((name, ".png") for name in MASKS if name != "labels of 32 bits"),
    *((name, ".gif") for name in ("labels in grey", "palette")),
    *((name, ".bmp") for name in ("labels in colour", "labels in grey", "palette")),
]


def _regions(file: Path) -> RegionMask:
    return read_regions(read_mask(file))


@pytest.mark.parametrize(("name", "suffix"), BY_FORMAT)
def test_masks_of_all_kinds_have_the_regions_that_were_drawn(
    name: str, suffix: str, tmp_path: Path
) -> None:
    MASKS[name].save(tmp_path / f"mask{suffix}")
    regions = _regions(tmp_path / f"mask{suffix}")
    assert regions.shares == [0.5, 0.5]
    labels = regions.labels.numpy()
    assert np.array_equal(labels == labels[0, -1], HALVES == 1)


def test_what_a_file_says_of_its_brightness_changes_no_label(tmp_path: Path) -> None:
    note = PngImagePlugin.PngInfo()
    note.add(b"gAMA", (100_000).to_bytes(4, "big"))
    MASKS["labels in grey"].save(tmp_path / "mask.png", pnginfo=note)
    assert [name_of(colour) for colour in _regions(tmp_path / "mask.png").colours] == [
        *("#000000", "#010101")
    ]


def test_a_large_mask_is_reduced_without_new_colours(tmp_path: Path) -> None:
    large = np.kron(HALVES + 1, np.ones((80, 80))).astype(np.uint8)
    Image.fromarray(large).save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png")
    assert max(mask.shape) == LARGEST_MASK
    assert set((mask * 255).round().flatten().tolist()) == {1, 2}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.full((24, 32), 70_000, np.int32), "labels beyond 0 to 65535; number them anew"),
        (np.zeros((4, 32), np.uint8), "less than 8 pixels on a side"),
    ],
)
def test_masks_that_cannot_be_read_are_one_message(
    labels: "np.ndarray[tuple[int, int], np.dtype[np.uint8]]", message: str, tmp_path: Path
) -> None:
    Image.fromarray(labels).save(tmp_path / "mask.tif")
    with pytest.raises(TrainingError, match=message):
        read_mask(tmp_path / "mask.tif")
