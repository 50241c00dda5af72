"""Doodles: regions of a picture in the style of regions of a painting."""

from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from tests.training.drawn_data import draw_picture, slim_vgg_weights
from training.baselines.doodle_objective import doodle_objective, noise_of_regions
from training.baselines.region_masks import RegionMask
from training.baselines.style_objective import Recipe, transfer_objective
from training.errors import TrainingError
from training.losses.gram import gram_matrix
from training.networks.loss_network import LossNetwork
from training.optimize.command import main
from training.optimize.images import Pixels
from training.optimize.loop import optimize
from training.optimize.objective import IMAGE, Objective
from training.optimize.picture_file import read_picture

STYLE = ("relu1_1", "relu2_1")
WARM, COLD = (1.0, 0.5, 0.0), (0.0, 0.0, 1.0)


@pytest.fixture
def network() -> LossNetwork:
    return LossNetwork(slim_vgg_weights(), STYLE)


def _halves(height: int, width: int, left: int = 0) -> RegionMask:
    """The left half is region ``left``, the right half the other."""
    labels = torch.full((height, width), 1 - left)
    labels[:, : width // 2] = left
    return RegionMask((WARM, COLD), labels)


def _whole(height: int, width: int) -> RegionMask:
    return RegionMask((WARM,), torch.zeros(height, width, dtype=torch.long))


def _two_halves(height: int = 16, width: int = 32) -> Tensor:
    """A painting: rough and warm on the left, calm and cold on the right."""
    grain = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    colours = torch.tensor([[0.9, 0.5, 0.1], [0.1, 0.3, 0.8]])
    left, right = (colour.view(1, 3, 1, 1) for colour in colours)
    half = width // 2
    rough, calm = left * grain[..., :half], right + 0.05 * (grain[..., half:] - 0.5)
    return torch.cat([rough, calm], dim=3)


def _total(objective: Objective, network: LossNetwork, image: Tensor) -> float:
    values = objective({**network(image, objective.layers), IMAGE: image})
    return sum(value.item() for value in values.values())


def test_one_region_is_plain_style_transfer(network: LossNetwork) -> None:
    painting, image = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 12, 20)
    whole = doodle_objective(
        network(painting), _whole(16, 16), network(image), _whole(12, 20), STYLE
    )
    recipe = Recipe(0, 1, 0, (), STYLE, "energy")
    plain = transfer_objective(network, image, [painting], recipe)
    assert _total(whole, network, image) == pytest.approx(_total(plain, network, image), rel=1e-5)


def test_the_painting_with_its_own_mask_costs_nothing(network: LossNetwork) -> None:
    painting, mask = _two_halves(), _halves(16, 32)
    objective = doodle_objective(network(painting), mask, network(painting), mask, STYLE)
    assert _total(objective, network, painting) == pytest.approx(0, abs=1e-9)
    assert _total(objective, network, painting.flip(3)) > 0.01


def test_a_region_has_the_gram_matrix_of_its_own_pixels(network: LossNetwork) -> None:
    features = network(_two_halves())["relu1_1"]
    mask = _halves(16, 32).weights((16, 32))
    torch.testing.assert_close(gram_matrix(features, mask[0]), gram_matrix(features[..., :16]))


def test_pixels_outside_a_region_have_no_effect(network: LossNetwork) -> None:
    painting, mask = _two_halves(), _halves(16, 32)
    left_only = RegionMask(mask.colours, torch.zeros(16, 32, dtype=torch.long))
    objective = doodle_objective(network(painting), mask, network(painting), left_only, STYLE)
    changed = painting.clone()
    changed[..., 24:] = torch.rand(1, 3, 16, 8)  # in the painting's other region, seen by nobody
    again = doodle_objective(network(changed), mask, network(painting), left_only, STYLE)
    image = torch.rand(1, 3, 16, 32)
    assert _total(objective, network, image) == _total(again, network, image)


def test_pixels_of_a_region_only_follow_that_region(network: LossNetwork) -> None:
    painting, mask = _two_halves(), _halves(16, 32)
    objective = doodle_objective(network(painting), mask, network(painting), mask, STYLE)
    terms = Objective(tuple(t for t in objective.terms if t.layers == ("relu1_1",))[:1])
    image = torch.rand(1, 3, 16, 32).requires_grad_()
    (slope,) = torch.autograd.grad(terms(network(image, ["relu1_1"]))["style"].sum(), image)
    assert slope[..., :16].abs().min() > 0
    assert slope[..., 17:].abs().max() == 0  # but for the reach of one 3 × 3 convolution


def test_regions_count_as_much_as_they_cover(network: LossNetwork) -> None:
    painting, mask = _two_halves(), _halves(16, 32)
    labels = torch.ones(16, 32, dtype=torch.long)
    labels[:, :8] = 0  # a quarter
    new = RegionMask(mask.colours, labels)
    objective = doodle_objective(network(painting), mask, network(painting), new, STYLE)
    assert [term.weight for term in objective.terms] == [0.25 / 2, 0.75 / 2] * 2


def test_a_mirrored_mask_gives_a_mirrored_painting(network: LossNetwork) -> None:
    painting, mask, new = _two_halves(), _halves(16, 32), _halves(16, 32, left=1)
    objective = doodle_objective(network(painting), mask, network(painting), new, STYLE)
    start = noise_of_regions(painting, mask, new, (16, 32), torch.Generator().manual_seed(1))
    painted = optimize(Pixels(start), objective, network, steps=40).image
    red = painted[0, 0].mean(dim=0)  # by column
    theirs = painting[0, 0].mean(dim=0)
    assert abs(red[16:].mean() - theirs[:16].mean()) < 0.1
    assert abs(red[:16].mean() - theirs[16:].mean()) < 0.1
    assert _total(objective, network, painted) < 0.05 * _total(objective, network, start)


def test_noise_of_regions_has_their_colours_and_contrasts() -> None:
    painting, mask = _two_halves(16, 64), _halves(16, 64)
    generator = torch.Generator().manual_seed(0)
    start = noise_of_regions(painting, mask, _halves(40, 40, left=1), (40, 40), generator)
    for ours, theirs in (
        (start[..., 20:], painting[..., :32]),
        (start[..., :20], painting[..., 32:]),
    ):
        torch.testing.assert_close(
            ours.mean(dim=(2, 3)), theirs.mean(dim=(2, 3)), atol=0.04, rtol=0
        )
        torch.testing.assert_close(ours.std(dim=(2, 3)), theirs.std(dim=(2, 3)), atol=0.05, rtol=0)


def test_a_region_that_vanishes_is_left_out_of_coarse_levels_only(network: LossNetwork) -> None:
    painting, mask = _two_halves(8, 8), _halves(8, 8)
    labels = torch.zeros(8, 8, dtype=torch.long)
    labels[0, :2] = 1  # half a place of relu2_1
    new = RegionMask(mask.colours, labels)
    features = network(painting)
    with pytest.raises(TrainingError, match=r"#0000ff of the new mask covers only 0\.50"):
        doodle_objective(features, mask, features, new, STYLE)
    coarse = doodle_objective(features, mask, features, new, STYLE, coarse=True)
    assert [term.layers[0] for term in coarse.terms] == ["relu1_1", "relu1_1", "relu2_1"]


def _draw_mask(path: Path, size: tuple[int, int], *, third: bool = False) -> str:
    image = Image.new("RGB", size, (255, 128, 0))
    draw = ImageDraw.Draw(image)
    draw.rectangle((size[0] // 2, 0, *size), fill=(0, 0, 255))
    if third:
        draw.rectangle((0, 0, size[0] // 4, size[1]), fill=(0, 255, 0))
    image.save(path, quality=80)
    return str(path)


@pytest.fixture
def files(tmp_path: Path, vgg_file: Path) -> dict[str, str]:
    """A painting, its mask (smaller, a JPEG), a new mask of other proportions, and the rest."""
    draw_picture(tmp_path / "painting.png", 100, (64, 48))
    draw_picture(tmp_path / "photo.png", 0, (80, 40))
    return {
        "painting": str(tmp_path / "painting.png"),
        "mask": _draw_mask(tmp_path / "mask.jpg", (48, 36)),
        "new": _draw_mask(tmp_path / "new.png", (40, 20)),
        "photo": str(tmp_path / "photo.png"),
        "vgg": str(vgg_file),
        "out": str(tmp_path / "out.png"),
    }


def _paint(files: dict[str, str], *more: str) -> Tensor:
    arguments = ["doodle", files["painting"], files["mask"], files["new"], "--out", files["out"]]
    layers = ["--style-layers", "relu1_1,relu2_1", "--content-layers", "relu2_2"]
    small = ["--size", "48", "--steps", "4", "--levels", "1", "--loss-weights", files["vgg"]]
    main([*arguments, *layers, *small, *more])
    return read_picture(Path(files["out"]))


def test_it_writes_a_picture_of_the_new_masks_proportions(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _paint(files, "--size", "160", "--levels", "2").shape == (1, 3, 80, 160)
    assert "in 8 steps" in capsys.readouterr().out


def test_a_photo_is_painted_region_by_region(files: dict[str, str]) -> None:
    near = _paint(files, "--photo", files["photo"], "--content-weight", "1e6")
    free = _paint(files, "--photo", files["photo"], "--content-weight", "0", "--steps", "20")
    photo = read_picture(Path(files["photo"]), 48)
    assert (near - photo).abs().mean() < 0.5 * (free - photo).abs().mean()


def test_a_mask_of_other_proportions_than_the_painting_is_one_clear_message(
    files: dict[str, str],
) -> None:
    with pytest.raises(TrainingError, match="but the painting 48 × 36: give a mask"):
        _paint({**files, "mask": files["new"]})


def test_a_photo_of_other_proportions_than_the_new_mask_is_one_clear_message(
    files: dict[str, str],
) -> None:
    with pytest.raises(TrainingError, match="but the photo 48 × 36"):
        _paint(files, "--photo", files["painting"])


def test_a_new_colour_is_one_clear_message(files: dict[str, str], tmp_path: Path) -> None:
    new = _draw_mask(tmp_path / "third.png", (40, 20), third=True)
    with pytest.raises(TrainingError, match="the new mask has the colour #00ff00"):
        _paint({**files, "new": new})


def test_a_style_weight_of_0_is_one_clear_message(files: dict[str, str]) -> None:
    with pytest.raises(TrainingError, match="style weight is 0"):
        _paint(files, "--style-weight", "0")


def test_the_regions_found_and_their_shares_are_printed(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _paint(files)
    painting, new = capsys.readouterr().out.splitlines()[:2]
    assert "mask.jpg: #" in painting
    assert painting.count("50.0%") == 2
    assert "new.png: #" in new
    assert new.count("50.0%") == 2


def test_a_mask_of_one_region_is_one_clear_message(files: dict[str, str], tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (0, 0, 255)).save(tmp_path / "blue.png")
    blue = str(tmp_path / "blue.png")
    for which in ("mask", "new"):
        with pytest.raises(TrainingError, match=r"blue\.png' has one region only \(#0000ff 100.0%"):
            _paint({**files, which: blue})


def test_the_same_doodle_twice_is_the_same_picture(files: dict[str, str]) -> None:
    first = _paint(files, "--seed", "3")
    assert torch.equal(first, _paint(files, "--seed", "3"))
    assert not torch.equal(first, _paint(files, "--seed", "4"))


def test_a_large_mask_is_the_same_as_a_small_one(files: dict[str, str], tmp_path: Path) -> None:
    large = _draw_mask(tmp_path / "large.png", (1280, 960))
    small = _draw_mask(tmp_path / "small.png", (64, 48))
    ours, theirs = (_paint({**files, "mask": mask}) for mask in (large, small))
    torch.testing.assert_close(ours, theirs, atol=2 / 255, rtol=0)
