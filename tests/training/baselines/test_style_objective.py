"""The objective of style transfer: weights, normalizations, several paintings, equal losses."""

import pytest
import torch
from torch import Tensor

from tests.training.drawn_data import slim_vgg_weights
from training.baselines.soft_range import kept_in_range
from training.baselines.style_objective import Recipe, transfer_objective
from training.errors import TrainingError
from training.losses.calibration import calibrate, painting_grams
from training.losses.gram import gram_matrix
from training.losses.perceptual import STYLE_WEIGHT, PerceptualLoss
from training.losses.style import GramStyleLoss
from training.networks.loss_network import LossNetwork
from training.optimize.images import Pixels
from training.optimize.loop import optimize
from training.optimize.objective import IMAGE, Objective
from training.optimize.perceptual_objectives import content, style

CONTENT = ("relu2_2",)
STYLE = ("relu1_1", "relu2_1", "relu3_1")


@pytest.fixture
def network() -> LossNetwork:
    return LossNetwork(slim_vgg_weights(), CONTENT + STYLE)


def _image(seed: int, height: int = 16, width: int = 20) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def _values(objective: Objective, network: LossNetwork, image: Tensor) -> dict[str, float]:
    values = objective({**network(image, objective.layers), IMAGE: image})
    return {name: value.item() for name, value in values.items()}


def _slope(objective: Objective, network: LossNetwork, image: Tensor) -> Tensor:
    image = image.clone().requires_grad_()
    values = objective({**network(image, objective.layers), IMAGE: image})
    (slope,) = torch.autograd.grad(torch.stack(list(values.values())).sum(), image)
    return slope


def test_content_and_style_weights_of_0_are_refused() -> None:
    with pytest.raises(TrainingError, match="both 0, so there is nothing to paint"):
        Recipe(0, 0, tv_weight=1)


@pytest.mark.parametrize("weights", [(-1, 1), (1, -1), (float("nan"), 1), (1, float("inf"))])
def test_weights_below_0_and_no_numbers_are_refused(weights: tuple[float, float]) -> None:
    with pytest.raises(TrainingError, match="0 or more"):
        Recipe(*weights)


def test_layers_without_weight_are_not_asked_for() -> None:
    assert Recipe(1, 0, 0, CONTENT, STYLE).layers == CONTENT
    assert Recipe(0, 1, 0, CONTENT, STYLE).layers == STYLE
    assert Recipe(1, 1, 0, ("relu2_1",), STYLE).layers == ("relu2_1", "relu1_1", "relu3_1")


def test_the_unstyled_photo_costs_the_style_weight_whatever_the_painting(
    network: LossNetwork,
) -> None:
    photo = _image(0)
    for painting in (_image(1, 12, 30), 0.1 * _image(2)):
        objective = transfer_objective(network, photo, [painting], Recipe(5, 7, 0, CONTENT, STYLE))
        values = _values(objective, network, photo)
        assert values["content"] == 0
        assert values["style"] == pytest.approx(7, rel=1e-5)


def test_a_photo_that_equals_the_painting_has_a_finite_loss(network: LossNetwork) -> None:
    photo = _image(0)
    objective = transfer_objective(network, photo, [photo], Recipe(1, 1, 0, CONTENT, STYLE))
    assert _values(objective, network, photo)["style"] == pytest.approx(0, abs=1e-6)
    assert 0 < _values(objective, network, _image(1))["style"] < 1e5


def test_with_energy_an_image_without_features_costs_the_style_weight() -> None:
    weights = slim_vgg_weights()
    silent = {key: torch.zeros_like(value) for key, value in weights.items()}
    photo, painting = _image(0), _image(1)
    recipe = Recipe(0, 3, 0, CONTENT, STYLE, "energy")
    objective = transfer_objective(LossNetwork(weights, STYLE), photo, [painting], recipe)
    values = _values(objective, LossNetwork(silent, STYLE), photo)
    assert values["style"] == pytest.approx(3)


def test_the_papers_equations_hold_exactly(network: LossNetwork) -> None:
    photo, painting, image = _image(0), _image(1), _image(2)
    recipe = Recipe(0.5, 2.0, 0, CONTENT, STYLE, "gatys")
    values = _values(transfer_objective(network, photo, [painting], recipe), network, image)
    ours, its, theirs = network(image), network(photo), network(painting)
    # Eq. 1: ½ Σ (F − P)².
    squares = (ours["relu2_2"] - its["relu2_2"]).square().sum().item()
    assert values["content"] == pytest.approx(0.5 * squares / 2, rel=1e-5)
    # Eqs. 3 to 5: Σ_l w_l Σ (G − A)² / (4·N²·M²) with G = F·Fᵀ and w_l = 1/3 for three layers.
    total = 0.0
    for layer in STYLE:
        f, s = ours[layer].flatten(2)[0], theirs[layer].flatten(2)[0]
        n, m = f.shape
        total += (f @ f.T - s @ s.T).square().sum().item() / (4 * n**2 * m**2) / 3
    assert values["style"] == pytest.approx(2 * total, rel=1e-4)


def test_it_is_the_loss_of_the_fast_trainer(network: LossNetwork) -> None:
    photo, image = _image(0), _image(2)
    paintings = [_image(1), _image(3, 24, 24)]
    grams = painting_grams(network, [painting[0] for painting in paintings], STYLE)
    trainers = PerceptualLoss(
        network,
        grams,
        calibrate(network, grams, photo),
        content_layers=CONTENT,
        style_strength=0.5,
        total_variation_weight=0.25,
    )
    recipe = Recipe(1, 0.5 * STYLE_WEIGHT, 0.25, CONTENT, STYLE)
    for index, painting in enumerate(paintings):
        terms = trainers(photo, image, torch.tensor([index]))
        objective = transfer_objective(network, photo, [painting], recipe)
        values = _values(objective, network, image)
        assert sum(values.values()) == pytest.approx(terms.total.item(), rel=1e-5)
        assert values["content"] == pytest.approx(terms.content.item(), rel=1e-5)


def test_two_halves_of_one_painting_are_that_painting(network: LossNetwork) -> None:
    photo, painting = _image(0), _image(1)
    recipe = Recipe(1, 1, 0, CONTENT, STYLE)
    one = transfer_objective(network, photo, [painting], recipe)
    two = transfer_objective(network, photo, [painting] * 2, recipe, shares=(0.25, 0.75))
    ours, theirs = _values(one, network, _image(2)), _values(two, network, _image(2))
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_the_mean_of_losses_pulls_as_the_loss_of_the_mean_gram(network: LossNetwork) -> None:
    photo, image = _image(0), _image(3)
    paintings, shares = [_image(1), _image(2) ** 2], (0.3, 0.7)
    recipe = Recipe(0, 1, 0, CONTENT, ("relu2_1",), "gatys")
    slope = _slope(transfer_objective(network, photo, paintings, recipe, shares), network, image)
    grams = [gram_matrix(network(painting)["relu2_1"]) for painting in paintings]
    mean = 0.3 * grams[0] + 0.7 * grams[1]
    channels = mean.shape[-1]
    loss = GramStyleLoss(mean, torch.tensor([4 / channels**2]))
    torch.testing.assert_close(slope, _slope(style("relu2_1", loss), network, image))


def test_alpha_alone_is_feature_inversion(network: LossNetwork) -> None:
    photo, start = _image(0), _image(4)
    objective = transfer_objective(network, photo, [_image(1)], Recipe(1, 0, 0, CONTENT, STYLE))
    inversion = content("relu2_2", network(photo)["relu2_2"])
    ours = optimize(Pixels(start), objective, network, steps=5).image
    torch.testing.assert_close(ours, optimize(Pixels(start), inversion, network, steps=5).image)


def test_beta_alone_is_texture_synthesis(network: LossNetwork) -> None:
    painting, start = _image(1), _image(4)
    recipe = Recipe(0, 1, 0, CONTENT, STYLE, "energy")
    objective = transfer_objective(network, _image(0), [painting], recipe)
    grams = {layer: gram_matrix(network(painting)[layer]) for layer in STYLE}
    texture = Objective()
    for layer, gram in grams.items():
        texture += style(layer, GramStyleLoss(gram), weight=1 / 3)
    ours = optimize(Pixels(start), objective, network, steps=5).image
    torch.testing.assert_close(ours, optimize(Pixels(start), texture, network, steps=5).image)


def test_along_alpha_over_beta_the_content_falls_and_the_style_rises(network: LossNetwork) -> None:
    photo, painting = _image(0), 0.3 * _image(1)
    judge = transfer_objective(network, photo, [painting], Recipe(1, 1, 0, CONTENT, STYLE))
    measured = []
    for ratio in (1e-4, 1e-1, 10):
        recipe = Recipe(ratio, 1, 0, CONTENT, STYLE)
        objective = transfer_objective(network, photo, [painting], recipe)
        image = Pixels(_image(4))
        objective = kept_in_range(objective, network, image)
        result = optimize(image, objective, network, steps=60)
        measured.append(_values(judge, network, result.image))
    contents, styles = ([each[name] for each in measured] for name in ("content", "style"))
    assert contents == sorted(contents, reverse=True)
    assert styles == sorted(styles)
    assert contents[0] > 2 * contents[-1]
    assert styles[-1] > 2 * styles[0]
