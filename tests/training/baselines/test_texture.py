"""Texture synthesis: Gatys' four numbers of parameters, layer subsets, tiles."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.models import vgg19

from training.baselines.texture_statistics import (
    Statistic,
    choose_layers,
    parameter_count,
    principal_components,
    rotate,
    texture_objective,
)
from training.errors import TrainingError
from training.networks.loss_network import channels_of, load_loss_network
from training.optimize.command import main
from training.optimize.objective import Features
from training.optimize.picture_file import read_picture


@pytest.fixture(scope="module")
def vgg19_channels() -> dict[str, int]:
    with torch.device("meta"):
        return channels_of(vgg19().state_dict())


@pytest.mark.parametrize(
    ("layers", "statistic", "expected"),
    [
        ("pools", "means", 1_024),
        ("pools", "pca", 10_400),
        ("pools", "gram", 176_640),
        ("all", "gram", 852_128),
    ],
)
def test_the_four_models_of_gatys_have_his_numbers_of_parameters(
    vgg19_channels: dict[str, int], layers: str, statistic: Statistic, expected: int
) -> None:
    chosen = choose_layers(layers, "pool4", list(vgg19_channels))
    assert len(chosen) == (16 if layers == "all" else 5)
    assert parameter_count([vgg19_channels[n] for n in chosen], statistic) == expected


def test_a_row_of_his_figure_is_all_up_to_a_pool(vgg19_channels: dict[str, int]) -> None:
    assert choose_layers("pools", "pool2", list(vgg19_channels)) == ("relu1_1", "pool1", "pool2")
    chosen = choose_layers("all", "pool1", list(vgg19_channels))
    assert chosen == ("relu1_1", "relu1_2", "pool1")
    assert choose_layers("relu3_1, pool2", "pool4", list(vgg19_channels)) == ("relu3_1", "pool2")


@pytest.mark.parametrize("wanted", ["relu9_9", "relu1_1,conv2"])
def test_an_unknown_layer_is_an_error_that_lists_those_there_are(
    wanted: str, vgg19_channels: dict[str, int]
) -> None:
    with pytest.raises(TrainingError, match=r"choose of relu1_1, .*, pool5"):
        choose_layers(wanted, "pool4", list(vgg19_channels))


def test_principal_components_are_uncorrelated_and_fall() -> None:
    maps = torch.rand(1, 5, 6, 7, dtype=torch.float64)
    maps[:, 1] = 2 * maps[:, 0] + 0.1 * maps[:, 1]
    rotated = rotate(maps, principal_components(maps, 3))[0].flatten(1)
    covariance = torch.cov(rotated)
    variances = covariance.diag()
    torch.testing.assert_close(covariance, torch.diag(variances))
    assert rotated.shape == (3, 42)
    assert variances[0] > variances[1] > variances[2]
    assert variances[0] > 2 * variances[1]


def test_with_every_component_pca_is_the_whole_gram_matrix() -> None:
    texture: Features = {"a": torch.rand(1, 4, 6, 6), "b": torch.rand(1, 3, 3, 3)}
    other = {"a": torch.rand(1, 4, 5, 5), "b": torch.rand(1, 3, 2, 4)}
    whole = texture_objective(texture, ["a", "b"], "gram")(other)
    rotated = texture_objective(texture, ["a", "b"], "pca", components=64)(other)
    torch.testing.assert_close(rotated["style"], whole["style"], rtol=1e-4, atol=0)


@pytest.mark.parametrize("statistic", ["means", "pca", "gram"])
def test_the_texture_itself_has_no_loss_and_nothing_has_one(statistic: Statistic) -> None:
    texture = {"a": torch.rand(1, 4, 6, 6), "b": torch.rand(1, 3, 3, 3)}
    objective = texture_objective(texture, ["a", "b"], statistic, components=2)
    (zero,) = objective(texture).values()
    torch.testing.assert_close(zero, torch.zeros(1), atol=1e-9, rtol=0)
    (one,) = objective({name: 0 * maps for name, maps in texture.items()}).values()
    torch.testing.assert_close(one, torch.ones(1))


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    """A smooth texture whose left and right edges do not fit."""
    y, x = np.mgrid[0:32, 0:32]
    value = 0.5 + 0.4 * np.sin(x / 3.1) * np.cos(y / 2.3)
    pixels = (255 * np.stack([value, 0.8 * value, 1 - value], axis=-1)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "waves.png")
    return tmp_path / "waves.png"


def synthesize(texture: Path, vgg_file: Path, out: Path, *more: str) -> Tensor:
    words = [str(texture), "--loss-weights", str(vgg_file), "--out", str(out), "--size", "32"]
    main(["texture", *words, "--up-to", "pool2", "--device", "cpu", "--steps", "40", *more])
    return read_picture(out)


def seam(image: Tensor) -> float:
    """Difference across the edges of a tile, in units of that between neighbours inside."""
    across = (image[..., 0] - image[..., -1]).abs().mean()
    down = (image[..., 0, :] - image[..., -1, :]).abs().mean()
    inside = image.diff(dim=-1).abs().mean() + image.diff(dim=-2).abs().mean()
    return ((across + down) / inside).item()


def test_a_tile_has_no_seam(waves: Path, vgg_file: Path, tmp_path: Path) -> None:
    for size in (("--size", "32"), ("--size", "64", "--levels", "2")):
        tile = synthesize(waves, vgg_file, tmp_path / "tile.png", "--tileable", *size)
        assert 0.75 < seam(tile) < 1.25


def test_a_tile_is_like_the_texture_across_its_edges_too(
    waves: Path, vgg_file: Path, tmp_path: Path
) -> None:
    layers = ("relu1_1", "pool1", "pool2")
    texture = load_loss_network(str(vgg_file), layers)(read_picture(waves))
    objective = texture_objective(texture, layers, "gram")
    around = load_loss_network(str(vgg_file), layers, padding="circular")
    losses = []
    for name, more in (("tile.png", ["--tileable"]), ("plain.png", [])):
        image = synthesize(waves, vgg_file, tmp_path / name, *more)
        (loss,) = objective(around(image)).values()
        losses.append(loss.item())
    assert losses[1] > 3 * losses[0]


def test_the_command_prints_parameters_and_losses(
    waves: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = synthesize(waves, vgg_file, tmp_path / "out.png", "--statistic", "means")
    assert image.shape == (1, 3, 32, 32)
    first, last = capsys.readouterr().out.splitlines()
    assert first == "14 parameters: means of relu1_1, pool1, pool2"  # 4 + 4 + 6
    assert last.startswith(f"wrote {tmp_path / 'out.png'} (32 × 32), loss ")
    assert re.search(r"loss 0\.\d+ → \S+ in \d+ steps$", last)


def test_one_seed_gives_one_texture_and_another_another(
    waves: Path, vgg_file: Path, tmp_path: Path
) -> None:
    first, again, other = (
        synthesize(waves, vgg_file, tmp_path / "out.png", "--steps", "5", "--seed", seed)
        for seed in ("1", "1", "2")
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_weights_that_end_early_are_an_error_that_says_what_is_possible(
    waves: Path, vgg_file: Path, tmp_path: Path
) -> None:
    # Channels 4, 4, 4 up to pool1, then 6, 6, 6 up to pool2.
    numbers = r"14 \(means\), 41 \(pca\), 41 \(gram\) or 93 \(gram, --layers all\)"
    with pytest.raises(
        TrainingError, match=f"end at relu3_1, before pool4: give --up-to pool2.*{numbers}"
    ):
        synthesize(waves, vgg_file, tmp_path / "out.png", "--up-to", "pool4")


def test_a_tile_whose_side_the_pools_would_cut_is_an_error(
    waves: Path, vgg_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="multiple of 16: --size 48 is near"):
        synthesize(waves, vgg_file, tmp_path / "out.png", "--tileable", "--size", "50")


def test_a_texture_goes_on_behind_the_level_that_was_finished(
    waves: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("--size", "64", "--levels", "2", "--steps", "6", "--work", str(tmp_path / "work"))
    first = synthesize(waves, vgg_file, tmp_path / "out.png", *more)
    assert capsys.readouterr().out.endswith("in 12 steps\n")
    (tmp_path / "work" / "level-1-64x64.safetensors").unlink()
    again = synthesize(waves, vgg_file, tmp_path / "out.png", *more)
    assert capsys.readouterr().out.endswith("in 6 steps\n")
    assert torch.equal(first, again)
