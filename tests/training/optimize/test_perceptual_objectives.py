"""Objectives of the losses: closed forms, and the fast trainer's very numbers."""

from collections.abc import Iterable, Mapping

import pytest
import torch
from torch import Tensor

from training.losses.gram import gram_matrix
from training.losses.means import FeatureMeansLoss
from training.losses.perceptual import PerceptualLoss
from training.losses.style import GramStyleLoss
from training.networks.loss_network import LossNetwork
from training.optimize.images import Pixels
from training.optimize.loop import optimize
from training.optimize.objective import IMAGE
from training.optimize.perceptual_objectives import content, l2, means, style, total_variation


def test_inverting_a_linear_network_with_l2_is_ridge_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(20, 12, generator=generator, dtype=torch.float64)
    code = torch.randn(20, generator=generator, dtype=torch.float64)

    def network(x: Tensor, layers: Iterable[str]) -> Mapping[str, Tensor]:
        features = x.flatten(1) @ matrix.T
        return {layer: features.view(-1, 20, 1, 1) for layer in layers}

    image = Pixels(torch.zeros(1, 3, 2, 2, dtype=torch.float64))
    weight = 0.01
    objective = content("code", code.view(1, 20, 1, 1)) + l2(weight)
    optimize(image, objective, network, steps=100)
    # The content loss is ‖Ax - c‖² / ‖c‖², so the ridge is λ‖c‖².
    ridge = weight * code.square().sum() * torch.eye(12, dtype=torch.float64)
    expected = torch.linalg.solve(matrix.T @ matrix + ridge, matrix.T @ code)
    torch.testing.assert_close(image.values.flatten(), expected, atol=1e-7, rtol=0)


def test_inverting_the_identity_gives_the_image() -> None:
    photo = torch.rand(1, 3, 5, 6, dtype=torch.float64)

    def network(x: Tensor, layers: Iterable[str]) -> Mapping[str, Tensor]:
        return dict.fromkeys(layers, x)

    start = Pixels(torch.full_like(photo, 0.5))
    result = optimize(start, content("pixels", photo), network, steps=30)
    torch.testing.assert_close(result.image, photo, atol=1e-7, rtol=0)


def test_l2_is_the_sum_of_squares_of_each_image() -> None:
    images = torch.stack([torch.full((3, 2, 2), 0.5), torch.ones(3, 2, 2)])
    torch.testing.assert_close(l2(2.0)({IMAGE: images})["L2"], torch.tensor([6.0, 24.0]))


def test_total_variation_takes_its_exponent() -> None:
    image = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    value = total_variation(4.0, 0.1)({IMAGE: image})["total variation"]
    torch.testing.assert_close(value, torch.tensor([2.5]))


def test_the_means_loss_is_zero_for_the_texture_and_one_for_nothing() -> None:
    loss = FeatureMeansLoss(torch.tensor([1.0, 3.0]))
    maps = torch.tensor([[0.0, 2.0], [3.0, 3.0]]).view(1, 2, 1, 2)  # means 1 and 3
    torch.testing.assert_close(loss(maps), torch.zeros(1))
    torch.testing.assert_close(loss(0 * maps), torch.ones(1))
    # Means 2 and 6: ((2-1)² + (6-3)²) / (1² + 3²) = 1.
    torch.testing.assert_close(loss(2 * maps), torch.ones(1))


@pytest.mark.parametrize("statistic", ["means", "style"])
def test_texture_statistics_do_not_care_where_things_are(statistic: str) -> None:
    maps = torch.rand(1, 4, 5, 6)
    shuffled = maps.flatten(2)[..., torch.randperm(30)].reshape(1, 4, 5, 6)
    objective = (
        means("layer", maps.mean(dim=(2, 3)))
        if statistic == "means"
        else style("layer", GramStyleLoss(gram_matrix(maps)))
    )
    value = objective({"layer": shuffled})[statistic]
    torch.testing.assert_close(value, torch.zeros(1), atol=1e-9, rtol=0)


def test_style_takes_one_of_several_paintings_and_a_region() -> None:
    paintings = torch.rand(2, 3, 4, 6)
    loss = GramStyleLoss(gram_matrix(paintings))
    right = torch.zeros(4, 6)
    right[:, 3:] = 1
    half = torch.cat([torch.rand(1, 3, 4, 3), paintings[1:, ..., 3:]], dim=3)
    whole = style("layer", loss, painting=1)({"layer": half})["style"]
    torch.testing.assert_close(whole, loss(half, torch.tensor([1])))
    region = style("layer", loss, right, painting=1, weight=2.0)({"layer": half})["style"]
    torch.testing.assert_close(region, 2 * loss(half, torch.tensor([1]), right))


def test_content_has_its_weight() -> None:
    target = torch.rand(1, 2, 3, 3)
    value = content("layer", target, 5.0)({"layer": torch.zeros(1, 2, 3, 3)})["content"]
    torch.testing.assert_close(value, torch.tensor([5.0]))


def test_the_objectives_give_the_fast_trainers_loss_at_the_same_image(
    vgg_weights: dict[str, Tensor],
) -> None:
    generator = torch.Generator().manual_seed(0)
    network = LossNetwork(vgg_weights, ["relu1_1", "relu1_2", "relu2_1", "relu3_1"])
    photo, painted = torch.rand(2, 1, 3, 32, 32, generator=generator)
    paintings = torch.rand(2, 3, 24, 40, generator=generator)
    style_layers, content_layers = ("relu1_1", "relu2_1", "relu3_1"), ("relu1_2", "relu3_1")
    features = network(paintings)
    grams = {layer: gram_matrix(features[layer]) for layer in style_layers}
    scales = {layer: torch.rand(2, generator=generator) + 0.5 for layer in style_layers}
    trainer = PerceptualLoss(
        network,
        grams,
        scales,
        content_layers=content_layers,
        style_strength=0.7,
        total_variation_weight=3.0,
    )
    expected = trainer(photo, painted, torch.tensor([1]))

    content_weight, style_weight, variation_weight, *_ = trainer.weights
    targets = network(photo, content_layers)
    objective = total_variation(weight=variation_weight)
    for layer in content_layers:
        objective += content(layer, targets[layer], content_weight / len(content_layers))
    for layer in style_layers:
        # The trainer's own modules, not copies of them.
        loss = trainer.style_losses[layer]
        assert isinstance(loss, GramStyleLoss)
        objective += style(layer, loss, painting=1, weight=style_weight / len(style_layers))
    result = optimize(Pixels(painted), objective, network, steps=1)

    assert result.losses[0] == pytest.approx(expected.total.item(), rel=1e-6)
    terms = objective({**network(painted, objective.layers), IMAGE: painted})
    torch.testing.assert_close(terms["content"], content_weight * expected.content)
    torch.testing.assert_close(terms["style"], style_weight * expected.style)
    variation = variation_weight * expected.total_variation
    torch.testing.assert_close(terms["total variation"], variation)
