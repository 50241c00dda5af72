"""DeepDream."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.training.baselines.tiny_classifier import convolutional, write_squeezenet
from training.errors import TrainingError
from training.optimize.command import main
from training.optimize.images import Pixels
from training.optimize.loop import optimize
from training.optimize.picture_file import read_picture, resize, write_picture
from training.visualization.dream import at_full_size, dream_of, octaves, with_detail
from training.visualization.unit_objectives import dream


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.png"
    colours = torch.rand(1, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    write_picture(file, resize(colours, (50, 70)))
    return file


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return write_squeezenet(tmp_path / "weights.safetensors", classes=4)


def _dream(photo: Path, weights: Path, *more: str, out: str = "out.png") -> Path:
    written = photo.with_name(out)
    arguments = ["dream", str(photo), "--weights", str(weights), "--out", str(written)]
    main([*arguments, "--size", "70", "--steps", "2", "--device", "cpu", *more])
    return written


def _size(picture: Path) -> tuple[int, int]:
    """Width and height."""
    with Image.open(picture) as image:
        return image.size


def test_the_energy_of_the_layer_rises_at_every_step() -> None:
    torch.manual_seed(1)
    image = Pixels(torch.rand(1, 3, 12, 12))
    result = optimize(image, dream("2"), convolutional(), steps=20, optimizer="sgd", lr=0.01)
    assert all(
        after < before for before, after in zip(result.losses, result.losses[1:], strict=False)
    )


def test_octaves_grow_to_the_size_of_the_photo() -> None:
    sizes = octaves(torch.zeros(1, 3, 140, 280), 3, 1.4)
    assert sizes == [(72, 143), (100, 200), (140, 280)]


def test_octaves_that_are_too_small_are_left_out() -> None:
    assert octaves(torch.zeros(1, 3, 60, 80), 4, 1.4) == [(60, 80)]


def test_a_photo_that_is_too_small_is_an_error_that_gives_its_size() -> None:
    with pytest.raises(TrainingError, match="200 × 20 is too small to dream of"):
        octaves(torch.zeros(1, 3, 20, 200), 4, 1.4)


def test_octaves_that_do_not_grow_are_an_error() -> None:
    with pytest.raises(TrainingError, match="--octave-scale 1 is not above 1"):
        octaves(torch.zeros(1, 3, 60, 80), 4, 1.0)


def test_a_dream_of_nothing_brings_no_detail_into_the_next_octave() -> None:
    base, smaller = torch.rand(1, 3, 20, 30), torch.rand(1, 3, 10, 15)
    unchanged = resize(smaller, (20, 30))
    torch.testing.assert_close(with_detail(base, unchanged, smaller), base)


def test_detail_is_what_was_dreamt_on_top_of_the_photo() -> None:
    base, smaller = torch.full((1, 3, 4, 4), 0.5), torch.full((1, 3, 2, 2), 0.3)
    dreamt = torch.full((1, 3, 4, 4), 0.4)
    torch.testing.assert_close(with_detail(base, dreamt, smaller), torch.full((1, 3, 4, 4), 0.6))


def test_a_dream_that_was_interrupted_has_the_photos_size() -> None:
    photo = torch.rand(1, 3, 40, 60)
    small = resize(photo, (20, 30))
    torch.testing.assert_close(at_full_size(small, photo), photo)
    brighter = at_full_size(0.5 * small + 0.1, 0.5 * photo)
    torch.testing.assert_close(brighter, 0.5 * photo + 0.1, atol=1e-5, rtol=0)


def test_a_finished_dream_stays_as_it_is() -> None:
    photo, dreamt = torch.rand(1, 3, 8, 9), torch.rand(1, 3, 8, 9)
    torch.testing.assert_close(at_full_size(dreamt, photo), dreamt)


def test_layers_and_channels_are_dreamt_together() -> None:
    maps = torch.tensor([[[[1.0, 3.0]], [[2.0, 0.0]]]])
    values = dream_of(["conv", "conv:1"])({"conv": maps})
    assert {name: value.item() for name, value in values.items()} == {"dream": -7, "channel": -1}


def test_the_command_writes_a_dream_of_the_photos_size(
    photo: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = _dream(photo, weights, "--layer", "features.6", "--octaves", "2")
    assert _size(written) == (70, 50)
    assert (read_picture(written) - read_picture(photo)).abs().mean() > 0.005
    assert f"wrote {written} (70 × 50), loss -" in capsys.readouterr().out


def test_one_seed_gives_one_dream(photo: Path, weights: Path) -> None:
    first = _dream(photo, weights, "--seed", "7", out="first.png")
    second = _dream(photo, weights, "--seed", "7", out="second.png")
    other = _dream(photo, weights, "--seed", "8", out="other.png")
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != other.read_bytes()


def test_finished_octaves_are_not_dreamt_again(
    photo: Path, weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = ("--octaves", "2", "--octave-scale", "1.02", "--work", str(photo.parent / "work"))
    whole = _dream(photo, weights, *work, out="whole.png")
    assert "in 4 steps" in capsys.readouterr().out
    finished = sorted((photo.parent / "work").iterdir())
    assert len(finished) == 2
    finished[1].unlink()
    resumed = _dream(photo, weights, *work, out="resumed.png")
    assert "in 2 steps" in capsys.readouterr().out
    assert resumed.read_bytes() == whole.read_bytes()


def test_a_vggs_layer_is_dreamt_by_the_loss_network(photo: Path, vgg_file: Path) -> None:
    written = _dream(photo, vgg_file, "--layer", "relu2_1")
    assert (read_picture(written) - read_picture(photo)).abs().mean() > 0.005


def test_lbfgs_under_jitter_is_an_error(photo: Path, weights: Path) -> None:
    with pytest.raises(TrainingError, match="--jitter 0"):
        _dream(photo, weights, "--optimizer", "lbfgs")
    assert _dream(photo, weights, "--optimizer", "lbfgs", "--jitter", "0").is_file()


def test_a_missing_layer_is_an_error_that_lists_those_there_are(photo: Path, weights: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"no layer 'mixed4a'; layers are features, features\.0 "
    ):
        _dream(photo, weights, "--layer", "mixed4a")


def test_a_channel_out_of_range_is_an_error_that_says_how_many_there_are(
    photo: Path, weights: Path
) -> None:
    with pytest.raises(TrainingError, match=r"'features\.6' has no channel 900: it has 256"):
        _dream(photo, weights, "--layer", "features.6:900")
