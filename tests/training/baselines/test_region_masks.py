"""Region masks: their colours, sizes and borders."""

import io

import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from training.baselines.region_masks import (
    RegionMask,
    align,
    check_covered,
    check_proportions,
    name_of,
    read_regions,
    shrink,
)
from training.errors import TrainingError

RED, GREEN, BLUE = (220, 30, 40), (40, 190, 60), (20, 60, 200)


Levels = tuple[int, int, int]


def _drawn(
    width: int = 96, height: int = 64, colours: tuple[Levels, Levels, Levels] = (BLUE, GREEN, RED)
) -> Image.Image:
    """Blue above, green below, a red disc between; or other colours."""
    above, below, disc = colours
    image = Image.new("RGB", (width, height), above)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, height // 2, width, height), fill=below)
    radius = height // 4
    draw.ellipse(
        (width // 2 - radius, height // 2 - radius, width // 2 + radius, height // 2 + radius),
        fill=disc,
    )
    return image


def _tensor(image: Image.Image) -> Tensor:
    data = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return data.reshape(1, image.height, image.width, 3).permute(0, 3, 1, 2).float() / 255


def _names(mask: RegionMask) -> list[str]:
    return [name_of(colour) for colour in mask.colours]


def test_the_colours_are_found_the_largest_region_first() -> None:
    mask = read_regions(_tensor(_drawn()))
    assert sorted(_names(mask)) == ["#143cc8", "#28be3c", "#dc1e28"]
    assert _names(mask)[-1] == "#dc1e28"
    assert mask.shape == (64, 96)


def test_each_pixel_belongs_to_its_colour() -> None:
    mask = read_regions(_tensor(_drawn()))
    assert _names(mask)[mask.labels[0, 0]] == "#143cc8"
    assert _names(mask)[mask.labels[32, 48]] == "#dc1e28"
    assert _names(mask)[mask.labels[63, 95]] == "#28be3c"


@pytest.mark.parametrize("quality", [40, 75, 95])
def test_a_jpeg_with_noise_and_soft_borders_has_the_same_regions(
    quality: int,
) -> None:
    exact = read_regions(_tensor(_drawn()))
    soft = _drawn(384, 256).resize((96, 64), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    soft.save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as image:
        noisy = align(read_regions(_tensor(image)), exact)
    assert len(noisy.colours) == 3
    assert (noisy.labels == exact.labels).float().mean() > 0.96


def _blocks(*samples: tuple[int, ...], scale: int = 255) -> Tensor:
    """Columns of one colour each."""
    columns = torch.tensor(samples, dtype=torch.float32).repeat_interleave(16, dim=0) / scale
    return columns.T[None, :, None].expand(1, -1, 24, -1)


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        (_blocks((1, 1, 1), (2, 2, 2)), ["#010101", "#020202"]),
        (_blocks((0, 0, 0), (1, 1, 1)), ["#000000", "#010101"]),
        (_blocks((100, 100, 100), (114, 114, 114)), ["#646464", "#727272"]),
        (
            _blocks((1, 1, 1), (2, 2, 2), (257, 257, 257), scale=65535),
            ["1 of 65535", "2 of 65535", "#010101"],
        ),
        (_blocks((0, 0, 0, 0), (0, 0, 0, 255)), ["transparent", "#000000"]),
        (_blocks(*((n, n, n) for n in range(24))), [f"#{n:02x}{n:02x}{n:02x}" for n in range(24)]),
    ],
    ids=["labels", "grey labels", "similar greys", "16 bits", "opacity", "24 labels"],
)
def test_exact_colours_are_regions_however_little_they_differ(
    mask: Tensor, names: list[str]
) -> None:
    regions = read_regions(mask)
    assert sorted(_names(regions)) == sorted(names)
    assert align(regions, regions).labels.equal(regions.labels)
    assert min(regions.shares) == max(regions.shares)


def test_more_exact_colours_than_regions_are_an_error() -> None:
    with pytest.raises(TrainingError, match="more than 24 colours"):
        read_regions(_blocks(*((n, n, n) for n in range(25))))


GREYS: tuple[Levels, Levels, Levels] = ((100,) * 3, (114,) * 3, (200,) * 3)


@pytest.mark.parametrize("colours", [(RED, GREEN, BLUE), GREYS])
def test_soft_borders_make_no_region_and_merge_none(
    colours: tuple[Levels, Levels, Levels],
) -> None:
    soft = _drawn(384, 256, colours).resize((96, 64), Image.Resampling.LANCZOS)
    names = [name_of(tuple(level / 255 for level in colour)) for colour in colours]
    assert sorted(_names(read_regions(_tensor(soft)))) == sorted(names)


def test_a_label_that_the_paintings_mask_lacks_is_named_however_similar() -> None:
    known = read_regions(_blocks((1, 1, 1), (2, 2, 2)))
    new = read_regions(_blocks((1, 1, 1), (2, 2, 2), (3, 3, 3)))
    with pytest.raises(TrainingError, match=r"#030303 \(33.3% of it\).*only #010101, #020202"):
        align(new, known)


def test_a_mask_of_one_colour_is_one_region() -> None:
    mask = read_regions(torch.full((1, 3, 8, 8), 0.3))
    assert len(mask.colours) == 1
    assert mask.shares == [1.0]


def test_regions_without_any_area_are_regions_all_the_same() -> None:
    stripes = torch.zeros(1, 3, 8, 8)
    stripes[..., ::2] = 1  # no pixel has neighbours of its own colour only
    assert sorted(_names(read_regions(stripes))) == ["#000000", "#ffffff"]


def test_specks_are_no_regions() -> None:
    image = torch.full((1, 3, 64, 64), 0.2)
    image[..., 10, 10] = 1
    assert len(read_regions(image).colours) == 1


def test_a_photo_is_no_mask() -> None:
    ramps = torch.stack(
        [
            torch.linspace(0, 1, 64).expand(64, 64),
            torch.linspace(0, 1, 64).view(64, 1).expand(64, 64),
            torch.full((64, 64), 0.5),
        ]
    )
    with pytest.raises(TrainingError, match="more than 24 colours, as a photo has"):
        read_regions(ramps[None])


def test_weights_sum_to_1_everywhere_at_every_size() -> None:
    mask = read_regions(_tensor(_drawn()))
    for size in ((64, 96), (32, 48), (7, 5), (1, 1), (100, 150)):
        weights = mask.weights(size)
        assert weights.shape == (3, 1, *size)
        torch.testing.assert_close(weights.sum(dim=0), torch.ones(1, *size))


def test_the_shares_are_the_mean_weights() -> None:
    mask = read_regions(_tensor(_drawn()))
    torch.testing.assert_close(torch.tensor(mask.shares), mask.weights((1, 1)).flatten())


def test_a_border_pixel_of_a_shrunk_mask_belongs_to_both_sides() -> None:
    mask = torch.tensor([[1.0, 1.0, 1.0, 0.0]]).reshape(1, 1, 1, 4)
    torch.testing.assert_close(shrink(mask, (1, 2)).flatten(), torch.tensor([1.0, 0.5]))


def test_masks_name_regions_alike_after_alignment() -> None:
    known = RegionMask(((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)), torch.tensor([[0, 1]]))
    new = RegionMask(((0.02, 0.0, 0.97), (0.99, 0.03, 0.0)), torch.tensor([[0, 0, 1]]))
    aligned = align(new, known)
    assert aligned.colours == known.colours
    assert aligned.labels.tolist() == [[1, 1, 0]]
    assert aligned.shares == pytest.approx([1 / 3, 2 / 3])


def test_a_colour_that_the_paintings_mask_lacks_is_named() -> None:
    known = RegionMask(((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)), torch.tensor([[0, 1]]))
    new = RegionMask(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), torch.tensor([[0, 0, 0, 1]]))
    with pytest.raises(TrainingError, match=r"#00ff00 \(25.0% of it\).*only #ff0000, #0000ff"):
        align(new, known)


def test_a_mask_may_have_another_size_but_not_other_proportions() -> None:
    mask = RegionMask(((1.0, 0.0, 0.0),), torch.zeros(30, 40, dtype=torch.long))
    check_proportions(mask, torch.zeros(1, 3, 303, 400), "the painting")
    with pytest.raises(TrainingError, match=r"40 × 30 pixels, but the painting 100 × 100"):
        check_proportions(mask, torch.zeros(1, 3, 100, 100), "the painting")


def test_a_region_that_vanishes_in_a_layer_is_named() -> None:
    weights = torch.zeros(2, 1, 4, 4)
    weights[0] = 1
    weights[1, 0, 0, 0] = 0.25
    colours = ((1.0, 1.0, 1.0), (1.0, 0.0, 0.0))
    check_covered(weights[:1], colours[:1], "relu5_1", "the new mask")
    message = r"#ff0000 of the new mask covers only 0\.25 of the 4 × 4 places of relu5_1"
    with pytest.raises(TrainingError, match=message):
        check_covered(weights, colours, "relu5_1", "the new mask")
