"""Priors of class models and feature visualization."""

import pytest
import torch
from torch import nn

from training.errors import TrainingError
from training.networks.classifier import Classifier
from training.optimize.images import Pixels
from training.optimize.loop import optimize
from training.optimize.objective import IMAGE
from training.visualization.fourier import Fourier
from training.visualization.priors import (
    Visualization,
    clip_small,
    distance_from_mean,
    mean_colour,
    penalties,
    projection,
    start,
    step_size,
    transformation,
)
from training.visualization.unit_objectives import logit

CPU = torch.device("cpu")


def _options(*arguments: str) -> Visualization:
    return Visualization.parse(["--out", "a.png", *arguments], "priors")


def test_the_class_model_of_a_linear_score_is_the_weights_over_twice_lambda() -> None:
    torch.manual_seed(0)
    network = Classifier(
        nn.Sequential(nn.Flatten(), nn.Linear(48, 2)).double(), "linear", ("cat", "dog")
    ).double()
    image = Pixels(mean_colour(CPU).double().repeat(1, 1, 4, 4))
    optimize(image, logit(1) + distance_from_mean(CPU, 5.0), network, steps=20)
    weights = network.model.get_parameter("1.weight")[1].view(1, 3, 4, 4) / network.std
    # S(I) = w·(I - mean)/std, so I* = mean + (w/std) / (2λ).
    expected = network.mean + weights / (2 * 5.0)
    torch.testing.assert_close(image(), expected, atol=1e-7, rtol=0)


def test_the_mean_colour_costs_nothing_and_white_its_distance() -> None:
    objective = distance_from_mean(CPU, 2.0)
    flat = mean_colour(CPU).repeat(1, 1, 2, 2)
    assert objective({IMAGE: flat})["L2"].item() == 0
    expected = 2 * 4 * (0.515**2 + 0.544**2 + 0.594**2)
    assert objective({IMAGE: torch.ones(1, 3, 2, 2)})["L2"].item() == pytest.approx(expected)


def test_clipping_half_of_the_pixels_leaves_the_most_colourful() -> None:
    mean = mean_colour(CPU)
    image = mean + torch.tensor([[0.1, -0.4], [0.3, 0.2]]).view(1, 1, 2, 2)
    clipped = clip_small(50, mean)(image) - mean
    torch.testing.assert_close(
        clipped[0, 0], torch.tensor([[0.0, -0.4], [0.3, 0.0]]), atol=1e-6, rtol=0
    )


def test_clipping_none_of_the_pixels_changes_nothing() -> None:
    image = torch.rand(2, 3, 4, 4)
    assert torch.equal(clip_small(0, mean_colour(CPU))(image), image)


def test_only_penalties_asked_for_are_in_the_objective() -> None:
    assert penalties(_options(), CPU).terms == ()
    asked = penalties(_options("--tv", "2", "--l2", "3"), CPU)
    assert [(term.name, term.weight) for term in asked.terms] == [("total variation", 2), ("L2", 3)]


def test_a_fourier_image_has_lucids_step_size_unless_another_is_given() -> None:
    assert step_size(_options()) == 0.05
    assert step_size(_options("--lr", "0.1")) == 0.1
    assert step_size(_options("--image", "pixels")) is None
    assert step_size(_options("--optimizer", "sgd")) is None


def test_the_images_of_a_batch_start_from_different_noise_and_repeat_with_the_seed() -> None:
    grey = torch.full((2, 3, 8, 8), 0.5)
    for kind in ("fourier", "pixels"):
        options = _options("--image", kind, "--seed", "3")
        first, second = start(options, grey, random=True)(), start(options, grey, random=True)()
        assert torch.equal(first, second)
        assert not torch.equal(first[0], first[1])


def test_without_noise_both_kinds_start_from_the_image() -> None:
    photo = 0.1 + 0.8 * torch.rand(1, 3, 6, 7)
    fourier = start(_options(), photo, random=False)
    pixels = start(_options("--image", "pixels"), photo, random=False)
    assert isinstance(fourier, Fourier)
    assert isinstance(pixels, Pixels)
    torch.testing.assert_close(fourier(), photo, atol=1e-6, rtol=0)
    assert torch.equal(pixels(), photo)


def test_jitter_alone_keeps_the_size_and_none_is_none() -> None:
    jittered = transformation(_options("--robust", "jitter"))
    assert jittered is not None
    assert jittered(torch.rand(1, 3, 20, 30)).shape == (1, 3, 20, 30)
    assert transformation(_options("--robust", "none")) is None


def test_lbfgs_under_random_transformations_is_an_error() -> None:
    with pytest.raises(TrainingError, match="--robust none"):
        transformation(_options("--optimizer", "lbfgs"))
    assert transformation(_options("--optimizer", "lbfgs", "--robust", "none")) is None


def test_pixels_stay_in_range_and_a_fourier_image_needs_no_clipping() -> None:
    project = projection(_options("--image", "pixels"), CPU)
    assert project is not None
    assert project(torch.tensor([[[[-1.0, 2.0]]]])).flatten().tolist() == [0.0, 1.0]
    assert projection(_options(), CPU) is None


def test_filters_apply_every_few_steps() -> None:
    project = projection(_options("--blur", "1", "--bilateral", "1", "--filter-every", "2"), CPU)
    assert project is not None
    image = torch.rand(1, 3, 8, 8)
    assert torch.equal(project(image), image)
    assert project(image).std() < 0.7 * image.std()


@pytest.mark.parametrize("weight", ["-1", "nan", "inf", "much"])
def test_a_weight_that_is_no_weight_is_an_error(
    weight: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _options("--tv", weight)
    assert "is no number from 0 up" in capsys.readouterr().err
