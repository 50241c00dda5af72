"""Options of style transfer: weights, files, layers, sizes."""

import argparse
from pathlib import Path

import pytest
import torch

from tests.training.drawn_data import draw_picture
from training.baselines.style import GATYS_STYLE_WEIGHT, StyleTransfer
from training.baselines.style_objective import Recipe
from training.baselines.style_options import (
    Pictures,
    WeightedFile,
    layer_names,
    shares_of,
    weighted_file,
)
from training.errors import TrainingError
from training.losses.perceptual import STYLE_WEIGHT
from training.options import not_negative


def _recipe(*arguments: str) -> Recipe:
    return StyleTransfer.parse(["a.jpg", "b.jpg", "--out", "c.png", *arguments], "style").recipe


def test_a_painting_may_have_a_weight() -> None:
    assert weighted_file("a/b.jpg") == WeightedFile(Path("a/b.jpg"), 1.0)
    assert weighted_file("a/b.jpg=0.5") == WeightedFile(Path("a/b.jpg"), 0.5)


def test_an_equals_sign_in_a_files_name_is_no_weight(tmp_path: Path) -> None:
    (tmp_path / "a=2").touch()
    assert weighted_file(str(tmp_path / "a=2")) == WeightedFile(tmp_path / "a=2", 1.0)
    assert weighted_file(str(tmp_path / "a=2=3")) == WeightedFile(tmp_path / "a=2", 3.0)


@pytest.mark.parametrize("text", ["a.jpg=0", "a.jpg=-1", "a.jpg=much", "a.jpg=inf", "a.jpg="])
def test_a_weight_that_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        weighted_file(text)


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "x"])
def test_a_weight_that_is_no_number_from_0_up_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no number from 0 up"):
        not_negative(text)


def test_shares_sum_to_1() -> None:
    files = (WeightedFile(Path("a"), 1.0), WeightedFile(Path("b"), 3.0))
    assert shares_of(files) == (0.25, 0.75)


def test_layers_are_named_with_commas() -> None:
    assert layer_names("relu1_1, relu2_1") == ("relu1_1", "relu2_1")
    with pytest.raises(argparse.ArgumentTypeError, match="at least one"):
        layer_names(",")


def test_the_usual_style_weight_depends_on_the_normalization() -> None:
    assert _recipe().style_weight == STYLE_WEIGHT
    papers = _recipe("--normalization", "gatys")
    assert (papers.style_weight, papers.tv_weight) == (GATYS_STYLE_WEIGHT, 0)
    chosen = _recipe("--normalization", "gatys", "--style-weight", "3")
    assert chosen.style_weight == 3


def test_the_usual_layers_are_those_of_the_paper() -> None:
    recipe = _recipe()
    assert recipe.content_layers == ("relu4_2",)
    assert recipe.style_layers == ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def test_weights_of_0_are_refused() -> None:
    with pytest.raises(TrainingError, match="nothing to paint"):
        _recipe("--content-weight", "0", "--style-weight", "0")


def test_a_tiny_painting_is_enlarged_and_a_large_one_reduced(tmp_path: Path) -> None:
    draw_picture(tmp_path / "photo.png", 0, (60, 40))
    draw_picture(tmp_path / "tiny.png", 1, (20, 20))
    draw_picture(tmp_path / "large.png", 2, (300, 150))
    files = (tmp_path / "tiny.png", tmp_path / "large.png")
    paintings = tuple(WeightedFile(file, 1.0) for file in files)
    style = StyleTransfer(
        photo=tmp_path / "photo.png", paintings=paintings, size=48, style_size=64, device="cpu"
    )
    pictures = style.read_pictures(files)
    assert pictures.photo.shape == (1, 3, 32, 48)
    assert [each.shape[-2:] for each in pictures.paintings] == [(64, 64), (32, 64)]


def test_paintings_shrink_with_the_photo() -> None:
    pictures = Pictures(torch.rand(1, 3, 40, 80), (torch.rand(1, 3, 60, 30),))
    smaller = pictures.at((20, 40))
    assert smaller.photo.shape[-2:] == (20, 40)
    assert smaller.paintings[0].shape[-2:] == (30, 15)
