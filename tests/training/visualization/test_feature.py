"""Feature visualization."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.training.baselines.tiny_classifier import convolutional, write_squeezenet
from training.errors import TrainingError
from training.optimize.command import main
from training.optimize.images import Pixels
from training.optimize.loop import optimize
from training.optimize.objective import Objective
from training.optimize.picture_file import read_picture, write_picture
from training.visualization.unit_objectives import (
    channel,
    direction,
    diversity,
    dream,
    logit,
    neuron,
    probability,
)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_squeezenet(tmp_path / "weights.safetensors", classes=4)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.png"
    torch.manual_seed(0)
    write_picture(file, torch.rand(1, 3, 36, 48))
    return file


def _feature(weights: Path, *arguments: str, out: str = "out.png") -> Path:
    written = weights.with_name(out)
    options = ["--weights", str(weights), "--size", "48", "--steps", "3", "--device", "cpu"]
    main(["feature", "--out", str(written), *options, *arguments])
    return written


def _size(picture: Path) -> tuple[int, int]:
    """Width and height."""
    with Image.open(picture) as image:
        return image.size


def _noise(n: int = 1, side: int = 13) -> Tensor:
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "objective",
    [
        neuron("2", 3),
        channel("2", 3),
        -channel("2", 3),
        direction("2", torch.arange(8.0) - 3),
        direction("2", torch.arange(8.0) - 3, cosine_power=2),
        dream("2"),
        logit(1),
        probability(1),
        channel("2", 3) + 0.5 * logit(2),
    ],
    ids=lambda objective: "+".join(f"{t.weight:g} {t.name}" for t in objective.terms),
)
def test_each_objective_falls(objective: Objective) -> None:
    result = optimize(Pixels(_noise()), objective, convolutional(), steps=10, optimizer="adam")
    assert result.losses[-1] < result.losses[0] - 1e-3


def test_the_image_of_a_neuron_changes_within_its_receptive_field_only() -> None:
    image = Pixels(_noise())
    optimize(image, neuron("2", 3, 1, 2), convolutional(), steps=3, optimizer="adam")
    changed = (image() - _noise()).abs().amax(dim=(0, 1)) > 0
    # Row 1 and column 2 of a layer of stride 2 that sees 5 × 5 pixels.
    expected = torch.zeros(13, 13, dtype=torch.bool)
    expected[2:7, 4:9] = True
    assert torch.equal(changed, expected)


def test_a_batch_that_is_nearly_alike_learns_to_differ() -> None:
    image = Pixels(_noise(1).repeat(3, 1, 1, 1) + 0.01 * _noise(3))
    result = optimize(image, diversity("2"), convolutional(), steps=40, optimizer="adam", lr=0.05)
    assert result.losses[0] / 3 > 0.99
    assert result.losses[-1] / 3 < 0.7


def test_units_and_images_make_rows_and_columns(weights: Path) -> None:
    written = _feature(weights, "features.6:1", "features.9:2+3", "--images", "3")
    assert _size(written) == (3 * 48 + 2 * 4, 2 * 48 + 4)


def test_both_signs_are_side_by_side(weights: Path) -> None:
    units = [f"features.6.expand1x1:{channel}" for channel in range(3)]
    assert _size(_feature(weights, *units, "--sign", "both")) == (2 * 48 + 4, 3 * 48 + 2 * 4)


def test_the_negative_is_another_image(weights: Path) -> None:
    negative = _feature(weights, "features.6:1", "--sign", "negative", out="negative.png")
    assert negative.read_bytes() != _feature(weights, "features.6:1").read_bytes()


def test_a_neuron_is_another_image_than_its_channel(weights: Path) -> None:
    of_channel = _feature(weights, "features.6:1").read_bytes()
    centre = _feature(weights, "features.6:1", "--neuron", out="centre.png").read_bytes()
    corner = _feature(weights, "features.6:1", "--neuron", "0,0", out="corner.png").read_bytes()
    assert len({of_channel, centre, corner}) == 3


def test_a_caricature_has_the_photos_proportions(weights: Path, photo: Path) -> None:
    whole = _feature(weights, "features.6", "--like", str(photo))
    place = _feature(weights, "features.6", "--like", str(photo), "--at", "1,2", out="at.png")
    assert _size(whole) == (48, 36)
    assert (read_picture(whole) - read_picture(place)).abs().mean() > 0.001


def test_one_seed_gives_one_picture(weights: Path) -> None:
    pictures = [
        _feature(weights, "features.6:1", "--seed", seed, out=f"{k}.png").read_bytes()
        for k, seed in enumerate("112")
    ]
    assert pictures[0] == pictures[1] != pictures[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["features.6:1", "features.6:256"], r"'features\.6' has no channel 256: it has 256,"),
        (["mixed4a:1"], r"no layer 'mixed4a'; layers are features, features\.0 … "),
        (["features.6"], r"'features\.6' names no unit: give LAYER:CHANNEL"),
        (["features.6:1", "--neuron", "9,9"], "row 9, column 9: it has 5 rows and 5 columns"),
        (["features.6:1", "--size", "8"], "8 × 8 is too small for squeezenet1_1: enlarge it"),
        (["features.6", "--like", "absent.jpg"], r"'absent\.jpg' cannot be read"),
    ],
)
def test_what_cannot_work_is_an_error_before_the_work_begins(
    weights: Path, arguments: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TrainingError, match=message):
        _feature(weights, *arguments)
    assert "step" not in capfd.readouterr().err


def test_a_place_outside_of_the_photo_is_an_error(weights: Path, photo: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"no place 9,0 in layer .* it has 4 rows and 5 columns"
    ):
        _feature(weights, "features.6", "--like", str(photo), "--at", "9,0")


def test_a_place_that_is_no_place_is_an_error(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _feature(weights, "features.6:1", "--neuron", "centre")
    assert "is no place: give ROW,COLUMN" in capsys.readouterr().err
