"""Feature inversion."""

import re
from pathlib import Path

import pytest
import torch

from tests.training.drawn_data import draw_picture
from training.baselines.invert import strip
from training.errors import TrainingError
from training.optimize.command import main
from training.optimize.picture_file import read_picture


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    draw_picture(tmp_path / "photo.png", 0, (64, 48))
    return tmp_path / "photo.png"


def invert(photo: Path, vgg_file: Path, out: Path, *more: str) -> None:
    words = [str(photo), "--loss-weights", str(vgg_file), "--out", str(out), "--size", "32"]
    main(["invert", *words, "--device", "cpu", "--steps", "60", *more])


def test_the_error_of_the_pixels_grows_with_depth(
    photo: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layers = ["relu1_1", "relu2_1", "relu3_1"]
    invert(photo, vgg_file, tmp_path / "out.png", "--layer", *layers, "--tv-weight", "0.001")
    printed = capsys.readouterr().out
    found = re.findall(r"^(\S+): loss \S+ → \S+, pixels differ by (\S+)$", printed, re.MULTILINE)
    assert [layer for layer, _ in found] == layers
    shallow, middle, deep = (float(error) for _, error in found)
    assert shallow < middle < deep
    # The photo and three images of 32 × 24 with gaps of 4.
    assert printed.endswith(f"wrote {tmp_path / 'out.png'} (140 × 24)\n")
    row = read_picture(tmp_path / "out.png")
    torch.testing.assert_close(row[..., :32], read_picture(photo, 32), atol=0.003, rtol=0)


def test_one_layer_gives_one_image_without_the_photo(
    photo: Path, vgg_file: Path, tmp_path: Path
) -> None:
    invert(photo, vgg_file, tmp_path / "out.png", "--steps", "3")
    assert read_picture(tmp_path / "out.png").shape == (1, 3, 24, 32)


def test_a_larger_weight_of_the_variation_gives_a_smoother_image(
    photo: Path, vgg_file: Path, tmp_path: Path
) -> None:
    roughness = []
    for weight in ("0", "10"):
        invert(photo, vgg_file, tmp_path / "out.png", "--tv-weight", weight, "--layer", "relu2_1")
        roughness.append(read_picture(tmp_path / "out.png").diff(dim=-1).abs().mean().item())
    assert roughness[1] < 0.8 * roughness[0]


def test_a_missing_layer_is_an_error_before_anything_is_made(
    photo: Path, vgg_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"'relu5_1' is not in .* relu3_1$"):
        invert(photo, vgg_file, tmp_path / "out.png", "--layer", "relu1_1", "relu5_1")
    assert not (tmp_path / "out.png").exists()


def test_an_error_says_in_which_layer_and_keeps_the_last_good_image(
    photo: Path, vgg_file: Path, tmp_path: Path
) -> None:
    # A variation that is rewarded grows until float32 ends at 3.4e38.
    more = ("--optimizer", "sign", "--lr", "0.3", "--tv-weight=-3e38")
    with pytest.raises(TrainingError, match=r"^relu3_1: the term 'total variation' became"):
        invert(photo, vgg_file, tmp_path / "out.png", *more)
    assert read_picture(tmp_path / "out-last-good.png").shape == (1, 3, 24, 32)


def test_pictures_stand_side_by_side_with_white_between() -> None:
    row = strip([torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5)], gap=1)
    assert row[0, 0, 0].tolist() == [0, 0, 1, 0.5, 0.5]
