"""Class models."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.training.baselines.tiny_classifier import write_squeezenet
from training.errors import TrainingError
from training.networks.classifier import load_classifier
from training.optimize.command import main
from training.optimize.picture_file import read_picture, write_picture


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_squeezenet(tmp_path / "weights.safetensors")


def _model(weights: Path, *arguments: str, out: str = "out.png") -> Path:
    written = weights.with_name(out)
    options = ["--weights", str(weights), "--size", "48", "--steps", "3", "--device", "cpu"]
    main(["class", "--out", str(written), *options, *arguments])
    return written


def _score(weights: Path, picture: Path, k: int) -> float:
    with torch.no_grad():
        scores = load_classifier(weights=weights)(read_picture(picture))["logits"]
    return float(scores[0, k])


def _size(picture: Path) -> tuple[int, int]:
    """Width and height."""
    with Image.open(picture) as image:
        return image.size


def test_several_classes_give_a_sheet(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = _model(weights, "volcano", "281", "goldfish")
    assert _size(written) == (100, 100)
    assert f"wrote {written} (100 × 100), loss" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["fourier", "pixels"])
def test_the_score_of_the_class_rises(weights: Path, kind: str) -> None:
    more = ("volcano", "--init", "mean", "--robust", "none", "--image", kind)
    before = _model(weights, *more, "--steps", "1", "--lr", "0", out="before.png")
    after = _model(weights, *more, "--steps", "20", out="after.png")
    assert _score(weights, after, 980) > _score(weights, before, 980) + 1e-3


def test_simonyans_own_recipe_starts_from_the_mean_colour(weights: Path) -> None:
    written = _model(
        weights, "980", "--init", "mean", "--image", "pixels", "--robust", "none",
        "--optimizer", "sgd", "--l2", "0.01", "--lr", "0",
    )  # fmt: skip
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    assert (read_picture(written) - mean).abs().max() < 0.5 / 255


def test_a_photo_becomes_another_class(weights: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    torch.manual_seed(0)
    write_picture(photo, 0.2 + 0.6 * torch.rand(1, 3, 36, 48))
    plain = ("--image", "pixels", "--robust", "none", "--lr", "0.005")
    written = _model(weights, "volcano", "--init", str(photo), *plain, "--steps", "12")
    assert _size(written) == (48, 36)
    assert 0 < (read_picture(written) - read_picture(photo)).abs().max() < 0.1
    assert _score(weights, written, 980) > _score(weights, photo, 980)


def test_the_probability_is_another_objective(weights: Path) -> None:
    of_score = _model(weights, "volcano", out="score.png")
    of_probability = _model(weights, "volcano", "--probability", out="probability.png")
    assert of_score.read_bytes() != of_probability.read_bytes()


def test_one_seed_gives_one_picture(weights: Path) -> None:
    pictures = [
        _model(weights, "volcano", "--seed", seed, out=f"{k}.png").read_bytes()
        for k, seed in enumerate("112")
    ]
    assert pictures[0] == pictures[1] != pictures[2]


def test_an_unknown_class_is_an_error_that_suggests_close_names(weights: Path) -> None:
    with pytest.raises(TrainingError, match="no class 'vulcano': did you mean 'volcano'"):
        _model(weights, "vulcano")


def test_a_size_that_is_too_small_is_an_error(weights: Path) -> None:
    with pytest.raises(TrainingError, match="8 × 8 is too small for squeezenet1_1"):
        _model(weights, "volcano", "--size", "8")


def test_a_missing_photo_is_an_error(weights: Path) -> None:
    with pytest.raises(TrainingError, match=r"'absent\.jpg' cannot be read"):
        _model(weights, "volcano", "--init", "absent.jpg")


def test_a_step_size_that_is_no_number_is_an_error(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _model(weights, "volcano", "--lr", "nan")
    assert "--lr: 'nan' is no number from 0 up" in capsys.readouterr().err
